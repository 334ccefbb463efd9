"""Verify: the promises of a lake, checked against its bytes.

Everything is read again: nothing that a step reported is taken for granted. A check that fails names the first places; a check whose reading
fails is a failed check, not an end of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from headwater.errors import CorruptLakeError, HeadwaterError, StoreError
from headwater.lineage.builds import LakeView, require_named_build
from headwater.lineage.checks.builds import build_records, build_roots, placed_as_planned, shard_files, texts_decode
from headwater.lineage.checks.found import Found
from headwater.lineage.checks.indexes import indexes
from headwater.lineage.checks.log import log_entries, log_statistics
from headwater.lineage.checks.pieces import Each, file_pieces, in_turn, summed, text_pieces
from headwater.lineage.checks.scope import EVERYTHING, Scope, read_verified
from headwater.lineage.checks.stages import build_notes, builds_finished
from headwater.lineage.checks.stored import block_lists, evaluation_sets, retained_files, score_models, vocabularies
from headwater.lineage.checks.takedowns import takedowns
from headwater.lineage.checks.texts import texts_chosen
from headwater.lineage.questions import rows
from headwater.lineage.view_datasets import cause_of
from headwater.lineage.views import connect
from headwater.plain import Row
from headwater.warehouse.parquet import read_aligned
from headwater.warehouse.schema import ALIGNED, FAMILIES
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["Check", "verify"]

_SHOWN: Final = 5
_SPARSE: Final = ("html", "texts", "spans", "contamination", "stages", "placements", "vocabularies", "takedowns")
_INDEXES: Final = ("band_index", "hash_index", "host_index", "uri_index")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One promise: whether it holds, on how many things it was tried, and what was found where it does not."""

    name: str
    passed: bool
    detail: str
    count: int


def verify(
    lake: str,
    build: str | None = None,
    version: int | None = None,
    *,
    each: Each = in_turn,
    scope: Scope = EVERYTHING,
) -> list[Check]:
    """Return the result of every check; files and texts are read once each, a fragment in memory at a time.

    Args:
        build: check only the shards of this build; by default of all.
        each: what checks files, texts and shards: here and one after the other, or elsewhere.
        scope: how much of these is read again.
    """
    snapshot = open_snapshot(lake, version)
    require_named_build(snapshot, build)
    with connect(lake, snapshot.version) as connection:
        context = LakeView(
            lake=lake, snapshot=snapshot, connection=connection, build=build, fragments=scope.fragments(snapshot)
        )
        taken = scope.limited(each)
        pieced: dict[str, Callable[[LakeView], Found]] = {
            name: partial(check, each=taken) for name, check in _PIECED.items()
        }
        return [_checked(name, check, context) for name, check in {**_CHECKS, **pieced}.items()]


def _checked(name: str, check: Callable[[LakeView], Found], lake: LakeView) -> Check:
    try:
        count, faults = check(lake)
        notes = build_notes(lake) if name == "builds_finished" and not faults else []
    except StoreError:
        raise  # nothing was checked, so nothing is said of the lake
    except HeadwaterError as error:
        return Check(name=name, passed=False, detail=f"{str(error).splitlines()[0]}{_way_on(name, lake)}", count=0)
    except Exception as error:
        cause = cause_of(error)
        if isinstance(cause, StoreError):
            raise cause from error
        detail = f"something that it reads is damaged ({type(error).__name__}); other checks name the file"
        return Check(name=name, passed=False, detail=detail, count=0)
    detail = "; ".join(faults[:_SHOWN]) + (f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else "")
    if faults:
        return Check(name=name, passed=False, detail=detail + _way_on(name, lake), count=count)
    return Check(name=name, passed=True, detail="; ".join(notes), count=count)


def _way_on(name: str, lake: LakeView) -> str:
    """Return what to do about what a check found, where the check's faults do not say it themselves."""
    return f". {_REMEDIES[name].format(lake=lake.lake)}" if name in _REMEDIES else ""


def _sql_faults(lake: LakeView, statement: str, describe: Callable[[Row], str]) -> list[str]:
    return [describe(row) for row in rows(lake.connection, statement)]


def _file_hashes(lake: LakeView, each: Each = in_turn) -> Found:
    """Every live file has the SHA-256 of its name."""
    return summed(each(file_pieces(lake.snapshot)))


