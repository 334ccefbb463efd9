"""Where samples went: their verdict and every run of tokens in every shard, of one sample or of millions, a batch of them at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.lineage.fates import PLACE_COLUMNS
from headwater.lineage.past_runs import require_build
from headwater.lineage.sample_lists import known_samples
from headwater.plain import JsonObject, Row

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["found_places", "placements_of"]

_Ints = npt.NDArray[np.int64]


def placements_of(
    lookup: Lookup, samples: Iterable[int], build: str | None = None, stage: str | None = None
) -> list[JsonObject]:
    """Return what became of some samples, in their order: their verdict and, for each copy, every run of tokens in every shard.

    Args:
        build: only places in this build.
        stage: only places in this stage.

    Raises:
        UsageError: no such sample, build or stage.
    """
    asked = np.array(list(samples), np.int64)
    ids = np.unique(asked)
    strange = ids[~known_samples(lookup.snapshot, ids)]
    if len(strange):
        raise UsageError(f"expected a sample {strange[0]}, found none in this version of the lake")
    by_sample = {row["sample_id"]: row for row in found_places(lookup, [ids], build, stage)}
    return [by_sample[sample] for sample in asked.tolist()]


def found_places(
    lookup: Lookup, batches: Iterable[_Ints], build: str | None = None, stage: str | None = None
) -> Iterator[JsonObject]:
    """Yield the same for a stream of samples; one batch is held at a time.

    Args:
        batches: ids of samples that there are, ascending.

    Raises:
        UsageError: no such build or stage.
    """
    require_build(lookup.snapshot, build, stage)
    for ids in batches:
        places: dict[int, list[Row]] = {}
        names = ["sample_id", *PLACE_COLUMNS]
        content = lookup.table("content", ids, ["source", "uri", "content_hash", "origin"])
        for table in lookup.sparse("placements", ids, names, build=build, content=content):
            for row in table.to_pylist():
                if stage in (None, row["stage"]):
                    places.setdefault(row.pop("sample_id"), []).append(row)
        verdicts = lookup.table("verdicts", ids, ["kept", "first_reason", "duplicate_of"])
        origins = content.select(["source", "uri"]).to_pylist()
        of_batch = zip(ids.tolist(), origins, verdicts.to_pylist(), strict=True)
        for sample, origin, verdict in of_batch:
            mine = sorted(places.get(sample, []), key=_position)
            yield {"sample_id": sample, **origin, **verdict, "placements": mine}


def _position(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in PLACE_COLUMNS)
