"""What a revision of a build did, as family ``runs`` records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.lineage.past_runs import PastRun
from headwater.lineage.revisions import revision_record

__all__ = ["RevisedBuild", "RevisedStage", "told_build"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisedStage:
    """What became of a stage.

    Attributes:
        revision: its number now.
        replaces: SHA-256 of the manifest before.
        manifest: SHA-256 of the manifest now.
        shards: numbers of the shards that were packed again, ascending.
        of_shards: how many the stage has.
        bytes: of the files that were written.
        documents: copies that went, less those that came.
        tokens: the same of tokens.
    """

    revision: int
    replaces: str
    manifest: str
    shards: tuple[int, ...]
    of_shards: int
    bytes: int
    documents: int
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisedBuild:
    """What a revision did.

    Attributes:
        stages: those whose shards changed, by name; none where only rows of family ``stages`` did, or nothing.
        gone: samples of which rows went.
        came: samples that took their places.
        not_come: samples that could not: the version that the build stands on has no tokens of them.
        version: of the table on which the build stands now.
        run_id: of the run in family ``runs``.
        known: whether an earlier call with the same cause had done it.
    """

    build: str
    stages: Mapping[str, RevisedStage]
    gone: int
    came: int
    not_come: tuple[int, ...]
    version: int
    run_id: str
    known: bool = False


def told_build(run: PastRun, *, known: bool = False) -> RevisedBuild:
    """Return what the row of a revision says."""
    record = revision_record(run)
    stages = {
        name: RevisedStage(
            revision=told["revision"],
            replaces=told["before"],
            manifest=told["after"],
            shards=tuple(told["shards"]),
            of_shards=told["of_shards"],
            bytes=told["bytes"],
            documents=told["documents"],
            tokens=told["tokens"],
        )
        for name, told in record["stages"].items()
    }
    return RevisedBuild(
        build=record["build"],
        stages=stages,
        gone=record["gone"],
        came=record["came"],
        not_come=tuple(record["not_come"]),
        version=run.input_version,
        run_id=run.run_id,
        known=known,
    )
