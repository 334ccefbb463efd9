"""Real text for tests that compare every document with another library."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa

__all__ = ["ALL", "STEP", "distinct_texts", "first_texts", "read_texts"]

ALL: Final = bool(os.environ.get("HEADWATER_ALL"))
"""Whether every document of the corpus is wanted, as `make test-all` wants it."""
STEP: Final = 1 if ALL else 16
"""`make test` takes every so many documents of each file, so some of every source and language."""
_BATCH_CHARS = 8 << 20


def read_texts(path: Path, step: int = 1) -> list[str]:
    """Return the texts of every ``step``-th line of a file."""
    with _open(path) as raw:
        return _texts(raw.read().splitlines()[::step])


def first_texts(path: Path, most_bytes: int) -> list[str]:
    """Return the texts of the whole lines within the first ``most_bytes`` of a file."""
    with _open(path) as raw:
        return _texts(raw.read(most_bytes).split(b"\n")[:-1])


def _open(path: Path) -> pa.NativeFile:
    return pa.input_stream(str(path), compression="zstd" if path.suffix == ".zst" else None)


def _texts(lines: Sequence[bytes]) -> list[str]:
    """Return the text of each line; the shipped text holds bad records on purpose, which are passed over."""
    texts = []
    for line in lines:
        try:
            text = orjson.loads(line)["text"]  # orjson refuses what is no valid UTF-8, lone surrogates among it
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(text, str):
            texts.append(text)
    return texts


def distinct_texts(files: Sequence[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield (file name, texts) of every ``STEP``-th document in batches of some 8 million characters; a text that occurs twice comes once."""
    seen: set[int] = set()
    for path in files:
        texts: list[str] = []
        size = 0
        for text in read_texts(path, STEP):
            if hash(text) in seen:
                continue
            seen.add(hash(text))
            texts.append(text)
            size += len(text)
            if size > _BATCH_CHARS:
                yield path.name, texts
                texts, size = [], 0
        if texts:
            yield path.name, texts
