"""Which samples are meant: each way to name a set of them, answered as a stream of ids in ascending order.

What is asked of one column is read from that column alone, fragment by fragment, so memory does not grow with the lake; a URL, a host, a domain
and a hash go through an index. DuckDB is started for a condition in SQL only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.urls.hosts import without_credentials
from headwater.lineage.input_files import files_licensed, files_named
from headwater.lineage.lookup import Lookup
from headwater.lineage.names import Names, name_of, ways_named
from headwater.lineage.operators import families_written, runs_with
from headwater.lineage.past_runs import read_runs
from headwater.lineage.sample_lists import known_samples, read_samples
from headwater.warehouse.parquet import read_aligned, read_file, read_sparse
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    import duckdb

__all__ = ["MOST_AT_ONCE", "Connection", "selected"]

MOST_AT_ONCE: Final = 65_536
"""Ids of a batch, at most."""
_Ints = npt.NDArray[np.int64]
_Test: TypeAlias = Callable[[pa.Table], pa.Array | pa.ChunkedArray]


Connection: TypeAlias = "duckdb.DuckDBPyConnection | Callable[[], duckdb.DuckDBPyConnection] | None"
"""A connection with the views of the same version, what gives one, or None: then one is made where a question needs it."""


def selected(connection: Connection, lookup: Lookup, named: Names, limit: int | None = None) -> Iterator[_Ints]:
    """Yield the ids of the samples that are named, in every way that is given, ascending, each once, in batches of at most ``MOST_AT_ONCE``.

    Args:
        named: one way or several; see ``Names``.
        limit: the first so many; None for all.

    Raises:
        UsageError: nothing is named, what is named cannot be, or nothing is found; the last when the stream ends.
    """
    ways = ways_named(named)
    found = 0
    for batch in _batches(_common([_found(connection, lookup, kind, value) for kind, value in ways]), limit):
        found += len(batch)
        yield batch
    if not found:
        shown = " and ".join(
            name_of(kind) + ("" if kind == "samples" else f" {without_credentials(str(value))}") for kind, value in ways
        )
        hints = "; ".join(dict.fromkeys(f"{_hint(kind)}{_refused(lookup, kind, str(value))}" for kind, value in ways))
        raise UsageError(f"expected a sample with {shown}, found none in this lake; {hints}")


def _common(streams: Sequence[Iterator[_Ints]]) -> Iterator[_Ints]:
    """Return the ids that are in every one of some ascending streams, ascending, read one beside the other."""
    found = streams[0]
    for other in streams[1:]:
        found = _in_both(found, other)
    return found


def _in_both(left: Iterator[_Ints], right: Iterator[_Ints]) -> Iterator[_Ints]:
    """Yield the ids that are in both of two ascending streams; of each one a batch is held, and what comes after the other's end is not read.

    >>> halves, thirds = (iter([np.arange(0, 7, step), np.arange(step * 4, 40, step)]) for step in (2, 3))
    >>> np.concatenate(list(_in_both(halves, thirds))).tolist()
    [0, 6, 12, 18, 24, 30, 36]
    """
    held = [next(left, None), next(right, None)]
    while held[0] is not None and held[1] is not None:
        mine, others = held[0], held[1]
        if len(mine) and len(others):
            yield np.intersect1d(mine, others)
        # What the other stream has yet is at least its last id: up to there this batch is done with.
        first = not len(mine) or (len(others) > 0 and mine[-1] <= others[-1])
        second = not len(others) or (len(mine) > 0 and others[-1] <= mine[-1])
        if first:
            held[0] = next(left, None)
        if second:
            held[1] = next(right, None)


def _hint(kind: str) -> str:
    """Return what to do where nothing was found."""
    column = {"rule": "reasons", "first_rule": "first_reason"}.get(kind)
    if column is not None:
        return "headwater sql LAKE 'SELECT DISTINCT unnest([first_reason] || reasons) FROM verdicts' lists the reasons that there are"
    if kind == "run":
        return "it may have written rows of no sample, or later runs replaced them: headwater runs LAKE --run ID"
    return "headwater sql LAKE 'SELECT … FROM content' shows what it holds"


def _refused(lookup: Lookup, kind: str, uri: str) -> str:
    """Return which samples have a URL in another form, and what was refused at ingest, where a document may be among it."""
    if kind not in ("uri", "hash"):
        return ""
    from headwater.lineage.refused import other_forms, say_refused

    return (other_forms(lookup, uri) if kind == "uri" else "") + say_refused(lookup.snapshot)


def _batches(chunks: Iterable[_Ints], limit: int | None) -> Iterator[_Ints]:
    """Yield ascending ids, each once, joined to batches of ``MOST_AT_ONCE`` and cut at the limit."""
    left = limit
    last = -1
    waiting: list[_Ints] = []
    held = 0
    for chunk in chunks:
        ids = chunk[np.concatenate([chunk[:1] != last, chunk[1:] != chunk[:-1]])] if len(chunk) else chunk
        if not len(ids):
            continue
        last = int(ids[-1])
        waiting.append(ids if left is None else ids[:left])
        held += len(waiting[-1])
        if left is not None:
            left -= len(waiting[-1])
        if held >= MOST_AT_ONCE or left == 0:
            whole = np.concatenate(waiting)
            end = len(whole) if left == 0 else len(whole) // MOST_AT_ONCE * MOST_AT_ONCE
            for begin in range(0, end, MOST_AT_ONCE):
                yield whole[begin : min(begin + MOST_AT_ONCE, end)]
            waiting, held = [whole[end:]], len(whole) - end
        if left == 0:
            return
    if held:
        yield np.concatenate(waiting)


def _found(connection: Connection, lookup: Lookup, kind: str, value: object) -> Iterator[_Ints]:
    """Yield ids in ascending order, an id more than once at most in a row."""
    text, snapshot = str(value), lookup.snapshot
    if kind == "samples":
        yield _listed(snapshot, read_samples(value))  # type: ignore[arg-type] # of the type that Names gives it
    elif kind == "sample":
        yield _listed(snapshot, read_samples([value]))  # type: ignore[list-item] # an int, which is checked there
    elif kind == "uri":
        yield np.array(sorted(lookup.samples_at(text)), np.int64)
    elif kind == "host":
        yield from lookup.samples_of_host(text)
    elif kind == "domain":
        yield from lookup.samples_of_domain(text)
    elif kind == "hash":
        yield np.array(lookup.samples_of_hash(_bytes_of(kind, text)), np.int64)
    elif kind == "source":
        yield from _aligned(snapshot, "content", ["source"], _equals("source", text), ["source"])
    elif kind == "language":
        yield from _aligned(snapshot, "language", ["language"], _equals("language", text), ["language"])
    elif kind in ("file", "licence"):
        rows = files_licensed(snapshot, text) if kind == "licence" else files_named(snapshot, text)
        files = pa.array([row["file_id"] for row in rows], pa.int64())
        yield from _aligned(snapshot, "content", ["file_id"], lambda rows: pc.is_in(rows["file_id"], value_set=files))
    elif kind == "cluster":
        yield from _aligned(snapshot, "duplicates", ["cluster_id"], _equals("cluster_id", _bytes_of(kind, text)))
    elif kind == "first_rule":
        yield from _aligned(snapshot, "verdicts", ["first_reason"], _equals("first_reason", text), ["first_reason"])
    elif kind == "rule":
        yield from _aligned(snapshot, "verdicts", ["reasons"], lambda rows: _holds(rows["reasons"], text))
    elif kind == "run":
        yield from _of_run(snapshot, text)
    elif kind == "operator":
        yield from _of_operator(snapshot, text)
    elif kind == "vocabulary":
        yield from _of_vocabulary(snapshot, text)
    elif kind == "evaluation_set":
        yield from _sparse(snapshot, "contamination", ["benchmark"], _equals("benchmark", text), ["benchmark"])
    else:
        from headwater.lineage.sql_condition import samples_where

        opened = connection() if callable(connection) else connection
        yield from samples_where(opened, snapshot, text, MOST_AT_ONCE)


def _listed(snapshot: Snapshot, samples: _Ints) -> _Ints:
    """Return the ids themselves.

    Raises:
        UsageError: some are of no sample of the lake.
    """
    strange = samples[~known_samples(snapshot, samples)]
    if len(strange):
        more = f" and {len(strange) - 1:,} more" if len(strange) > 1 else ""
        raise UsageError(f"expected samples of this version of the lake, found none with the id {strange[0]}{more}")
    return samples


def _bytes_of(kind: str, text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise UsageError(f"expected 32 hexadecimal digits of {name_of(kind)}, found {text!r}")
    return found


def _equals(column: str, value: str | bytes) -> _Test:
    """Return a test of rows: a column is a value."""
    return lambda rows: pc.equal(
        _decoded(rows[column]), pa.scalar(value, pa.string() if isinstance(value, str) else pa.binary())
    )


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _holds(lists: pa.ChunkedArray, value: str) -> pa.Array:
    """Return which lists of strings hold a value, bool [n].

    >>> _holds(pa.chunked_array([[["a", "b"], None, ["c"]]]), "b").to_pylist()
    [True, False, False]
    """
    column = lists.combine_chunks()
    rows = pc.list_parent_indices(column).filter(pc.equal(pc.list_flatten(column), value))
    flags = np.zeros(len(column), np.bool_)
    flags[rows.to_numpy()] = True
    return pa.array(flags)


def _kept(rows: pa.Table, test: _Test) -> _Ints:
    mask = test(rows)
    found: _Ints = rows["sample_id"].filter(pc.fill_null(mask, False)).to_numpy().astype(np.int64)
    return found


def _aligned(
    snapshot: Snapshot, family: str, columns: Sequence[str], test: _Test, dictionaries: Sequence[str] = ()
) -> Iterator[_Ints]:
    """Yield the samples whose row of an aligned family passes a test, a fragment or a row group of one at a time."""
    for where in snapshot.locate(snapshot.covered(family), [family]):
        for rows in read_aligned(snapshot.uri, where, {family: columns}, dictionaries):
            yield _kept(rows, test)


def _sparse(
    snapshot: Snapshot, family: str, columns: Sequence[str], test: _Test, dictionaries: Sequence[str] = ()
) -> Iterator[_Ints]:
    """Yield the samples with a row of a sparse family that passes a test, a fragment at a time; ascending, some more than once."""
    for where in snapshot.locate(snapshot.covered(family), [family]):
        yield np.sort(_kept(read_sparse(snapshot.uri, where, family, columns, dictionaries), test))


def _anywhere(snapshot: Snapshot, family: str, columns: Sequence[str], test: _Test) -> Iterator[_Ints]:
    """Yield the same of a family of builds, or of one with several files a fragment, all at once: 8 bytes a sample are held."""
    found = [
        np.unique(_kept(rows, test))
        for path in snapshot.paths(family)
        for rows in read_file(snapshot.uri, path, ["sample_id", *columns])
    ]
    if found:
        yield np.unique(np.concatenate(found))


def _of_family(snapshot: Snapshot, family: str, columns: Sequence[str], test: _Test) -> Iterator[_Ints]:
    kind = FAMILIES[family]
    if kind.aligned:
        return _aligned(snapshot, family, columns, test)
    alone = (
        not kind.by_build
        and not kind.by_operator
        and family not in ("uri_index", "host_index", "hash_index", "band_index", "html")
    )
    return (_sparse if alone else _anywhere)(snapshot, family, columns, test)


def _merged(streams: Sequence[Iterator[_Ints]]) -> Iterator[_Ints]:
    """Yield the ids of several ascending streams as one: up to the least last id that is held of any, over and over."""
    held: list[_Ints] = [np.empty(0, np.int64) for _ in streams]
    open_ = list(range(len(streams)))
    while True:
        for at in list(open_):
            while not len(held[at]):
                try:
                    held[at] = next(streams[at])
                except StopIteration:
                    open_.remove(at)
                    break
        if not any(map(len, held)):
            return
        end = min((int(held[at][-1]) for at in open_), default=None)
        cut = [len(each) if end is None else int(np.searchsorted(each, end, side="right")) for each in held]
        yield np.unique(np.concatenate([each[:n] for each, n in zip(held, cut, strict=True)]))
        held = [each[n:] for each, n in zip(held, cut, strict=True)]


def _of_run(snapshot: Snapshot, run_id: str) -> Iterator[_Ints]:
    from headwater.errors import nearest

    runs = {run.run_id: run for run in read_runs(snapshot)}
    if run_id not in runs:
        raise UsageError(f"expected a run of this lake, found none named {run_id!r}; {nearest(run_id, runs)}")
    families = families_written(runs[run_id].step)
    yield from _merged([_of_family(snapshot, family, ["run_id"], _equals("run_id", run_id)) for family in families])


def _of_operator(snapshot: Snapshot, operator: str) -> Iterator[_Ints]:
    streams = []
    for family, by_run in runs_with(read_runs(snapshot), operator).items():
        if family not in FAMILIES or not FAMILIES[family].by_sample:
            continue
        ids = pa.array(sorted(by_run), pa.string())
        only = frozenset[str]().union(*by_run.values()) if all(by_run.values()) else frozenset[str]()
        finders = pa.array(sorted(only), pa.string())

        def test(rows: pa.Table, ids: pa.Array = ids, finders: pa.Array = finders) -> pa.Array | pa.ChunkedArray:
            mine = pc.is_in(rows["run_id"], value_set=ids)
            return pc.and_(mine, pc.is_in(rows["operator"], value_set=finders)) if len(finders) else mine

        columns = ["run_id", "operator"] if len(finders) else ["run_id"]
        streams.append(_of_family(snapshot, family, columns, test))
    yield from _merged(streams)


def _of_vocabulary(snapshot: Snapshot, vocabulary: str) -> Iterator[_Ints]:
    """Yield the samples that trained a vocabulary; of one without such, those whose tokens were counted with it."""
    named = snapshot.paths("vocabularies", batch=vocabulary)
    if named:
        found = [
            rows["sample_id"].to_numpy() for path in named for rows in read_file(snapshot.uri, path, ["sample_id"])
        ]
        yield np.unique(np.concatenate(found))
        return
    trained = list(_anywhere(snapshot, "vocabularies", ["vocabulary"], _equals("vocabulary", vocabulary)))
    if any(map(len, trained)):
        yield from trained
        return
    fingerprint = _fingerprint_of(snapshot, vocabulary)
    yield from _aligned(snapshot, "tokens", ["vocabulary"], _equals("vocabulary", fingerprint), ["vocabulary"])


def _fingerprint_of(snapshot: Snapshot, vocabulary: str) -> str:
    """Return the fingerprint of a vocabulary that is named, or what was given where it is one."""
    if len(vocabulary) == 32 and set(vocabulary) <= set("0123456789abcdef"):
        return vocabulary
    from headwater.lineage.vocabularies import find_vocabulary

    return find_vocabulary(snapshot.lake, vocabulary).fingerprint
