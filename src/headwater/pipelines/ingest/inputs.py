"""Input files under folders, globs and single paths, as a stream sorted by name within each folder.

Names that begin with ``.`` or ``_`` (``.git``, ``_SUCCESS``, ``_delta_log``) are left out, as Spark does, unless they are named outright.
Globs know ``*``, ``?``, ``[…]`` within a name and ``**`` for any number of folders; in a URI ``?`` begins the query and is no wildcard.
One folder's listing is held in memory at a time, with those of the folders above it.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from pyarrow import fs as pafs

from headwater.errors import StorageError, UsageError
from headwater.warehouse.filesystem import filesystem_of, is_local

__all__ = ["InputFile", "list_inputs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFile:
    """A file to read.

    Attributes:
        uri: absolute local path, or URI, that ``headwater.warehouse.filesystem.filesystem_of`` opens.
        size: stored bytes.
    """

    uri: str
    size: int


def list_inputs(paths: Sequence[str]) -> Iterator[InputFile]:
    """Return an iterator over the files that ``paths`` name, in the order of ``paths``, and by name within each folder.

    Every path is looked up at once, so that a wrong one is reported before the first file is read; folders are listed as the iterator comes to them.
    A file that two of the paths name comes twice; ingest knows files by their SHA-256 and adds each once.

    Args:
        paths: files, folders (searched to any depth) and globs; local paths or URIs.

    Raises:
        UsageError: a path is not there; while the iterator runs, a glob matches no file.
        StorageError: a path cannot be looked up; while the iterator runs, a folder cannot be listed.
    """
    roots = [_find_root(path) for path in paths]
    return (file for root in roots for file in _list_one(root))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Root:
    """A file or folder that is there, and the parts of the pattern below it, none without a glob."""

    given: str
    base: str
    pattern: list[str]
    filesystem: pafs.FileSystem
    info: pafs.FileInfo


def _find_root(given: str) -> _Root:
    base, pattern = _split_glob(given)
    if pattern and _look_up(given) is not None:
        base, pattern = given, []  # a name that holds brackets or stars, and is there
    found = _look_up(base)
    if found is None:
        raise UsageError(f"no input at {given}: expected a file, a folder or a glob; check the path")
    filesystem, info = found
    return _Root(given=given, base=base, pattern=pattern, filesystem=filesystem, info=info)


def _list_one(root: _Root) -> Iterator[InputFile]:
    base, pattern, filesystem, info = root.base, root.pattern, root.filesystem, root.info
    if not pattern and info.type == pafs.FileType.File:
        yield InputFile(uri=_uri(base, filesystem, info.path), size=info.size)
        return
    matched = False
    deep = "**" in pattern
    for file in _walk(filesystem, info.path, [] if deep else pattern, ()):
        if deep and not _matches(file.path.removeprefix(info.path).strip("/").split("/"), pattern):
            continue
        matched = True
        yield InputFile(uri=_uri(base, filesystem, file.path), size=file.size)
    if pattern and not matched:
        raise UsageError(f"no input matches {root.given}: expected at least one file; check the pattern")


def _split_glob(given: str) -> tuple[str, list[str]]:
    wildcard = re.search(r"[*\[]" if "://" in given else r"[*?\[]", given)
    if wildcard is None:
        return given, []
    cut = given.rfind("/", 0, wildcard.start())
    base = given[:cut] if cut > 0 else "/" if cut == 0 else "."
    return base, [part for part in given[cut + 1 :].split("/") if part]


def _matches(names: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_matches(names[skipped:], pattern[1:]) for skipped in range(len(names))) or len(pattern) == 1
    return bool(names) and fnmatch.fnmatchcase(names[0], pattern[0]) and _matches(names[1:], pattern[1:])


def _look_up(uri: str) -> tuple[pafs.FileSystem, pafs.FileInfo] | None:
    filesystem, path = filesystem_of(uri)
    try:
        info = filesystem.get_file_info(path.rstrip("/") or "/")
    except OSError as error:
        raise StorageError(f"cannot look up the input {uri}: {error}; check that it may be read") from error
    return None if info.type == pafs.FileType.NotFound else (filesystem, info)


def _uri(base: str, filesystem: pafs.FileSystem, path: str) -> str:
    if is_local(filesystem):
        return path
    split = urlsplit(base)
    # hdfs has paths that begin with a slash below a host; object stores have the bucket in the path.
    host = split.netloc if path.startswith("/") else ""
    return f"{split.scheme}://{host}{quote(path, safe='/=+,:@')}" + (f"?{split.query}" if split.query else "")


def _walk(
    filesystem: pafs.FileSystem, folder: str, pattern: list[str], above: tuple[str, ...]
) -> Iterator[pafs.FileInfo]:
    """Yield files below ``folder``: all of them without a pattern, else those whose path matches it part by part."""
    if is_local(filesystem):
        real = os.path.realpath(folder)
        if real in above:
            return  # a link back to a folder that is being walked
        above = (*above, real)
    try:
        entries = filesystem.get_file_info(pafs.FileSelector(folder))
    except OSError as error:
        raise StorageError(f"cannot list the input folder {folder}: {error}; check that it may be read") from error
    for entry in sorted(entries, key=lambda entry: entry.base_name):
        is_folder = entry.type == pafs.FileType.Directory
        if entry.type not in {pafs.FileType.File, pafs.FileType.Directory}:
            continue
        hidden = entry.base_name.startswith((".", "_"))
        if not pattern:
            if not hidden:
                if is_folder:
                    yield from _walk(filesystem, entry.path, [], above)
                else:
                    yield entry
            continue
        yield from _match(filesystem, entry, pattern, above, hidden=hidden)


def _match(
    filesystem: pafs.FileSystem, entry: pafs.FileInfo, pattern: list[str], above: tuple[str, ...], *, hidden: bool
) -> Iterator[pafs.FileInfo]:
    is_folder = entry.type == pafs.FileType.Directory
    part, rest = pattern[0], pattern[1:]
    if (hidden and not part.startswith(entry.base_name[0])) or not fnmatch.fnmatchcase(entry.base_name, part):
        return
    if is_folder:
        # A folder that the whole pattern matches counts with everything in it.
        yield from _walk(filesystem, entry.path, rest, above)
    elif not rest:
        yield entry
