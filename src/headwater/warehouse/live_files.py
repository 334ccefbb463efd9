"""Which live files hold the rows of a fragment: found by its number, without a plan of all files of the table.

The files of a family are looked at once, when something of the family is asked for first; then a fragment costs some microseconds, whatever the
number of files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.warehouse.fragments import FRAGMENTS_PER_FILE
from headwater.warehouse.snapshot import Snapshot

__all__ = ["FamilyFiles", "LiveFiles"]

_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyFiles:
    """The live files of a family, in order of their first fragments.

    Attributes:
        paths: string [n], relative to the table.
        base: int64 [n], first fragment (or shard) of each.
        mask: uint64 [n], the fragments from there on that it has.
        batches: string [n], batch of ingest, or build.
        operators: string [n].
        low: int64 [n], smallest sample_id; of a file without rows the largest number.
        high: int64 [n], largest sample_id; of a file without rows -1.
    """

    paths: pa.StringArray
    base: npt.NDArray[np.int64]
    mask: npt.NDArray[np.uint64]
    batches: pa.StringArray
    operators: pa.StringArray
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]

    def path(self, file: int) -> str:
        """Return the path of a file."""
        return str(self.paths[file].as_py())

    def batch(self, file: int) -> str:
        """Return its batch of ingest, or the build that it belongs to."""
        return str(self.batches[file].as_py())

    def operator(self, file: int) -> str:
        """Return the digits that name what wrote it."""
        return str(self.operators[file].as_py())

    def covering(self, fragment: int) -> list[int]:
        """Return the files that cover a fragment: one at most, but of families by build or by operator."""
        begin, end = np.searchsorted(self.base, [fragment - FRAGMENTS_PER_FILE + 1, fragment + 1]).tolist()
        bits = np.uint64(1) << (fragment - self.base[begin:end]).astype(np.uint64)
        return [begin + int(at) for at in np.flatnonzero(self.mask[begin:end] & bits)]

    def rank(self, file: int, fragment: int) -> int:
        """Return how many fragments of a file come before one that it covers: its row group, where each has one."""
        below = (1 << (fragment - int(self.base[file]))) - 1
        return (int(self.mask[file]) & below).bit_count()

    def fragments(self, file: int) -> int:
        """Return how many fragments a file covers."""
        return int(self.mask[file]).bit_count()


class LiveFiles:
    """The live files of a version by family."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._families: dict[str, FamilyFiles] = {}

    def of(self, family: str) -> FamilyFiles:
        """Return the files of a family."""
        if family not in self._families:
            self._families[family] = self._read(family)
        return self._families[family]

    def _read(self, family: str) -> FamilyFiles:
        table = self._snapshot.live(family)
        low, high = (
            pc.fill_null(table[name], other).to_numpy() for name, other in (("min_id", _LARGEST), ("max_id", -1))
        )
        return FamilyFiles(
            paths=_strings(table["path"]),
            base=table["base"].to_numpy(),
            mask=table["mask"].to_numpy(),
            batches=_strings(table["batch"]),
            operators=_strings(table["operator"]),
            low=low,
            high=high,
        )


def _strings(column: pa.ChunkedArray) -> pa.StringArray:
    found = column.combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
