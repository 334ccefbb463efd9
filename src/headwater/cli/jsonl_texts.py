"""Texts of JSON Lines outside of a lake, in batches, each with its language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from headwater.errors import BadInputError
from headwater.filters.language.identify import identify, load_model
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.json_lines import read_objects
from headwater.pipelines.recipe.bounds import EXPANSION_RATIO, RECORD_BYTES

__all__ = ["read_batches"]

_BATCH_CHARACTERS: Final = 4 << 20
_LIMITS: Final = Limits(max_record_bytes=RECORD_BYTES.most, max_expansion_ratio=EXPANSION_RATIO.most)
"""The files are the user's own, so only what no memory could hold is refused."""


def read_batches(paths: Sequence[Path], language_field: str | None) -> Iterator[tuple[pa.Array, list[str]]]:
    """Yield texts, a large_string array, and the language of each; a batch and a line are in memory at a time.

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
        for text, language in _read_records(file, language_field):
            texts.append(text)
            languages.append(language)
            size += len(text)
            if size >= _BATCH_CHARACTERS:
                yield _with_languages(texts, languages, language_field)
                texts, languages, size = [], [], 0
        if texts:
            yield _with_languages(texts, languages, language_field)


def _read_records(file: Path, language_field: str | None) -> Iterator[tuple[str, str]]:
    """Yield the text of each record and its language, empty where no field holds it."""
    for number, record in read_objects(str(file), _LIMITS):
        text = language = None
        found = "something else"
        if isinstance(record, str):
            found = record
        else:
            text, language = record.get("text"), record.get(language_field) if language_field else ""
        if not isinstance(text, str) or not isinstance(language, str):
            raise BadInputError(
                f"{file}, line {number + 1}: expected a JSON object with text{' and ' if language_field else ''}"
                f"{language_field or ''}, found {found}"
            )
        yield text, language


def _with_languages(texts: list[str], languages: list[str], language_field: str | None) -> tuple[pa.Array, list[str]]:
    array = pa.array(texts, pa.large_string())
    return array, languages if language_field else identify(array, load_model()).column("language").to_pylist()


def _find_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.jsonl*") if path.name.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst"))]
