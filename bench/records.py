"""The records of a compressed JSON Lines file, as ``../shared`` holds its texts."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["read_records"]


def read_records(path: Path, *, missing_ok: bool = False) -> Iterator[dict[str, Any]]:  # Any: what JSON holds
    """Yield the records of a file ``.jsonl.zst``, in its order.

    Args:
        missing_ok: no file is no records.
    """
    if missing_ok and not path.is_file():
        return
    with pa.input_stream(str(path), compression="zstd") as raw:
        for line in io.TextIOWrapper(raw, encoding="utf-8", newline="\n"):
            if line.strip():
                yield json.loads(line)
