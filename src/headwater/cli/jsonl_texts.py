"""Texts of JSON Lines outside of a lake, in batches, each with its language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa

from headwater.errors import BadInputError
from headwater.filters.language.identify import identify, load_model

__all__ = ["read_batches"]

_BATCH_CHARACTERS: Final = 4 << 20
_COMPRESSION: Final = {".gz": "gzip", ".zst": "zstd"}


def read_batches(paths: Sequence[Path], language_field: str | None) -> Iterator[tuple[pa.Array, list[str]]]:
    """Yield texts, a large_string array, and the language of each.

    Args:
        paths: files or folders, whose files ending in .jsonl, .jsonl.gz or .jsonl.zst are read in the order of their names.
        language_field: the record's field with its language; None to identify it.

    Raises:
        BadInputError: a line without a text or language, or no file at all.
    """
    files = [file for path in paths for file in (sorted(_find_files(path)) if path.is_dir() else [path])]
    if not files:
        raise BadInputError(f"{paths[0]}: expected files ending in .jsonl, .jsonl.gz or .jsonl.zst, found none")
    for file in files:
        texts: list[str] = []
        languages: list[str] = []
        size = 0
        with pa.input_stream(str(file), compression=_COMPRESSION.get(file.suffix)) as stream:
            lines = stream.read().splitlines()
        for number, line in enumerate(lines, 1):
            try:
                record = orjson.loads(line)
                texts.append(str(record["text"]))
                languages.append(str(record[language_field]) if language_field else "")
            except (ValueError, KeyError, TypeError) as error:
                raise BadInputError(
                    f"{file}, line {number}: expected a JSON object with text{' and ' if language_field else ''}"
                    f"{language_field or ''}, found something else"
                ) from error
            size += len(texts[-1])
            if size >= _BATCH_CHARACTERS:
                yield _with_languages(texts, languages, language_field)
                texts, languages, size = [], [], 0
        if texts:
            yield _with_languages(texts, languages, language_field)


def _with_languages(texts: list[str], languages: list[str], language_field: str | None) -> tuple[pa.Array, list[str]]:
    array = pa.array(texts, pa.large_string())
    return array, languages if language_field else identify(array, load_model()).column("language").to_pylist()


def _find_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.jsonl*") if path.name.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst"))]
