"""Addresses of samples and names of files.

A *fragment* is the samples of one content file. ``sample_id = fragment << 24 | row``. A narrow family's file covers up to 64
consecutive fragments, given as the first fragment and a 64-bit mask: bit i set means fragment base + i has the file's next row group.
The file's name carries all a reader must know before opening it::

    family=language/batch=web-001/00000000a0-000000000000ffff-4f1c…-9b1d….parquet
                                  base       mask             operator  SHA-256 of the file

so what is missing, and whether a file is intact, follows from the table's log alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.errors import CorruptLakeError, UsageError, one_line

__all__ = [
    "BATCH_PATTERN",
    "FRAGMENTS_PER_FILE",
    "NAME_PATTERN",
    "ROWS_PER_FRAGMENT",
    "ROW_BITS",
    "FileEntry",
    "FileName",
    "batch_name",
    "expand_masks",
    "file_name",
    "first_id",
    "fragment_mask",
    "fragment_of",
    "fragments_of",
    "operator_digits",
    "parse_name",
    "rows_of",
    "sample_ids",
]

ROW_BITS: Final = 24
ROWS_PER_FRAGMENT: Final = 1 << 20
"""Most rows a fragment may hold; the address has room for 2^24."""
FRAGMENTS_PER_FILE: Final = 64
NAME_PATTERN: Final = (
    r"family=(?P<family>[a-z_]+)/batch=(?P<batch>[A-Za-z0-9._-]+)/"
    r"(?P<base>[0-9a-f]{10})-(?P<mask>[0-9a-f]{16})-(?P<operator>[0-9a-f]{16})-(?P<sha256>[0-9a-f]{64})\.parquet"
)
"""A file's path in the table as a regular expression, the same to Python and to Arrow; its parts in the order of ``FileName``."""
_NAME = re.compile(NAME_PATTERN)
BATCH_PATTERN: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_BATCH = re.compile(BATCH_PATTERN)
_RESERVED: Final = {
    "__hive_default_partition__": "stands for no name at all in the paths of tables",
    "runs": "is the partition of the lake's own records of runs",
    "null": "readers of partitions take for no name at all",
}
"""Names that a partition may not have, in small letters, and why."""


class FileName(NamedTuple):
    """What a file's path in the table says; attributes as of ``FileEntry``."""

    family: str
    batch: str
    base: int
    mask: int
    operator: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileEntry:
    """What a task says of a file that it wrote; the driver commits it or forgets it.

    Attributes:
        path: relative to the table.
        base: first fragment (or shard, for placements) that it covers.
        mask: bit i set: covers fragment base + i.
        operator: first 16 hex digits of the fingerprint of what wrote it.
        sha256: of the whole file, hexadecimal.
        size: bytes.
        rows: rows.
        min_id: smallest sample_id; None where the family has none or the file is empty.
        max_id: largest sample_id.
    """

    path: str
    family: str
    batch: str
    base: int
    mask: int
    operator: str
    sha256: str
    size: int
    rows: int
    min_id: int | None = None
    max_id: int | None = None


def sample_ids(fragment: int, begin: int, end: int) -> npt.NDArray[np.int64]:
    """Return the int64 addresses of rows ``begin`` to ``end`` of a fragment.

    >>> sample_ids(2, 0, 3).tolist()
    [33554432, 33554433, 33554434]
    """
    return first_id(fragment) + np.arange(begin, end, dtype=np.int64)


def first_id(fragment: int) -> int:
    """Return the address of a fragment's first row; those of a fragment are below the first of the next.

    >>> first_id(2)
    33554432
    """
    return fragment << ROW_BITS


def rows_of(fragment: int, ids: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Return where the addresses of a fragment begin and end among ascending ones.

    >>> rows_of(2, np.array([5, 33554432, 33554439, 50331648]))
    (1, 3)
    """
    begin, end = np.searchsorted(ids, [first_id(fragment), first_id(fragment + 1)]).tolist()
    return begin, end


def fragment_of(sample_id: int) -> int:
    """Return the fragment in which a sample was born.

    >>> fragment_of(33554433)
    2
    """
    return sample_id >> ROW_BITS


def batch_name(name: str) -> str:
    """Return ``name`` when it can stand in a path.

    Raises:
        UsageError: it begins with a dot, holds other characters than letters, digits, dot, dash and underscore, or is reserved.
    """
    if name.lower() in _RESERVED:
        raise UsageError(f"expected another name than {name!r}, which {_RESERVED[name.lower()]}; choose another name")
    if not _BATCH.fullmatch(name):
        raise UsageError(
            f"expected a name of letters, digits, '_', '-' and, but at its beginning, '.', 128 at most, found {one_line(repr(name), 60)}; "
            "choose another name"
        )
    return name


def fragment_mask(fragments: Iterable[int]) -> tuple[int, int]:
    """Return base and mask of some fragments that lie within 64 of each other.

    >>> fragment_mask([5, 7])
    (5, 5)
    """
    ordered = sorted(set(fragments))
    base = ordered[0]
    if ordered[-1] - base >= FRAGMENTS_PER_FILE:
        raise ValueError(f"fragments {base} to {ordered[-1]} do not fit one file of {FRAGMENTS_PER_FILE}")
    return base, sum(1 << (fragment - base) for fragment in ordered)


def fragments_of(base: int, mask: int) -> list[int]:
    """Return the fragments of a file, ascending.

    >>> fragments_of(5, 5)
    [5, 7]
    """
    return [base + offset for offset in range(FRAGMENTS_PER_FILE) if mask >> offset & 1]


def file_name(base: int, mask: int, operator: str, sha256: str) -> str:
    """Return the name of a file, without its partition folders."""
    return f"{base:010x}-{mask:016x}-{operator_digits(operator)}-{sha256}.parquet"


def operator_digits(operator: str) -> str:
    """Return the 16 hexadecimal digits by which files name an operator, of its fingerprint or of these digits themselves.

    >>> operator_digits("0123456789abcdef0123456789abcdef")
    '0123456789abcdef'
    """
    return f"{operator[:16]:0<16}"


def parse_name(path: str) -> FileName:
    """Return what a file's path in the table says.

    Raises:
        CorruptLakeError: the path was not made by Headwater.
    """
    found = _NAME.fullmatch(path)
    if found is None:
        raise CorruptLakeError(
            f"expected a file named by Headwater, found {path!r} in the table's log; another program wrote to this table"
        )
    family, batch, base, mask, operator, sha256 = found.groups()
    return FileName(family, batch, int(base, 16), int(mask, 16), operator, sha256)


def expand_masks(
    base: npt.NDArray[np.int64], mask: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (fragment, file) for every set bit: int64 arrays of equal length, in file order.

    >>> expand_masks(np.array([5]), np.array([5], dtype=np.uint64))[0].tolist()
    [5, 7]
    """
    # A byte a bit: a million files take 64 MB for a moment, where uint64 would take a gigabyte.
    octets = np.ascontiguousarray(mask, dtype="<u8").view(np.uint8).reshape(-1, 8)
    bits = np.unpackbits(octets, axis=1, bitorder="little")
    file, offset = np.nonzero(bits)
    return base[file] + offset.astype(np.int64), file.astype(np.int64)
