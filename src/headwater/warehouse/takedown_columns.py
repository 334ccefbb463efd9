"""Columns of family ``takedowns``: name → (type, meaning and unit), as ``schema`` has them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = ["TAKEDOWNS"]

TAKEDOWNS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "takedown": (pa.string(), "id of the takedown; its record and its report lie in the lake's folder takedowns"),
    "asked_by": (pa.string(), "who asked for it, as the command was told"),
    "asked_why": (pa.string(), "why, as the command was told"),
    "taken_at": (pa.timestamp("us", tz="UTC"), "when"),
    "text_mac": (pa.binary(), "BLAKE2b-128 of content_hash under the lake's own key"),
    "normalized_mac": (pa.binary(), "the same of normalized_hash; null where there was none"),
    "band_macs": (
        pa.list_(pa.int64()),
        "SipHash-2-4 of each of bands under the lake's own key; empty under 20 shingles",
    ),
    "signature_macs": (
        pa.binary(),
        "of each of the signature's 112 values, with its place, the low 32 bits of SipHash-2-4 under the lake's own key; "
        "empty without shingles",
    ),
}
