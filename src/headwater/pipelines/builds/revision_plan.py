"""What a revision of a build does: which rows of family ``stages`` change, and which shards must be packed again for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.lineage.buckets import bucket_of, copy_positions, positions
from headwater.lineage.builds import builds_uri, stage_operator
from headwater.pipelines.builds.revised_task import NewDocuments, OldShard
from headwater.pipelines.recipe.job import Recipe
from headwater.tokenize.shards.manifest import Manifest
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, ROW_BITS, FileEntry, fragments_of
from headwater.warehouse.parquet import read_aligned, read_file, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot

__all__ = ["Ints", "Membership", "Parts", "changed_rows", "plan_parts", "write_stage_rows"]

Ints = npt.NDArray[np.int64]
_NAMED: Final = ["sample_id", "stage", "copies"]
_FACTS: Final = {"content": ["content_hash", "origin"], "tokens": ["n_tokens"]}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Membership:
    """How the rows of family ``stages`` of a build change.

    Attributes:
        removed: sample_ids of which all rows go, int64, ascending: those that go, and those that get other rows.
        added: rows that come, without `run_id`.
        facts: sample_id, content_hash, origin of those of them that a stage chose.
        gone: samples that go and had rows, ascending.
        came: how many samples come.
        not_come: sample_ids that were to come and cannot: the version that the build stands on has no tokens of them.
    """

    removed: Ints
    added: pa.Table
    facts: pa.Table
    gone: Ints
    came: int
    not_come: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parts:
    """The shards that must be packed again.

    Attributes:
        slots: stage and number of each.
        old: of each that has files now, what its documents are read from.
        new: the documents that come, by fragment.
        placements: the live files that are replaced.
    """

    slots: tuple[tuple[str, int], ...]
    old: tuple[OldShard, ...]
    new: tuple[NewDocuments, ...]
    placements: tuple[str, ...]


def _among(ids: Ints, chosen: Ints) -> pa.Array:
    return pa.array(np.isin(ids, chosen))


def _stage_files(snapshot: Snapshot, build: str, fragments: set[int]) -> list[tuple[str, int, int, str]]:
    """Return path, base, mask and operator of the files of a build's rows that cover some fragments."""
    live = snapshot.live("stages", batch=build)
    columns = (live[name].to_pylist() for name in ("path", "base", "mask", "operator"))
    return [file for file in zip(*columns, strict=True) if not fragments.isdisjoint(fragments_of(file[1], file[2]))]


def changed_rows(snapshot: Snapshot, then: Snapshot, build: str, gone: Ints, come: Mapping[int, int]) -> Membership:
    """Return how the rows of a build change when some samples go and others take their places.

    A sample that comes gets the rows of the one whose place it takes: stage, cell, copies, rank and reason.

    Args:
        then: the version in which the build's texts and token counts stand.
        gone: sample_ids, ascending.
        come: of some of them, which sample takes its place.
    """
    wanted = {int(sample) >> ROW_BITS for sample in [*gone.tolist(), *come.values()]}
    told = [*gone.tolist(), *come.values()]
    found = [arrow_schema("stages").empty_table()]
    for path, *_ in _stage_files(snapshot, build, wanted):
        for rows in read_file(snapshot.uri, path):
            mine = rows.filter(_among(rows["sample_id"].to_numpy(), np.array(told, np.int64)))
            if mine.num_rows:
                found.append(mine)
    before = pa.concat_tables(found)
    facts = _facts(snapshot, then, sorted(set(come.values())))
    known = set(facts["sample_id"].to_pylist())
    ids = before["sample_id"].to_pylist()
    rows_of: dict[int, list[int]] = {}
    for row, sample in enumerate(ids):
        rows_of.setdefault(sample, []).append(row)
    stages = before["stage"].to_pylist()
    take: list[int] = []
    new_ids: list[int] = []
    not_come, renewed = [], set()
    taken: dict[int, set[str | None]] = {}
    for old, new in sorted(come.items()):
        if old not in rows_of:
            continue
        if new not in known:
            not_come.append(new)
            continue
        own = taken.setdefault(new, {stages[row] for row in rows_of.get(new, ()) if stages[row] is not None})
        wished = [row for row in rows_of[old] if stages[row] not in own and not (stages[row] is None and own)]
        if wished and new in rows_of and new not in renewed:
            # Its own rows are written again, but for one that says that no stage chose it.
            renewed.add(new)
            kept = [row for row in rows_of[new] if stages[row] is not None]
            take += kept
            new_ids += [new] * len(kept)
        take += wished
        new_ids += [new] * len(wished)
        own.update(stages[row] for row in wished)
    added = before.take(pa.array(take, pa.int64()))
    added = added.set_column(0, before.schema.field(0), pa.array(new_ids, pa.int64())).drop_columns(["run_id"])
    went = np.array([sample for sample in gone.tolist() if sample in rows_of], np.int64)
    removed = np.unique(np.concatenate([went, np.array(sorted(renewed), np.int64)]))
    chosen = np.unique(np.array([s for s, row in zip(new_ids, take, strict=True) if stages[row] is not None], np.int64))
    facts = facts.filter(_among(facts["sample_id"].to_numpy(), chosen))
    return Membership(
        removed=removed, added=added, facts=facts, gone=went, came=len(set(new_ids)), not_come=tuple(not_come)
    )