def _one_live_file(lake: LakeView) -> Found:
    """A fragment has at most one live file of each family, of one build; a shard has one of its placements; each has content."""
    faults = []
    fragments = lake.snapshot.covered("content")
    for family in (*ALIGNED, *_SPARSE, *_INDEXES):
        files = lake.snapshot.live(family)
        names = [files[name].to_pylist() for name in ("batch", "operator")]
        # Within what a number may be covered once: the lake, a build, a stage of a build.
        scopes: set[tuple[str | None, str | None]] = {(None, None)}
        if FAMILIES[family].by_operator:
            scopes = {
                (batch if FAMILIES[family].by_build else None, operator) for batch, operator in zip(*names, strict=True)
            }
        elif FAMILIES[family].by_build:
            scopes = {(batch, None) for batch in names[0]}
        for batch, operator in sorted(scopes, key=str):
            numbers = lake.snapshot.covered(family, operator=operator, batch=batch)
            twice = numbers[1:][numbers[1:] == numbers[:-1]]
            thing = "shard" if family == "placements" else "fragment"
            faults += [f"{thing} {number} has two live files of {family}" for number in twice.tolist()]
            strange = np.setdiff1d(numbers, fragments) if family != "placements" else numbers[:0]
            faults += [f"family {family} covers fragment {number}, which has no content" for number in strange.tolist()]
    return len(fragments), faults


def _aligned(lake: LakeView) -> Found:
    """Families of a fragment hold the same ids in the same order; rows of sparse families belong to samples."""
    faults, count = [], 0
    for where in lake.located():
        try:
            columns: dict[str, list[str]] = {family: [] for family in ALIGNED if family in where.files}
            for table in read_aligned(lake.snapshot.uri, where, columns):
                count += table.num_rows
        except CorruptLakeError as error:
            faults.append(f"fragment {where.fragment}: {error}")
    for family in (*_SPARSE, *_INDEXES):
        faults += _sql_faults(
            lake,
            f"SELECT DISTINCT sample_id FROM {family} ANTI JOIN content USING (sample_id) ORDER BY 1 LIMIT 100",
            lambda row, family=family: f"family {family} has rows of sample {row['sample_id']}, which has no content",  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        )
    return count, faults


def _ids_unique(lake: LakeView) -> Found:
    """Every sample_id occurs once."""
    total = rows(lake.connection, "SELECT count(*) AS n FROM content")[0]["n"]
    found = "SELECT sample_id, count(*) AS n FROM content GROUP BY 1 HAVING n > 1 LIMIT 100"
    return total, _sql_faults(lake, found, lambda row: f"sample {row['sample_id']} occurs {row['n']} times")


def _content_hashes(lake: LakeView, each: Each = in_turn) -> Found:
    """The text of every sample has its content_hash and its length."""
    return summed(each(text_pieces(lake.snapshot)))


def _counts_reconcile(lake: LakeView) -> Found:
    """Per file: records and refused records are what was counted; per file and batch: in = kept + each first reason."""
    faults = _sql_faults(
        lake,
        "SELECT f.file_uri, f.records, f.quarantined, coalesce(c.n, 0) AS stored, coalesce(q.n, 0) AS refused FROM files f "
        "LEFT JOIN (SELECT file_id, count(*) AS n FROM content GROUP BY 1) c USING (file_id) "
        "LEFT JOIN (SELECT file_id, count(*) AS n FROM quarantine GROUP BY 1) q USING (file_id) "
        "WHERE f.records <> coalesce(c.n, 0) OR f.quarantined <> coalesce(q.n, 0)",
        lambda row: (
            f"{row['file_uri']}: expected {row['records']} records and {row['quarantined']} refused, found {row['stored']} and {row['refused']}"
        ),
    )
    for family in ("content", "quarantine"):
        faults += _sql_faults(
            lake,
            f"SELECT DISTINCT file_id FROM {family} ANTI JOIN files USING (file_id) ORDER BY 1 LIMIT 100",
            lambda row, family=family: f"file {row['file_id']} has rows in {family} and none in files",  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        )
    faults += _sql_faults(
        lake,
        "SELECT c.file_id, c.batch, count(*) AS n, count(*) FILTER (WHERE v.kept) AS kept, count(v.first_reason) AS rejected FROM content c "
        "JOIN verdicts v USING (sample_id) GROUP BY ALL HAVING n <> kept + rejected",
        lambda row: (
            f"file {row['file_id']} of batch {row['batch']}: {row['n']} in, {row['kept']} kept and {row['rejected']} rejected"
        ),
    )
    faults += _sql_faults(
        lake,
        "SELECT sample_id FROM verdicts WHERE kept <> (first_reason IS NULL) OR kept <> (len(reasons) = 0) "
        "OR (NOT kept AND reasons[1] <> first_reason) LIMIT 100",
        lambda row: f"sample {row['sample_id']}: kept, reasons and first_reason disagree",
    )
    return rows(lake.connection, "SELECT count(*) AS n FROM files")[0]["n"], faults


