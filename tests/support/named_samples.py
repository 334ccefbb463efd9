"""Samples by name, whole: for tests of what is named, not of how it streams."""

from __future__ import annotations

from typing import Unpack

from headwater.lineage.lookup import open_lookup
from headwater.lineage.names import Names
from headwater.lineage.selectors import selected

__all__ = ["samples_named"]


def samples_named(lake: str, limit: int | None = None, **named: Unpack[Names]) -> list[int]:
    """Return the ids of the samples that are named."""
    return [sample for batch in selected(None, open_lookup(lake), named, limit) for sample in batch.tolist()]
