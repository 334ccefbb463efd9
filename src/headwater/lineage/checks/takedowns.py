"""Verify, the part about what was taken down: it is gone, its record, its report and the key are there, and each says the same."""

from __future__ import annotations

from hashlib import blake2b, sha256
from typing import Final

import numpy as np

from headwater.filters.duplicates.minhash import N_BANDS, N_PERMUTATIONS
from headwater.lineage.builds import LakeView
from headwater.lineage.checks.found import Found
from headwater.lineage.keyed_hashes import find_key, key_id
from headwater.lineage.past_runs import read_runs
from headwater.lineage.questions import rows
from headwater.lineage.takedown_report import report_hashes
from headwater.lineage.takedowns import taken_samples
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes
from headwater.warehouse.takedown_records import FOLDER, Record, read_records

__all__ = ["takedowns"]

_FAMILIES = (
    "html",
    "texts",
    "spans",
    "contamination",
    "uri_index",
    "host_index",
    "hash_index",
    "band_index",
    "vocabularies",
)
"""Sparse families that have no row of a sample that was taken down."""
_EMPTY: Final = blake2b(digest_size=16).digest()
"""The content_hash of no text; another check holds the texts themselves against their hashes."""


def takedowns(lake: LakeView) -> Found:
    """What was taken down holds no text, was rejected for it and is in no sparse family; each takedown has its record, its report and the key."""
    faults = _tombstones(lake)
    records = read_records(lake.lake)
    key = find_key(lake.lake)
    named = {row["takedown"] for row in rows(lake.connection, "SELECT DISTINCT takedown FROM takedowns")}
    # One of refused records alone has no rows there.
    made = {
        str(run.operators["takedown"]["id"]) for run in read_runs(lake.snapshot, "takedown") if run.ended is not None
    }
    known = named | made
    if known and key is None:
        faults.append("the key of what was taken down is gone, so that the same texts would come in again")
    for name in sorted(known - {record.takedown for record in records}):
        faults.append(f"takedown {name} was made and has no record in {FOLDER}/{name}.json")
    faults += _keyed_faults(lake)
    for record in records:
        # An older version of the table is from before some of them.
        if record.version is not None and record.version <= lake.snapshot.version and record.reached("removed"):
            faults += _record_faults(lake, record)
        if key is not None and key_id(key) != record.key_id:
            faults.append(f"takedown {record.takedown}: the key is another one than it was made with")
    return len(records), faults


def _tombstones(lake: LakeView) -> list[str]:
    empty = "SELECT c.sample_id FROM content c ANTI JOIN takedowns t USING (sample_id) WHERE c.text_bytes = 0 ORDER BY 1 LIMIT 100"
    faults = [f"sample {row['sample_id']} has no text and was not taken down" for row in rows(lake.connection, empty)]
    statement = (
        "SELECT c.sample_id FROM content c SEMI JOIN takedowns USING (sample_id) LEFT JOIN verdicts v USING (sample_id) "
        "WHERE c.text_bytes > 0 OR c.content_hash <> ? OR c.uri IS NOT NULL OR c.meta IS NOT NULL OR c.collected_at IS NOT NULL OR v.kept "
        "ORDER BY 1 LIMIT 100"
    )
    faults += [
        f"sample {row['sample_id']} was taken down and is not gone"
        for row in rows(lake.connection, statement, [_EMPTY])
    ]
    for family in _FAMILIES:
        found = rows(
            lake.connection, f"SELECT DISTINCT sample_id FROM {family} SEMI JOIN takedowns USING (sample_id) LIMIT 100"
        )
        faults += [f"sample {row['sample_id']} was taken down and has rows in {family}" for row in found]
    return faults


def _keyed_faults(lake: LakeView) -> list[str]:
    """Return the samples whose keyed hashes are none: the same text would come in again."""
    statement = (
        "SELECT sample_id FROM takedowns WHERE octet_length(text_mac) IS DISTINCT FROM 16 OR octet_length(signature_macs) NOT IN (0, $signature) "
        "OR (octet_length(signature_macs) = $signature AND len(band_macs) NOT IN (0, $bands)) OR octet_length(normalized_mac) <> 16 "
        "ORDER BY 1 LIMIT 100"
    )
    found = rows(lake.connection, statement, {"signature": 4 * N_PERMUTATIONS, "bands": N_BANDS})
    return [
        f"sample {row['sample_id']} was taken down and has no keyed hashes by which its text is known again"
        for row in found
    ]


def _record_faults(lake: LakeView, record: Record) -> list[str]:
    faults = []
    missing = np.setdiff1d(np.array(record.samples, np.int64), taken_samples(lake.snapshot))
    faults += [
        f"takedown {record.takedown} names sample {sample}, which was not taken down"
        for sample in missing[:100].tolist()
    ]
    if record.reached("ended"):
        filesystem, folder = filesystem_of(join(lake.lake, FOLDER))
        # Records of format 1 have no hashes: their reports are what they say today.
        for ending, expected in (record.report or report_hashes(record)).items():
            name = f"{record.takedown}.{ending}"
            place = join(folder, name)
            if exists(filesystem, place) is None:
                faults.append(f"{FOLDER}/{name}: missing")
            elif sha256(read_bytes(filesystem, place)).hexdigest() != expected:
                faults.append(f"{FOLDER}/{name}: is not the report that was written, by the takedown's record")
    return faults
