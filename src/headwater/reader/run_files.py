"""The runs of documents in each sequence, from the sidecars of the shards, found in microseconds and in bounded memory.

A sidecar is Parquet: to find one sequence's runs in it means to decode it. So each is decoded once, on first use, into a file without a
name in the folder for temporary files: 8 bytes a sequence and 56 a run, a fortieth of the tokens with documents of 500 tokens. A process
holds two numbers a shard, whatever the stage.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, StorageError, one_line, raise_of_file_system
from headwater.hashes import items_of_hashes
from headwater.reader.batches import RUN
from headwater.untrusted import UNREADABLE

__all__ = ["RunFiles", "read_sidecar"]

_COLUMNS: Final = (
    "sequence",
    "token_begin",
    "token_end",
    "sample_token_begin",
    "content_hash",
    "origin",
    "copy",
    "ends",
)


def read_sidecar(
    filesystem: pafs.FileSystem, path: str, *, sequences: int, context: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
    """Return where each sequence's runs begin, int64 [sequences + 1], and the runs, `RUN` [n]; ``row`` is the sequence's number.

    Raises:
        CorruptLakeError: the runs are not in the order of as many sequences.
    """
    try:
        with filesystem.open_input_file(path) as file:
            stored = pq.ParquetFile(file)
            wanted = [name for name in (*_COLUMNS, "begins") if name in stored.schema_arrow.names]
            table = stored.read(wanted)
        column = {name: table[name].combine_chunks() for name in (*_COLUMNS, *wanted)}
    except (*UNREADABLE, KeyError) as error:
        raise_of_file_system(error, path)
        raise CorruptLakeError(
            one_line(f"{path}: expected a sidecar of boundaries: {error}; restore it, or build --repair")
        ) from error
    sequence = column["sequence"].to_numpy()
    runs = np.zeros(len(sequence), dtype=RUN)
    runs["row"] = sequence
    runs["begin"] = column["token_begin"].to_numpy() - sequence * context
    runs["end"] = column["token_end"].to_numpy() - sequence * context
    for name in ("sample_token_begin", "origin", "copy"):
        runs[name] = column[name].to_numpy()
    runs["content_hash"] = items_of_hashes(column["content_hash"])
    runs["ends"] = column["ends"].to_numpy(zero_copy_only=False)
    # The first format of sidecars had no beginnings of text, and so no column that says where a document begins.
    runs["begins"] = (
        column["begins"].to_numpy(zero_copy_only=False) if "begins" in column else runs["sample_token_begin"] == 0
    )
    runs["sample_id"] = -1
    fits = (runs["begin"] >= 0) & (runs["begin"] < runs["end"]) & (runs["end"] <= context)
    ordered = (np.diff(sequence) > 0) | (np.diff(runs["begin"]) > 0)
    if not (fits.all() and ordered.all() and (len(sequence) == 0 or 0 <= sequence[0] <= sequence[-1] < sequences)):
        raise CorruptLakeError(
            f"{path}: expected runs in the order of {sequences} sequences, found others; build --repair"
        )
    return np.searchsorted(sequence, np.arange(sequences + 1)).astype(np.int64), runs


class RunFiles:
    """The decoded sidecars of one process.

    Args:
        decode: gives `read_sidecar`'s answer for a shard by its place in the manifest.
        folder: for the file without a name; None: the system's folder for temporary files.
    """

    def __init__(
        self, decode: Callable[[int], tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]], folder: str | None
    ) -> None:
        self._decode, self._folder = decode, folder
        self._process, self._file, self._end = -1, -1, 0
        self._begins: dict[int, tuple[int, int]] = {}

    def read(self, shard: int, sequence: int) -> bytes:
        """Return the runs of a sequence as the bytes of `RUN` records."""
        if self._process != os.getpid():  # a fork shares the file and would write over its siblings' records
            self._process, self._end, self._begins = os.getpid(), 0, {}
            self._file = _unnamed_file(self._folder)
            weakref.finalize(self, os.close, self._file)
        found = self._begins.get(shard) or self._add(shard)
        begin, end = np.frombuffer(os.pread(self._file, 16, found[0] + 8 * sequence), dtype="<i8").tolist()
        return os.pread(self._file, RUN.itemsize * (end - begin), found[1] + RUN.itemsize * begin)

    def _add(self, shard: int) -> tuple[int, int]:
        begins, runs = self._decode(shard)
        data = memoryview(begins.astype("<i8").tobytes() + runs.tobytes())
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._end + written)
        except OSError as error:
            raise StorageError(
                f"cannot write {len(data)} bytes of boundaries: {error}; free space or give open_stage another scratch folder"
            ) from error
        self._begins[shard] = (self._end, self._end + 8 * len(begins))
        self._end += len(data)
        return self._begins[shard]


def _unnamed_file(folder: str | None) -> int:
    """Return the descriptor of a new file that goes when it is closed."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="headwater-", dir=folder)
        Path(path).unlink()
    except OSError as error:
        raise StorageError(
            f"cannot make a file for boundaries: {error}; give open_stage another scratch folder"
        ) from error
    return descriptor
