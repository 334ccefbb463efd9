"""What was taken down, as steps and questions read it: keyed hashes of texts by which the same text is known again.

A text is the same where its hash is, or the hash of its normalised form; it is nearly the same where its signature agrees with that of one that
was taken down on as many values as make two samples near-duplicates. Signatures are compared through keyed hashes of their values, which are equal
where the values are, so that the comparison is exactly that of deduplication, with the same bands to find what is worth comparing.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import CorruptLakeError
from headwater.filters.duplicates.minhash import N_PERMUTATIONS
from headwater.lineage.keyed_hashes import find_key, hash_bytes, keyed_numbers
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.parquet import read_file
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot

__all__ = ["NEAR_COLUMNS", "TakenDown", "TakenTexts", "keyed_rows", "taken_down", "taken_samples"]

NEAR_COLUMNS: Final = ("bands", "signature", "normalized_hash")
"""Columns of family ``minhash`` by which a text is known again."""
_PLACES: Final = np.arange(N_PERMUTATIONS, dtype=np.uint64) << np.uint64(32)
_SIGNATURE_BYTES: Final = 4 * N_PERMUTATIONS


def keyed_rows(
    key: bytes,
    rows: pa.Table,
    *,
    takedown: str,
    who: str,
    why: str,
    when: datetime.datetime,
    run_id: str,
) -> pa.Table:
    """Return rows of family ``takedowns``.

    Args:
        rows: sample_id and content_hash of what goes, and ``NEAR_COLUMNS``, null where a sample was not annotated.
    """
    n = rows.num_rows
    told = {"takedown": takedown, "asked_by": who, "asked_why": why, "run_id": run_id}
    signatures = [data or b"" for data in rows["signature"].to_pylist()]
    columns = {
        "sample_id": rows["sample_id"],
        "taken_at": pa.array([when] * n, pa.timestamp("us", tz="UTC")),
        "text_mac": pa.array([hash_bytes(key, data) for data in rows["content_hash"].to_pylist()], pa.binary()),
        "normalized_mac": pa.array(
            [hash_bytes(key, data) for data in rows["normalized_hash"].to_pylist()], pa.binary()
        ),
        "band_macs": pa.array(
            [keyed_numbers(key, bands or []).tolist() for bands in rows["bands"].to_pylist()], pa.list_(pa.int64())
        ),
        "signature_macs": pa.array([_keyed_signature(key, data).tobytes() for data in signatures], pa.binary()),
        **{name: repeat_text(value, n) for name, value in told.items()},
    }
    return pa.table(columns).select(arrow_schema("takedowns").names).cast(arrow_schema("takedowns"))


def _keyed_signature(key: bytes, signature: bytes) -> npt.NDArray[np.uint32]:
    """Return uint32 [112] of a signature's bytes, [0] of none."""
    if len(signature) != _SIGNATURE_BYTES:
        return np.empty(0, np.uint32)
    values = np.frombuffer(signature, "<u4").astype(np.uint64) | _PLACES
    return (keyed_numbers(key, values).view(np.uint64) & np.uint64(0xFFFFFFFF)).astype("<u4")


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenDown:
    """Where what was taken down of a lake is written: all that a task needs to know it again.

    Attributes:
        paths: the live files of family ``takedowns``.
    """

    lake: str
    table: str
    paths: tuple[str, ...]

    def texts(self) -> TakenTexts:
        """Return what was taken down, read once a process.

        Raises:
            CorruptLakeError: the lake's key is gone.
        """
        return _read_texts(self)


def taken_down(snapshot: Snapshot) -> TakenDown | None:
    """Return where what was taken down is written; None where nothing was."""
    paths = snapshot.paths("takedowns")
    return TakenDown(lake=snapshot.lake, table=snapshot.uri, paths=tuple(paths)) if paths else None


