"""One version of the table: which files are live, which fragment each covers, what is missing.

The live files are held as one Arrow table, never as Python objects; that table is the only thing in the driver that grows with the
lake.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from headwater.errors import CorruptLakeError, LakeFormatError, StoreTransientError, UsageError
from headwater.plain import JsonObject
from headwater.warehouse.delta_tables import is_of_library, open_delta
from headwater.warehouse.filesystem import exists, file_sha256, filesystem_of, is_local, join, lake_place
from headwater.warehouse.fragments import NAME_PATTERN, FileName, expand_masks, operator_digits
from headwater.warehouse.locating import locate
from headwater.warehouse.log import (
    CHECKPOINT_RECORD,
    LAST_CHECKPOINT,
    LOG,
    checkpoint_names,
    entry_fault,
    entry_name,
    entry_numbers,
    find_fault,
    log_folder,
    misplaced_names,
    plain_message,
    read_record,
)
from headwater.warehouse.log_view import without_checkpoints
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.real_files import refuse_links
from headwater.warehouse.schema import FORMAT, READABLE

__all__ = ["DESCRIPTION", "OWN_MARK", "Snapshot", "describe", "open_snapshot", "table_uri"]

_DESCRIBED = re.compile(r"headwater lake format ([0-9]{1,9})(?:, upgrade to ([0-9]{1,9}) begun)?")
OWN_MARK = "headwater.family"
"""Key of a column's metadata in the table's schema: the family that a recipe has added it to."""
_Ints = npt.NDArray[np.int64]


def describe(version: int, *, begun: int | None = None) -> str:
    """Return the description of the table of a lake of some format, or of one whose upgrade to the format ``begun`` has not ended.

    >>> describe(1, begun=2)
    'headwater lake format 1, upgrade to 2 begun'
    """
    return f"headwater lake format {version}" + (f", upgrade to {begun} begun" if begun else "")


DESCRIPTION = describe(FORMAT)


def table_uri(lake: str) -> str:
    """Return the absolute path or URI of the Delta table inside ``lake``.

    Raises:
        UsageError: a lake cannot be at that place.
    """
    return lake_place(join(lake_place(lake), "samples"))  # the folder itself may be a link


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A version of the lake.

    Attributes:
        lake: absolute path or URI of the lake.
        uri: the Delta table in it.
        version: its version; pins everything that is read through this object.
        delta: the open table, which commits are planned from.
        log_uri: the folder through which ``delta`` was opened: ``uri``, unless a damaged checkpoint had to be done without.
        files: one row a live file: path, size, rows, min_id, max_id, family, batch, base, mask, operator, sha256.
        format: of the lake in this version.
        upgrading: whether it was opened by an upgrade, which alone may see a lake of an older format.
    """

    lake: str
    uri: str
    version: int
    delta: DeltaTable = field(repr=False)
    files: pa.Table = field(repr=False)
    log_uri: str
    format: int = FORMAT
    upgrading: bool = False

    def newest(self) -> Snapshot:
        """Return the newest version of the same lake."""
        return open_snapshot(self.lake, upgrading=self.upgrading)

    def check_writable(self) -> None:
        """Do nothing where the table was opened as it lies there, and its log is a folder of the lake's own: every writer of the log asks.

        Raises:
            UsageError: the log is reached through a symbolic link below the lake.
            CorruptLakeError: it was opened without a damaged checkpoint, for reading only.
        """
        filesystem, folder = log_folder(self.uri)
        refuse_links(filesystem, filesystem_of(self.lake)[1], folder)
        if self.log_uri != self.uri:
            raise CorruptLakeError(
                f"expected a sound checkpoint of the lake at {self.lake}, found a damaged one; it can be read, and written to after: "
                f"headwater maintain {self.lake} --repair-log"
            )

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the table in this version; a lake of an earlier release has fewer."""
        return frozenset(column.name for column in self.delta.schema().fields)

    @property
    def own_scores(self) -> tuple[str, ...]:
        """Columns of family ``scores`` that recipes of this lake have added, a team's own, sorted."""
        fields = self.delta.schema().fields
        return tuple(sorted(field.name for field in fields if field.metadata.get(OWN_MARK) == "scores"))

    def transaction(self, app: str) -> int | None:
        """Return the last number that writer ``app`` committed, or None."""
        found = self.delta.transaction_version(app)
        return None if found is None else int(found)

    def described(self) -> JsonObject:
        """Return what the table says of itself as it was opened: its description, configuration, partition columns and schema."""
        told = self.delta.metadata()
        return {
            "description": told.description,
            "configuration": told.configuration,
            "partition columns": told.partition_columns,
            "schema": json.loads(self.delta.schema().to_json()),
        }

    def live(self, family: str, operator: str | None = None, batch: str | None = None) -> pa.Table:
        """Return the live files of a family in order of their first fragment, of one operator fingerprint or batch if given."""
        mask = pc.equal(self.files["family"], family)
        if operator is not None:
            mask = pc.and_(mask, pc.equal(self.files["operator"], operator_digits(operator)))
        if batch is not None:
            mask = pc.and_(mask, pc.equal(self.files["batch"], batch))
        return self.files.filter(mask).sort_by([("base", "ascending"), ("path", "ascending")])

    def holds(self, paths: Iterable[str]) -> bool:
        """Return whether all of some files, by their paths relative to the table, are live."""
        wanted = pa.array(sorted(paths), pa.string())
        return bool(pc.all(pc.is_in(wanted, value_set=self.files["path"].combine_chunks()), min_count=0).as_py())

    def paths(self, family: str, batch: str | None = None) -> list[str]:
        """Return the paths of a family's live files, relative to the table."""
        return [str(path) for path in self.live(family, batch=batch)["path"].to_pylist()]

    def paths_by_fragment(self, family: str, operator: str | None = None) -> dict[int, str]:
        """Return fragment → path of its file, of a family that has one file a fragment."""
        files = self.live(family, operator)
        return dict(zip(files["base"].to_pylist(), files["path"].to_pylist(), strict=True))

    def covered(self, family: str, operator: str | None = None, batch: str | None = None) -> _Ints:
        """Return the fragments that a family covers, ascending int64."""
        return np.sort(_expand(self.live(family, operator, batch))[0])

    def missing(self, family: str, operator: str) -> _Ints:
        """Return the fragments of content that have no rows of ``family`` by this operator, ascending int64."""
        return np.setdiff1d(self.covered("content"), self.covered(family, operator), assume_unique=False)

    def locate(self, fragments: _Ints, families: Sequence[str], batch: str | None = None) -> Iterator[FragmentFiles]:
        """Return, one after the other, where each fragment's rows of ``families`` lie; a family that does not cover a fragment is left out of it.

        Args:
            fragments: ascending int64.
            families: names; ``content`` is always added.
            batch: for families of a build, the build's name.
        """
        named = dict.fromkeys(["content", *families])
        tables = {family: self.live(family, batch=batch if family == "stages" else None) for family in named}
        return locate(self.uri, fragments, tables)


