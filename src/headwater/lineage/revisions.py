"""Revisions of builds: what family ``runs`` records of them, which of them are not yet in place, and what version a build stands on since.

A revision packs some shards of a finished build again and leaves every other byte as it is. One commit replaces the rows of families ``stages`` and
``placements``, with the row of the revision, which says what the files must become; then the files are put in place; then the row ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headwater.errors import UsageError
from headwater.lineage.past_runs import PastRun, Source, runs_of
from headwater.plain import ValuesByName
from headwater.tokenize.shards.manifest import Revision

__all__ = [
    "STEP",
    "build_version",
    "check_settled",
    "newest_revision",
    "open_revisions",
    "revision_record",
    "revisions_from",
    "revisions_plain",
]

STEP: Final = "revise"


def revision_record(run: PastRun) -> ValuesByName:
    """Return what a run of a revision says of it."""
    found: ValuesByName = run.operators[STEP]
    return found


def newest_revision(source: Source, build: str, *, ended: bool = True) -> PastRun | None:
    """Return the newest revision of a build, or None; one that has not ended counts only where it is asked for."""
    found = [run for run in runs_of(source, STEP, build) if run.ended is not None or not ended]
    return found[-1] if found else None


def open_revisions(source: Source, build: str) -> list[PastRun]:
    """Return the revisions of a build that were committed and of which the files may not yet be in place, oldest first."""
    return [run for run in runs_of(source, STEP, build) if run.ended is None]


def check_settled(source: Source, build: str) -> None:
    """Do nothing where every revision of a build has ended.

    Raises:
        UsageError: one has not: it was stopped, or still runs.
    """
    if open_revisions(source, build):
        raise UsageError(
            f"expected build {build} with its revision in place, found one that was stopped or still runs; run the same command again, or: "
            f"headwater build LAKE RECIPE --build {build} --repair"
        )


def build_version(source: Source, build: str) -> int | None:
    """Return the version of the table on which a build stands: that of its newest run, or of its newest revision; None for no build."""
    revised = newest_revision(source, build)
    if revised is not None:
        return revised.input_version
    versions = [run.input_version for run in runs_of(source, "build", build)]
    return max(versions, default=None)


def revisions_plain(revisions: tuple[Revision, ...]) -> list[dict[str, object]]:
    """Return the revisions of a stage as plain data."""
    return [
        {"number": each.number, "replaces": each.replaces, "sequences": each.sequences, "shards": list(each.shards)}
        for each in revisions
    ]


def revisions_from(plain: list[Mapping[str, object]]) -> tuple[Revision, ...]:
    """Return the revisions of a stage from what `revisions_plain` gave."""
    return tuple(
        Revision(
            number=int(str(each["number"])),
            replaces=str(each["replaces"]),
            sequences=int(str(each["sequences"])),
            shards=tuple(each["shards"]),  # type: ignore[arg-type]  # a list of numbers, as `revisions_plain` wrote it
        )
        for each in plain
    )
