"""The two passes of a what-if question over fragments: sums of what changes outside clusters, then the clusters that a change reaches.

Each pass returns sums and, for clusters that are touched, their members: memory follows the number of samples that change, not the lake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Bools, Int64s, UInt64s
from headwater.hashes import halves_of_hashes
from headwater.pipelines.what_if.clusters import elect_members, order_members
from headwater.pipelines.what_if.fragment import (
    MISSING,
    NONE,
    Conditions,
    Fragment,
    Question,
    eligible_stages,
    held_stages,
    index_names,
    name_reasons,
    read_fragment,
    who_passes,
)
from headwater.pipelines.what_if.stages import selection_columns
from headwater.pipelines.what_if.sums import TOTAL, Sums, gained_slot, lost_slot
from headwater.warehouse.parquet import FragmentFiles, read_aligned

__all__ = ["Example", "Held", "Tally", "add_clusters", "cluster_members", "count_fragment", "first_examples"]

_LEFT: Final = ("reasons", "rule_set", "kept")
"""Columns that no election reads."""
_MEMBER_BYTES: Final = 160
_MOST_BYTES: Final = 256 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A sample that is gained or lost, with what puts it in its place among the examples."""

    content_hash: str
    sample_id: int
    language: str
    source: str
    text_bytes: int
    tokens: int
    reason: str


