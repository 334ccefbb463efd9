"""Files of the table, open for reading: as Parquet with page checksums verified, or as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError, StorageError, one_line, raise_of_file_system
from headwater.untrusted import UNREADABLE
from headwater.warehouse.filesystem import filesystem_of, is_local, join
from headwater.warehouse.row_groups import format_of

__all__ = ["gone", "open_bytes", "open_file"]

_BUFFER_BYTES: Final = 1 << 20
_BUFFER_OF_STORE_BYTES: Final = 4 << 20
"""Of a column chunk that is read from a store, where each filling of the buffer is a request."""


def open_file(
    table_uri: str, path: str, dictionaries: Sequence[str] = (), footer: pq.FileMetaData | None = None
) -> pq.ParquetFile:
    """Return a file of the table, open, whose format this release reads.

    Args:
        dictionaries: columns that stay dictionaries.
        footer: of the same file, read before.

    Raises:
        CorruptLakeError: it is gone or damaged.
        StorageError: it may not be read.
    """
    filesystem, root = filesystem_of(table_uri)
    try:
        file = pq.ParquetFile(
            filesystem.open_input_file(join(root, path)),
            page_checksum_verification=True,
            pre_buffer=False,
            buffer_size=_BUFFER_BYTES if is_local(filesystem) else _BUFFER_OF_STORE_BYTES,
            read_dictionary=list(dictionaries),
            metadata=footer,
        )
        _ = file.schema_arrow  # made on first use, of a footer that may be damaged
    except FileNotFoundError as error:
        raise gone(path) from error
    except PermissionError as error:
        raise StorageError(
            f"cannot open {path}: {error}; grant permission to read, then run the same command again"
        ) from error
    except UNREADABLE as error:
        raise_of_file_system(error, path)
        raise CorruptLakeError(
            f"cannot read {path}: {one_line(str(error))}; restore it from a copy or run the step again"
        ) from error
    format_of(file, path)
    return file


def gone(path: str) -> CorruptLakeError:
    """Return what to say of a file that the log names and that is not there."""
    return CorruptLakeError(f"the log names {path}, which is gone; restore it or run the step again")


def open_bytes(table_uri: str, path: str) -> pa.NativeFile:
    """Return a file of the table as its bytes, at any place; errors are those of the file system."""
    filesystem, root = filesystem_of(table_uri)
    return filesystem.open_input_file(join(root, path))
