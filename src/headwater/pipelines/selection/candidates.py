"""Which samples a stage takes, as a pure function of narrow columns and of one cut or two a cell.

A sample's *key* is 26 bytes: inverted score (2), content_hash (16), origin (8), compared as bytes, smallest first. A cell takes every sample ``full``
times and those up to its cut once more; where a stage asks for full sequences, also the long samples up to a cut of their own. So a selection
is a few hundred cuts, whatever the size of the lake, and any task can apply them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.rules.predicates import connect
from headwater.hashes import bytes_of_hashes, bytes_of_origins
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.sections import SELECTION_COLUMNS, Stage
from headwater.pipelines.selection.quotas import Cell

__all__ = [
    "FOR_LENGTH",
    "KEY_BYTES",
    "Candidates",
    "Cut",
    "Cuts",
    "assign",
    "candidates",
    "copies",
    "full_sequences",
    "key_bytes",
    "open_to",
    "stage_tokens",
]

KEY_BYTES: Final = 26
FOR_LENGTH: Final = " for full sequences"
"""End of the reason of a sample that its score alone would not have brought in."""
_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]
_HOST: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#:]+)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """What a cell takes: every sample ``full`` times, and some once more.

    Attributes:
        last: those whose key is at most this; None for none.
        last_long: and those that fill a sequence whose key is at most this.
    """

    full: int = 0
    last: bytes | None = None
    last_long: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cuts:
    """The cuts of one stage: cell of the lake → its cut, and the cell of the plan for the reason."""

    stage: str
    cuts: Mapping[Cell, Cut] = field(default_factory=dict)
    planned: Mapping[Cell, Cell] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """The kept samples of a fragment that have tokens: all that selecting needs of them, some 50 bytes each.

    Attributes:
        fragment: whose samples they are.
        cells: the distinct cells among them.
        cell: index into ``cells`` of each sample, int64 [n].
        tokens: the sample's own tokens, int64 [n]; see ``stage_tokens``.
        scores: order_by column → scores, uint16 [n]; a missing one is the lowest.
        identity: content_hash and origin, so that they compare as bytes, uint8 [n, 24].
        eligible: stage → whether its ``where`` holds, [n].
        row: row in the fragment, int32 [n].
        bare: rows of kept samples without tokens, int32.
        hosts: the distinct hosts, or sources of documents without a URL.
        host: index into ``hosts``, int32 [n].
    """

    fragment: int
    cells: Sequence[Cell]
    cell: _Ints
    tokens: _Ints
    scores: Mapping[str, npt.NDArray[np.uint16]]
    identity: _Bytes
    eligible: Mapping[str, _Flags]
    row: npt.NDArray[np.int32]
    bare: npt.NDArray[np.int32]
    hosts: Sequence[str]
    host: npt.NDArray[np.int32]


def candidates(fragment: int, table: pa.Table, recipe: Recipe) -> Candidates:
    """Return the samples among which stages choose.

    Args:
        table: a fragment's rows with kept, content_hash, origin, uri and the columns that recipes may select by; ``n_tokens`` without end of text.
    """
    kept = pc.fill_null(table["kept"].combine_chunks(), False).to_numpy(zero_copy_only=False)
    tokens = pc.fill_null(table["n_tokens"].combine_chunks(), 0).to_numpy().astype(np.int64)
    row = np.flatnonzero(kept & (tokens > 0)).astype(np.int32)
    chosen = table.take(pa.array(row)).combine_chunks()
    wanted = [
        f"({recipe.pool_sql}) AS pool_",
        "coalesce(language, 'und') AS language_",
        "coalesce(domain, '') AS domain_",
    ]
    wanted += [f"({stage.where}) IS TRUE AS eligible_{number}" for number, stage in enumerate(recipe.stages)]
    with connect() as connection:
        connection.register("samples", chosen.select(list(SELECTION_COLUMNS)))
        found = connection.execute(f"SELECT {', '.join(wanted)} FROM samples").to_arrow_table()
    cells, cell = _cells(found)
    hosts = _hosts(chosen)
    return Candidates(
        fragment=fragment,
        cells=cells,
        cell=cell,
        tokens=tokens[row],
        scores={name: _scores(chosen[name]) for name in dict.fromkeys(stage.order_by for stage in recipe.stages)},
        identity=_identity(chosen),
        eligible={
            stage.name: found[f"eligible_{number}"].to_numpy(zero_copy_only=False).astype(bool)
            for number, stage in enumerate(recipe.stages)
        },
        row=row,
        bare=np.flatnonzero(kept & (tokens <= 0)).astype(np.int32),
        hosts=hosts.dictionary.to_pylist(),
        host=hosts.indices.to_numpy().astype(np.int32),
    )


def _cells(found: pa.Table) -> tuple[list[Cell], _Ints]:
    names = [found[name].combine_chunks().dictionary_encode() for name in ("pool_", "language_", "domain_")]
    code = np.zeros(found.num_rows, np.int64)
    for name in names:
        code = code * (len(name.dictionary) + 1) + name.indices.to_numpy().astype(np.int64)
    _, first, cell = np.unique(code, return_index=True, return_inverse=True)
    values = [name.take(pa.array(first)).cast(pa.string()).to_pylist() for name in names]
    return [Cell(*each) for each in zip(*values, strict=True)], cell.reshape(-1).astype(np.int64)


def _hosts(table: pa.Table) -> pa.DictionaryArray:
    """Return the host of each document's URL, its source where it has none."""
    if table.num_rows == 0:
        return pa.array([], pa.string()).dictionary_encode()
    parsed = pc.extract_regex(table["uri"].combine_chunks(), _HOST)
    # The struct's own nulls count: its field alone holds an empty string where the pattern did not match.
    host = pc.struct_field(parsed, "host").cast(pa.string())
    return pc.coalesce(host, table["source"].combine_chunks(), "(none)").dictionary_encode()