class Held:
    """A budget of memory for members of clusters that the first pass keeps, so that the second need not read them again."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._left = most_bytes

    def take(self, count: int) -> bool:
        """Return whether there is room for this many bytes, and take it. Threads may overdraw it by one fragment each."""
        if self._left < count:
            return False
        self._left -= count
        return True


@dataclass(kw_only=True, slots=True)
class Tally:
    """What is counted of one fragment, or of all of them.

    Attributes:
        recorded: samples whose recorded reasons were used.
        touched: first 64 bits of the ids of clusters in which who passes changes, uint64, sorted.
        affected: scenario → clusters in which it changes who passes.
        members: the samples in clusters, where there was room to hold them.
        gained: first scenario's examples, in order; ``lost`` alike.
    """

    sums: Sums
    samples: int = 0
    recorded: int = 0
    touched: UInt64s = field(default_factory=lambda: np.empty(0, np.uint64))
    affected: list[int] = field(default_factory=list)
    members: pa.Table | None = None
    gained: list[Example] = field(default_factory=list)
    lost: list[Example] = field(default_factory=list)


def first_examples(found: Sequence[Example], count: int) -> list[Example]:
    """Return the first by content hash: the same ones in whatever order documents were ingested."""
    return sorted(found, key=lambda example: (example.content_hash, example.sample_id))[:count]


def count_fragment(question: Question, held: Held, examples: int, where: FragmentFiles) -> Tally:
    """Return the sums of one fragment and the clusters that a scenario touches; a clustered sample counts as recorded until then."""
    fragment = read_fragment(question, where)
    width = 1 + 2 * len(question.scenarios)
    then, base, fails = who_passes(question, fragment)
    part = Tally(sums=Sums(width=width), samples=len(then), recorded=len(then) if fragment.recorded else 0)
    stages = held_stages(question, fragment)
    free = ~fragment.clustered
    _tally(question, fragment, stages, part.sums, 0, np.flatnonzero(np.where(free, base, fragment.kept)))
    touched = fragment.clustered & (base != then)
    moved: list[tuple[Int64s, Int64s]] = []
    for failing in fails:
        passes = ~failing.to_numpy(zero_copy_only=False)
        changed = np.flatnonzero(passes != base)
        touched |= fragment.clustered & (passes != then)
        changed = changed[free[changed]]
        moved.append((changed[passes[changed]], changed[~passes[changed]]))
    # Once for all scenarios: in a sweep they gain many of the same samples.
    every = np.unique(np.concatenate([gained for gained, _ in moved]))
    wanted = fragment.table.select(["sample_id", *selection_columns(question.recipe)])
    names, index = eligible_stages(question, wanted.take(pa.array(every)))
    for number, (gained, lost) in enumerate(moved):
        fresh = names, index[np.searchsorted(every, gained)]
        _tally(question, fragment, stages, part.sums, gained_slot(number), gained, fresh)
        _tally(question, fragment, stages, part.sums, lost_slot(number), lost)
        if question.named:
            part.gained = _examples(question, fragment, gained, examples, question.base)
            part.lost = _examples(question, fragment, lost, examples, question.scenarios[number])
    clusters = fragment.table["cluster_id"].combine_chunks().filter(pa.array(touched))
    part.touched = np.unique(halves_of_hashes(clusters)[:, 0])
    inside = np.flatnonzero(fragment.clustered)
    if held.take(len(inside) * (_MEMBER_BYTES + len(fails) // 8)):
        part.members = _members(question, fragment, stages, inside, base, fails)
    return part


def _tally(
    question: Question,
    fragment: Fragment,
    stages: tuple[list[str], Int64s, Int64s],
    sums: Sums,
    slot: int,
    at: Int64s,
    fresh: tuple[list[str], Int64s] | None = None,
) -> None:
    """Add the rows ``at`` to a slot by every dimension; ``fresh``, of rows in no stage of the build, are the stages they are eligible for."""
    rows = fragment.rows
    weights = rows.text_bytes[at], rows.tokens[at]
    for dimension, (names, index) in rows.keys.items():
        sums.add(slot, dimension, names, index[at], weights)
    sums.add(slot, TOTAL, [TOTAL], np.zeros(len(at), np.int64), weights)
    if question.build is None and fresh is None:
        wanted = fragment.table.select(["sample_id", *selection_columns(question.recipe)])
        fresh = eligible_stages(question, wanted.take(pa.array(at)))
    if fresh is not None:
        sums.add(slot, "stage", *fresh, weights)
        return
    names, held, index = stages
    chosen = np.zeros(len(rows.tokens), bool)
    chosen[at] = True
    pairs = np.flatnonzero(chosen[held])
    sums.add(slot, "stage", names, index[pairs], (rows.text_bytes[held[pairs]], rows.tokens[held[pairs]]))
    chosen[held] = False
    rest = np.flatnonzero(chosen)
    sums.add(slot, "stage", [NONE], np.zeros(len(rest), np.int64), (rows.text_bytes[rest], rows.tokens[rest]))


def _examples(question: Question, fragment: Fragment, at: Int64s, count: int, conditions: Conditions) -> list[Example]:
    if len(at) == 0 or count == 0:
        return []
    words = halves_of_hashes(fragment.table["content_hash"].combine_chunks().take(pa.array(at)))
    at = at[np.lexsort((at, words[:, 1], words[:, 0]))[:count]]
    table = fragment.table.take(pa.array(at))
    return _named(table, name_reasons(question, table, conditions))


def _named(table: pa.Table, reasons: Sequence[str]) -> list[Example]:
    wanted = ["sample_id", "content_hash", "language", "source", "text_bytes", "n_tokens"]
    return [
        Example(
            content_hash=row["content_hash"].hex(),
            sample_id=row["sample_id"],
            language=row["language"] or "und",
            source=row["source"] or NONE,
            text_bytes=row["text_bytes"],
            tokens=row["n_tokens"] or 0,
            reason=reason,
        )
        for row, reason in zip(table.select(wanted).to_pylist(), reasons, strict=True)
    ]


def cluster_members(
    question: Question, touched: UInt64s, where: FragmentFiles, members: pa.Table | None
) -> pa.Table | None:
    """Return the samples of a fragment that stand in touched clusters, with all that an election and the sums need.

    Args:
        members: those of all clusters as the first pass held them; None where it did not, then the fragment is read again.
    """
    if members is not None:
        inside = np.isin(halves_of_hashes(members["cluster_id"].combine_chunks())[:, 0], touched)
        return members.filter(pa.array(inside)) if inside.any() else None
    (clusters,) = read_aligned(question.table_uri, where, {"duplicates": ["cluster_id"]})
    column = clusters["cluster_id"].combine_chunks()
    at = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    at = at[np.isin(halves_of_hashes(column.take(pa.array(at)))[:, 0], touched)]
    if len(at) == 0:
        return None
    fragment = read_fragment(question, where)
    _, base, fails = who_passes(question, fragment)
    return _members(question, fragment, held_stages(question, fragment), at, base, fails)


def _members(
    question: Question,
    fragment: Fragment,
    stages: tuple[list[str], Int64s, Int64s],
    inside: Int64s,
    base: Bools,
    fails: Sequence[pa.Array],
) -> pa.Table:
    """Return rows of a fragment, ascending, with who passes and the stages that hold each."""
    at = pa.array(inside)
    table = fragment.table.drop_columns([name for name in _LEFT if name in fragment.table.column_names]).take(at)
    names, rows, index = stages
    place = np.full(len(base), -1)
    place[inside] = np.arange(len(inside))
    place = place[rows]
    index, place = index[place >= 0], place[place >= 0]
    offsets = np.searchsorted(place, np.arange(len(inside) + 1)).astype(np.int32)
    held = pa.ListArray.from_arrays(pa.array(offsets), pa.array(names, pa.string()).take(pa.array(index)))
    columns = {
        "kept": pa.array(fragment.kept[inside]),
        "duplicate": pa.array(fragment.duplicate[inside]),
        "held": held,
        "base": pa.array(base[inside]),
    }
    columns |= {f"fails_{number}": failing.take(at) for number, failing in enumerate(fails)}
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def add_clusters(question: Question, part: Tally, found: Sequence[pa.Table], examples: int) -> None:
    """Elect in every touched cluster under the base and each scenario, and add what that changes to the sums of all fragments."""
    part.affected = [0] * len(question.scenarios)
    if not found:
        return
    table = pa.concat_tables(found, promote_options="permissive").unify_dictionaries()
    members, order = order_members(table)
    table = table.take(pa.array(order)).combine_chunks()
    base = table["base"].to_numpy()
    recorded = bool((base == (members.kept | members.duplicate)).all())
    now = members.kept if recorded else elect_members(members, base)
    _tally_members(question, table, part.sums, 0, np.flatnonzero(now & ~members.kept))
    _tally_members(question, table, part.sums, 0, np.flatnonzero(members.kept & ~now), sign=-1)
    for number in range(len(question.scenarios)):
        passes = ~table[f"fails_{number}"].to_numpy()
        part.affected[number] = len(np.unique(members.cluster[passes != base]))
        then = elect_members(members, passes)
        gained, lost = np.flatnonzero(then & ~now), np.flatnonzero(now & ~then)
        _tally_members(question, table, part.sums, gained_slot(number), gained, fresh=True)
        _tally_members(question, table, part.sums, lost_slot(number), lost)
        if question.named:
            rows = _first(table, gained, examples)
            reasons = [
                f"duplicate of {winner}, which is lost" if duplicate else why
                for why, duplicate, winner in zip(
                    name_reasons(question, rows, question.base),
                    rows["duplicate"].to_pylist(),
                    rows["duplicate_of"].to_pylist(),
                    strict=True,
                )
            ]
            part.gained = first_examples([*part.gained, *_named(rows, reasons)], examples)
            rows = _first(table, lost, examples)
            part.lost = first_examples(
                [*part.lost, *_named(rows, name_reasons(question, rows, question.scenarios[number]))], examples
            )


def _first(table: pa.Table, at: Int64s, count: int) -> pa.Table:
    """Return the first of some rows by content hash, then id."""
    rows = table.take(pa.array(at))
    words = halves_of_hashes(rows["content_hash"].combine_chunks())
    return rows.take(pa.array(np.lexsort((rows["sample_id"].to_numpy(), words[:, 1], words[:, 0]))[:count]))


def _tally_members(
    question: Question, table: pa.Table, sums: Sums, slot: int, at: Int64s, *, fresh: bool = False, sign: int = 1
) -> None:
    if len(at) == 0:
        return
    rows = table.take(pa.array(at))
    weights = rows["text_bytes"].to_numpy(), pc.fill_null(rows["n_tokens"], 0).to_numpy()
    sums.add(slot, TOTAL, [TOTAL], np.zeros(len(at), np.int64), weights, sign)
    for dimension, missing in MISSING.items():
        names, index = index_names(rows[dimension], missing)
        sums.add(slot, dimension, names, index, weights, sign)
    if question.build is None or fresh:
        names, index = eligible_stages(question, rows)
        sums.add(slot, "stage", names, index, weights, sign)
        return
    pairs = [(row, stage) for row, stages in enumerate(rows["held"].to_pylist()) for stage in stages or [NONE]]
    names, index = index_names(pa.chunked_array([[stage for _, stage in pairs]], pa.string()), NONE)
    of = np.array([row for row, _ in pairs], np.int64)
    sums.add(slot, "stage", names, index, [weight[of] for weight in weights], sign)
