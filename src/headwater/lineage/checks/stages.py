"""Which builds and stages the checks look at, and which of them are not finished."""

from __future__ import annotations

from headwater.lineage.builds import LakeView
from headwater.lineage.checks.found import Found
from headwater.lineage.empty_stages import empty_stages
from headwater.lineage.past_runs import ended_builds
from headwater.lineage.questions import rows
from headwater.lineage.revisions import open_revisions

__all__ = ["build_notes", "builds_finished", "finished_stages", "unfinished_builds"]


def finished_stages(lake: LakeView) -> list[tuple[str, str]]:
    """Return (build, stage) of all that has placements or was chosen, of the builds that ended, or of the one that was asked for.

    A stage for which nothing was chosen has no shards and no manifest, and is not among them; a build may have none at all.
    """
    ended = [build for build in ended_builds(lake.snapshot) if lake.build in (None, build)]
    found = rows(lake.connection, "SELECT DISTINCT build, stage FROM placements WHERE list_contains(?, build)", [ended])
    found += rows(
        lake.connection,
        "SELECT DISTINCT build, stage FROM stages WHERE stage IS NOT NULL AND list_contains(?, build)",
        [ended],
    )
    return sorted({(str(row["build"]), str(row["stage"])) for row in found})


def unfinished_builds(lake: LakeView) -> list[str]:
    """Return the builds that have placements, or of which a run began, and that have not ended, sorted."""
    begun = set(lake.snapshot.live("placements")["batch"].to_pylist())
    return sorted(build for build in begun.difference(ended_builds(lake.snapshot)) if lake.build in (None, build))


def build_notes(lake: LakeView) -> list[str]:
    """Return what should be known of builds and is no fault: those that have not ended, and stages for which nothing was chosen."""
    notes = [f"build {build} is not finished: run the same command again" for build in unfinished_builds(lake)]
    for build in ended_builds(lake.snapshot):
        if lake.build in (None, build):
            notes += [f"{build}/{stage} is empty: {why}" for stage, why in empty_stages(lake.connection, build).items()]
    return notes


def builds_finished(lake: LakeView) -> Found:
    """The build that was asked for has ended; one that has not is no fault of the lake's, and is told where none was asked for.

    Of every build that has ended, each revision has ended too.
    """
    ended = ended_builds(lake.snapshot)
    faults = [
        f"build {build}: its revision was stopped before its files were in place, or still runs"
        for build in ended
        if lake.build in (None, build) and open_revisions(lake.snapshot, build)
    ]
    if lake.build is None:
        return len(ended), faults
    return 1, faults if lake.build in ended else [f"build {lake.build} is not finished"]
