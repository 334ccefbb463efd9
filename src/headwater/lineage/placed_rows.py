"""Placements of some samples, found by where their content says that each copy lies, not by a scan.

Placements are sorted by position, a file a shard. The shard of a copy follows from the sample's content and the build's seed, so one file a copy is
opened. What is not found there, since the text is another one than when the build was made or a build is not whole, is looked for in every shard of
its stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.lineage.buckets import bucket_of, copy_positions, positions
from headwater.lineage.builds import stage_operator
from headwater.lineage.damaged_files import arrow_damage_told
from headwater.plain import Row
from headwater.warehouse.fragments import operator_digits
from headwater.warehouse.schema import arrow_schema

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["placed_rows", "placement_at"]

_Ints = npt.NDArray[np.int64]


def placed_rows(
    lookup: Lookup, samples: _Ints, columns: Sequence[str], build: str | None, content: pa.Table | None = None
) -> Iterator[pa.Table]:
    """Yield the placements of some samples, by file.

    Args:
        samples: int64 [n], ascending, each once.
        build: only of this build.
        content: ``content_hash`` and ``origin`` of the samples, where they have been read.
    """
    wanted: dict[tuple[str, str], tuple[list[_Ints], list[_Ints]]] = {}
    for table in lookup.sparse("stages", samples, ["sample_id", "build", "stage", "copies"], build=build):
        chosen = table.filter(pc.is_valid(table["stage"]))
        names = set(zip(chosen["build"].to_pylist(), chosen["stage"].to_pylist(), strict=True))
        for name, stage in sorted(names):
            mine = chosen
            if len(names) > 1:
                mine = chosen.filter(pc.and_(pc.equal(chosen["build"], name), pc.equal(chosen["stage"], stage)))
            ids, copies = wanted.setdefault((name, stage), ([], []))
            ids.append(mine["sample_id"].to_numpy())
            copies.append(mine["copies"].to_numpy().astype(np.int64))
    for (name, stage), (ids, copies) in wanted.items():
        chosen_ids, chosen_copies = np.concatenate(ids), np.concatenate(copies)
        known = None if content is None else content.take(pa.array(np.searchsorted(samples, chosen_ids)))
        yield from _of_stage(lookup, name, stage, chosen_ids, chosen_copies, columns, known)


def _of_stage(
    lookup: Lookup,
    build: str,
    stage: str,
    samples: _Ints,
    copies: _Ints,
    columns: Sequence[str],
    content: pa.Table | None,
) -> Iterator[pa.Table]:
    """Yield the same of one stage: from the shards that content and seed say, and where they lack a copy from all others."""
    files = lookup.live.of("placements")
    at = _files_of(lookup, build, stage)
    shards = len(at)
    if shards == 0:
        return
    whole = shards & (shards - 1) == 0 and np.array_equal(files.base[at], np.arange(shards))
    said = _said(lookup, build, samples, copies, at, content) if whole else {}
    names = list(dict.fromkeys([*columns, "sample_id", "copy"]))
    found = [
        table
        for file, those in said.items()
        for table in lookup.rows_in("placements", file, those, names, batch=files.batch(file))
    ]
    lost = samples[_copies_in(found, samples) < copies]
    for table in found:
        kept = table if len(lost) == 0 else table.filter(pc.invert(pc.is_in(table["sample_id"], pa.array(lost))))
        yield kept.select(list(columns))
    for file in at.tolist() if len(lost) else ():
        yield from lookup.rows_in("placements", file, lost, columns, batch=files.batch(file))


def _files_of(lookup: Lookup, build: str, stage: str) -> _Ints:
    """Return the numbers of the files that hold the placements of a stage, ascending by shard."""
    files = lookup.live.of("placements")
    mine = pc.and_(pc.equal(files.batches, build), pc.equal(files.operators, operator_digits(stage_operator(stage))))
    return np.flatnonzero(mine.to_numpy(zero_copy_only=False))


def _said(
    lookup: Lookup, build: str, samples: _Ints, copies: _Ints, files: _Ints, content: pa.Table | None
) -> dict[int, _Ints]:
    """Return file → samples of which it should hold a copy; nothing where the run does not say the build's seed."""
    seed = _seed(lookup, build)
    if seed is None:
        return {}
    if content is None:
        content = lookup.table("content", samples, ["content_hash", "origin"])
    there = content["content_hash"].is_valid().to_numpy()
    content = content.filter(content["content_hash"].is_valid())
    origin = content["origin"].to_numpy().astype(np.int64)
    base = positions(seed, content["content_hash"].combine_chunks(), origin)
    ids, times = samples[there], copies[there]
    row = np.repeat(np.arange(len(ids)), times)
    copy = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
    shard = bucket_of(copy_positions(base[row], times[row], copy), len(files))
    return {int(files[number]): np.unique(ids[row[shard == number]]) for number in np.unique(shard).tolist()}


def _seed(lookup: Lookup, build: str) -> int | None:
    """Return the seed by which a build orders its copies, by the newest run that wrote it."""
    runs = [run for run in lookup.runs() if run.step == "build" and run.record("build", build) is not None]
    settings = runs[-1].recipe.get("build", {}) if runs else {}
    return int(settings["seed"]) if "seed" in settings else None


def _copies_in(tables: Sequence[pa.Table], samples: _Ints) -> _Ints:
    """Return int64 [n]: how many different copies of each sample some placements are of."""
    kind = np.dtype([("sample", np.int64), ("copy", np.int64)])
    pairs = np.empty(sum(table.num_rows for table in tables), kind)
    at = 0
    for table in tables:
        end = at + table.num_rows
        pairs["sample"][at:end], pairs["copy"][at:end] = table["sample_id"].to_numpy(), table["copy"].to_numpy()
        at = end
    return np.bincount(np.searchsorted(samples, np.unique(pairs)["sample"]), minlength=len(samples)).astype(np.int64)


def placement_at(lookup: Lookup, build: str, stage: str, shard: int, token: int) -> Row | None:
    """Return the placement that a token of a shard belongs to, or None: it is padding, or there is no such shard.

    Args:
        token: 0-based, in the shard.
    """
    files = lookup.live.of("placements")
    of_stage = _files_of(lookup, build, stage)
    with arrow_damage_told():
        for file in of_stage[files.base[of_stage] == shard].tolist():
            path = files.path(file)
            for group in lookup.reader.between(path, "token_begin", 0, token):
                places = lookup.reader.read(path, group, ["token_begin", "token_end"])
                at = pc.and_(pc.less_equal(places["token_begin"], token), pc.greater(places["token_end"], token))
                rows = np.flatnonzero(at.to_numpy())
                if len(rows):
                    found = lookup.reader.take(path, group, rows[:1], arrow_schema("placements").names)
                    row: Row = found.to_pylist()[0]
                    return row
    return None