def _scores(column: pa.ChunkedArray) -> npt.NDArray[np.uint16]:
    found: npt.NDArray[np.uint16] = column.combine_chunks().fill_null(0).to_numpy().astype(np.uint16)
    return found


def _identity(table: pa.Table) -> _Bytes:
    n = table.num_rows
    identity = np.empty((n, 24), np.uint8)
    identity[:, :16] = bytes_of_hashes(table["content_hash"])
    identity[:, 16:] = bytes_of_origins(table["origin"].to_numpy().astype(np.int64))
    return identity


def key_bytes(found: Candidates, score: str) -> _Bytes:
    """Return the samples' keys by a score, uint8 [n, 26]."""
    key = np.empty((len(found.row), KEY_BYTES), np.uint8)
    inverted = (np.uint16(65535) - found.scores[score]).astype(">u2")
    key[:, :2] = inverted.view(np.uint8).reshape(-1, 2)
    key[:, 2:] = found.identity
    return key


def stage_tokens(found: Candidates, stage: Stage) -> _Ints:
    """Return the tokens of each sample in a stage, its beginning and end of text included, int64 [n]."""
    return found.tokens + stage.special_tokens


def full_sequences(found: Candidates, stage: Stage) -> _Ints:
    """Return how many whole sequences of the stage each sample fills, int64 [n]; 0 where it is shorter than the context.

    Packing that keeps documents whole cuts one of at least a context into whole sequences and a rest.
    """
    return stage_tokens(found, stage) // stage.context


def copies(found: Candidates, stage: Stage, cuts: Cuts) -> _Ints:
    """Return how many copies of each sample ``stage`` takes, before it is looked at whether the sample is open to it."""
    if len(found.cell) == 0:
        return np.empty(0, np.int64)
    chosen = [cuts.cuts.get(cell, Cut()) for cell in found.cells]
    full = np.array([cut.full for cut in chosen], dtype=np.int64)
    keys = key_bytes(found, stage.order_by).view(f"S{KEY_BYTES}").reshape(-1)
    more = _up_to(found, keys, [cut.last for cut in chosen])
    if any(cut.last_long is not None for cut in chosen):
        more |= _up_to(found, keys, [cut.last_long for cut in chosen]) & (full_sequences(found, stage) > 0)
    return full[found.cell] + more


def _up_to(found: Candidates, keys: npt.NDArray[np.bytes_], lasts: Sequence[bytes | None]) -> _Flags:
    some = np.array([last is not None for last in lasts], dtype=bool)
    last = np.array([last or b"" for last in lasts], dtype=f"S{KEY_BYTES}")
    flags: _Flags = some[found.cell] & (keys <= last[found.cell])
    return flags


def open_to(found: Candidates, stage: Stage, earlier: Sequence[tuple[Stage, Cuts]]) -> _Flags:
    """Return which samples ``stage`` may choose: its ``where`` holds and no earlier stage, unless named to repeat, took them."""
    if len(found.cell) == 0:
        return np.empty(0, bool)
    taken: dict[str, _Flags] = {}

    def free(each: Stage) -> _Flags:
        flags = found.eligible[each.name].copy()
        for name, by_stage in taken.items():
            if name not in each.repeat_from:
                flags &= ~by_stage
        return flags

    for other, cuts in earlier:
        taken[other.name] = (copies(found, other, cuts) > 0) & free(other)
    return free(stage)


