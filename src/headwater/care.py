"""What takes care of a lake: part of ``headwater.lake.Lake``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

from headwater.plain import JsonObject

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headwater.lineage.checks.lake import Check
    from headwater.lineage.names import Names
    from headwater.lineage.training_order import TrainingOrder
    from headwater.pipelines.takedown.asked import Asked
    from headwater.warehouse.maintain import MaintenanceReport

__all__ = ["Care"]


class Care:
    """Checks, takedowns, history and maintenance of a lake.

    Attributes:
        path: absolute path or URI of the lake.
    """

    path: str

    def verify(
        self,
        build: str | None = None,
        *,
        version: int | None = None,
        share: float = 1.0,
        spark: SparkSession | None = None,
    ) -> list[Check]:
        """Return what was checked of the lake and its builds, passed or not.

        Args:
            build: only the shards of this build; by default of all.
            version: of the table; by default the newest.
            share: of files, texts and shards that are read, above 0; the rest is checked whole.
            spark: its tasks read files, texts and shards; None: this process does.

        Raises:
            UsageError: no such build or version, or a share that is none.
        """
        from headwater.lineage.checks.lake import verify
        from headwater.lineage.checks.scope import Scope

        scope = Scope(share=share)
        if spark is None:
            return verify(self.path, build, version, scope=scope)
        from headwater.pipelines.verification.by_spark import verify_by_spark

        return verify_by_spark(spark, self.path, build, version, scope=scope)

    def search(self, lines: Iterable[str]) -> JsonObject:
        """Return where some strings or hexadecimal hashes stand in all files of the lake, those of earlier versions too, unpacked and decoded.

        ``absent`` is true where none was found and every file was searched; as ``verify --absent``.

        Raises:
            UsageError: no line, or one that cannot be searched for.
        """
        from headwater.lineage.checks.absent import search_lake
        from headwater.lineage.checks.needles import make_needles
        from headwater.warehouse.snapshot import open_snapshot

        return search_lake(open_snapshot(self.path), make_needles(lines)).plain()

    def plan_takedown(
        self,
        *,
        text: str | None = None,
        records: Sequence[tuple[str, int]] = (),
        near: float | None = None,
        after_days: float = 30.0,
        order: TrainingOrder | None = None,
        **named: Unpack[Names],
    ) -> JsonObject:
        """Return what ``takedown`` would do, and under ``impact`` what all that goes reaches, as ``impact`` tells it; nothing is written.

        Raises:
            UsageError: nothing is named or found.
        """
        from headwater.pipelines.takedown.step import plan_takedown

        asked = _asked("", "", named, text, records, near, None, after_days, order)
        return plan_takedown(self.path, asked)

    def takedown(
        self,
        *,
        who: str,
        why: str,
        text: str | None = None,
        records: Sequence[tuple[str, int]] = (),
        near: float | None = None,
        builds: Sequence[str] | None = None,
        after_days: float = 30.0,
        order: TrainingOrder | None = None,
        spark: SparkSession | None = None,
        **named: Unpack[Names],
    ) -> JsonObject:
        """Take samples down, from every family and every build that holds them, and return the record of it; its report lies in the lake.

            lake.takedown(uri="https://example.org/a", near=0.9, who="counsel", why="case 12", after_days=0)

        The same call goes on with one that was stopped. ``docs/how-to/takedown.md`` says what is done and what remains.

        Args:
            who: asks for it; why: its reason. Both stand in the record and the report.
            text: all samples of exactly this text.
            records: (input file, number of the record), refused ones too.
            near: near-duplicates from this similarity on go too; copies always do.
            builds: only these are revised; by default all that hold a sample.
            after_days: until files of earlier versions are deleted; 0: at once.
            order: how training took the sequences of the builds, for the training steps in the report.
            spark: does the work; None: this process does.
            named: samples, named in one way.

        Raises:
            UsageError: nothing is named or found.
            ConflictError: other writers were faster throughout; the same call goes on.
        """
        from headwater.pipelines.takedown.step import takedown

        asked = _asked(who, why, named, text, records, near, builds, after_days, order)
        return dataclasses.asdict(takedown(self.path, asked, spark=spark))

    def resume_takedown(self, takedown: str, *, spark: SparkSession | None = None) -> JsonObject:
        """Go on with a takedown that was stopped, by its id, and return its record.

        Raises:
            UsageError: the lake has none of that id.
        """
        from headwater.pipelines.takedown.step import resume

        return dataclasses.asdict(resume(self.path, takedown, spark=spark))

    def takedowns(self) -> list[JsonObject]:
        """Return the records of the lake's takedowns, oldest first.

        Raises:
            UsageError: there is no lake.
            CorruptLakeError: a record is damaged.
        """
        from headwater.warehouse.snapshot import open_snapshot
        from headwater.warehouse.takedown_records import read_records

        open_snapshot(self.path)
        return [dataclasses.asdict(record) for record in read_records(self.path)]

    def log(self, *, run: str | None = None, limit: int | None = None) -> Iterator[JsonObject]:
        """Yield the commits of the table, newest first: when, by which run and step, and what files each added and took away.

        Args:
            run: only those of this run.
            limit: the first so many; None for all.

        Raises:
            UsageError: there is no lake, or the limit is none.
            CorruptLakeError: an entry of the log cannot be read.
        """
        from headwater.lineage.history import commits

        return commits(self.path, limit=limit, run=run)

    def runs(self) -> list[JsonObject]:
        """Return the runs of all steps, oldest first; one without an end was killed or is still going."""
        from headwater.lineage.funnel import list_runs
        from headwater.lineage.views import connect

        with connect(self.path) as connection:
            return list_runs(connection)

    def retain(self, *, retention_hours: float = 168.0, orphan_hours: float = 24.0) -> JsonObject:
        """Return what the lake keeps, why, until when, and its bytes; nothing is changed. The hours are those of ``maintain``."""
        from headwater.lineage.retained import retained

        return retained(self.path, retention_hours=retention_hours, orphan_hours=orphan_hours)

    def maintain(
        self, *, retention_hours: float = 168.0, orphan_hours: float = 24.0, dry_run: bool = False
    ) -> MaintenanceReport:
        """Compact files, write a checkpoint, delete what is no longer needed, and return what was done.

        Args:
            retention_hours: how long replaced files are kept.
            orphan_hours: how long files that no version names are kept.
            dry_run: only count.
        """
        from headwater.warehouse.maintain import maintain

        return maintain(self.path, retention_hours=retention_hours, orphan_hours=orphan_hours, dry_run=dry_run)


def _asked(
    who: str,
    why: str,
    named: Names,
    text: str | None,
    records: Sequence[tuple[str, int]],
    near: float | None,
    builds: Sequence[str] | None,
    after_days: float,
    order: TrainingOrder | None,
) -> Asked:
    from headwater.pipelines.takedown.asked import Asked

    return Asked(
        who=who,
        why=why,
        named=named or None,
        text=text,
        records=records,
        near=near,
        builds=None if builds is None else tuple(builds),
        after_days=after_days,
        order=order,
    )
