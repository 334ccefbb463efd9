"""Which samples a stage takes, as a pure function of narrow columns and of one cut or two a cell.

A sample's *key* is 26 bytes: inverted score (2), content_hash (16), origin (8), compared as bytes, smallest first. A cell takes every sample ``full``
times and those up to its cut once more; where a stage asks for full sequences, also the long samples up to a cut of their own. So a selection
is a few hundred cuts, whatever the size of the lake, and any task can apply them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.rules.predicates import predicate_connection
from headwater.filters.urls.columns import host_columns
from headwater.filters.urls.hosts import hosts
from headwater.hashes import bytes_of_hashes, bytes_of_origins
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.stages import HOST_COLUMNS, Stage
from headwater.pipelines.selection.quotas import Cell

__all__ = [
    "KEY_BYTES",
    "Candidates",
    "Cut",
    "Cuts",
    "candidates",
    "copies",
    "full_sequences",
    "key_bytes",
    "open_to",
    "stage_tokens",
    "tell_apart",
]

KEY_BYTES: Final = 26
_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


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
    """The cuts of one stage: cell of the lake → its cut, and the cell of the plan in which its samples compete."""

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
    by_url = (
        host_columns(chosen["uri"])
        if recipe.reads_hosts
        else pa.table(dict.fromkeys(HOST_COLUMNS, pa.nulls(len(row), pa.string())))
    )
    for name in HOST_COLUMNS:
        chosen = chosen.append_column(name, by_url[name])
    with predicate_connection() as connection:
        connection.register("samples", chosen.select(list(recipe.selection_columns)))
        found = connection.execute(f"SELECT {', '.join(wanted)} FROM samples").to_arrow_table()
    cells, cell = _cells(found)
    host = hosts(chosen["uri"], chosen["source"]).dictionary_encode()
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
        hosts=host.dictionary.to_pylist(),
        host=host.indices.to_numpy().astype(np.int32),
    )


def _cells(found: pa.Table) -> tuple[list[Cell], _Ints]:
    names = [found[name].combine_chunks() for name in ("pool_", "language_", "domain_")]
    first, cell = tell_apart(names)
    values = [name.take(pa.array(first)).cast(pa.string()).to_pylist() for name in names]
    return [Cell(*each) for each in zip(*values, strict=True)], cell


def tell_apart(columns: Sequence[pa.Array]) -> tuple[_Ints, _Ints]:
    """Return the first row of each different combination of values, and which combination every row has.

    Args:
        columns: arrays [n] without nulls.

    >>> first, which = tell_apart([pa.array(["a", "b", "a"]), pa.array([True, True, True])])
    >>> first.tolist(), which.tolist()
    ([0, 1], [0, 1, 0])
    """
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        encoded = column.dictionary_encode()
        code = code * (len(encoded.dictionary) + 1) + encoded.indices.to_numpy().astype(np.int64)
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return first.astype(np.int64), which.reshape(-1).astype(np.int64)


def _scores(column: pa.ChunkedArray) -> npt.NDArray[np.uint16]:
    found: npt.NDArray[np.uint16] = column.combine_chunks().fill_null(0).to_numpy().astype(np.uint16)
    return found


def _identity(table: pa.Table) -> _Bytes:
    identity = np.empty((table.num_rows, 24), np.uint8)
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
