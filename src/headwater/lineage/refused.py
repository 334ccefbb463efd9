"""What is known of a document that is no sample: refused at ingest, taken down, given in another form, or never seen.

Family ``quarantine`` has file and record of what was refused, never its URL or text: so a record is answered exactly, and of a URL is said what was
refused altogether. A text is looked for by its hash, then among near-duplicates.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.urls.hosts import without_credentials
from headwater.hashes import content_hashes
from headwater.lineage.input_files import files_named
from headwater.lineage.similar import similar_to, sketch_of_text
from headwater.plain import JsonObject, Row
from headwater.warehouse.parquet import read_aligned, read_file
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["refused_records", "sample_of_record", "samples_of_text", "say_refused"]

_NEAREST: Final = 3


def sample_of_record(lookup: Lookup, file: str, record: int) -> int:
    """Return the sample of one record of an input file.

    Args:
        file: its URI, or the beginning of its SHA-256.
        record: its 0-based number.

    Raises:
        UsageError: no such file, more than one, or the record is no sample: the message says why it was refused, where it was.
    """
    files = files_named(lookup.snapshot, file)
    if len(files) != 1:
        raise UsageError(
            f"expected one input file with --file {file}, found {len(files)}; headwater sql LAKE 'FROM files' lists them"
        )
    row = files[0]
    refused = [each for each in refused_records(lookup.snapshot) if each["file_id"] == row["file_id"]]
    for each in refused:
        if each["record_no"] == record:
            raise UsageError(
                f"expected a sample, found record {record} of {row['file_uri']} refused at ingest: {each['quarantine_reason']}; "
                f"by run {each['run_id']}"
            )
    found = _sample_at(lookup.snapshot, row["file_id"], record)
    if found is not None:
        return found
    whole = [each["quarantine_reason"] for each in refused if each["record_no"] == -1]
    cut = f"; the file could not be read to its end: {whole[0]}" if whole else ""
    passed = sum(count for _, count in row["passed_over"] or ())
    others = f"; {passed:,} records of it hold no page that was asked for" if passed else ""
    raise UsageError(
        f"expected record {record} of {row['file_uri']}, found {row['records']:,} samples and {row['quarantined']:,} refused records "
        f"with other numbers{cut}{others}"
    )


def _sample_at(snapshot: Snapshot, file_id: int, record: int) -> int | None:
    for where in snapshot.locate(snapshot.covered("content"), ["content"]):
        for rows in read_aligned(snapshot.uri, where, {"content": ["file_id", "record_no"]}):
            mine = pc.and_(pc.equal(rows["file_id"], file_id), pc.equal(rows["record_no"], record))
            at = np.flatnonzero(mine.to_numpy())
            if len(at):
                return int(rows["sample_id"][int(at[0])].as_py())
    return None


def refused_records(snapshot: Snapshot) -> list[Row]:
    """Return the rows of family quarantine."""
    columns = ["file_id", "record_no", "quarantine_reason", "run_id"]
    return [
        row
        for path in snapshot.paths("quarantine")
        for table in read_file(snapshot.uri, path, columns)
        for row in table.to_pylist()
    ]


def say_refused(snapshot: Snapshot) -> str:
    """Return what was refused altogether, for a message about a document that is no sample; empty where nothing was.

    A refused record leaves its file, number and reason, not its URL.
    """
    counted = Counter(str(row["quarantine_reason"]) for row in refused_records(snapshot))
    if not counted:
        return ""
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in counted.most_common(5))
    return f"; refused at ingest: {reasons}; of a refused record the lake keeps file and number, not its URL: name it with --file FILE --record N"


def samples_of_text(lookup: Lookup, text: str) -> list[int]:
    """Return the samples with exactly a text; a line end after it, which editors add, does not matter.

    Raises:
        UsageError: there is none; the message names the samples that are most similar.
    """
    forms = list(dict.fromkeys([text, text.removesuffix("\n"), text.removesuffix("\r\n")]))
    for content_hash in content_hashes(pa.array(forms, pa.large_string())).to_pylist():
        found = lookup.samples_of_hash(content_hash)
        if found:
            return found
    near: list[JsonObject] = similar_to(lookup, sketch_of_text(lookup, text), limit=_NEAREST)["similar"]
    if not near:
        raise UsageError("expected a sample with this text, found none, and none that nearly has it")
    told = ", ".join(f"{row['sample_id']} ({row['similarity']:.3f}, {_uri(row)})" for row in near)
    raise UsageError(
        f"expected a sample with exactly this text, found none; the nearest: {told}; headwater why LAKE --sample {near[0]['sample_id']}"
    )


def _uri(row: JsonObject) -> str:
    return without_credentials(str(row["uri"])) if row["uri"] else f"source {row['source']}"
