"""Columns of family ``placements``: name → (type, meaning and unit), as ``schema`` has them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = ["PLACEMENTS"]

PLACEMENTS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "build": (pa.string(), "name of the build"),
    "stage": (pa.string(), "stage of the shard"),
    "shard": (pa.int32(), "0-based number of the shard in its stage"),
    "sequence": (pa.int64(), "0-based number of the sequence in its shard"),
    "token_begin": (pa.int64(), "first token in the shard"),
    "token_end": (pa.int64(), "first token after the run in the shard; beginning and end of text included"),
    "sample_token_begin": (
        pa.int64(),
        "first token within the sample's own tokens, numbered from 0; -1 is its beginning of text",
    ),
    "copy": (pa.int32(), "0-based copy of the sample"),
}
