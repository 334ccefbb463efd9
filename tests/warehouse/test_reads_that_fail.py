"""A disk or a network's file system that fails is no damage: what could not be read is not called corrupt, in a lake or among inputs."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.errors import CorruptLakeError, StorageError, raise_of_file_system
from headwater.pipelines.ingest import chunks, parquet_rows
from headwater.pipelines.ingest.chunks import Chunk, row_group_chunks
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.parquet_rows import parquet_batches
from headwater.reader.run_files import read_sidecar
from headwater.warehouse import open_files
from headwater.warehouse.filesystem import filesystem_of

LIMITS = Limits(max_record_bytes=1 << 20, max_expansion_ratio=100, max_nesting=8)


class _Failing(io.BytesIO):
    """A file whose disk fails at its n-th read."""

    def __init__(self, data: bytes, after: int) -> None:
        super().__init__(data)
        self._left = after

    def read(self, size: int | None = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A Parquet file of several row groups."""
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"text": [f"row {n}" for n in range(4000)]}), path, row_group_size=1000, compression="none")
    return path


@pytest.mark.parametrize("after", range(9))
def test_a_failing_disk_is_never_corrupt_parquet(table: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Whichever read fails, all rows come or a StorageError does."""
    data = table.read_bytes()
    for module in (chunks, parquet_rows):
        monkeypatch.setattr(module, "open_file", lambda _: _Failing(data, after))
    asks: tuple[Callable[[], bool], ...] = (
        lambda: len(row_group_chunks(str(table), LIMITS)) == 1,
        lambda: (
            sum(len(rows.text) for rows in parquet_batches(str(table), Chunk(begin=0, end=4, first_record=0), LIMITS))
            == 4000
        ),
    )
    for ask in asks:
        try:
            whole = ask()
        except StorageError:
            continue
        assert whole


@pytest.mark.parametrize(
    ("number", "raised"),
    [
        (errno.EIO, True),
        (errno.EACCES, True),
        (errno.ESTALE, True),
        (errno.ENOENT, False),
        (errno.EISDIR, False),
        (None, False),
    ],
)
def test_which_errors_are_the_file_systems(number: int | None, raised: bool) -> None:
    """A number of the system's is the file system's, but for those that say that there is no file; none is a library's complaint."""
    error = OSError(number, "x") if number is not None else OSError("Couldn't deserialize thrift")
    if raised:
        with pytest.raises(StorageError, match="/place"):
            raise_of_file_system(error, "/place")
    else:
        raise_of_file_system(error, "/place")


class _Filesystem:
    """A file system of which every read fails."""

    def open_input_file(self, path: str) -> Any:  # Any: as pyarrow's
        return pa.PythonFile(_Failing(Path(path).read_bytes(), 0), mode="r")


def test_a_lakes_file_on_a_failing_disk_is_not_damaged(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Footers and sidecars: a StorageError where bytes did not come, CorruptLakeError where they came and are wrong."""
    real: Callable[[str], Any] = filesystem_of
    monkeypatch.setattr(open_files, "filesystem_of", lambda uri: (_Filesystem(), real(uri)[1]))
    with pytest.raises(StorageError, match="Input/output error"):
        open_files.open_file(str(table.parent), table.name)
    with pytest.raises(StorageError, match="Input/output error"):
        read_sidecar(_Filesystem(), str(table), sequences=1, context=8)
    monkeypatch.undo()
    table.write_bytes(table.read_bytes()[:-9] + b"damage!!!")
    with pytest.raises(CorruptLakeError):
        open_files.open_file(str(table.parent), table.name)
