"""Vocabularies by name: those that are shipped, those of a lake, those of a file.

A lake keeps its vocabularies as ``<lake>/vocabularies/<name>.json.xz``. A file is written once: builds name the vocabulary by its fingerprint, so the
name must go on to mean the same ids.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from pyarrow import fs as pafs

from headwater.errors import BadInputError, CorruptLakeError, HeadwaterError, StoreError, UsageError, nearest, one_line
from headwater.tokenize.forms.load import (
    MOST_BYTES,
    Vocabulary,
    load_vocabulary,
    read_vocabulary,
    shipped_vocabularies,
    vocabulary_of_file,
)
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes, write_file

__all__ = [
    "check_vocabulary_name",
    "find_vocabulary",
    "lake_vocabularies",
    "named_vocabulary",
    "store_vocabulary",
    "stored_vocabulary",
    "vocabularies_uri",
]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_SUFFIX: Final = ".json.xz"


def vocabularies_uri(lake: str) -> str:
    """Return the folder of a lake's vocabularies."""
    return join(lake, "vocabularies")


def check_vocabulary_name(name: str) -> str:
    """Return ``name`` when a vocabulary of a lake can have it.

    Raises:
        UsageError: it cannot stand in a path, or it is the name of a shipped vocabulary.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"expected a name of a-z, 0-9, _, . and - for a vocabulary, found {name!r}; choose another with --name"
        )
    if name in shipped_vocabularies():
        raise UsageError(
            f"expected another name than that of a shipped vocabulary, found {name!r}; choose one with --name"
        )
    return name


def stored_vocabulary(lake: str, name: str) -> Vocabulary:
    """Return a vocabulary of the lake as its file has it now, the file read to its last byte.

    Raises:
        CorruptLakeError: the file is damaged, or something follows its content.
    """
    filesystem, path = filesystem_of(join(vocabularies_uri(lake), name + _SUFFIX))
    way_on = "restore it from a copy, or delete it and train it again"
    try:
        found = read_vocabulary(name, read_bytes(filesystem, path))
    except StoreError:
        raise
    except (HeadwaterError, OSError) as error:
        raise CorruptLakeError(f"expected a vocabulary in {path}, found damage; {way_on}") from error
    if found.name != name:
        raise CorruptLakeError(f"expected the vocabulary {name} in {path}, found that of another name; {way_on}")
    return found


def lake_vocabularies(lake: str) -> list[str]:
    """Return the names of a lake's vocabularies, sorted."""
    filesystem, path = filesystem_of(vocabularies_uri(lake))
    entries = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    names = [entry.base_name for entry in entries if entry.type == pafs.FileType.File]
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def named_vocabulary(name: str) -> Vocabulary:
    """Return a shipped vocabulary by name, or that of a file by its path or URI; errors as for ``load_vocabulary``."""
    if "://" not in name:
        return load_vocabulary(name)
    filesystem, path = filesystem_of(name)
    found = [exists(filesystem, each) for each in (path, f"{path}.json")]
    if found[0] is None:
        raise UsageError(f"vocabulary {one_line(repr(name), 200)}: expected a file, found none")
    for size in found:
        if size is not None and size > MOST_BYTES:
            raise BadInputError(
                f"vocabulary {name}: expected a file of at most {MOST_BYTES} bytes, found one of {size}"
            )
    beside = None if found[1] is None else read_bytes(filesystem, f"{path}.json")
    return vocabulary_of_file(name, read_bytes(filesystem, path), beside)


@functools.lru_cache(maxsize=8)
def find_vocabulary(lake: str | None, name: str) -> Vocabulary:
    """Return the vocabulary that a recipe names: a shipped one, one of the lake, or that of a file; the same object every time in a process.

    Args:
        lake: its path or URI; None where only shipped vocabularies and files are meant.
        name: as ``[vocabulary] name`` of a recipe has it.

    Raises:
        UsageError: there is none of that name.
        BadInputError: the file cannot be used.
    """
    if lake is not None and _NAME.fullmatch(name) and name not in shipped_vocabularies():
        filesystem, path = filesystem_of(join(vocabularies_uri(lake), name + _SUFFIX))
        if exists(filesystem, path) is not None:
            return read_vocabulary(name, read_bytes(filesystem, path))
    try:
        return named_vocabulary(name)
    except UsageError:
        known = [*shipped_vocabularies(), *(lake_vocabularies(lake) if lake is not None else ())]
        there = "" if lake is None else f", one in {vocabularies_uri(lake)}"
        raise UsageError(
            f"vocabulary {one_line(repr(name), 200)}: expected a shipped vocabulary{there} or the path of a file, found none; {nearest(name, known)}"
        ) from None


def store_vocabulary(lake: str, name: str, data: bytes) -> None:
    """Store a vocabulary in its compact form, or leave alone the same one that is there.

    Raises:
        UsageError: the lake has another vocabulary of that name.
        StorageError: the file system refused.
    """
    folder = vocabularies_uri(lake)
    filesystem, path = filesystem_of(join(folder, name + _SUFFIX))
    if exists(filesystem, path) is not None:
        there = read_vocabulary(name, read_bytes(filesystem, path)).fingerprint
        made = read_vocabulary(name, data).fingerprint
        if there != made:
            raise UsageError(
                f"expected no vocabulary {name} in {folder}, or the one with fingerprint {made}, found {there}; choose another name with --name"
            )
        return
    write_file(folder, name + _SUFFIX, data, root=lake)
