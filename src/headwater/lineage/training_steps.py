"""What was in a training step: its sequences, by our reader's order or by Megatron's, and the samples in them, from the placements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.builds import builds_uri, stage_operator
from headwater.lineage.questions import rows
from headwater.plain import Row
from headwater.reader import Reader, Stage, open_stage
from headwater.reader.megatron_order import stage_order
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["megatron_step", "open_placed_stage", "reader_step", "samples_in", "train_share"]


def open_placed_stage(lake: str, build: str, stage: str) -> Stage:
    """Return a stage of a lake, its runs with the lake's sample_ids."""
    sample_ids = partial(_placed_ids, open_snapshot(lake), build, stage)
    return open_stage(builds_uri(lake, build, stage), sample_ids=sample_ids)


def _placed_ids(
    snapshot: Snapshot, build: str, stage: str, shard: int, runs: npt.NDArray[np.void]
) -> npt.NDArray[np.int64]:
    """Return the sample_id of each run of a shard, from the placements."""
    ids: list[npt.NDArray[np.int64]] = []
    places: list[npt.NDArray[np.int64]] = []
    for path in snapshot.live("placements", operator=stage_operator(stage), batch=build)["path"].to_pylist():
        for table in read_file(snapshot.uri, path, ["sample_id", "shard", "sequence", "token_begin"]):
            mine = table.filter(pc.equal(table["shard"], shard))
            ids.append(mine["sample_id"].to_numpy())
            places.append(mine["token_begin"].to_numpy())
    place = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
    order = np.argsort(place, kind="stable")
    if len(order) != len(runs):
        raise CorruptLakeError(
            f"{build}/{stage}: expected {len(runs)} placements in shard {shard}, as in its sidecar, found {len(order)}; run verify"
        )
    return np.concatenate(ids)[order] if ids else place


def reader_step(
    stage: Stage, step: int, *, batch_size: int, seed: int = 0, shuffle: bool = True
) -> list[dict[str, int]]:
    """Return the sequences of a step of ``Reader``, in its order: epoch, position in the epoch, sequence of the stage, shard, sequence of the shard.

    Raises:
        UsageError: a step or batch size out of range.
    """
    if step < 0:
        raise UsageError(f"expected a step from 0, found {step}")
    reader = Reader(stage, batch_size=batch_size, seed=seed, shuffle=shuffle)
    place = step * batch_size
    found = _places(stage, reader.order(place, batch_size))
    for number, row in enumerate(found):
        row["epoch"], row["position"] = divmod(place + number, len(stage))
    return found


def megatron_step(
    stage: Stage,
    step: int,
    *,
    batch_size: int,
    samples: int,
    seed: int = 1234,
    extra_token: bool = True,
    split: str = "1,0,0",
) -> list[dict[str, int]]:
    """Return the same of a step of Megatron, whose positions are the indices of its training data set.

    Args:
        step: 0-based: training iteration 1 is step 0.
        batch_size: global.
        samples: training samples asked for: iterations times the global batch size.
        split: as Megatron's ``--split``.

    Raises:
        UsageError: a step beyond the samples, or a split without training.
    """
    share = train_share(split)
    if not 0 <= step * batch_size < samples:
        raise UsageError(
            f"expected a step from 0 to {-(-samples // batch_size) - 1} of {samples} samples, found {step}"
        )
    counts = [shard.sequences for shard in stage.manifest.shards]
    order = stage_order(
        counts, context=stage.manifest.context, samples=samples, seed=seed, extra_token=extra_token, train_share=share
    )
    begin = step * batch_size
    found = _places(stage, order[begin : begin + batch_size])
    for number, row in enumerate(found):
        row["position"] = begin + number
    return found


def train_share(split: str) -> float:
    """Return the share of each shard that Megatron trains on, by its ``--split``.

    Raises:
        UsageError: a split without training.

    >>> train_share("969,30,1")
    0.969
    """
    try:
        parts = [float(part) for part in split.split(",")]
        return parts[0] / sum(parts)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"expected a split such as 969,30,1, found {split!r}") from error


def _places(stage: Stage, sequences: npt.NDArray[np.int64]) -> list[dict[str, int]]:
    shards, numbers = stage.locate(sequences)
    return [
        {"stage_sequence": sequence, "shard": shard, "sequence": number}
        for sequence, shard, number in zip(sequences.tolist(), shards.tolist(), numbers.tolist(), strict=True)
    ]


def samples_in(
    connection: duckdb.DuckDBPyConnection, build: str, stage: str, sequences: Sequence[dict[str, int]]
) -> list[Row]:
    """Return each run of tokens in some sequences of a stage, in order: where it lies, its sample and the sample's uri.

    Args:
        sequences: rows with ``shard`` and ``sequence`` and whatever else; each row's values stand before those of its runs.
    """
    shards = sorted({row["shard"] for row in sequences})
    numbers = sorted({row["sequence"] for row in sequences})
    found = rows(
        connection,
        "SELECT p.shard, p.sequence, p.token_begin, p.token_end, p.sample_id, p.sample_token_begin, p.copy, c.source, c.uri "
        "FROM placements p LEFT JOIN content c USING (sample_id) "
        "WHERE p.build = ? AND p.stage = ? AND list_contains(?, p.shard) AND list_contains(?, p.sequence) ORDER BY p.token_begin",
        [build, stage, shards, numbers],
    )
    by_place: dict[tuple[int, int], list[Row]] = {}
    for row in found:
        by_place.setdefault((row["shard"], row["sequence"]), []).append(row)
    return [place | run for place in sequences for run in by_place.get((place["shard"], place["sequence"]), [])]
