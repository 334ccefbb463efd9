"""Score models by name: those that ship, those of a lake, those of a file.

A lake keeps its models as ``<lake>/models/<name>.<sha256>.json``, a fastText model as ``<lake>/models/<sha256>.ftz``. A file is written once and
never changed: rows of family ``scores`` name their models by SHA-256, through their run, so that workers and ``why`` find what made them.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from pyarrow import fs as pafs

from headwater.errors import (
    BadInputError,
    CorruptLakeError,
    HeadwaterError,
    StoreError,
    UsageError,
    nearest,
    one_line,
)
from headwater.filters.scores.model_file import parse_model
from headwater.filters.scores.shipped import SHIPPED, Scorer, load_scorer, make_scorer, shipped_scorer
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes, write_file

__all__ = [
    "StoredModel",
    "find_scorer",
    "lake_models",
    "models_uri",
    "scorer_of",
    "store_models",
    "store_scorer",
    "stored_faults",
]

_STORED: Final = re.compile(r"([a-z][a-z0-9_]{0,62})\.([0-9a-f]{64})\.json")


class StoredModel(NamedTuple):
    """A model of a lake, as its file is called."""

    name: str
    sha256: str


def models_uri(lake: str) -> str:
    """Return the folder of a lake's models."""
    return join(lake, "models")


def lake_models(lake: str) -> list[StoredModel]:
    """Return a lake's models, by name."""
    return sorted(StoredModel(*found.groups()) for name in _names(lake) if (found := _STORED.fullmatch(name)))


def _names(lake: str) -> list[str]:
    filesystem, path = filesystem_of(models_uri(lake))
    entries = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return [entry.base_name for entry in entries if entry.type == pafs.FileType.File]


def find_scorer(lake: str | None, name: str, sha256: str | None = None) -> Scorer:
    """Return the model that a recipe names: a shipped one, one of the lake, or that of a file.

    Args:
        lake: its path or URI; None where only shipped models and files are meant.
        name: as ``model`` under ``[[scores]]`` of a recipe has it.
        sha256: that the model must have; of several of one name in the lake, it says which.

    Raises:
        UsageError: there is none of that name, it has another SHA-256, or several have the name and none is chosen.
        BadInputError: the file cannot be used.
        CorruptLakeError: the lake's file is damaged.
    """
    found = _find(lake, name, sha256)
    if sha256 is not None and found.model.sha256 != sha256:
        raise UsageError(
            f"score model {one_line(repr(name), 200)}: expected SHA-256 {sha256}, as the recipe pins it, found {found.model.sha256}; "
            "give the model that the recipe means, or pin the other"
        )
    return found


def _find(lake: str | None, name: str, sha256: str | None) -> Scorer:
    if name in SHIPPED and sha256 in (None, shipped_scorer(name).model.sha256):
        return shipped_scorer(name)
    stored = [] if lake is None else lake_models(lake)
    named = [each for each in stored if each.name == name and sha256 in (None, each.sha256)]
    if lake is not None and len(named) == 1:
        return _stored(lake, named[0])
    if len(named) > 1:
        listed = ", ".join(each.sha256[:16] for each in named)
        raise UsageError(
            f"score model {name!r}: expected one of that name in {models_uri(str(lake))}, found {listed}; say which with sha256"
        )
    if name in SHIPPED:
        return shipped_scorer(name)
    if _is_file(name):
        return load_scorer(name)
    known = [*SHIPPED, *dict.fromkeys(each.name for each in stored)]
    there = "" if lake is None else f", one in {models_uri(lake)}"
    raise UsageError(
        f"score model {one_line(repr(name), 200)}: expected a shipped model{there} or the path of a file, found none; {nearest(name, known)}"
    )


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name too long for any file, one with a NUL
        return False


@functools.lru_cache(maxsize=32)
def scorer_of(lake: str, sha256: str) -> Scorer:
    """Return the model of a SHA-256: a shipped one, or one of the lake; the same object every time in a process.

    Raises:
        UsageError: there is none.
        CorruptLakeError: its file is damaged.
    """
    for name in SHIPPED:
        if shipped_scorer(name).model.sha256 == sha256:
            return shipped_scorer(name)
    for each in lake_models(lake):
        if each.sha256 == sha256:
            return _stored(lake, each)
    raise UsageError(
        f"expected a score model with SHA-256 {sha256} among those that ship or in {models_uri(lake)}, found none; "
        f"add it again: headwater score add {lake} FILE"
    )


def _stored(lake: str, stored: StoredModel) -> Scorer:
    """Return a model of the lake as its files have it now."""
    filesystem, path = filesystem_of(join(models_uri(lake), f"{stored.name}.{stored.sha256}.json"))
    try:
        data = read_bytes(filesystem, path)
        if (found := hashlib.sha256(data).hexdigest()) != stored.sha256:
            raise BadInputError(f"expected SHA-256 {stored.sha256}, found {found}", "bad_model")
        model = parse_model(data, path)
        words = None
        if model.words is not None:
            words = read_bytes(*filesystem_of(join(models_uri(lake), f"{model.words.sha256}.ftz")))
        return make_scorer(model, data, words, path)
    except StoreError:
        raise
    except (HeadwaterError, OSError) as error:
        raise CorruptLakeError(
            f"expected a score model in {path}, found damage: {one_line(str(error), 300)}; restore it from a copy, or add it again"
        ) from error


def store_scorer(lake: str, scorer: Scorer) -> StoredModel:
    """Store a model in a lake, or leave alone the same one that is there; one that ships is not stored.

    Raises:
        StorageError: the file system refused.
    """
    stored = StoredModel(scorer.model.name, scorer.model.sha256)
    if scorer.data is None:
        return stored
    folder = models_uri(lake)
    if scorer.words is not None and scorer.words_data is not None:
        _write_once(lake, folder, f"{scorer.words.words.sha256}.ftz", scorer.words_data)
    _write_once(lake, folder, f"{stored.name}.{stored.sha256}.json", scorer.data)
    return stored


def _write_once(lake: str, folder: str, name: str, data: bytes) -> None:
    filesystem, path = filesystem_of(join(folder, name))
    if exists(filesystem, path) is None:
        write_file(folder, name, data, root=lake)


def store_models(lake: str, scorers: Mapping[str, Scorer]) -> None:
    """Store every model of a recipe in a lake, so that tasks find them there."""
    for scorer in scorers.values():
        store_scorer(lake, scorer)


def stored_faults(lake: str) -> tuple[int, list[str]]:
    """Return how many models a lake has, and what is wrong with their files."""
    faults = []
    stored = lake_models(lake)
    for each in stored:
        try:
            _stored(lake, each)
        except StoreError:
            raise
        except HeadwaterError as error:
            faults.append(str(error))
    return len(stored), faults
