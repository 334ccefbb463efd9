"""The tokens of a shard from any file that holds them: all of them, a range, or a sequence; nothing but NumPy and pyarrow.

A local file without pages is mapped; one of an object store is read range by range; of Parquet the last few row groups are kept.
"""

from __future__ import annotations

import io
import mmap
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, one_line, raise_of_file_system
from headwater.untrusted import UNREADABLE

__all__ = ["NPY_HEADER_BYTES", "SUFFIXES", "TokenFile", "open_tokens", "suffix_of", "token_suffix", "tokens_in"]

NPY_HEADER_BYTES: Final = 128
"""What stands before the tokens in a ``.npy``: NumPy's header of version 1.0, the same size for every shape of two dimensions."""
SUFFIXES: Final = (".bin", ".npy", ".dolma.npy", ".tokens.parquet")
"""How the files that hold a shard's tokens end, the cheapest to read first."""
_TOKEN_BYTES: Final = 4
_GROUPS_HELD: Final = 4
_COLUMN: Final = "tokens"


def suffix_of(name: str) -> str:
    """Return what of a shard's file name says which of the shard's files it is.

    >>> suffix_of("shard-00000.tokens.parquet")
    '.tokens.parquet'
    """
    return "." + name.rpartition("/")[2].partition(".")[2]


def token_suffix(names: Sequence[str]) -> str | None:
    """Return the suffix of the cheapest file of tokens among a shard's files, None where there is none.

    >>> token_suffix(["shard-00000.dolma.npy", "shard-00000.dolma.csv.gz"])
    '.dolma.npy'
    """
    ends = {suffix_of(name) for name in names}
    return next((suffix for suffix in SUFFIXES if suffix in ends), None)


class TokenFile(Protocol):
    """The tokens of one shard.

    Attributes:
        n_tokens: how many the file holds.
    """

    n_tokens: int

    def read(self, begin: int, end: int) -> npt.NDArray[np.uint32]:
        """Return tokens ``begin`` to ``end``, excluded, which may be a view of the file.

        Raises:
            CorruptLakeError: the file ends before, or is damaged where Parquet can tell.
        """


def open_tokens(filesystem: pafs.FileSystem, path: str) -> TokenFile:
    """Return the tokens of a file.

    Raises:
        CorruptLakeError: its size is not that of whole tokens, or it is not such a Parquet file as a build writes.
    """
    if suffix_of(path) == ".tokens.parquet":
        return _Parquet(filesystem.open_input_file(path), path)
    if isinstance(filesystem, pafs.LocalFileSystem):
        with Path(path).open("rb") as file:
            there = file.seek(0, io.SEEK_END)
            # Nothing cannot be mapped.
            return _InMemory(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if there else b"", there, path)
    return _Ranged(filesystem.open_input_file(path), path)


def tokens_in(data: bytes, name: str) -> TokenFile:
    """Return the tokens of a file that is in memory; errors as for ``open_tokens``."""
    if suffix_of(name) == ".tokens.parquet":
        return _Parquet(pa.BufferReader(data), name)
    return _InMemory(data, len(data), name)


def _layout(n_bytes: int, where: str) -> tuple[int, int]:
    """Return the first byte of the tokens in a file without pages, and how many tokens there are."""
    offset = NPY_HEADER_BYTES if suffix_of(where) == ".npy" else 0
    if n_bytes < offset or (n_bytes - offset) % _TOKEN_BYTES:
        raise CorruptLakeError(
            f"expected whole tokens of {_TOKEN_BYTES} bytes in {where}, found {n_bytes} bytes; run verify, then restore the file"
        )
    return offset, (n_bytes - offset) // _TOKEN_BYTES


def _checked(tokens: npt.NDArray[np.uint32], begin: int, end: int, where: str) -> npt.NDArray[np.uint32]:
    if len(tokens) != end - begin:
        raise CorruptLakeError(
            f"expected tokens {begin} to {end} in {where}, found only {len(tokens)} of them; run verify, then restore the file"
        )
    return tokens


class _InMemory:
    """A file without pages that is mapped or held."""

    def __init__(self, data: bytes | mmap.mmap, n_bytes: int, where: str) -> None:
        offset, self.n_tokens = _layout(n_bytes, where)
        self._tokens = np.frombuffer(data, dtype="<u4", count=self.n_tokens, offset=offset if self.n_tokens else 0)
        self._where = where

    def read(self, begin: int, end: int) -> npt.NDArray[np.uint32]:
        return _checked(self._tokens[begin:end], begin, end, self._where)


class _Ranged:
    """A file without pages of an object store: one ranged read a call."""

    def __init__(self, file: pa.NativeFile, where: str) -> None:
        self._file, self._where = file, where
        self._offset, self.n_tokens = _layout(file.size(), where)

    def read(self, begin: int, end: int) -> npt.NDArray[np.uint32]:
        data = self._file.read_at(_TOKEN_BYTES * (end - begin), self._offset + _TOKEN_BYTES * begin)
        return _checked(np.frombuffer(data, "<u4", count=len(data) // _TOKEN_BYTES), begin, end, self._where)


class _Parquet:
    """A file with a list of tokens a sequence: a row group is read whole, page checksums checked, and the last few are kept."""

    def __init__(self, file: pa.NativeFile, where: str) -> None:
        self._where = where
        try:
            self._file = pq.ParquetFile(file, page_checksum_verification=True)
            names = self._file.schema_arrow.names
        except UNREADABLE as error:
            raise_of_file_system(error, where)
            raise CorruptLakeError(
                one_line(f"cannot read {where}: {error}; run verify, then restore the file")
            ) from error
        if _COLUMN not in names or not pa.types.is_list(self._file.schema_arrow.field(_COLUMN).type):
            raise CorruptLakeError(f"{where}: expected a column {_COLUMN} of lists, found {', '.join(names)}")
        leaf = next(
            at for at in range(len(self._file.schema)) if self._file.schema.column(at).path.startswith(f"{_COLUMN}.")
        )
        metadata = self._file.metadata
        counts = [metadata.row_group(group).column(leaf).num_values for group in range(metadata.num_row_groups)]
        self._bounds = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).tolist()
        self.n_tokens = int(self._bounds[-1])
        self._held: OrderedDict[int, npt.NDArray[np.uint32]] = OrderedDict()

    def read(self, begin: int, end: int) -> npt.NDArray[np.uint32]:
        parts = []
        at = begin
        while at < min(end, self.n_tokens):
            group = int(np.searchsorted(self._bounds, at, side="right")) - 1
            first, last = self._bounds[group], min(end, self._bounds[group + 1])
            parts.append(self._group(group)[at - first : last - first])
            at = last
        found = parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0, np.uint32)])
        return _checked(found, begin, end, self._where)

    def _group(self, group: int) -> npt.NDArray[np.uint32]:
        found = self._held.pop(group, None)
        if found is None:
            try:
                column = self._file.read_row_group(group, columns=[_COLUMN])[_COLUMN]
            except UNREADABLE as error:
                raise_of_file_system(error, self._where)
                raise CorruptLakeError(
                    one_line(
                        f"cannot read row group {group} of {self._where}: {error}; run verify, then restore the file"
                    )
                ) from error
            found = np.asarray(column.combine_chunks().flatten().to_numpy().view(np.uint32))
            while len(self._held) >= _GROUPS_HELD:
                self._held.popitem(last=False)
        self._held[group] = found
        return found