def _runs_known(lake: LakeView) -> Found:
    """Every run that a row names has its one row in family runs."""
    families = (*ALIGNED, "files", "quarantine", *_SPARSE)
    named = " UNION ".join(f"SELECT DISTINCT run_id FROM {family}" for family in families)
    faults = _sql_faults(
        lake,
        f"SELECT run_id FROM ({named}) WHERE run_id NOT IN (SELECT run_id FROM runs)",
        lambda row: f"run {row['run_id']} has no row",
    )
    faults += _sql_faults(
        lake,
        "SELECT run_id, count(*) AS n FROM runs GROUP BY 1 HAVING n > 1 LIMIT 100",
        lambda row: f"run {row['run_id']} has {row['n']} rows",
    )
    return rows(lake.connection, "SELECT count(*) AS n FROM runs")[0]["n"], faults


def _winners_kept(lake: LakeView) -> Found:
    """Every duplicate names a winner of its own cluster that was kept."""
    found = (
        "SELECT v.sample_id, v.duplicate_of FROM verdicts v LEFT JOIN verdicts w ON w.sample_id = v.duplicate_of "
        "LEFT JOIN duplicates a ON a.sample_id = v.sample_id LEFT JOIN duplicates b ON b.sample_id = v.duplicate_of "
        "WHERE v.duplicate_of IS NOT NULL AND (w.kept IS NOT TRUE OR a.cluster_id IS DISTINCT FROM b.cluster_id) LIMIT 100"
    )
    count = rows(lake.connection, "SELECT count(duplicate_of) AS n FROM verdicts")[0]["n"]
    return count, _sql_faults(
        lake,
        found,
        lambda row: (
            f"sample {row['sample_id']} names {row['duplicate_of']}, which was not kept or is of another cluster"
        ),
    )


def _verified_record(lake: LakeView) -> Found:
    """What `verify --incremental` recorded, by which it leaves out what was verified, is as it was written."""
    return int(read_verified(lake.lake) is not None), []


_FROM_COPY: Final = "Restore these files from a copy of the lake"
_MADE_AGAIN: Final = f"{_FROM_COPY}; without one, make the lake again from its inputs"
_REPAIR: Final = "Write it anew: headwater build {lake} RECIPE --build BUILD --repair"
_REMEDIES: Final = {
    "log_statistics": f"{_FROM_COPY}, its log with them",
    "file_hashes": f"{_FROM_COPY}; without one, run the step that wrote them in a new lake",
    "retained_files": f"{_FROM_COPY}; without one, these builds cannot be explained or repaired, and are to be built again",
    "one_live_file": _MADE_AGAIN,
    "families_aligned": _MADE_AGAIN,
    "ids_unique": _MADE_AGAIN,
    "content_hashes": _MADE_AGAIN,
    "texts_chosen": _MADE_AGAIN,
    "indexes": _MADE_AGAIN,
    "counts_reconcile": _MADE_AGAIN,
    "runs_known": _MADE_AGAIN,
    "winners_kept": _MADE_AGAIN,
    "takedowns": "Restore the lake's folder takedowns from a copy; a report is written again by headwater takedown {lake} --resume ID",
    "vocabularies": "Restore it from a copy of the lake, or train it again by the same recipe",
    "block_lists": "Restore the file from a copy, or delete it and run annotate with the list's file",
    "score_models": "Add the model again: headwater score add {lake} FILE",
    "evaluation_sets": "Add the set again: headwater benchmarks add {lake} FILE",
    "shard_files": _REPAIR,
    "build_records": _REPAIR,
    "build_roots": _REPAIR,
    "builds_finished": "Run the same command again",
    "placed_as_planned": "If file_hashes and shard_files pass, select and build again under another name",
    "texts_decode": "If file_hashes and shard_files pass, select and build again under another name",
}
_PIECED: Final = {"file_hashes": _file_hashes, "content_hashes": _content_hashes, "shard_files": shard_files}
"""Checks that are made piece by piece."""
_CHECKS: Final[dict[str, Callable[[LakeView], Found]]] = {
    "log_entries": log_entries,
    "log_statistics": log_statistics,
    "file_hashes": _file_hashes,
    "one_live_file": _one_live_file,
    "families_aligned": _aligned,
    "ids_unique": _ids_unique,
    "content_hashes": _content_hashes,
    "texts_chosen": texts_chosen,
    "indexes": indexes,
    "counts_reconcile": _counts_reconcile,
    "runs_known": _runs_known,
    "winners_kept": _winners_kept,
    "takedowns": takedowns,
    "retained_files": retained_files,
    "vocabularies": vocabularies,
    "block_lists": block_lists,
    "score_models": score_models,
    "evaluation_sets": evaluation_sets,
    "builds_finished": builds_finished,
    "build_records": build_records,
    "build_roots": build_roots,
    "shard_files": shard_files,
    "placed_as_planned": placed_as_planned,
    "texts_decode": texts_decode,
    "verified_record": _verified_record,
}
