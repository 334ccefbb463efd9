"""Removal from the table: every file that holds a sample that goes is written again, and one commit puts all of them in place.

Cost: what is read and written is the files that hold such samples (of content a fragment, of a narrow family up to 64), not the lake. A process that
is killed before the commit has changed nothing; what it wrote holds none of these samples, and is an orphan that ``maintain`` deletes.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import ConflictError
from headwater.fingerprint import fingerprint
from headwater.lineage.keyed_hashes import make_key
from headwater.lineage.past_runs import ended_builds
from headwater.lineage.runs import Run, Unit, commit_wave
from headwater.lineage.takedowns import NEAR_COLUMNS, keyed_rows, taken_samples
from headwater.lineage.views import connect
from headwater.pipelines.spark.aligned import group_neighbours
from headwater.pipelines.takedown.found import aligned_rows
from headwater.pipelines.takedown.tombstones import REASON, Rewrite, Rewritten, rewrite_file
from headwater.pipelines.takedown.winners import Rest, rest_of_clusters
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.filesystem import delete_file, filesystem_of, join
from headwater.warehouse.fragments import (
    FRAGMENTS_PER_FILE,
    ROW_BITS,
    FileEntry,
    expand_masks,
    fragment_mask,
    parse_name,
)
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import FAMILIES, arrow_schema
from headwater.warehouse.snapshot import Snapshot
from headwater.warehouse.takedown_records import Record, write_record

__all__ = ["RunTasks", "holding_files", "planned_bytes", "remove_samples"]

_TRIES: Final = 100
_Ids = npt.NDArray[np.int64]
RunTasks = Callable[[Callable[[Rewrite], Rewritten], Sequence[Rewrite]], list[Rewritten]]
"""Runs a module-level function over items, on Spark or one after the other."""


def _holds_samples(family: str, batch: str, ended: set[str]) -> bool:
    """Return whether a takedown writes files of a family again; those of builds that have ended are revised with their shards."""
    if family in ("placements", "takedowns") or not FAMILIES[family].by_sample:
        return False
    return family != "stages" or batch not in ended


def holding_files(snapshot: Snapshot, fragments: _Ids, families: Iterable[str] | None = None) -> pa.Table:
    """Return the live files that may hold rows of samples of some fragments: path, family and size, by path."""
    ended = set(ended_builds(snapshot))
    files = snapshot.files
    wanted = set(families) if families is not None else None
    here = pa.array(
        [
            _holds_samples(family, batch, ended) and (wanted is None or family in wanted)
            for family, batch in zip(files["family"].to_pylist(), files["batch"].to_pylist(), strict=True)
        ],
        pa.bool_(),
    )
    files = files.filter(here)
    numbers, rows = expand_masks(files["base"].to_numpy(), files["mask"].to_numpy())
    chosen = np.unique(rows[np.isin(numbers, fragments)])
    return files.take(pa.array(chosen)).select(["path", "family", "size"]).sort_by("path")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What is written again, from one version.

    Attributes:
        dropped: live files that go as a whole: placements of builds that have not ended, which are built anew.
    """

    gone: _Ids
    rest: Rest
    tasks: list[Rewrite]
    dropped: list[str]


def _plan(snapshot: Snapshot, gone: _Ids, run_id: str) -> _Plan:
    with connect(snapshot.lake, snapshot.version) as connection:
        rest = rest_of_clusters(snapshot, connection, gone, run_id)
    paths = set(holding_files(snapshot, np.unique(gone >> ROW_BITS))["path"].to_pylist())
    for family, rows in rest.rows.items():
        fragments = np.unique(rows["sample_id"].to_numpy() >> ROW_BITS)
        paths |= set(holding_files(snapshot, fragments, [family])["path"].to_pylist())
    tasks = [
        Rewrite(table=snapshot.uri, path=path, run_id=run_id, gone=gone, laid=rest.rows.get(parse_name(path).family))
        for path in sorted(paths)
    ]
    ended = set(ended_builds(snapshot))
    chosen = {parse_name(task.path).batch for task in tasks if parse_name(task.path).family == "stages"}
    placed = snapshot.live("placements")
    dropped = [
        path
        for path, batch in zip(placed["path"].to_pylist(), placed["batch"].to_pylist(), strict=True)
        if batch in chosen and batch not in ended
    ]
    return _Plan(gone=gone, rest=rest, tasks=tasks, dropped=dropped)


