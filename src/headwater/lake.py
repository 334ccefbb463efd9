"""The Python entry point: one class for everything that a program or a notebook does with a lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa

from headwater.care import Care
from headwater.errors import UsageError
from headwater.lineage.lake_questions import LakeQuestions
from headwater.plain import JsonObject
from headwater.reach import Reach
from headwater.reports import Reports
from headwater.warehouse.filesystem import lake_place
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.schema import ALIGNED, FAMILIES, arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from headwater.filters.rules.rule import LimitSetting
    from headwater.lineage.sql_connection import LakeConnection
    from headwater.pipelines.recipe.job import Recipe
    from headwater.pipelines.run import RunReport
    from headwater.reader import Stage

__all__ = ["Lake"]

_DDL: Final[dict[pa.DataType, str]] = {
    pa.string(): "string",
    pa.binary(): "binary",
    pa.bool_(): "boolean",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.list_(pa.string()): "array<string>",
    pa.list_(pa.int64()): "array<long>",
    pa.map_(pa.string(), pa.float32()): "map<string, float>",
    pa.map_(pa.string(), pa.int32()): "map<string, int>",
}


class Lake(LakeQuestions, Reach, Reports, Care):
    """A lake: one folder with the wide table and the builds made from it.

        from headwater import Lake
        from headwater.pipelines.spark.sessions import session

        lake = Lake("demo-lake")
        print(lake.duckdb().sql("SELECT language, count(*) FROM samples WHERE kept GROUP BY ALL").fetchall())
        for story in lake.why(uri="https://example.org/de/1"):
            print(story["verdicts"]["reasons"])
        long = lake.dataframe(session(), ["language", "quality", "text_bytes"]).where("text_bytes > 2000")
        print(long.groupBy("language").avg("quality").collect())
        print(all(check.passed for check in lake.verify()))

    Nothing is read when the object is made, and Spark starts only in ``run`` and where a session is given.

    Args:
        path: a local folder, or the URI of one in an object store. A relative one is made absolute here, so a later change of the working
            folder changes nothing.

    Raises:
        UsageError: a lake cannot be at that place.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = lake_place(path)

    def __repr__(self) -> str:
        """Return how the object was made."""
        return f"Lake({self.path!r})"

    @classmethod
    def create(cls, path: str | Path) -> Self:
        """Make an empty lake and return it.

        Raises:
            UsageError: there is one already.
            StorageError: the folder cannot be written.
        """
        from headwater.warehouse.commit import create_lake

        lake = cls(path)
        create_lake(lake.path)
        return lake

    def run(
        self,
        recipe: str | Path | Recipe,
        inputs: Sequence[str | Path] = (),
        *,
        master: str | None = None,
        conf: Mapping[str, str] | None = None,
    ) -> RunReport:
        """Run every step of a recipe, each doing only what the lake lacks, and return what was done.

        Args:
            recipe: a file, the name of a shipped recipe, or a recipe.
            inputs: files, folders and globs to ingest first.
            master: where Spark runs, when no session is active; by default where ``spark-submit`` or ``spark-defaults.conf`` says, else here.
            conf: Spark settings.

        Raises:
            HeadwaterError: the step that failed says why; the same call goes on from there.
        """
        from headwater.pipelines.recipe.shipped import find_recipe
        from headwater.pipelines.run import run
        from headwater.pipelines.spark.sessions import session

        loaded = find_recipe(recipe) if isinstance(recipe, str | Path) else recipe
        loaded.storage.use()
        return run(session(master=master, conf=conf), self.path, loaded, [str(path) for path in inputs])

    def snapshot(self, version: int | None = None) -> Snapshot:
        """Return the newest version of the table, or the one given.

        Raises:
            UsageError: there is no lake, or no such version.
        """
        return open_snapshot(self.path, version)

    def dataframe(self, spark: SparkSession, columns: Sequence[str], *, version: int | None = None) -> DataFrame:
        """Return ``sample_id`` and some columns of any aligned families as a DataFrame, read side by side without a join.

        Samples whose fragment lacks one of the families (it has not been annotated or decided yet) are left out.

        Args:
            columns: names of columns of families with a row for every sample, ``text`` among them.
            version: version of the table; by default the newest.

        Raises:
            UsageError: an unknown column, one of a family without a row a sample, or no lake.
            CorruptLakeError: in the task: the rows of two families are out of step.
        """
        from functools import partial

        from headwater.pipelines.spark.aligned import fragment_rows

        names = [name for name in dict.fromkeys(columns) if name != "sample_id"]
        snapshot = self.snapshot(version)
        own = snapshot.own_scores
        by_family: dict[str, list[str]] = {}
        for name in names:
            by_family.setdefault(_family_of(name, own), []).append(name)
        fragments = snapshot.covered("content")
        for family in by_family:
            fragments = np.intersect1d(fragments, snapshot.covered(family))
        read = by_family or {"content": []}
        kinds = {
            name: arrow_schema(family, own).field(name).type for family, mine in by_family.items() for name in mine
        }
        schema = ", ".join(["sample_id long", *(f"`{name}` {_DDL[kinds[name]]}" for name in names)])
        located = snapshot.locate(fragments, list(read))
        return fragment_rows(spark, located, snapshot.uri, read, schema, partial(_select, ("sample_id", *names)))

    def stage(self, build: str, stage: str) -> Stage:
        """Return a stage of a build for ``headwater.reader.Reader``; its runs have the lake's sample_ids.

        Raises:
            UsageError: there is no such stage.
            CorruptLakeError: a file of it is missing or has another size.
        """
        from headwater.lineage.training_steps import open_placed_stage

        return open_placed_stage(self.path, build, stage)

    def duckdb(
        self,
        version: int | None = None,
        *,
        memory: str | None = None,
        threads: int | None = None,
        timeout_s: float | None = None,
    ) -> LakeConnection:
        """Return a connection to DuckDB with a view for each family and ``samples``, the wide row.

        Its ``execute`` and ``sql`` take one query at a time that only reads the views. Whatever would write, or reach a file, a setting or a
        Python variable, is refused, so a query may come from someone who is not trusted with the lake.

        Args:
            version: of the table; by default the newest.
            memory: what a query may take, such as ``"4GB"``; by default half of the machine's.
            threads: how many a query may use; by default one a core.
            timeout_s: how long a query may take; by default there is no limit.

        Raises:
            UsageError: there is no lake or no such version, or a limit is none.
        """
        from headwater.lineage.sql_connection import Limits, parse_size
        from headwater.lineage.views import connect_for_users

        size = None if memory is None else parse_size(memory)
        return connect_for_users(self.path, version, Limits(memory_bytes=size, threads=threads, timeout_s=timeout_s))

    def what_if(
        self,
        recipe: str | Path | Recipe,
        limits: Mapping[str, LimitSetting] | None = None,
        *,
        exempt: Mapping[str, Sequence[str]] | None = None,
        without: Sequence[str] = (),
        examples: int = 5,
        build: str | None = None,
    ) -> JsonObject:
        """Return what the lake would keep if rules of a recipe were others, from signals alone; nothing is written.

        Args:
            recipe: a file, the name of a shipped recipe, or a recipe.
            limits: rule → its limit for every language, or a table of languages and ``default``; names as ``--set`` takes them.
            exempt: rule → the domains that it does not apply to, instead of its own.
            without: rules left out.
            examples: how many of the samples gained, and of those lost, are named by id.
            build: whose stages hold the samples; by default the newest by this recipe.

        Raises:
            UsageError: an unknown rule or build, a value that is no number, or a lake without verdicts.
        """
        from headwater.pipelines.recipe.shipped import find_recipe
        from headwater.pipelines.what_if.answer import what_if
        from headwater.pipelines.what_if.changes import Changes

        loaded = find_recipe(recipe) if isinstance(recipe, str | Path) else recipe
        loaded.storage.use()
        changes = Changes(limits=tuple((limits or {}).items()), exempt=exempt or {}, without=tuple(without))
        return what_if(self.path, loaded, changes, examples=examples, build=build)

    def what_if_sweep(
        self, recipe: str | Path | Recipe, limit: str, values: Sequence[float], *, build: str | None = None
    ) -> JsonObject:
        """Return what the lake would keep at each value of one limit, in one pass for all; ``docs/how-to/what-if.md`` has the answer's shape.

        Raises:
            UsageError: as ``what_if``.
        """
        from headwater.pipelines.recipe.shipped import find_recipe
        from headwater.pipelines.what_if.answer import what_if_sweep

        loaded = find_recipe(recipe) if isinstance(recipe, str | Path) else recipe
        loaded.storage.use()
        return what_if_sweep(self.path, loaded, limit, values, build=build)


def _family_of(column: str, own: Sequence[str]) -> str:
    if column in own:
        return "scores"
    for family in ALIGNED:
        if column in FAMILIES[family].fields:
            return family
    others = [family.name for family in FAMILIES.values() if column in family.fields]
    if others:
        raise UsageError(
            f"expected columns of families with a row for every sample, found {column!r} of {others[0]}; lake.duckdb() has a view of it"
        )
    from headwater.filters.rules.predicates import nearest

    known = [*own, *(name for family in ALIGNED for name in FAMILIES[family].fields)]
    raise UsageError(f"unknown column {column!r}; {nearest(column, known)}")


def _select(names: Sequence[str], where: FragmentFiles, table: pa.Table) -> pa.Table:
    """Return the columns in the order asked for; runs in a Spark task."""
    return table.select(list(names))