def _facts(snapshot: Snapshot, then: Snapshot, samples: Sequence[int]) -> pa.Table:
    """Return sample_id, content_hash and origin of those samples that have tokens in the version that the build stands on."""
    fragments = np.unique(np.array([sample >> ROW_BITS for sample in samples], np.int64))
    there = np.intersect1d(fragments, then.covered("tokens"))
    wanted = np.array(samples, np.int64)
    found = []
    for where in then.locate(there, ["tokens"]):
        for rows in read_aligned(snapshot.uri, where, _FACTS):
            mine = rows.filter(_among(rows["sample_id"].to_numpy(), wanted))
            found.append(mine.filter(pc.greater(mine["n_tokens"], 0)).drop_columns(["n_tokens"]))
    kinds = {"sample_id": pa.int64(), "content_hash": pa.binary(16), "origin": pa.int64()}
    parts = [table.select(list(kinds)).cast(pa.schema(list(kinds.items()))) for table in found]
    return pa.concat_tables([pa.schema(list(kinds.items())).empty_table(), *parts])


def write_stage_rows(
    snapshot: Snapshot, build: str, change: Membership, run_id: str
) -> tuple[list[FileEntry], list[str]]:
    """Write the files of family ``stages`` of a build that hold a sample which changes; return them, and the live ones that they replace."""
    added = change.added.append_column("run_id", pa.array([run_id] * change.added.num_rows, pa.string()))
    ids = added["sample_id"].to_numpy()
    fragments = {int(sample) >> ROW_BITS for sample in [*change.removed.tolist(), *ids.tolist()]}
    files = _stage_files(snapshot, build, fragments)
    entries, replaced = [], []
    for path, base, mask, operator in files:
        covered = fragments_of(base, mask)

        def groups(path: str = path, covered: Sequence[int] = covered) -> Iterator[pa.Table]:
            for fragment, rows in zip(covered, read_file(snapshot.uri, path), strict=True):
                left = rows.filter(pc.invert(_among(rows["sample_id"].to_numpy(), change.removed)))
                mine = added.filter(pa.array(ids >> ROW_BITS == fragment)).select(left.column_names)
                both = pa.concat_tables([left, mine.cast(left.schema)])
                yield both.take(pa.array(np.argsort(both["sample_id"].to_numpy(), kind="stable")))

        entries.append(write_family(snapshot.uri, "stages", build, base, mask, operator, groups()))
        replaced.append(path)
    entries += _uncovered(snapshot, build, files, added)
    return entries, replaced


def _uncovered(
    snapshot: Snapshot, build: str, files: Sequence[tuple[str, int, int, str]], added: pa.Table
) -> list[FileEntry]:
    """Write rows of samples of fragments that the selection did not see: they came into the lake after it."""
    ids = added["sample_id"].to_numpy()
    covered = {fragment for _, base, mask, _ in files for fragment in fragments_of(base, mask)}
    late = sorted({int(sample) >> ROW_BITS for sample in ids.tolist()} - covered)
    entries = []
    operator = snapshot.live("stages", batch=build)["operator"][0].as_py() if late else ""
    while late:
        mine = [fragment for fragment in late if fragment - late[0] < FRAGMENTS_PER_FILE]
        late = late[len(mine) :]
        groups = []
        for fragment in mine:
            rows = added.filter(pa.array(ids >> ROW_BITS == fragment))
            groups.append(rows.take(pa.array(np.argsort(rows["sample_id"].to_numpy(), kind="stable"))))
        mask = sum(1 << (fragment - mine[0]) for fragment in mine)
        entries.append(write_family(snapshot.uri, "stages", build, mine[0], mask, operator, groups))
    return entries


