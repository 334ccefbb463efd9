"""Input files under folders, globs and single paths, as a stream sorted by name within each folder.

What a search finds is left out by rule where its name is hidden (``.git``, ``_SUCCESS``, ``_delta_log``, as Spark does) or temporary
(``x.jsonl~``, ``x.tmp``, ``.crc``), unless it is named outright, and always where it lies below a lake; see ``left_out``. Globs know ``*``,
``?``, ``[…]`` within a name and ``**`` for any number of folders; in a URI ``?`` begins the query and is no wildcard. One folder's listing
is held in memory at a time, with those of the folders above it.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from pyarrow import fs as pafs

from headwater.errors import StorageError, UsageError
from headwater.pipelines.ingest.lakes import Lakes
from headwater.pipelines.ingest.left_out import LeftOut, rule_of_name
from headwater.pipelines.ingest.opening import local_path, uri_of_path
from headwater.warehouse.filesystem import filesystem_of, is_local

__all__ = ["InputFile", "check_inputs", "list_inputs"]

_LISTED: Final = {pafs.FileType.File, pafs.FileType.Directory}


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFile:
    """A file to read.

    Attributes:
        uri: absolute local path, or URI, that ``headwater.pipelines.ingest.opening`` opens.
        size: stored bytes; 0 for one that could not be looked up, whose reading says why.
    """

    uri: str
    size: int


def check_inputs(paths: Sequence[str], lake: str | None = None) -> None:
    """Raise what ``list_inputs`` would raise for paths that name nothing, before anything is made for what they name.

    Raises:
        UsageError: a path is empty, not there, or below a lake, or a glob matches no file.
        StorageError: a path cannot be looked up or listed.
    """
    for path in paths:
        root = _find_root(path, lake)
        if root.pattern:
            next(_list_one(root, LeftOut()))


def list_inputs(paths: Sequence[str], lake: str | None = None, left_out: LeftOut | None = None) -> Iterator[InputFile]:
    """Return an iterator over the files that ``paths`` name, in the order of ``paths``, and by name within each folder.

    Every path is looked up at once, so that a wrong one is reported before the first file is read; folders are listed as the iterator comes to them.
    A file that two of the paths name comes twice; ingest knows files by their SHA-256 and adds each once.

    Args:
        paths: files, folders (searched to any depth) and globs; local paths or URIs.
        lake: the lake that is being written, which need not be there yet; of others it is found out.
        left_out: gets what is left out by rule.

    Raises:
        UsageError: a path is empty, not there, or below a lake; while the iterator runs, a glob matches no file.
        StorageError: a path cannot be looked up; while the iterator runs, a folder cannot be listed.
    """
    roots = [_find_root(path, lake) for path in paths]
    noted = LeftOut() if left_out is None else left_out
    return (file for root in roots for file in _list_one(root, noted))


class _Entry(NamedTuple):
    """A file or folder in a listing."""

    path: str
    name: str
    is_folder: bool
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Root:
    """A file or folder that is there, and the parts of the pattern below it, none without a glob."""

    given: str
    base: str
    pattern: list[str]
    filesystem: pafs.FileSystem
    entry: _Entry
    lakes: Lakes


def _find_root(given: str, lake: str | None) -> _Root:
    if not given:
        raise UsageError("expected the path of an input, found an empty one; check the variable that it came from")
    base, pattern = _split_glob(given)
    if pattern and _look_up(given) is not None:
        base, pattern = given, []  # a name that holds brackets or stars, and is there
    found = _look_up(base)
    if found is None:
        raise UsageError(f"no input at {given}: expected a file, a folder or a glob; check the path")
    filesystem, entry = found
    lakes = Lakes(filesystem=filesystem, own=_own_lake(filesystem, lake))
    below = lakes.above(_real(filesystem, entry.path))
    if below is not None:
        raise UsageError(
            f"expected an input outside of a lake, found {given}, which lies below the lake {below}; name the raw files, or move them"
        )
    return _Root(given=given, base=base, pattern=pattern, filesystem=filesystem, entry=entry, lakes=lakes)


def _own_lake(filesystem: pafs.FileSystem, lake: str | None) -> str | None:
    """Return the folder of the lake if it is in the file system of the inputs."""
    if lake is None:
        return None
    own, path = filesystem_of(lake)
    return _real(own, path) if type(own) is type(filesystem) else None


def _real(filesystem: pafs.FileSystem, path: str) -> str:
    return os.path.realpath(path) if is_local(filesystem) else path.rstrip("/")


def _list_one(root: _Root, left_out: LeftOut) -> Iterator[InputFile]:
    base, pattern, filesystem, entry = root.base, root.pattern, root.filesystem, root.entry
    if not pattern and not entry.is_folder:
        yield InputFile(uri=_uri(base, filesystem, entry.path), size=entry.size)
        return
    matched = False
    deep = "**" in pattern
    search = _Search(filesystem=filesystem, lakes=root.lakes, left_out=left_out)
    for file in search.walk(entry.path, [] if deep else pattern, ()):
        if deep and not _matches(file.path.removeprefix(entry.path).strip("/").split("/"), pattern):
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


def _look_up(uri: str) -> tuple[pafs.FileSystem, _Entry] | None:
    path = uri if "://" not in uri else local_path(uri)
    if path is not None:
        path = os.path.abspath(path)  # noqa: PTH100 - a path that may be no UTF-8
        try:
            return pafs.LocalFileSystem(), _local_entry(path, os.stat(path))  # noqa: PTH116 - see above
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None  # ValueError: a path with a NUL
        except OSError as error:
            raise _no_look(uri, error) from error
    filesystem, path = filesystem_of(uri)
    try:
        info = filesystem.get_file_info(path.rstrip("/") or "/")
    except OSError as error:
        raise _no_look(uri, error) from error
    if info.type == pafs.FileType.NotFound:
        return None
    return filesystem, _stored_entry(info)


def _no_look(uri: str, error: OSError) -> StorageError:
    return StorageError(f"cannot look up the input {uri}: {error}; check that it may be read")


def _local_entry(path: str, found: os.stat_result) -> _Entry:
    is_folder = stat.S_ISDIR(found.st_mode)
    return _Entry(path, path.rpartition("/")[2], is_folder, 0 if is_folder else found.st_size)


def _stored_entry(info: pafs.FileInfo) -> _Entry:
    is_folder = info.type == pafs.FileType.Directory
    return _Entry(info.path, info.base_name, is_folder, 0 if is_folder else info.size)


def _uri(base: str, filesystem: pafs.FileSystem, path: str) -> str:
    if is_local(filesystem):
        return uri_of_path(path)
    split = urlsplit(base)
    # hdfs has paths that begin with a slash below a host; object stores have the bucket in the path.
    host = split.netloc if path.startswith("/") else ""
    return f"{split.scheme}://{host}{quote(path, safe='/=+,:@')}" + (f"?{split.query}" if split.query else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search:
    """A walk through the folders below one root."""

    filesystem: pafs.FileSystem
    lakes: Lakes
    left_out: LeftOut

    def walk(self, folder: str, pattern: list[str], above: tuple[str, ...]) -> Iterator[_Entry]:
        """Yield files below ``folder``: all of them without a pattern, else those whose path matches it part by part."""
        if is_local(self.filesystem):
            real = os.path.realpath(folder)
            if real in above:
                return  # a link back to a folder that is being walked
            above = (*above, real)
        for entry in sorted(self._list(folder), key=lambda entry: entry.name):
            if pattern and not fnmatch.fnmatchcase(entry.name, pattern[0]):
                continue
            rule = rule_of_name(entry.name, is_folder=entry.is_folder)
            if rule is not None and not (pattern and _is_meant(entry.name, pattern[0], rule)):
                self.left_out.add(rule, entry.path)
                continue
            if self._is_of_a_lake(entry):
                self.left_out.add("lake", entry.path)
            elif entry.is_folder:
                # A folder that the whole pattern matches counts with everything in it.
                yield from self.walk(entry.path, pattern[1:], above)
            elif len(pattern) < 2:
                yield entry

    def _is_of_a_lake(self, entry: _Entry) -> bool:
        """Return whether an entry of a folder that is of no lake is a lake, or leads into one."""
        if not is_local(self.filesystem):
            return entry.is_folder and self.lakes.is_lake(entry.path)
        is_link = os.path.islink(entry.path)  # noqa: PTH114 - a path that may be no UTF-8
        if not is_link and not entry.is_folder:
            return False
        real = os.path.realpath(entry.path)
        return self.lakes.above(real) is not None if is_link else self.lakes.is_lake(real)

    def _list(self, folder: str) -> Iterator[_Entry]:
        try:
            if is_local(self.filesystem):
                yield from self._list_local(folder)
                return
            entries = self.filesystem.get_file_info(pafs.FileSelector(folder))
        except OSError as error:
            raise StorageError(f"cannot list the input folder {folder}: {error}; check that it may be read") from error
        yield from (_stored_entry(info) for info in entries if info.type in _LISTED)

    def _list_local(self, folder: str) -> Iterator[_Entry]:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found = entry.stat()
                except OSError:
                    # A link to nothing, or a file that has just gone: whoever reads it says so.
                    yield _Entry(entry.path, entry.name, is_folder=False, size=0)
                    continue
                if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
                    yield _local_entry(entry.path, found)
                elif rule_of_name(entry.name) is None:
                    self.left_out.add("special", entry.path)


def _is_meant(name: str, part: str, rule: str) -> bool:
    """Return whether a part of a pattern asks for names that a rule leaves out: ``_*`` for hidden ones, ``*.tmp`` for temporary ones."""
    return part.startswith(name[0]) if rule == "hidden" else rule_of_name(part) == rule
