"""Verify, the part about indices: each sample with a URL or a host stands in the index of them once, under their hashes, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.hashes import short_hashes
from headwater.lineage.builds import LakeView
from headwater.lineage.checks.found import Found
from headwater.lineage.checks.made_indexes import made_index_faults
from headwater.warehouse.fragments import ROW_BITS, expand_masks
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file

__all__ = ["indexes"]

_INDEXED: Final[dict[str, tuple[str, Mapping[str, str]]]] = {
    "uri_index": ("content", {"uri_hash": "uri"}),
    "host_index": ("captures", {"host_hash": "host", "domain_hash": "registered_domain"}),
}
"""Index → the family that it is of, and each of its columns → the column there that is hashed; a sample without the first has no entry."""
_Ids = npt.NDArray[np.int64]


def indexes(lake: LakeView) -> Found:
    """Every sample with a URL stands in `uri_index`, and with a host in `host_index`, once and under their hashes; nothing else does.

    `hash_index` and `band_index` have the texts and signatures of the fragments that they cover.
    """
    count = 0
    faults: list[str] = []
    for index, (family, columns) in _INDEXED.items():
        files = lake.snapshot.live(index)
        numbers, at_rows = expand_masks(files["base"].to_numpy(), files["mask"].to_numpy())
        for at, path in enumerate(files["path"].to_pylist()):
            fragments = lake.read_again(np.unique(numbers[at_rows == at]))
            if not len(fragments):
                continue
            rows = pa.concat_tables(read_file(lake.snapshot.uri, path, ["sample_id", *columns])).sort_by("sample_id")
            ids = rows["sample_id"].to_numpy()
            for where in lake.snapshot.locate(fragments, [family]):
                if family in where.files:
                    begin, end = np.searchsorted(ids, [where.fragment << ROW_BITS, (where.fragment + 1) << ROW_BITS])
                    count += int(end - begin)
                    faults += _differences(
                        index, where, _expected(lake.snapshot.uri, where, family, columns), rows[begin:end]
                    )
    return count, faults + made_index_faults(lake.snapshot, lake.read_again(lake.snapshot.covered("content")))


def _expected(table_uri: str, where: FragmentFiles, family: str, columns: Mapping[str, str]) -> pa.Table:
    """Return the entries that a fragment must have: sample_id, ascending, and the hashes."""
    first = next(iter(columns.values()))
    parts = []
    for table in read_aligned(table_uri, where, {family: list(columns.values())}):
        named = table.filter(pc.is_valid(table[first]))
        hashes = {index: pa.array(short_hashes(named[name].to_pylist())) for index, name in columns.items()}
        parts.append(pa.table({"sample_id": named["sample_id"], **hashes}))
    return pa.concat_tables(parts)


def _differences(index: str, where: FragmentFiles, expected: pa.Table, found: pa.Table) -> list[str]:
    """Return the first samples of a fragment whose entries are not those that they must have, one fault for each kind."""
    wanted, there = expected["sample_id"].to_numpy(), found["sample_id"].to_numpy()
    said = []
    for samples, what in (
        (np.setdiff1d(wanted, there), "has no entry"),
        (np.setdiff1d(there, wanted), "has an entry and nothing that is indexed"),
        (there[1:][there[1:] == there[:-1]], "has two entries"),
    ):
        if len(samples):
            said.append(f"{index}: sample {samples[0]} {what}{_more(samples)}")
    if said:
        return said
    wrong: _Ids = np.concatenate(
        [wanted[expected[name].to_numpy() != found[name].to_numpy()] for name in expected.column_names[1:]]
    )
    return (
        [f"{index}: sample {wrong[0]} stands under another hash than its own{_more(np.unique(wrong))}"]
        if len(wrong)
        else []
    )


def _more(samples: _Ids) -> str:
    return f", and {len(samples) - 1:,} more of its fragment" if len(samples) > 1 else ""
