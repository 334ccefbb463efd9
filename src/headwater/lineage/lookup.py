"""Lookups: the rows of some samples, read from the exact files of one version that hold them, without DuckDB.

A question about one sample names a fragment and a row, and the log says which file has them, so nothing is planned or scanned: what it costs does
not grow with the lake. Values are those that the views show: bytes in hexadecimal where they are plain, URLs without credentials.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import CorruptLakeError
from headwater.lineage.damaged_files import arrow_damage_told
from headwater.lineage.past_runs import PastRun, read_runs
from headwater.lineage.placed_rows import placed_rows
from headwater.lineage.sample_sets import SampleSet
from headwater.lineage.view_values import in_order, plain_rows, urls_shown
from headwater.plain import Row
from headwater.warehouse.filesystem import lake_place
from headwater.warehouse.fragments import ROW_BITS, fragment_of
from headwater.warehouse.live_files import LiveFiles
from headwater.warehouse.log import entry_stamp
from headwater.warehouse.row_reader import RowReader
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["Lookup", "open_lookup"]

_URLS: Final = ("uri", "file_uri")
_ROWS: Final = (1 << ROW_BITS) - 1
_KEPT: Final = 8


class Lookup:
    """What one version of a lake holds of some samples.

    Attributes:
        lake: absolute path or URI.
        snapshot: the version.
        live: its live files by family.
        reader: of their rows.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.lake = snapshot.lake
        self.snapshot = snapshot
        self.live = LiveFiles(snapshot)
        self.reader = RowReader(snapshot.uri)
        self._ids: OrderedDict[tuple[str, int], npt.NDArray[np.int64]] = OrderedDict()
        self._ids_lock = threading.Lock()

    def columns(self, family: str) -> list[str]:
        """Return the columns of a family as its view has them: ``sample_id`` first, then ``run_id`` and ``batch`` last."""
        return [*self._schema(family).names, "batch"]

    def _schema(self, family: str) -> pa.Schema:
        return arrow_schema(family, self._own_scores if family == "scores" else ())

    @functools.cached_property
    def _own_scores(self) -> tuple[str, ...]:
        return self.snapshot.own_scores

    @arrow_damage_told()
    def row(self, family: str, sample: int, columns: Sequence[str] | None = None, *, raw: bool = False) -> Row | None:
        """Return columns of an aligned family of one sample, or None where the family does not cover it.

        Args:
            columns: names; by default all, as ``columns`` lists them.
            raw: bytes stay bytes, times stay times.

        Raises:
            CorruptLakeError: a file is damaged or gone, or holds another sample at that row.
        """
        names = self.columns(family) if columns is None else list(columns)
        found = self._row(family, sample, names)
        return None if found is None else plain_rows(found, raw=raw)[0]

    def _row(self, family: str, sample: int, names: Sequence[str]) -> pa.Table | None:
        fragment = fragment_of(sample)
        files = self.live.of(family)
        for file in files.covering(fragment) if sample >= 0 else ():
            path = files.path(file)
            place = self._place(family, file, sample)
            stored = [name for name in dict.fromkeys(["sample_id", *names]) if name != "batch"]
            found = None if place is None else self.reader.row(path, *place, stored)
            if found is None:
                continue
            if found["sample_id"][0].as_py() != sample:
                raise _strange(fragment, path)
            return self._shown(found, names, files.batch(file))
        return None

    def _place(self, family: str, file: int, sample: int) -> tuple[int, int] | None:
        """Return row group and row in it of a sample in a file of an aligned family; None where it has no such row."""
        files = self.live.of(family)
        path, row = files.path(file), sample & _ROWS
        if files.fragments(file) == 1:
            return self.reader.group_of(path, row)
        return self._group(family, file, fragment_of(sample)), row

    def _group(self, family: str, file: int, fragment: int) -> int:
        """Return the row group of a fragment in a file that has one for each."""
        files = self.live.of(family)
        path, group = files.path(file), files.rank(file, fragment)
        if group >= self.reader.groups(path):
            raise CorruptLakeError(
                f"expected a row group for each fragment in {path}, found too few; run verify, then restore the file"
            )
        return group

    def _shown(self, found: pa.Table, names: Sequence[str], batch: str) -> pa.Table:
        """Return the columns as the views show them, in the order asked for."""
        shown = []
        for name in names:
            if name == "batch":
                shown.append(pa.chunked_array([pa.repeat(pa.scalar(batch, pa.string()), found.num_rows)]))
            elif name in _URLS:
                shown.append(urls_shown(found[name]))
            else:
                shown.append(found[name])
        return pa.table(shown, names=list(names))

    @arrow_damage_told()
    def table(self, family: str, samples: npt.NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of an aligned family of many samples, a row each in their order; null where the family does not cover one.

        A file is read once a fragment, some 64 MB in memory at a time.

        Args:
            samples: int64 [n], in any order; one may be there twice.
        """
        names = list(columns)
        schema = pa.schema([self._schema(family).field(name) if name != "batch" else _BATCH for name in names])
        files = self.live.of(family)
        order = np.argsort(samples, kind="stable")
        ordered = samples[order]
        parts: list[pa.Table] = []
        places: list[npt.NDArray[np.int64]] = []
        for begin, end in _runs_of(ordered >> ROW_BITS):
            fragment = int(ordered[begin]) >> ROW_BITS
            for file in files.covering(fragment) if fragment >= 0 else ():
                at, table = self._of_fragment(family, file, ordered[begin:end], names)
                parts.append(self._shown(table, names, files.batch(file)).cast(schema))
                places.append(order[begin:end][at])
        found = pa.concat_tables([*parts, schema.empty_table()])
        rows = np.full(len(samples), -1, np.int64)
        if places:
            rows[np.concatenate(places)] = np.arange(found.num_rows)
        return found.take(pa.array(rows, mask=rows < 0))

    def _of_fragment(
        self, family: str, file: int, samples: npt.NDArray[np.int64], names: Sequence[str]
    ) -> tuple[npt.NDArray[np.int64], pa.Table]:
        """Return which of some ascending samples of one fragment a file has, and their rows."""
        files = self.live.of(family)
        path, fragment = files.path(file), fragment_of(int(samples[0]))
        begin, end = 0, self.reader.all_rows(path)
        if files.fragments(file) > 1:
            begin, end = self.reader.span(path, self._group(family, file, fragment))
        rows = begin + (samples & _ROWS)
        at = np.flatnonzero(rows < end)
        stored = [name for name in dict.fromkeys(["sample_id", *names]) if name != "batch"]
        found = self.reader.take_all(path, rows[at], stored)
        if not np.array_equal(found["sample_id"].to_numpy(), samples[at]):
            raise _strange(fragment, path)
        return at, found

    @arrow_damage_told()
    def rows(
        self,
        family: str,
        samples: Sequence[int],
        columns: Sequence[str] | None = None,
        *,
        build: str | None = None,
        raw: bool = False,
    ) -> list[Row]:
        """Return the rows of a sparse family, or one by build, of any number of samples, in order of their values, column by column.

        Args:
            columns: names; by default all.
            build: only rows of this build, or of this vocabulary.
            raw: as of ``row``.

        Raises:
            CorruptLakeError: a file is damaged or gone.
        """
        names = self.columns(family) if columns is None else list(columns)
        wanted = np.unique(np.array(list(samples), np.int64))
        parts = list(self.sparse(family, wanted, names, build=build))
        return in_order([row for part in parts for row in plain_rows(part, raw=raw)], names)

    def sparse(
        self,
        family: str,
        samples: npt.NDArray[np.int64],
        columns: Sequence[str],
        *,
        build: str | None = None,
        content: pa.Table | None = None,
    ) -> Iterator[pa.Table]:
        """Yield the same as tables, a file's row group at a time.

        Args:
            samples: int64 [n], ascending, each once.
            content: of the same samples ``content_hash`` and ``origin``, where they have been read; placements are found by them.
        """
        if len(samples) == 0:
            return
        if family == "placements":
            yield from placed_rows(self, samples, columns, build, content)
            return
        files = self.live.of(family)
        for file, mine in self._files_with(family, samples, build):
            yield from self.rows_in(family, file, mine, columns, batch=files.batch(file))

    def _files_with(
        self, family: str, samples: npt.NDArray[np.int64], build: str | None
    ) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """Yield files that may have rows of some samples, and which samples."""
        files = self.live.of(family)
        by_file: dict[int, list[npt.NDArray[np.int64]]] = {}
        for begin, end in _runs_of(samples >> ROW_BITS):
            for file in files.covering(int(samples[begin]) >> ROW_BITS) if samples[begin] >= 0 else ():
                by_file.setdefault(file, []).append(samples[begin:end])
        for file in sorted(by_file):
            if build is None or files.batch(file) == build:
                yield file, np.concatenate(by_file[file])

    def rows_in(
        self, family: str, file: int, samples: npt.NDArray[np.int64], columns: Sequence[str], *, batch: str
    ) -> Iterator[pa.Table]:
        """Yield the rows of some ascending samples in one file, by row group; the other columns are read only where there are some."""
        path = self.live.of(family).path(file)
        names = list(columns)
        for group in self.reader.between(path, "sample_id", int(samples[0]), int(samples[-1])):
            at = _places_of(self._ids_in(path, group), samples)
            if len(at) == 0:
                continue
            stored = [name for name in dict.fromkeys(["sample_id", *names]) if name != "batch"]
            found = self.reader.take(path, group, at, stored)
            yield self._shown(found, names, batch)

    def _ids_in(self, path: str, group: int) -> npt.NDArray[np.int64]:
        """Return the ids of a row group; the last few are kept, since a story asks for a sample's stages more than once."""
        key = (path, group)
        with self._ids_lock:
            known = self._ids.get(key)
            if known is not None:
                self._ids.move_to_end(key)
                return known
        found: npt.NDArray[np.int64] = self.reader.read(path, group, ["sample_id"])["sample_id"].to_numpy()
        with self._ids_lock:
            self._ids[key] = found
            while len(self._ids) > _KEPT:
                self._ids.popitem(last=False)
        return found

    @arrow_damage_told()
    def samples_at(self, uri: str) -> list[int]:
        """Return the samples with a URI, ascending; a user and password in it do not matter."""
        from headwater.lineage.index_questions import at_uri

        return at_uri(self, uri)

    @arrow_damage_told()
    def samples_of_hash(self, content_hash: bytes) -> list[int]:
        """Return the samples with exactly this text, by its BLAKE2b-128, ascending."""
        from headwater.lineage.index_questions import with_hash

        return with_hash(self, content_hash)

    @arrow_damage_told()
    def samples_of_host(self, host: str) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the samples of a host, in whatever form it or their URLs write it, ascending, at most 65,536 at a time.

        Raises:
            UsageError: the name is no host.
        """
        from headwater.lineage.host_questions import of_host

        return of_host(self, host)

    @arrow_damage_told()
    def samples_of_domain(self, domain: str) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the same of all hosts of a registered domain.

        Raises:
            UsageError: the name is no registered domain.
        """
        from headwater.lineage.host_questions import of_domain

        return of_domain(self, domain)

    @arrow_damage_told()
    def file(self, file_id: int) -> Row:
        """Return the row of family ``files`` of an input file; an empty one where there is none."""
        files = self.live.of("files")
        for file in range(len(files.base)):
            path = files.path(file)
            for group, ids in enumerate(self._file_ids(path)):
                at = np.flatnonzero(ids == file_id)
                if len(at):
                    found = self.reader.row(path, group, int(at[0]), arrow_schema("files").names)
                    if found is not None:
                        return plain_rows(self._shown(found, self.columns("files"), files.batch(file)), raw=False)[0]
        return {}

    @functools.cache  # noqa: B019 - of one version, and a lookup is kept as long as that
    def _file_ids(self, path: str) -> list[npt.NDArray[np.int64]]:
        groups = range(self.reader.groups(path))
        return [self.reader.read(path, group, ["file_id"])["file_id"].to_numpy() for group in groups]

    def runs(self, ids: Collection[str] | None = None) -> list[PastRun]:
        """Return the runs of some ids, or all, oldest first, those without an end included."""
        return [run for run in self._runs if ids is None or run.run_id in ids]

    @functools.cached_property
    def _runs(self) -> list[PastRun]:
        return read_runs(self.snapshot)


_BATCH: Final = pa.field("batch", pa.string())
_open: OrderedDict[tuple[str, int | None], tuple[object, Lookup]] = OrderedDict()
_lock = threading.Lock()


def open_lookup(lake: str, version: int | None = None) -> Lookup:
    """Return the lookup of the newest version of a lake, or of the one given, kept in this process while that version stands.

    Whether it does costs a look at two names of the log.

    Raises:
        UsageError: no lake at that place, or no such version.
        CorruptLakeError: its log is damaged.
    """
    key = (lake_place(lake), version)
    with _lock:
        kept = _open.get(key)
    if kept is not None:
        stamp, lookup = kept
        if stamp is not None and stamp == entry_stamp(
            lookup.snapshot.uri, lookup.snapshot.version, newest=version is None
        ):
            with _lock:
                if key in _open:
                    _open.move_to_end(key)
            return lookup
    snapshot = open_snapshot(key[0], version)
    lookup = Lookup(snapshot)
    stamp = entry_stamp(snapshot.uri, snapshot.version, newest=version is None)
    with _lock:
        _open[key] = (stamp, lookup)
        _open.move_to_end(key)
        while len(_open) > _KEPT:
            _open.popitem(last=False)
    return lookup


def _places_of(ids: npt.NDArray[np.int64], samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where some ids are one of some ascending samples."""
    if len(samples) == 1:
        return np.flatnonzero(ids == samples[0])
    return SampleSet([samples]).find(ids)[0]


def _runs_of(numbers: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each run of one number."""
    bounds = np.flatnonzero(np.diff(numbers)) + 1
    begins = [0, *bounds.tolist()]
    return zip(begins, [*bounds.tolist(), len(numbers)], strict=True) if len(numbers) else iter(())


def _strange(fragment: int, path: str) -> CorruptLakeError:
    return CorruptLakeError(
        f"expected the samples of fragment {fragment} in order in {path}, found others; run verify, then restore the file"
    )
