"""Bounds of settings that apply outside of the recipe too: each is written here once, and whatever checks one takes it from here."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = [
    "BUCKETS",
    "EXPANSION_RATIO",
    "FRAGMENT_BYTES",
    "HTTP_STATUS",
    "LARGEST",
    "NESTING",
    "RECORD_BYTES",
    "Bounds",
]


class Bounds(NamedTuple):
    """The least and the greatest value of a setting, both allowed."""

    least: int
    most: int


LARGEST: Final = 2**63 - 1
"""The greatest integer that a column of the table holds."""

RECORD_BYTES: Final = Bounds(1, 1 << 30)
"""Longest record: a batch of texts has 32-bit offsets, and one record may be a batch."""

EXPANSION_RATIO: Final = Bounds(1, 2**31 - 1)

NESTING: Final = Bounds(1, 250)
"""Deepest JSON: what is left of a record is written as JSON again, by a serializer that goes 254 levels deep."""

HTTP_STATUS: Final = Bounds(100, 999)

BUCKETS: Final = Bounds(1, 65_536)
"""Packing buckets of a stage: each has a live file in the table, and five digits name a shard."""

FRAGMENT_BYTES: Final = Bounds(1, 1 << 40)
"""Text bytes at which ingest begins another fragment."""