def _expand(files: pa.Table) -> tuple[_Ints, _Ints]:
    return expand_masks(files["base"].to_numpy(), files["mask"].to_numpy())


def _parse_hex(strings: pa.Array, width: int) -> npt.NDArray[np.uint64]:
    """Return hexadecimal strings of one width as uint64."""
    characters = np.frombuffer("".join(strings.to_pylist()).encode(), dtype=np.uint8).reshape(-1, width)
    digits = np.where(characters > ord("9"), characters - ord("a") + 10, characters - ord("0")).astype(np.uint64)
    value = np.zeros(len(digits), dtype=np.uint64)
    for column in range(width):
        value = (value << np.uint64(4)) | digits[:, column]
    return value


def open_snapshot(lake: str, version: int | None = None, *, upgrading: bool = False) -> Snapshot:
    """Return the newest version of a lake, or the one given.

    Args:
        version: also one from before an upgrade of the lake, of which builds may be made.
        upgrading: open a lake of an older format too.

    Raises:
        UsageError: there is no lake at that place, or no such version.
        LakeFormatError: the lake has another format than this release's.
        CorruptLakeError: the log names files that Headwater did not write.
    """
    uri = table_uri(lake)
    delta, log_uri = _open_table(lake, uri, version)
    found, begun = _format_of(uri, delta)
    older = (found < FORMAT or begun) and not upgrading
    # A version from before an upgrade is read as it was; the newest one has to be of today.
    if older and (version is None or _format_of(uri, _open_table(lake, uri, None)[0]) != (FORMAT, False)):
        state = "whose upgrade has not ended" if begun else "made by an earlier release"
        raise LakeFormatError(
            f"expected a lake of format {FORMAT} at {lake}, found format {found}, {state}; bring it up to date with: headwater upgrade {lake}"
        )
    _check_newest_entry(uri, delta.version())
    return Snapshot(
        lake=lake_place(lake),
        uri=uri,
        version=delta.version(),
        delta=delta,
        files=_live_files(delta),
        log_uri=log_uri,
        format=found,
        upgrading=upgrading,
    )


def _open_table(lake: str, uri: str, version: int | None) -> tuple[DeltaTable, str]:
    """Return the table, and the folder through which it was opened; errors are those of ``open_snapshot``."""
    try:
        return open_delta(uri, version), uri
    except TableNotFoundError as error:
        if entry_numbers(uri):
            raise CorruptLakeError(find_fault(uri) or f"the log of the lake at {lake} cannot be read") from error
        raise UsageError(f"expected a lake at {lake}, found none; make one with: headwater init {lake}") from error
    except BaseException as error:
        if not is_of_library(error):
            raise
        numbers = entry_numbers(uri)
        if version is not None and not 0 <= version <= max(numbers, default=-1):
            newest = f"versions 0 to {numbers[-1]}" if numbers else "none"
            raise UsageError(
                f"expected version {version} of the lake at {lake}, found {newest}; name one of them"
            ) from error
        view = without_checkpoints(uri)
        if view is None:
            raise CorruptLakeError(_unreadable(lake, uri, error)) from error
        return open_delta(view, version), view


