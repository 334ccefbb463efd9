"""What a build records of the two files that describe each of its stages, so that a change of either is found.

The manifest's SHA-256 and the record of origins itself stand in the operators of the build's row in family ``runs``, in the commit that ends it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from headwater.lineage.builds import builds_uri
from headwater.lineage.past_runs import runs_of
from headwater.lineage.revisions import newest_revision, revision_record, revisions_from
from headwater.plain import JsonObject, ValuesByName
from headwater.tokenize.shards.manifest import FORMAT, MANIFEST, Revision
from headwater.tokenize.shards.roots import build_root
from headwater.warehouse.filesystem import write_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = [
    "PROVENANCE",
    "build_record",
    "provenance_bytes",
    "recorded_files",
    "recorded_manifest",
    "recorded_provenance",
    "recorded_root",
    "settle_provenance",
]

PROVENANCE: Final = "provenance.json"


def provenance_bytes(record: ValuesByName) -> bytes:
    """Return the record of origins as it is stored."""
    return json.dumps(record, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def build_record(manifests: Mapping[str, bytes], provenance: Mapping[str, JsonObject]) -> JsonObject:
    """Return what the row of a build says of its stages.

    Args:
        manifests: stage → its manifest as stored.
        provenance: stage → its record of origins.
    """
    return {
        "manifests": {stage: hashlib.sha256(data).hexdigest() for stage, data in manifests.items()},
        "formats": dict.fromkeys(manifests, FORMAT),
        "provenance": dict(provenance),
    }


def _recorded(snapshot: Snapshot, build: str) -> ValuesByName:
    """Return what the row that ended a build, or its newest revision, says of its stages; empty where none ended or an earlier release built it."""
    revised = newest_revision(snapshot, build)
    if revised is not None:
        return revision_record(revised)
    ended = [run for run in runs_of(snapshot, "build", build) if run.ended is not None]
    record = ended[-1].record("build", build) if ended else None
    return {} if record is None else record


def _provenance_of(record: ValuesByName, stage: str) -> bytes | None:
    found = record.get("provenance", {})
    return provenance_bytes(found[stage]) if stage in found else None


def recorded_provenance(snapshot: Snapshot, build: str, stage: str) -> bytes | None:
    """Return the record of origins of a stage as its build wrote it, or None where an earlier release built it."""
    return _provenance_of(_recorded(snapshot, build), stage)


def recorded_files(snapshot: Snapshot, build: str, stage: str) -> dict[str, str] | None:
    """Return the SHA-256 of the files that describe a stage, as its build recorded them, or None where an earlier release built it."""
    record = _recorded(snapshot, build)
    provenance = _provenance_of(record, stage)
    if provenance is None or stage not in record.get("manifests", {}):
        return None
    return {MANIFEST: str(record["manifests"][stage]), PROVENANCE: hashlib.sha256(provenance).hexdigest()}


def recorded_manifest(snapshot: Snapshot, build: str, stage: str) -> tuple[int | None, tuple[Revision, ...]]:
    """Return the format of a stage's manifest, None where only the manifest itself can say it, and the stage's revisions, oldest first."""
    record = _recorded(snapshot, build)
    told = record.get("revisions", {}).get(stage, [])
    return record.get("formats", {}).get(stage), revisions_from(told)


def recorded_root(snapshot: Snapshot, build: str) -> bytes | None:
    """Return what `root.json` of a build must be, or None where an earlier release built it, without one."""
    record = _recorded(snapshot, build)
    return build_root(record["manifests"]) if "formats" in record else None


def settle_provenance(lake: str, build: str, written: Mapping[str, JsonObject]) -> None:
    """Leave the records of origins that count where two drivers made one build at once: each wrote its own over the other's.

    Args:
        written: stage → the record that this driver wrote, before it committed the row that ends its run.
    """
    there = {stage: provenance_bytes(record) for stage, record in written.items()}
    while True:
        record = _recorded(open_snapshot(lake), build)
        others = {stage: _provenance_of(record, stage) or own for stage, own in there.items()}
        if others == there:
            return
        for stage, told in others.items():
            if told != there[stage]:
                write_file(builds_uri(lake, build, stage), PROVENANCE, told, root=lake)
        there = others
