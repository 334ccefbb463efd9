"""What differs between two builds, two versions of the table, or what two recipes' rules would keep: sample by sample, with the cause.

    diff("lake", build_side("lake", "first"), build_side("lake", "second"))

Fragments are read side by side, narrow families only, one after the other: what is held follows a fragment, the number of outcomes and the
examples, not the lake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from headwater.arrays import Int64s
from headwater.errors import UsageError
from headwater.filters.urls.hosts import without_credentials
from headwater.lineage.diff_causes import Cause, causes_of
from headwater.lineage.diff_sides import Names, Rows, Side, read_rows
from headwater.plain import JsonObject
from headwater.warehouse.fragments import ROW_BITS, first_id
from headwater.warehouse.parquet import FragmentFiles, read_content_row
from headwater.warehouse.snapshot import Snapshot

__all__ = ["diff"]

_Key = TypeVar("_Key")


@dataclass(slots=True)
class _Sums:
    """What is counted over all fragments; keys are numbers of ``Names``."""

    samples: int = 0
    cells: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    causes: dict[Cause, list[int]] = field(default_factory=dict)
    stages: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    examples: dict[tuple[int, int], list[JsonObject]] = field(default_factory=dict)
    winners: int = 0


def diff(a: Side, b: Side, *, examples: int = 3) -> JsonObject:
    """Return how the outcomes of samples differ between two sides of one lake; ``docs/how-to/diff.md`` has the answer's shape.

    Args:
        examples: how many samples of each cell are named, the first by id.

    Raises:
        UsageError: the sides are of two lakes.
    """
    if a.snapshot.uri != b.snapshot.uri:
        raise UsageError(f"expected two sides of one lake, found {a.snapshot.lake} and {b.snapshot.lake}")
    names, sums = Names(), _Sums()
    by_stage = a.build is not None and b.build is not None
    selected = a.selections(), b.selections()
    lengths = _lengths(a.snapshot), _lengths(b.snapshot)
    for left, right in _paired(a, b):
        fragment = (left or right).fragment  # type: ignore[union-attr] # one of them is there
        n = max(length.get(fragment, 0) for length in lengths)
        rows = [
            read_rows(side, where, chosen.get(fragment), n, names, by_stage=by_stage)
            for side, where, chosen in zip((a, b), (left, right), selected, strict=True)
        ]
        _count(sums, (a, b), rows[0], rows[1], names, fragment, examples)
    return _answer(a, b, names, sums, by_stage=by_stage)


def _paired(a: Side, b: Side) -> Iterator[tuple[FragmentFiles | None, FragmentFiles | None]]:
    """Yield the fragments of both sides, ascending; None where a side lacks one."""
    lefts, rights = a.located(), b.located()
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.fragment < right.fragment):
            yield left, None
            left = next(lefts, None)
        elif left is None or right.fragment < left.fragment:
            yield None, right
            right = next(rights, None)
        else:
            yield left, right
            left, right = next(lefts, None), next(rights, None)


def _lengths(snapshot: Snapshot) -> dict[int, int]:
    """Return fragment → samples."""
    files = snapshot.live("content")
    return dict(zip(files["base"].to_pylist(), files["rows"].to_pylist(), strict=True))


def _count(sums: _Sums, sides: tuple[Side, Side], a: Rows, b: Rows, names: Names, fragment: int, examples: int) -> None:
    """Add a fragment."""
    n = len(a.outcome)
    sums.samples += n
    tokens = [np.zeros(n, np.int64), np.zeros(n, np.int64)]
    for mine, side in zip(tokens, (a, b), strict=True):
        np.add.at(mine, side.held_row, side.held_tokens)
    width = len(names.outcomes)
    keys, cell = np.unique(a.outcome * width + b.outcome, return_inverse=True)
    table = _sums_by(cell, len(keys), [np.ones(n, np.int64), *tokens])
    for key, row in zip(keys.tolist(), table, strict=True):
        _add(sums.cells, divmod(key, width), row)
    sums.winners += int(((a.duplicate_of >= 0) & (b.duplicate_of >= 0) & (a.duplicate_of != b.duplicate_of)).sum())
    _count_stages(sums, a, b, names)
    changed = np.flatnonzero(a.outcome != b.outcome)
    found = causes_of((sides[0].snapshot.uri, sides[1].snapshot.uri), a, b, changed)
    numbers: dict[Cause, int] = {}
    index = np.array([numbers.setdefault(cause, len(numbers)) for cause in found], np.int64)
    by_cause = _sums_by(index, len(numbers), [np.ones(len(changed), np.int64), *(mine[changed] for mine in tokens)])
    for cause, row in zip(numbers, by_cause, strict=True):
        _add(sums.causes, cause, row)
    _keep_examples(sums, a, b, names, fragment, changed, found, examples)


def _sums_by(index: Int64s, groups: int, columns: list[Int64s]) -> list[list[int]]:
    """Return the sums of some columns by group, a list a group."""
    table = np.zeros((groups, len(columns)), np.int64)
    for at, column in enumerate(columns):
        np.add.at(table[:, at], index, column)
    return table.tolist()


def _add(sums: dict[_Key, list[int]], key: _Key, row: list[int]) -> None:
    held = sums.get(key)
    sums[key] = row if held is None else [x + y for x, y in zip(held, row, strict=True)]


def _count_stages(sums: _Sums, a: Rows, b: Rows, names: Names) -> None:
    """Add tokens by language and stage: of each side, those that only the second has, and those that only the first has."""
    stages, languages = max(1, len(names.stages)), len(names.languages)
    keys = [(side.held_row * stages + side.held_stage) * languages + side.language[side.held_row] for side in (a, b)]
    for at, (mine, others, side) in enumerate(((keys[0], keys[1], a), (keys[1], keys[0], b))):
        alone = ~np.isin(mine, others)
        cells, index = np.unique(mine % (stages * languages), return_inverse=True)
        for cell, (tokens, moved) in zip(
            cells.tolist(), _sums_by(index, len(cells), [side.held_tokens, side.held_tokens * alone]), strict=True
        ):
            row = [tokens, 0, moved, 0] if at == 0 else [0, tokens, 0, moved]
            _add(sums.stages, divmod(cell, languages), row)


def _keep_examples(
    sums: _Sums, a: Rows, b: Rows, names: Names, fragment: int, changed: Int64s, causes: list[Cause], examples: int
) -> None:
    """Keep the first samples of each cell whose outcomes differ."""
    listed = list(names.languages)
    width = len(names.outcomes)
    _, first = np.unique(a.outcome[changed] * width + b.outcome[changed], return_inverse=True)
    taken: dict[int, int] = {}
    for at, (row, group) in enumerate(zip(changed.tolist(), first.tolist(), strict=True)):
        if taken.get(group, 0) >= examples:
            continue
        taken[group] = taken.get(group, 0) + 1
        held = sums.examples.setdefault((int(a.outcome[row]), int(b.outcome[row])), [])
        if len(held) >= examples:
            continue
        step, what = causes[at]
        both = {
            "language": [listed[int(side.language[row])] for side in (a, b)],
            "verdict": [side.verdict[row].as_py() for side in (a, b)],
            "duplicate_of": [int(side.duplicate_of[row]) if side.duplicate_of[row] >= 0 else None for side in (a, b)],
            "n_tokens": [int(side.n_tokens[row]) for side in (a, b)],
        }
        differing = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
        held.append({"sample_id": first_id(fragment) + row, "step": step, "what": what, "changed": differing})


def _answer(a: Side, b: Side, names: Names, sums: _Sums, *, by_stage: bool) -> JsonObject:
    outcomes, stages, languages = list(names.outcomes), list(names.stages), list(names.languages)
    matrix = []
    for (left, right), row in sorted(sums.cells.items(), key=lambda item: (-item[1][0], item[0])):
        cell: JsonObject = {"a": outcomes[left], "b": outcomes[right], **_named(row)}
        if left != right:
            cell["examples"] = [_located(example, a, b) for example in sums.examples.get((left, right), [])]
        matrix.append(cell)
    causes = sorted(sums.causes.items(), key=lambda item: (-item[1][0], item[0]))
    moved = []
    for (stage, language), (before, after, left, entered) in sums.stages.items():
        cell = {"stage": stages[stage], "language": languages[language], "tokens_a": before, "tokens_b": after}
        moved.append(cell | {"left": left, "entered": entered})
    changed = sum(row[0] for (left, right), row in sums.cells.items() if left != right)
    return {
        "lake": a.snapshot.lake,
        "by": "stage" if by_stage else "verdict",
        "a": _side(a),
        "b": _side(b),
        "samples": sums.samples,
        "changed": changed,
        "share": changed / sums.samples if sums.samples else 0.0,
        "winners_changed": sums.winners,
        "outcomes": matrix,
        "causes": [{"step": step, "what": what, **_named(row)} for (step, what), row in causes],
        "tokens": sorted(moved, key=lambda row: (-row["left"] - row["entered"], row["stage"], row["language"])),
    }


def _named(row: list[int]) -> dict[str, int]:
    return dict(zip(("samples", "tokens_a", "tokens_b"), row, strict=True))


def _side(side: Side) -> JsonObject:
    return {"name": side.name, "kind": side.kind, "version": side.snapshot.version, "build": side.build}


def _located(example: JsonObject, a: Side, b: Side) -> JsonObject:
    """Return an example with the URI of its sample, which one of the sides has."""
    sample = example["sample_id"]
    fragment = sample >> ROW_BITS
    side = next(side for side in (b, a) if fragment in side.snapshot.covered("content"))
    (where,) = side.snapshot.locate(np.array([fragment]), [])
    uri = read_content_row(side.snapshot.uri, where, sample - first_id(fragment), ["uri"])["uri"]
    return {"sample_id": sample, "uri": None if uri is None else without_credentials(uri)} | example