def taken_samples(snapshot: Snapshot, takedown: str | None = None) -> npt.NDArray[np.int64]:
    """Return the samples that were taken down, ascending; of one takedown, by its id, if given."""
    parts = [np.empty(0, np.int64)]
    for path in snapshot.paths("takedowns"):
        for table in read_file(snapshot.uri, path, ["sample_id", "takedown"]):
            mine = table if takedown is None else table.filter(pc.equal(table["takedown"], takedown))
            parts.append(mine["sample_id"].to_numpy())
    return np.unique(np.concatenate(parts))


@lru_cache(maxsize=1)
def _read_texts(where: TakenDown) -> TakenTexts:
    key = find_key(where.lake)
    if key is None:
        raise CorruptLakeError(
            f"expected the key of what was taken down at {where.lake}/takedowns/key, found none; restore it from a copy: "
            "without it the same texts would come in again"
        )
    tables = [table for path in where.paths for table in read_file(where.table, path)]
    return TakenTexts(key, pa.concat_tables(tables))


class TakenTexts:
    """Texts that were taken down, by their keyed hashes: about 650 bytes each in memory.

    Args:
        key: the lake's.
        rows: of family ``takedowns``.
    """

    def __init__(self, key: bytes, rows: pa.Table) -> None:
        self._key = key
        self.samples: npt.NDArray[np.int64] = np.unique(rows["sample_id"].to_numpy())
        self._texts = frozenset(rows["text_mac"].drop_null().to_pylist())
        self._normalized = frozenset(rows["normalized_mac"].drop_null().to_pylist())
        bands = rows["band_macs"].combine_chunks()
        flat = bands.flatten().to_numpy()
        of = np.repeat(
            np.arange(rows.num_rows), pc.fill_null(pc.list_value_length(bands), 0).to_numpy(zero_copy_only=False)
        )
        order = np.argsort(flat, kind="stable")
        self._bands, self._owners = flat[order], of[order]
        self._signatures = [np.frombuffer(data or b"", "<u4") for data in rows["signature_macs"].to_pylist()]

    def known_texts(self, hashes: pa.Array) -> npt.NDArray[np.bool_]:
        """Return which of some content hashes are those of texts that were taken down."""
        return np.array([hash_bytes(self._key, data) in self._texts for data in hashes.to_pylist()], np.bool_)

    def known_rows(self, rows: pa.Table, min_agreement: int) -> npt.NDArray[np.bool_]:
        """Return which samples were taken down, or have the normalised text or nearly the text of one that was.

        Args:
            rows: sample_id and ``NEAR_COLUMNS``.
            min_agreement: equal values of two signatures, of 112, that make near-duplicates.
        """
        found = np.isin(rows["sample_id"].to_numpy(), self.samples)
        for row, data in enumerate(rows["normalized_hash"].to_pylist()):
            found[row] |= data is not None and hash_bytes(self._key, data) in self._normalized
        bands = rows["bands"].combine_chunks()
        flat = keyed_numbers(self._key, bands.flatten().to_numpy(zero_copy_only=False))
        lengths = pc.fill_null(pc.list_value_length(bands), 0).to_numpy(zero_copy_only=False)
        of = np.repeat(np.arange(rows.num_rows), lengths)
        shared = np.isin(flat, self._bands)
        for row in np.unique(of[shared]).tolist():
            if not found[row]:
                mine = flat[(of == row) & shared]
                found[row] = self._is_near(rows["signature"][row].as_py(), mine, min_agreement)
        return found

    def _is_near(self, signature: bytes | None, bands: npt.NDArray[np.int64], min_agreement: int) -> bool:
        keyed = _keyed_signature(self._key, signature or b"")
        low, high = np.searchsorted(self._bands, bands, "left"), np.searchsorted(self._bands, bands, "right")
        owners = {int(self._owners[at]) for begin, end in zip(low, high, strict=True) for at in range(begin, end)}
        return any(
            len(self._signatures[owner]) == len(keyed) > 0
            and int((self._signatures[owner] == keyed).sum()) >= min_agreement
            for owner in owners
        )