def assign(found: Candidates, decided: Sequence[tuple[Stage, Cuts]]) -> dict[str, Any]:
    """Return the rows of family ``stages``: one a sample and stage that took it, or one with the reasons why none did.

    Returns:
        Arrow arrays row (index into the candidates), stage, copies, rank, reason; sorted by row, then order of choosing.
    """
    rows: list[_Ints] = []
    stages: list[pa.Array] = []
    numbers: list[_Ints] = []
    ranks: list[_Ints] = []
    reasons: list[pa.Array] = []
    n = len(found.cell)
    n_cells = len(found.cells)
    out = np.ones(n, dtype=bool)
    # Which stages' where held, a bit each: with the cell it gives the reasons.
    why = np.zeros(n, dtype=np.int64)
    for position, (stage, cuts) in enumerate(decided):
        free = open_to(found, stage, decided[:position])
        number = copies(found, stage, cuts) * free
        at = np.flatnonzero(number)
        label = ["/".join(cuts.planned.get(cell, cell)) for cell in found.cells]
        rows.append(at)
        stages.append(_repeated(stage.name, len(at)))
        numbers.append(number[at])
        ranks.append(_rank(found, stage, at))
        texts = [f"in {stage.name}: within the cut of {name}" for name in label]
        texts += [f"{text}{FOR_LENGTH}" for text in texts]
        which = found.cell[at] + n_cells * _for_length(found, stage, cuts)[at]
        reasons.append(pa.array(texts, pa.string()).take(pa.array(which)))
        out &= number == 0
        why = why * 2 + found.eligible[stage.name] if n else why
    at = np.flatnonzero(out)
    rows.append(at)
    stages.append(pa.nulls(len(at), pa.string()))
    numbers.append(np.zeros(len(at), np.int64))
    ranks.append(_rank(found, decided[-1][0], at))
    codes, inverse = np.unique(why[at] * max(1, n_cells) + found.cell[at], return_inverse=True)
    texts = [_left_out(found.cells[code % n_cells], code // n_cells, decided) for code in codes.tolist()]
    reasons.append(pa.array(texts, pa.string()).take(pa.array(inverse.reshape(-1))))
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    return {
        "row": row[order],
        "stage": pa.concat_arrays(stages).take(pa.array(order)),
        "copies": pa.array(np.concatenate(numbers)[order].astype(np.int32)),
        "rank": pa.array(np.concatenate(ranks)[order]),
        "reason": pa.concat_arrays(reasons).take(pa.array(order)),
    }


def _for_length(found: Candidates, stage: Stage, cuts: Cuts) -> _Flags:
    """Return which samples, of those that the stage takes, it takes only because they fill a sequence."""
    if not any(cut.last_long for cut in cuts.cuts.values()):
        return np.zeros(len(found.cell), bool)
    by_rank = {cell: Cut(full=cut.full, last=cut.last) for cell, cut in cuts.cuts.items()}
    flags: _Flags = copies(found, stage, replace(cuts, cuts=by_rank)) == 0
    return flags


def _repeated(text: str, n: int) -> pa.Array:
    return pa.array([text], pa.string()).take(pa.array(np.zeros(n, np.int64)))


def _left_out(cell: Cell, eligible: int, decided: Sequence[tuple[Stage, Cuts]]) -> str:
    """Return why no stage took the samples of a cell; the last stage's ``where`` held where the lowest bit is set."""
    parts = []
    for position, (stage, cuts) in enumerate(decided):
        if eligible >> (len(decided) - 1 - position) & 1:
            parts.append(f"{stage.name}: after the cut of {'/'.join(cuts.planned.get(cell, cell))}")
        else:
            parts.append(f"{stage.name}: does not meet where")
    return f"out: {'; '.join(parts)}"


def _rank(found: Candidates, stage: Stage, at: _Ints) -> _Ints:
    """Return the first 63 bits of the keys of some samples."""
    if len(at) == 0:
        return np.empty(0, np.int64)
    head = np.ascontiguousarray(key_bytes(found, stage.order_by)[at, :8])
    ranks: _Ints = (head.view(">u8").reshape(-1) >> np.uint64(1)).astype(np.int64)
    return ranks