def _unreadable(lake: str, uri: str, error: BaseException) -> str:
    """Return why a log cannot be opened, and the way on.

    Raises:
        StoreTransientError: every entry and checkpoint is as it was written, so it must be the store.
    """
    fault = find_fault(uri)
    if fault is not None:
        return fault
    if not is_local(filesystem_of(uri)[0]) and _checkpoints_are_sound(uri):
        raise StoreTransientError(
            f"cannot open the table {uri}, whose log is whole by length and hash, so that nothing is damaged; run the same command again; "
            f"delta-rs said: {plain_message(error)}"
        ) from error
    pointed = misplaced_names(uri)
    filesystem, folder = log_folder(uri)
    if LAST_CHECKPOINT not in pointed and exists(filesystem, join(folder, LAST_CHECKPOINT)) is not None:
        pointed.append(LAST_CHECKPOINT)
    there = [*checkpoint_names(uri)[-1:], *pointed]
    if not there:
        return (
            f"expected a log that can be read at {join(uri, LOG)}, found {_first_refused(uri)} of another kind than Delta's; "
            "restore it from a copy of the lake"
        )
    damaged = " or ".join(there)
    return (
        f"expected a log that can be read at {join(uri, LOG)}, found {damaged} damaged; "
        f"write it anew from the log's entries: headwater maintain {lake} --repair-log"
    )


def _checkpoints_are_sound(uri: str) -> bool:
    """Return whether the log has checkpoints, and each file of them has the hash that was recorded."""
    filesystem, folder = log_folder(uri)
    record = read_record(uri, CHECKPOINT_RECORD)
    names = set(checkpoint_names(uri))
    if record is None or not names or not names <= record["files"].keys():
        return False
    return all(file_sha256(filesystem, join(folder, name)) == record["files"][name] for name in names)


def _first_refused(uri: str) -> str:
    """Return the name of the first entry with which a log without checkpoints does not open."""

    def refused(version: int) -> bool:
        try:
            open_delta(uri, version)
        except BaseException as error:
            if not is_of_library(error):
                raise
            return True
        return False

    numbers = entry_numbers(uri) or [0]
    return entry_name(numbers[min(bisect.bisect_left(numbers, True, key=refused), len(numbers) - 1)])


def _format_of(uri: str, delta: DeltaTable) -> tuple[int, bool]:
    """Return the format of a lake, and whether an upgrade of it has begun and not ended.

    Raises:
        LakeFormatError: a later release made it.
        CorruptLakeError: it is no lake.
    """
    described = delta.metadata().description or ""
    parts = _DESCRIBED.fullmatch(described)
    if parts is None:
        raise CorruptLakeError(f"expected a table described as {DESCRIPTION!r} at {uri}, found {described!r}")
    version, target = int(parts[1]), int(parts[2] or 0)
    if version not in READABLE or target not in (0, *READABLE):
        raise LakeFormatError(
            f"expected a lake of format {FORMAT} at {uri}, found format {max(version, target)}, made by a later release of Headwater; "
            "install that release"
        )
    return version, bool(target)


def _check_newest_entry(uri: str, version: int) -> None:
    """Refuse a log whose newest entry is empty: a crash of the machine leaves one, and delta-rs reads it as a commit of nothing."""
    filesystem, folder = log_folder(uri)
    if exists(filesystem, join(folder, entry_name(version))) == 0:
        raise CorruptLakeError(entry_fault(uri, version, newest=True) or "")


def _live_files(delta: DeltaTable) -> pa.Table:
    # pa.table() would import pandas first, a second of every command.
    actions = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()
    path = pc.cast(actions["path"].combine_chunks(), pa.string())
    if isinstance(path, pa.ChunkedArray):
        path = path.combine_chunks()
    parts = pc.extract_regex(path, f"^{NAME_PATTERN}$")
    if parts.null_count:
        strange = path.filter(pc.is_null(parts))[0].as_py()
        raise CorruptLakeError(
            f"expected files named by Headwater in the table's log, found {strange!r}; another program wrote to it"
        )
    columns = dict(zip(FileName._fields, parts.flatten(), strict=True))
    empty = pa.nulls(len(path), pa.int64())

    def statistic(name: str) -> pa.Array:
        return actions[name].combine_chunks().cast(pa.int64()) if name in actions.column_names else empty

    return pa.table(
        {
            "path": path,
            "size": statistic("size_bytes"),
            "rows": statistic("num_records"),
            "min_id": statistic("min.sample_id"),
            "max_id": statistic("max.sample_id"),
            "family": pc.dictionary_encode(columns["family"]).cast(pa.string()),
            "batch": columns["batch"],
            "base": pa.array(_parse_hex(columns["base"], 10).astype(np.int64)),
            "mask": pa.array(_parse_hex(columns["mask"], 16)),
            "operator": columns["operator"],
            "sha256": columns["sha256"],
        }
    )
