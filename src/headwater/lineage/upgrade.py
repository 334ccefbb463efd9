"""Upgrade: brings a lake of an older format up to the current one, so that this release can read it and write to it.

From format 1 to 2 only family ``stages`` is written anew, a few dozen bytes a kept sample: its sentences become codes, and the cell gets
columns of its own. The text and what was measured of it stay as they lie. Old versions of the table stay too, and builds made from
them can still be explained and repaired.

Resumable: the first commit closes the lake to every release, the last one opens it, and each commit between them is whole in itself. So an
upgrade that was killed goes on when it is run again.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from headwater.errors import ConflictError, CorruptLakeError
from headwater.lineage.reasons import (
    BEYOND_CUT,
    BEYOND_SHARE,
    FOR_FULL_SEQUENCES,
    NO_TOKENS,
    WHERE_NOT_MET,
    WITHIN_CUT,
    WITHIN_SHARE,
)
from headwater.lineage.runs import Unit, begin_run, commit_wave
from headwater.plain import Row, ValuesByName
from headwater.warehouse.faults import reach
from headwater.warehouse.parquet import check_file, file_format, read_as_written, write_family
from headwater.warehouse.schema import FAMILIES, FORMAT, arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.table_format import add_missing_columns, begin_upgrade, end_upgrade

__all__ = ["UpgradeReport", "codes_of", "upgrade"]

_TRIES: Final = 100
_WAVE_BYTES: Final = 256 << 20
_NAME: Final = "[a-z][a-z0-9_-]*"
_SCALED: Final = r"(?P<scaled>, scale [0-9.]+ of [A-Za-z0-9._-]+)?"
_CELL: Final = rf"(?P<pool>{_NAME})/(?P<language>[^/]*)/(?P<domain>.*?)"
_IN: Final = re.compile(rf"in {_NAME}: within the cut of {_CELL}(?P<long> for full sequences)?{_SCALED}")
_OUT: Final = re.compile(rf"out: (?P<stages>.*?){_SCALED}")
_NEXT: Final = re.compile(rf"; (?={_NAME}: (?:after the cut of |does not meet where))")
_REFUSED: Final = re.compile(rf"(?P<stage>{_NAME}): (?:does not meet where|after the cut of {_CELL})")


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradeReport:
    """What was done.

    Attributes:
        found: the format that the lake had; today's where there was nothing to do.
        format: the one that it has now.
        version: of the table.
        columns: added to the table's schema.
        files: written anew.
        rows: in them.
    """

    found: int
    format: int
    version: int
    columns: Sequence[str] = ()
    files: int = 0
    rows: int = 0


def upgrade(lake: str) -> UpgradeReport:
    """Bring a lake to today's format; one that has it already is left as it is.

    Raises:
        UsageError: there is no lake.
        LakeFormatError: a later release made it.
        CorruptLakeError: a file cannot be read as it was committed, or holds what no release wrote.
        ConflictError: other writers were faster throughout; try again when they rest.
        StorageError: the file system refused a write.
    """
    for _ in range(_TRIES):
        snapshot = open_snapshot(lake, upgrading=True)
        if snapshot.format == FORMAT:
            return UpgradeReport(found=FORMAT, format=FORMAT, version=snapshot.version)
        with contextlib.suppress(ConflictError):
            return _upgrade(lake, snapshot)
    raise ConflictError(f"{_TRIES} commits of upgrade lost against other writers; run the same command again")


def _upgrade(lake: str, snapshot: Snapshot) -> UpgradeReport:
    found = snapshot.format
    run = begin_run(lake, "upgrade", {}, {"lake": {"from": found, "to": FORMAT}}, snapshot.version)
    snapshot = begin_upgrade(snapshot)
    reach("upgrade/begun")
    snapshot, columns = add_missing_columns(snapshot)
    reach("upgrade/columns-added")
    waves = list(_waves(snapshot))
    files = rows = 0
    for number, wave in enumerate(waves or [[]], 1):
        units = [_rewritten(snapshot.uri, row) for row in wave]
        snapshot, dropped = commit_wave(run, snapshot, units, final=number >= len(waves))
        if dropped:
            raise ConflictError(f"{len(dropped)} files of {lake} were replaced by another writer meanwhile")
        files += len(units)
        rows += sum(unit.counts["rows"] for unit in units)
    reach("upgrade/rewritten")
    snapshot = end_upgrade(snapshot)
    return UpgradeReport(found=found, format=FORMAT, version=snapshot.version, columns=columns, files=files, rows=rows)


def _waves(snapshot: Snapshot) -> Iterator[list[Row]]:
    """Yield the live files that hold a column in an older meaning, some 256 MB at a time."""
    wave: list[Row] = []
    for family in FAMILIES.values():
        for row in snapshot.live(family.name).to_pylist() if family.since else ():
            if file_format(snapshot.uri, row["path"]) >= max(family.since.values()):
                continue
            if wave and sum(each["size"] for each in wave) + row["size"] > _WAVE_BYTES:
                yield wave
                wave = []
            wave.append(row)
    if wave:
        yield wave


def _rewritten(table_uri: str, row: ValuesByName) -> Unit:
    """Write a file of family ``stages`` anew under the same fragments and operator."""
    path = row["path"]
    fault = check_file(table_uri, path, row["sha256"])
    if fault is not None:
        raise CorruptLakeError(f"{fault}; restore it from a copy, then run upgrade again")
    groups = (_with_codes(table, path) for table in read_as_written(table_uri, path))
    entry = write_family(table_uri, "stages", row["batch"], row["base"], row["mask"], row["operator"], groups)
    return Unit(adds=[entry], removes=[path], counts={"files": 1, "rows": entry.rows, "stages_bytes": entry.size})


def _with_codes(table: pa.Table, path: str) -> pa.Table:
    """Return rows of format 1 as rows of format 2; a fragment has some hundred different sentences."""
    schema = arrow_schema("stages")
    encoded = table["reason"].combine_chunks().dictionary_encode()
    try:
        told = [codes_of(sentence) for sentence in encoded.dictionary.to_pylist()]
    except ValueError as error:
        raise CorruptLakeError(f"{path}: {error}; a release that is not known wrote it, or another program") from error
    names = ("pool", "cell_language", "cell_domain", "reason", "refusals")
    new = {
        name: pa.array([each[name] for each in told], schema.field(name).type).take(encoded.indices) for name in names
    }
    return pa.table({name: new.get(name, table[name] if name in table.column_names else None) for name in schema.names})


def codes_of(sentence: str) -> Row:
    """Return what format 2 says in columns where format 1 had a sentence.

    >>> codes_of("in mid-training: within the cut of reasoning/en/*")["cell_language"]
    'en'

    Raises:
        ValueError: no release wrote this sentence; it is not repeated.
    """
    if sentence == "out: no tokens":
        return _told(None, NO_TOKENS, None)
    if parts := _IN.fullmatch(sentence):
        long = FOR_FULL_SEQUENCES if parts["long"] else WITHIN_CUT
        return _told(parts, WITHIN_SHARE if parts["scaled"] else long, None)
    parts = _OUT.fullmatch(sentence)
    refused = [_REFUSED.fullmatch(part) for part in _NEXT.split(parts["stages"])] if parts else [None]
    beyond = BEYOND_SHARE if parts and parts["scaled"] else BEYOND_CUT
    refusals = []
    first: re.Match[str] | None = None
    for each in refused:
        if each is None:
            raise ValueError("expected a reason as format 1 writes it, found another")
        first = first or (each if each["pool"] else None)
        reason = beyond if each["pool"] else WHERE_NOT_MET
        refusals.append({"stage": each["stage"], "reason": reason, "domain": each["domain"]})
    return _told(first, beyond if first else WHERE_NOT_MET, refusals)


def _told(cell: re.Match[str] | None, reason: str, refusals: Sequence[Mapping[str, object]] | None) -> Row:
    pool, language, domain = cell.group("pool", "language", "domain") if cell else (None, None, None)
    return {
        "pool": pool,
        "cell_language": language,
        "cell_domain": domain,
        "reason": reason,
        "refusals": refusals,
    }