def remove_samples(snapshot: Snapshot, record: Record, run: Run, run_tasks: RunTasks) -> Snapshot:
    """Take the samples and the refused records of a takedown out of the table in one commit, and return the snapshot after it.

    The record gets what was removed. Where another writer was faster all is planned again from what the table holds then; what was written
    for nothing is deleted, since it may hold what another takedown has removed meanwhile.

    Raises:
        ConflictError: other writers were faster throughout.
        CorruptLakeError: a file cannot be read.
        StorageError: the file system refused.
    """
    for _ in range(_TRIES):
        gone = np.setdiff1d(np.array(record.samples, np.int64), taken_samples(snapshot))
        plan = _plan(snapshot, gone, run.run_id)
        results = run_tasks(rewrite_file, plan.tasks)
        written = [result for result in results if result.entry is not None]
        now = datetime.datetime.now(datetime.UTC)
        adds = [result.entry for result in written if result.entry is not None]
        keyed = _keyed_files(snapshot, record, gone, run.run_id, now)
        refused = _refused_files(snapshot, record, run.run_id)
        removed: dict[str, int] = {}
        for result in written:
            family = parse_name(result.path).family
            removed[family] = removed.get(family, 0) + result.rows
        if refused:
            removed["quarantine"] = len(record.records)
        removes = [result.path for result in written] + [path for path, _ in refused] + plan.dropped
        unit = Unit(
            adds=[*adds, *keyed, *(entry for _, entry in refused)],
            removes=removes,
            counts={"samples": len(gone), "files": len(written)} | {f"rows:{name}": n for name, n in removed.items()},
        )
        # Written down before the commit: who is killed right after it would not know.
        record.removed = removed
        record.rewritten = {"files": len(written), "bytes": sum(entry.size for entry in adds)}
        record.new_winners = sorted([one, other] for one, other in plan.rest.winners.items())
        record.version, record.removed_at = snapshot.version + 1, datetime.datetime.now(datetime.UTC).isoformat()
        write_record(snapshot.lake, record)
        valid = partial(_nothing_added, _looked_at(snapshot, plan), plan)
        after, dropped = commit_wave(run, snapshot, [unit], valid=valid)
        if not dropped:
            record.version, record.removed_at = after.version, datetime.datetime.now(datetime.UTC).isoformat()
            return after
        filesystem, root = filesystem_of(snapshot.uri)
        kept = set(after.files["path"].to_pylist())
        for entry in unit.adds:
            if entry.path not in kept:
                delete_file(filesystem, join(root, entry.path))
        snapshot = after
    raise ConflictError(f"{_TRIES} tries to take samples down lost against other writers; run the same command again")


def _nothing_added(seen: list[str], plan: _Plan, now: Snapshot, _: Unit) -> bool:
    return _looked_at(now, plan) == seen


def _looked_at(snapshot: Snapshot, plan: _Plan) -> list[str]:
    """Return the files that hold something of the samples: another writer may have added one since the takedown was planned."""
    fragments = np.unique(
        np.concatenate([plan.gone, *(rows["sample_id"].to_numpy() for rows in plan.rest.rows.values())]) >> ROW_BITS
    )
    return list(holding_files(snapshot, fragments)["path"].to_pylist())


def _keyed_files(
    snapshot: Snapshot, record: Record, gone: _Ids, run_id: str, now: datetime.datetime
) -> list[FileEntry]:
    """Write the rows of family ``takedowns`` of the samples that go, and return their files."""
    if not len(gone):
        return []
    key = make_key(snapshot.lake)
    content = aligned_rows(snapshot, gone, {"content": ["content_hash"]}).combine_chunks()
    measured = aligned_rows(snapshot, gone, {"minhash": list(NEAR_COLUMNS)})
    rows = content
    at = pc.index_in(content["sample_id"], value_set=measured["sample_id"].combine_chunks())
    for name in NEAR_COLUMNS:
        kind = arrow_schema("minhash").field(name).type
        column = measured[name].combine_chunks() if measured.num_rows else pa.nulls(0, kind)
        rows = rows.append_column(name, pa.nulls(rows.num_rows, kind) if not measured.num_rows else column.take(at))
    keyed = keyed_rows(key, rows, takedown=record.takedown, who=record.who, why=record.why, when=now, run_id=run_id)
    located = snapshot.locate(np.unique(gone >> ROW_BITS), [])
    entries = []
    fragments = keyed["sample_id"].to_numpy() >> ROW_BITS
    for group in group_neighbours(located, FRAGMENTS_PER_FILE, lambda where: where.batch):
        base, mask = fragment_mask(where.fragment for where in group)
        tables = [keyed.filter(pa.array(fragments == where.fragment)) for where in group]
        operator = fingerprint({"takedown": record.takedown})
        entries.append(write_family(snapshot.uri, "takedowns", group[0].batch, base, mask, operator, tables))
    return entries


def _refused_files(snapshot: Snapshot, record: Record, run_id: str) -> list[tuple[str, FileEntry]]:
    """Write the files of family ``quarantine`` again that hold the refused records, with the reason that stands; return old path and new file."""
    wanted = {(file_id, number) for file_id, number in record.records}
    found = []
    for path in snapshot.paths("quarantine") if wanted else ():
        table = pa.concat_tables(read_file(snapshot.uri, path))
        pairs = zip(table["file_id"].to_pylist(), table["record_no"].to_pylist(), strict=True)
        mine = pa.array([pair in wanted for pair in pairs], pa.bool_())
        if not pc.any(mine).as_py():
            continue
        for column, value in (("quarantine_reason", REASON), ("run_id", run_id)):
            at = table.column_names.index(column)
            table = table.set_column(
                at, column, pc.if_else(mine, repeat_text(value, table.num_rows), table[column].combine_chunks())
            )
        name = parse_name(path)
        entry = write_family(snapshot.uri, "quarantine", name.batch, 0, 0, name.operator, [table])
        if entry.path != path:
            found.append((path, entry))
    return found


def planned_bytes(snapshot: Snapshot, samples: _Ids) -> dict[str, int]:
    """Return how many files a removal would write again at most, and their bytes."""
    files = holding_files(snapshot, np.unique(samples >> ROW_BITS))
    return {"files": files.num_rows, "bytes": int(pc.sum(files["size"]).as_py() or 0)}
