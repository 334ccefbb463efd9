"""Extract: texts of the lake's web pages by the extractors of a recipe, and the text that each sample has by its choice.

What is missing is computed from the table: fragments of pages that have no file of family ``texts`` by an extractor, and those whose captures
are named by another choice. While a recipe has one extractor there are no ``texts``: what ingest made of a page is its content, and another
extractor's text takes its place. Where there are several, each is run over the pages that it has not seen; then the choice is evaluated for
every sample, on these texts alone.

Content is replaced, never read through a choice: a sample has one text, so no step counts a page twice. What was made from a text goes in the
commit that replaces it, and the steps that come after make it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UnreadableInputsError
from headwater.filters.html.extractors import OF_OTHERS, ExtractorSettings
from headwater.filters.html.others import check_package
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave, finish_run
from headwater.pipelines.extract.dependents import cuts, of_all_paths, write_cut
from headwater.pipelines.extract.task import Done, ReplaceTask, TextsTask, Unread, write_content, write_texts
from headwater.pipelines.extract.units import Stands, units_of
from headwater.pipelines.recipe.extraction import choice, choice_operators, text_operator, without_pages
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.spark.arrivals import Pace, arrivals
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism, run_tasks
from headwater.plain import JsonObject
from headwater.warehouse.faults import EXTRACT
from headwater.warehouse.fragments import operator_digits
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.table_format import declare_columns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Tasks", "extract", "extract_with", "fragments_of_pages"]

_SECTIONS: Final = ("extractors", "extract")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Tasks:
    """How work is run: on Spark, or (in tests) one task after the other in this process."""

    def __init__(self, spark: SparkSession | None, progress: Progress | None = None) -> None:
        self._spark, self._progress, self._pace = spark, progress, Pace()
        self.slots = 1 if spark is None else parallelism(spark)

    def run(
        self,
        function: Callable[[_Item], _Result],
        items: Sequence[_Item],
        size: Callable[[_Result], tuple[int, int]] | None = None,
    ) -> list[_Result]:
        """Return the results of a module-level function, in the order of its items."""
        if self._spark is None:
            return [function(item) for item in items]
        return run_tasks(self._spark, function, items, self._progress, size, point=EXTRACT)

    def arriving(
        self,
        function: Callable[[_Item], _Result],
        items: Sequence[_Item],
        size: Callable[[_Result], tuple[int, int]] | None = None,
    ) -> Iterator[list[_Result]]:
        """Yield the results of a module-level function as they come in, whenever a commit is due."""
        if self._spark is None:
            yield [function(item) for item in items]
            return
        for found in arrivals(self._spark, function, items, self._pace, self._progress, size, point=EXTRACT):
            yield [result for _, result in found]


def extract(spark: SparkSession, lake: str, recipe: Recipe, *, forget_others: bool = False) -> dict[str, int]:
    """Bring the texts of web pages up to a recipe, and return the counts of what was done.

    Args:
        forget_others: remove stored texts of extractors that the recipe does not name.

    Raises:
        UnreadableInputsError: pages that are not stored could not be read again, since their files are gone or others now; what else there was
            to do is done.
        MissingPackageError: an extractor is another package's, which is not installed.
        CorruptLakeError: content cannot be read as it was committed.
    """
    with Progress("extract") as progress:
        return extract_with(Tasks(spark, progress), lake, recipe, forget_others=forget_others)


def extract_with(tasks: Tasks, lake: str, recipe: Recipe, *, forget_others: bool = False) -> dict[str, int]:
    """Do the work of ``extract``, as ``tasks`` run it."""
    snapshot = open_snapshot(lake)
    if not len(fragments_of_pages(snapshot)):
        return {}
    _check_packages(recipe)
    settings: JsonObject = {name: value for name, value in recipe.literals.items() if name in _SECTIONS}
    made = {each.name: text_operator(each) for each in recipe.extractors}
    operators: JsonObject = {"texts": made, "choice": choice(recipe.extractors, recipe.extract)}
    run = begin_run(lake, "extract", settings, operators, snapshot.version)
    step = _Extract(tasks=tasks, recipe=recipe, run=run)
    snapshot = step.add_texts(declare_columns(snapshot, ()))
    snapshot = step.replace_content(snapshot)
    if forget_others and not step.unread:
        snapshot = step.forget_others(snapshot)
    finish_run(run, snapshot)
    if step.unread:
        first = next(iter(step.unread.values()))
        raise UnreadableInputsError(f"{first.why} (pages of {len(step.unread)} fragments could not be read again)")
    return dict(run.counts)


def fragments_of_pages(snapshot: Snapshot) -> pa.Table:
    """Return fragment and operator of the captures of every fragment in whose texts an extractor has a say, by fragment."""
    files = snapshot.live("captures")
    others = pa.array(sorted(operator_digits(operator) for operator in without_pages()))
    files = files.filter(pc.invert(pc.is_in(files["operator"], value_set=others)))
    return files.select(["base", "operator"]).rename_columns(["fragment", "operator"])


def _check_packages(recipe: Recipe) -> None:
    """Import what the extractors of others need, before any work is begun."""
    for extractor in recipe.extractors:
        if extractor.method in OF_OTHERS:
            check_package(extractor.method)


@dataclass(kw_only=True, slots=True)
class _Extract:
    """One run of the step; ``unread``: fragment → why its pages could not be read again."""

    tasks: Tasks
    recipe: Recipe
    run: Run
    unread: dict[int, Unread] = field(default_factory=dict)

    def add_texts(self, snapshot: Snapshot) -> Snapshot:
        """Run each extractor over the pages that it has not seen, where the recipe has several; return the snapshot after that."""
        if len(self.recipe.extractors) == 1:
            return snapshot
        while work := self._missing_texts(snapshot):
            for results in self.tasks.arriving(write_texts, work, _size):
                units = [Unit(adds=done.entries, counts=_texts_counts(done)) for done in self._read(results)]
                if units:
                    snapshot, _ = commit_wave(self.run, snapshot, units)
        return snapshot

    def replace_content(self, snapshot: Snapshot) -> Snapshot:
        """Give every sample the text that the recipe chooses; return the snapshot after that."""
        while work := self._not_chosen(snapshot):
            for wave in self._waves(work):
                located = {task.texts_task.where.fragment: task.texts_task.where for task in wave}
                done = self._read(self.tasks.run(write_content, wave, _size))
                if done:
                    snapshot = self._commit(snapshot, located, done)
        return snapshot

    def forget_others(self, snapshot: Snapshot) -> Snapshot:
        """Remove texts of extractors that the recipe does not name, of one extractor all; return the snapshot after that."""
        named = [text_operator(each) for each in self.recipe.extractors] if len(self.recipe.extractors) > 1 else []
        files = snapshot.live("texts")
        kept = pc.is_in(files["operator"], value_set=pa.array([operator_digits(each) for each in named], pa.string()))
        paths = files.filter(pc.invert(kept))["path"].to_pylist()
        if paths:
            unit = Unit(adds=[], removes=paths, counts={"forgotten": len(paths)})
            snapshot, _ = commit_wave(self.run, snapshot, [unit])
        return snapshot

    def _waves(self, work: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
        size = 4 * self.tasks.slots
        return (work[begin : begin + size] for begin in range(0, len(work), size))

    def _read(self, results: Sequence[Done | Unread]) -> list[Done]:
        """Return what was written; what could not be read is noted and not tried again."""
        self.unread |= {each.fragment: each for each in results if isinstance(each, Unread)}
        return [each for each in results if isinstance(each, Done)]

    def _missing_texts(self, snapshot: Snapshot) -> list[TextsTask]:
        fragments = fragments_of_pages(snapshot)["fragment"].to_numpy()
        lacking: dict[int, dict[ExtractorSettings, str]] = {}
        for each in self.recipe.extractors:
            operator = text_operator(each)
            for fragment in np.setdiff1d(fragments, snapshot.covered("texts", operator)).tolist():
                lacking.setdefault(fragment, {})[each] = operator
        return [
            self._texts_task(snapshot, where, lacking[where.fragment]) for where in self._located(snapshot, lacking)
        ]

    def _not_chosen(self, snapshot: Snapshot) -> list[ReplaceTask]:
        """Return the fragments whose text is not known to be the recipe's choice, and that have all that it is made from."""
        operators = choice_operators(self.recipe.extractors, self.recipe.extract)
        right = pa.array([operator_digits(operator) for operator in operators])
        paged = fragments_of_pages(snapshot)
        fragments = paged.filter(pc.invert(pc.is_in(paged["operator"], value_set=right)))["fragment"].to_pylist()
        texts = [snapshot.paths_by_fragment("texts", text_operator(each)) for each in self.recipe.extractors]
        alone = len(texts) == 1
        found = []
        for where in self._located(snapshot, fragments):
            there = tuple(paths[where.fragment] for paths in texts if where.fragment in paths)
            if len(there) < len(texts) and not alone:
                continue
            runs: dict[ExtractorSettings, str] = {}
            if not there:
                runs = {each: text_operator(each) for each in self.recipe.extractors}
            found.append(
                ReplaceTask(
                    operator=operators[0],
                    names=tuple(each.name for each in self.recipe.extractors),
                    texts=there,
                    texts_task=self._texts_task(snapshot, where, runs),
                    choose=self.recipe.extract.choose,
                )
            )
        return found

    def _located(self, snapshot: Snapshot, fragments: Iterable[int]) -> Iterator[FragmentFiles]:
        wanted = np.array(sorted(set(fragments) - set(self.unread)), np.int64)
        return snapshot.locate(wanted, ("captures", "html"))

    def _texts_task(self, snapshot: Snapshot, where: FragmentFiles, runs: Mapping[ExtractorSettings, str]) -> TextsTask:
        return TextsTask(
            table=snapshot.uri,
            run_id=self.run.run_id,
            where=where,
            extractors=runs,
            files=tuple(snapshot.paths("files", where.batch)),
        )

    def _commit(self, snapshot: Snapshot, located: Mapping[int, FragmentFiles], done: Sequence[Done]) -> Snapshot:
        """Commit new content with all that goes with the old one; what another writer has overtaken is found missing again."""
        changed = np.array(sorted(each.fragment for each in done if each.changed), np.int64)
        while of_all := of_all_paths(snapshot, changed):
            # Before any text is another one: until it is clustered anew, no cluster is there that could be taken for right.
            gone = Unit(adds=[], removes=of_all, counts={})
            snapshot, _ = commit_wave(self.run, snapshot, [gone])
        stands = Stands.of(snapshot, located)
        planned = cuts(snapshot, changed.tolist())
        written = self.tasks.run(write_cut, planned)
        units = units_of(located, done, list(zip(planned, written, strict=True)))
        snapshot, _ = commit_wave(self.run, snapshot, units, valid=stands.hold)
        return snapshot


def _texts_counts(done: Done) -> dict[str, int]:
    return {"texts": done.pages * len(done.entries), "texts_bytes": sum(entry.size for entry in done.entries)}


def _size(done: Done | Unread) -> tuple[int, int]:
    return (0, 0) if isinstance(done, Unread) else (done.pages, done.text_bytes)