def plan_parts(
    snapshot: Snapshot,
    then: Snapshot,
    build: str,
    recipe: Recipe,
    manifests: Mapping[str, Manifest],
    change: Membership,
) -> Parts:
    """Return which shards of a build must be packed again, and from what.

    Args:
        manifests: of the stages that have shards, by name.
    """
    come = _buckets(recipe, manifests, change)
    slots: list[tuple[str, int]] = []
    old: list[OldShard] = []
    placements: list[str] = []
    for stage, manifest in manifests.items():
        shards = {shard.number: shard for shard in manifest.shards}
        repeated: tuple[Ints, Ints] | None = None
        live = snapshot.live("placements", operator=stage_operator(stage), batch=build)
        for path, number in zip(live["path"].to_pylist(), live["base"].to_pylist(), strict=True):
            placed = pa.concat_tables(read_file(snapshot.uri, path, ["sample_id", "copy"]))
            ids = placed["sample_id"].to_numpy()
            at = np.flatnonzero(np.isin(ids, change.removed))
            if len(at) == 0 and (stage, number) not in come:
                continue
            if number in shards:
                if repeated is None and pc.max(placed["copy"]).as_py():
                    repeated = _repeated(snapshot, build, stage)
                several = repeated or (np.empty(0, np.int64), np.empty(0, np.int64))
                mine = np.isin(several[0], ids)
                old.append(
                    OldShard(
                        slot=len(slots),
                        folder=builds_uri(snapshot.lake, build, stage),
                        shard=shards[number],
                        placements=path,
                        gone=np.unique(ids[at]),
                        repeated=several[0][mine],
                        copies=several[1][mine],
                    )
                )
            slots.append((stage, number))
            placements.append(path)
    new = []
    chosen = change.added.select(_NAMED).filter(pc.is_valid(change.added["stage"]))
    fragments = np.unique(chosen["sample_id"].to_numpy() >> ROW_BITS)
    for where in then.locate(fragments, ["spans", "tokens"]) if len(fragments) else ():
        mine = chosen.filter(pa.array(chosen["sample_id"].to_numpy() >> ROW_BITS == where.fragment))
        new.append(NewDocuments(where=where, chosen=mine.combine_chunks()))
    return Parts(slots=tuple(slots), old=tuple(old), new=tuple(new), placements=tuple(placements))


def _buckets(recipe: Recipe, manifests: Mapping[str, Manifest], change: Membership) -> set[tuple[str, int]]:
    """Return the shards to which the copies of the samples that come fall."""
    facts = {int(sample): row for row, sample in enumerate(change.facts["sample_id"].to_pylist())}
    rows = change.added.select(_NAMED).filter(pc.is_valid(change.added["stage"]))
    if rows.num_rows == 0:
        return set()
    at = pa.array([facts[sample] for sample in rows["sample_id"].to_pylist()], pa.int64())
    mine = change.facts.take(at)
    base = positions(recipe.build.seed, mine["content_hash"].combine_chunks(), mine["origin"].to_numpy())
    copies = rows["copies"].to_numpy().astype(np.int64)
    which = np.repeat(np.arange(len(copies)), copies)
    copy = np.arange(len(which)) - np.repeat(np.cumsum(copies) - copies, copies)
    position = copy_positions(base[which], copies[which], copy)
    names = rows["stage"].to_pylist()
    return {
        (names[row], int(bucket_of(position[place : place + 1], manifests[names[row]].buckets)[0]))
        for place, row in enumerate(which.tolist())
    }


def _repeated(snapshot: Snapshot, build: str, stage: str) -> tuple[Ints, Ints]:
    """Return the samples that a stage has more than once, ascending, and how often."""
    ids, copies = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for path in snapshot.paths("stages", batch=build):
        for rows in read_file(snapshot.uri, path, _NAMED):
            mine = rows.filter(
                pc.and_(pc.fill_null(pc.equal(rows["stage"], stage), False), pc.greater(rows["copies"], 1))
            )
            ids.append(mine["sample_id"].to_numpy())
            copies.append(mine["copies"].to_numpy().astype(np.int64))
    found, number = np.concatenate(ids), np.concatenate(copies)
    order = np.argsort(found, kind="stable")
    return found[order], number[order]
