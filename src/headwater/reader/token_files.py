"""The files of a shard that hold its tokens: a row of ``context`` tokens a sequence, read in place, never whole."""

from __future__ import annotations

import mmap
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError
from headwater.warehouse.filesystem import is_local

__all__ = ["SUFFIXES", "TokenFile", "open_tokens"]

SUFFIXES: Final = (".bin", ".npy", ".dolma.npy", ".tokens.parquet")
"""How the files that hold a shard's tokens end, the quickest to read first."""
_TOKEN_BYTES: Final = 4
_GROUPS_HELD: Final = 4


class TokenFile(Protocol):
    """Sequences of one shard."""

    def __getitem__(self, sequence: int) -> npt.NDArray[np.uint32]:
        """Return the tokens of a sequence, which may be a view of the file."""


def open_tokens(filesystem: pafs.FileSystem, path: str, *, n_bytes: int, sequences: int, context: int) -> TokenFile:
    """Return the sequences of a file: mapped where it is a local ``.bin`` or ``.npy``, else read piece by piece.

    Args:
        n_bytes: the file's size.
        sequences: how many it holds.
        context: tokens a sequence.

    Raises:
        CorruptLakeError: the size is not that of so many sequences.
    """
    if path.endswith(".parquet"):
        return _Parquet(filesystem, path, sequences, context)
    offset = n_bytes - sequences * context * _TOKEN_BYTES  # an .npy begins with a header
    if offset < 0 or (offset > 0 and path.endswith(".bin")):
        raise CorruptLakeError(f"{path}: expected {sequences} sequences of {context} tokens, found {n_bytes} bytes")
    if is_local(filesystem):
        return _mapped(path, offset, sequences, context)
    return _Remote(filesystem, path, offset, context)


def _mapped(path: str, offset: int, sequences: int, context: int) -> npt.NDArray[np.uint32]:
    with Path(path).open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapping, dtype="<u4", count=sequences * context, offset=offset).reshape(sequences, context)


class _Remote:
    """A file of an object store: one ranged read a sequence."""

    def __init__(self, filesystem: pafs.FileSystem, path: str, offset: int, context: int) -> None:
        self._file = filesystem.open_input_file(path)
        self._path, self._offset, self._n_bytes = path, offset, context * _TOKEN_BYTES

    def __getitem__(self, sequence: int) -> npt.NDArray[np.uint32]:
        data = self._file.read_at(self._n_bytes, self._offset + sequence * self._n_bytes)
        if len(data) != self._n_bytes:
            raise CorruptLakeError(f"{self._path}: expected sequence {sequence}, found the end of the file")
        return np.frombuffer(data, dtype="<u4")


class _Parquet:
    """A Parquet file with a list of tokens a sequence: a row group is read whole, and the last few are kept."""

    def __init__(self, filesystem: pafs.FileSystem, path: str, sequences: int, context: int) -> None:
        self._file = pq.ParquetFile(filesystem.open_input_file(path))
        self._path, self._context = path, context
        lists = [field.name for field in self._file.schema_arrow if _is_list(field.type)]
        if not lists or self._file.metadata.num_rows != sequences:
            raise CorruptLakeError(
                f"{path}: expected a column of lists with {sequences} rows, found {self._file.metadata.num_rows} rows of "
                f"{', '.join(self._file.schema_arrow.names)}"
            )
        self._column = next((name for name in ("tokens", "input_ids") if name in lists), lists[0])
        rows = [self._file.metadata.row_group(number).num_rows for number in range(self._file.num_row_groups)]
        self._bounds = np.concatenate([[0], np.cumsum(rows)])
        self._held: OrderedDict[int, npt.NDArray[np.uint32]] = OrderedDict()

    def __getitem__(self, sequence: int) -> npt.NDArray[np.uint32]:
        group = int(np.searchsorted(self._bounds, sequence, side="right")) - 1
        found = self._held.pop(group, None)
        if found is None:
            column: Any = self._file.read_row_group(group, columns=[self._column]).column(0).combine_chunks()
            n_rows = int(self._bounds[group + 1] - self._bounds[group])
            flat = column.flatten()
            if len(flat) != n_rows * self._context:
                raise CorruptLakeError(f"{self._path}: expected {self._context} tokens in each row, found others")
            found = np.asarray(flat.cast(pa.uint32())).reshape(n_rows, self._context)
            while len(self._held) >= _GROUPS_HELD:
                self._held.popitem(last=False)
        self._held[group] = found
        return found[sequence - int(self._bounds[group])]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
