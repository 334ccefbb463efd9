"""Sums over one fragment's samples: what is there by cell, what lies behind a prefix of the key, what was chosen.

Tasks return these instead of rows: a selection's driver sees some hundred sums a pass, whatever the size of the lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.pipelines.quotas import Cell
from headwater.pipelines.recipe import Recipe
from headwater.pipelines.recipe_sections import Stage
from headwater.pipelines.selection import KEY_BYTES, Cuts, candidates, copies, open_to
from headwater.warehouse.parquet import FragmentFiles

__all__ = ["bin_sums", "cell_sums", "chosen_sums"]


def cell_sums(
    recipe: Recipe, stage: Stage, earlier: Sequence[tuple[Stage, Cuts]], where: FragmentFiles, table: pa.Table
) -> pa.Table:
    """Return tokens by cell: all of them (``open`` false) and those that the stage may choose (true)."""
    found = candidates(table, recipe)
    rows: list[tuple[str, str, str, bool, int]] = []
    free = open_to(found, stage, earlier)
    laid = found.tokens + stage.special_tokens
    for is_open, chosen in ((False, np.ones(len(found.cell), bool)), (True, free)):
        sums = np.bincount(found.cell[chosen], weights=None, minlength=len(found.cells)) * 0
        np.add.at(sums, found.cell[chosen], laid[chosen])
        rows += [(*cell, is_open, int(total)) for cell, total in zip(found.cells, sums.tolist(), strict=True)]
    columns = list(zip(*rows, strict=True)) or [(), (), (), (), ()]
    return pa.table(
        {
            "pool": pa.array(columns[0], pa.string()),
            "language": pa.array(columns[1], pa.string()),
            "domain": pa.array(columns[2], pa.string()),
            "open": pa.array(columns[3], pa.bool_()),
            "tokens": pa.array(columns[4], pa.int64()),
        }
    )


def bin_sums(
    recipe: Recipe,
    stage: Stage,
    earlier: Sequence[tuple[Stage, Cuts]],
    planned: Mapping[Cell, Cell],
    searches: Mapping[Cell, tuple[bytes, bool]],
    where: FragmentFiles,
    table: pa.Table,
) -> pa.Table | None:
    """Return (cell, next byte or whole key, tokens, documents) of the samples whose key begins with their cell's prefix."""
    found = candidates(table, recipe)
    if not found.cells:
        return None
    free = open_to(found, stage, earlier)
    laid = found.tokens + stage.special_tokens
    keys = np.frombuffer(found.keys[stage.order_by].tobytes(), np.uint8).reshape(-1, KEY_BYTES)
    parts: list[pa.Table] = []
    for number, cell in enumerate(found.cells):
        target = planned[cell]
        if target not in searches:
            continue
        prefix, few = searches[target]
        length = len(prefix)
        rows = np.flatnonzero(free & (found.cell == number))
        rows = rows[(keys[rows, :length] == np.frombuffer(prefix, np.uint8)).all(axis=1)]
        if len(rows) == 0:
            continue
        if few:
            key = [keys[row].tobytes() for row in rows.tolist()]
            tokens, documents = laid[rows], np.ones(len(rows), np.int64)
        else:
            byte, inverse = np.unique(keys[rows, length], return_inverse=True)
            tokens = np.zeros(len(byte), np.int64)
            np.add.at(tokens, inverse, laid[rows])
            documents = np.bincount(inverse, minlength=len(byte)).astype(np.int64)
            key = [prefix + bytes([value]) for value in byte.tolist()]
        parts.append(
            pa.table(
                {
                    "cell": pa.array(["\t".join(target)] * len(key), pa.string()),
                    "key": pa.array(key, pa.binary()),
                    "tokens": pa.array(tokens),
                    "documents": pa.array(documents),
                }
            )
        )
    return pa.concat_tables(parts) if parts else None


def chosen_sums(
    recipe: Recipe, decided: Sequence[tuple[Stage, Cuts]], where: FragmentFiles, table: pa.Table
) -> pa.Table | None:
    """Return what is chosen by stage, cell and host: tokens, documents, copies and a sum of hashes that no order changes."""
    found = candidates(table, recipe)
    if not found.cells:
        return None
    uri = found.table["uri"]
    parsed = pc.extract_regex(uri.combine_chunks(), r"^[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#:]+)")
    # The struct's own nulls count: its field alone holds an empty string where the pattern did not match.
    host = pc.coalesce(
        pc.struct_field(parsed, "host").cast(pa.string()), found.table["source"].combine_chunks(), "(none)"
    )
    parts: list[pa.Table] = []
    for position, (stage, cuts) in enumerate(decided):
        number = copies(found, stage, cuts) * open_to(found, stage, decided[:position])
        at = np.flatnonzero(number)
        if len(at) == 0:
            continue
        labels = np.array(["\t".join(cuts.planned[cell]) for cell in found.cells], dtype=object)
        content = np.frombuffer(b"".join(found.table["content_hash"].take(pa.array(at)).to_pylist()), "<u8").reshape(
            -1, 2
        )
        origin = found.table["origin"].to_numpy()[at].astype(np.int64).view(np.uint64)
        with np.errstate(over="ignore"):
            mixed = (content[:, 0] ^ (content[:, 1] * np.uint64(0x9E3779B97F4A7C15)) ^ origin) * np.uint64(
                0xBF58476D1CE4E5B9
            )
            mixed = (mixed ^ (mixed >> np.uint64(31))) * (number[at].astype(np.uint64) + np.uint64(2 * position + 1))
        parts.append(
            pa.table(
                {
                    "stage": pa.array([stage.name] * len(at)),
                    "cell": pa.array(labels[found.cell[at]], pa.string()),
                    "host": host.take(pa.array(at)),
                    "tokens": pa.array((found.tokens[at] + stage.special_tokens) * number[at]),
                    "documents": pa.array(np.ones(len(at), np.int64)),
                    "digest": pa.array((mixed >> np.uint64(32)).astype(np.int64)),
                }
            )
        )
    if not parts:
        return None
    grouped = pa.concat_tables(parts).group_by(["stage", "cell", "host"])
    return grouped.aggregate([("tokens", "sum"), ("documents", "sum"), ("digest", "sum")]).rename_columns(
        ["stage", "cell", "host", "tokens", "documents", "digest"]
    )
