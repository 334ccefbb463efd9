"""The eight invariants hold on a sound lake, and each of them sees our own code broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import main_job
import pytest
from invariants import INVARIANTS
from mutations import MUTATIONS, Mutation, by_value
from repository_files import REPOSITORY

from headwater.pipelines.builds.step import build
from headwater.pipelines.decide.step import decide
from headwater.pipelines.ingest import again, units
from headwater.pipelines.ingest import step as ingest_step
from headwater.pipelines.recipe.job import load_recipe, parse_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.selection.step import select
from headwater.warehouse.commit import create_lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

PAGE = REPOSITORY / "docs" / "concepts" / "invariants.md"
CHECKS = {invariant.name: invariant.check for invariant in INVARIANTS}
BUILD = "broken"


def write_inputs(folder: Path, *, backwards: bool) -> None:
    """Write some forty documents, every fourth of them three times under URLs of its own, in one order or the other, and a bad record."""
    records = list(main_job.documents()[::4])
    records += [
        record | {"url": f"{record['url']}/{copy}"} for copy in ("again", "once more") for record in records[::4]
    ]
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    folder.mkdir(parents=True)
    (folder / "all.jsonl").write_text(
        "\n".join([*(lines[::-1] if backwards else lines), '{"text": 7}']) + "\n", "utf-8"
    )


@pytest.fixture(scope="module")
def twins(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two sound lakes of the same documents, read in opposite order, each with a build."""
    root = tmp_path_factory.mktemp("twins")
    lakes = root / "one", root / "other"
    for lake in lakes:
        write_inputs(root / f"in-{lake.name}", backwards=lake.name == "other")
        main_job.run_in_batches(spark, str(lake), [[str(root / f"in-{lake.name}")]], 20_000)
    return lakes


def run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tasks of ingest run in this process, so that what is broken here is broken in them."""

    def run_tasks(
        _: object, function: Callable[[Any], Any], items: Sequence[Any], *__: object, **___: object
    ) -> list[Any]:  # Any: a task
        return [function(item) for item in items]

    def arrivals(
        _: object, function: Callable[[Any], Any], items: Sequence[Any], *__: object, **___: object
    ) -> Iterator[list[tuple[int, Any]]]:  # Any: a task
        yield [(number, function(item)) for number, item in enumerate(items)]

    for module in (again, ingest_step):
        monkeypatch.setattr(module, "run_tasks", run_tasks)
    monkeypatch.setattr(units, "arrivals", arrivals)


def small_ingest(spark: SparkSession, lake: Path) -> None:
    """Ingest two files, one after the other."""
    recipe = load_recipe(main_job.RECIPE)
    write_inputs(lake.parent / "in", backwards=False)
    second = lake.parent / "in" / "second.jsonl"
    second.write_text('{"text": "Another document, in a file of its own, of which there is one."}\n', "utf-8")
    create_lake(str(lake))
    for name in ("all.jsonl", "second.jsonl"):
        ingest_step.ingest(spark, str(lake), recipe, [str(lake.parent / "in" / name)], fragment_bytes=20_000)


def go_on(spark: SparkSession, lake: Path, step: str) -> None:
    """Decide again by other limits where the election is broken, then choose and build under a name of its own."""
    recipe = load_recipe(main_job.RECIPE)
    if step == "decide":
        rules = {"sets": ["default"], "limits": {"gopher_min_words": 49}}
        recipe = parse_recipe(recipe.literals | {"rules": rules})
    job = resolve(recipe, str(lake))
    if step == "decide":
        decide(spark, job)
    select(spark, job, build=BUILD)
    build(spark, job, BUILD)


@pytest.mark.parametrize("name", list(CHECKS))
def test_holds_on_a_sound_lake(twins: tuple[Path, Path], name: str) -> None:
    """No check finds anything where nothing is broken."""
    one, other = twins
    assert CHECKS[name](one, other) == []
    assert CHECKS[name](other, one) == []


def test_what_is_run_to_show_broken_code_is_sound(
    spark: SparkSession, twins: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same work with nothing broken passes every check: what they find below is the fault."""
    lakes = [tmp_path / name for name in ("one", "other")]
    with by_value():
        for sound, lake in zip(twins, lakes, strict=True):
            shutil.copytree(sound, lake)
            go_on(spark, lake, "decide")
    run_here(monkeypatch)
    small_ingest(spark, tmp_path / "lake")
    for check in CHECKS.values():
        assert check(*lakes) == []
        assert check(tmp_path / "lake", None) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what.replace(" ", "-"))
def test_broken_code_is_seen(
    spark: SparkSession, twins: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutation: Mutation
) -> None:
    """The check that promises it finds the fault of a lake that broken code made."""
    mutation.break_it(monkeypatch)
    if mutation.step == "ingest":
        run_here(monkeypatch)
        small_ingest(spark, tmp_path / "lake")
        found = CHECKS[mutation.caught_by](tmp_path / "lake", None)
        print(mutation.what, found)
        assert found != []
        return
    lakes = [tmp_path / name for name in ("one", "other")]
    needed = lakes if mutation.caught_by == "the_same_bytes_again" else lakes[:1]
    with by_value():
        for sound, lake in zip(twins, needed, strict=False):
            shutil.copytree(sound, lake)
            go_on(spark, lake, mutation.step)
    found = CHECKS[mutation.caught_by](lakes[0], lakes[1] if len(needed) == 2 else None)
    print(mutation.what, found)
    assert found != []


def table() -> str:
    """Return the table of the page, as the code has it."""
    rows = ["| invariant | check | broken on purpose | caught |", "|---|---|---|---|"]
    for invariant in INVARIANTS:
        broken = [mutation for mutation in MUTATIONS if mutation.caught_by == invariant.name]
        assert broken, f"{invariant.name} has no mutation"
        number, statement = invariant.statement.split(": ", 1)
        told = "; ".join(mutation.what for mutation in broken)
        rows.append(f"| **{number}** {statement} | `{invariant.name}` | {told} | yes |")
    return "\n".join(rows)


def test_page_has_the_table() -> None:
    """The page lists the invariants, checks and mutations that the tests above run, and no others."""
    assert table() in PAGE.read_text("utf-8")
