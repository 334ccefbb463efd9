"""What a takedown is asked for, as the command was told: samples, a text, refused records; and what each of these is in a lake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.fingerprint import canonical_json
from headwater.lineage.keyed_hashes import hash_bytes
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.selectors import selected
from headwater.lineage.takedowns import taken_samples
from headwater.lineage.views import connect
from headwater.pipelines.takedown.found import Found, find_samples
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from headwater.lineage.names import Names
    from headwater.lineage.training_order import TrainingOrder

__all__ = ["Asked", "Chosen", "choose", "request_of"]

_NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be taken down.

    Attributes:
        named: samples, as questions take them; None for none.
        text: all samples with this very text; None for none.
        records: (input file as in family files or the beginning of its SHA-256, number of the record), refused ones too.
        near: least similarity of near-duplicates that go too, None for none.
        builds: builds to revise, None for all that hold a sample.
        after_days: days until files of earlier versions are deleted; 0: at once.
        order: how training took the sequences of builds, for the training steps in the report; None: they are not told.
    """

    who: str
    why: str
    named: Names | None = None
    text: str | None = None
    records: Sequence[tuple[str, int]] = ()
    near: float | None = None
    builds: tuple[str, ...] | None = None
    after_days: float = 30.0
    order: TrainingOrder | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What that is in one version of a lake.

    Attributes:
        refused: (file_id, record number) of refused records.
    """

    found: Found
    refused: list[tuple[int, int]]


def request_of(key: bytes, asked: Asked) -> str:
    """Return a keyed hash of what was asked, hexadecimal: the same for the same command, and nothing can be read from it."""
    named = {name: value for name, value in (asked.named or {}).items() if value is not None}
    if not isinstance(named.get("samples"), str | None):
        named["samples"] = list(named["samples"])  # type: ignore[call-overload]  # a sequence of ids, as Names has it
    told = canonical_json(
        {"named": named, "text": asked.text, "records": [list(each) for each in asked.records], "near": asked.near}
    )
    return (hash_bytes(key, told.encode()) or b"").hex()


def choose(snapshot: Snapshot, asked: Asked) -> Chosen:
    """Return the samples and the refused records that are asked for, copies and near-duplicates with them.

    Raises:
        UsageError: nothing is named, or nothing is found, or all of it was taken down before.
    """
    if asked.named is None and asked.text is None and not asked.records:
        raise UsageError("expected samples, a text or a record to take down, found none of them")
    if asked.near is not None and not 0 < asked.near <= 1:
        raise UsageError(f"--near: expected a similarity above 0, to 1, found {asked.near:g}")
    ids = [_NOTHING]
    if asked.named is not None:
        there = partial(connect, snapshot.lake, snapshot.version)
        ids += list(selected(there, open_lookup(snapshot.lake, snapshot.version), asked.named))
    refused: list[tuple[int, int]] = []
    with connect(snapshot.lake, snapshot.version) as connection:
        for file, number in asked.records:
            file_id, sample = _record(connection, file, number)
            if sample is None:
                refused.append((file_id, number))
            else:
                ids.append(np.array([sample], np.int64))
        hashes = [] if asked.text is None else [blake2b(asked.text.encode(), digest_size=16).digest()]
        named: npt.NDArray[np.int64] = np.unique(np.concatenate(ids))
        named = np.setdiff1d(named, taken_samples(snapshot))
        found = find_samples(snapshot, connection, named, hashes, asked.near)
    if not len(found.all) and not refused:
        raise UsageError(
            "expected something to take down, found nothing in this lake that was not taken down before; "
            f"headwater takedown {snapshot.lake} --list shows what was"
        )
    return Chosen(found=found, refused=sorted(set(refused)))


def _record(connection: duckdb.DuckDBPyConnection, file: str, number: int) -> tuple[int, int | None]:
    """Return the file_id of a record, and its sample, or None where it was refused.

    Raises:
        UsageError: the lake has no such file, or not one, or no such record of it.
    """
    files = rows(connection, "SELECT file_id FROM files WHERE file_uri = ? OR starts_with(sha256, ?)", [file, file])
    if len(files) != 1:
        raise UsageError(
            f"--record: expected the path of one input file as in family files, or the beginning of its SHA-256, found {len(files)} of that name"
        )
    file_id = int(files[0]["file_id"])
    of = [file_id, number]
    found = rows(connection, "SELECT sample_id FROM content WHERE file_id = ? AND record_no = ?", of)
    if found:
        return file_id, int(found[0]["sample_id"])
    if not rows(connection, "SELECT 1 FROM quarantine WHERE file_id = ? AND record_no = ?", of):
        raise UsageError(
            f"--record: expected record {number} of that file among samples or refused records, found it in neither"
        )
    return file_id, None
