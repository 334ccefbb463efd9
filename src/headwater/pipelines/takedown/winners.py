"""What becomes of the rest of a cluster when some of it goes: its clusters, its verdicts, and who takes the place of a winner that went.

The rest is clustered again as step deduplicate does it, over pairs that share a band and whose signatures agree, among these samples alone; then
the samples that passed the rules compete again as in step decide. No rule is evaluated: which rules fired stands in the verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.duplicates.agreement import signature_matrix
from headwater.filters.duplicates.minhash import N_PERMUTATIONS
from headwater.filters.duplicates.pairs import components, connect_bucket
from headwater.filters.urls.columns import capture_columns
from headwater.filters.urls.dates import capture_times
from headwater.hashes import halves_of_hashes, hashes_of_halves
from headwater.pipelines.decide.election import find_losers
from headwater.pipelines.decide.verdicts import EXACT, NEAR
from headwater.pipelines.takedown.found import aligned_rows, cluster_members, least_agreement
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.schema import FAMILIES, arrow_schema
from headwater.warehouse.snapshot import Snapshot

__all__ = ["Rest", "rest_of_clusters"]

_Ids = npt.NDArray[np.int64]
_DUPLICATES: Final = frozenset([EXACT, NEAR])


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """Rows that other samples have from now on.

    Attributes:
        rows: family → its rows anew.
        winners: sample that went and was kept → the one that is kept in its stead.
    """

    rows: dict[str, pa.Table] = field(default_factory=dict)
    winners: dict[int, int] = field(default_factory=dict)


def rest_of_clusters(snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, gone: _Ids, run_id: str) -> Rest:
    """Return what the samples that shared clusters, or URLs, with some that go have from now on.

    Raises:
        CorruptLakeError: a file of their fragments cannot be read.
    """
    rest = Rest()
    older = _newest_captures(snapshot, connection, gone, run_id)
    if older.num_rows:
        rest.rows["recaptures"] = older
    members = np.setdiff1d(cluster_members(connection, gone), gone)
    agreement = least_agreement(snapshot)
    if not len(members) or agreement is None:
        return rest
    columns = {
        "content": ["content_hash", "origin", "text_bytes"],
        "minhash": ["bands", "signature", "n_shingles", "normalized_hash"],
        "duplicates": ["cluster_id"],
    }
    rows = aligned_rows(snapshot, members, columns).combine_chunks()
    new = _clusters(rows, agreement)
    rest.rows["duplicates"] = _with_run(new, run_id, "duplicates")
    verdicts = aligned_rows(snapshot, members, {"verdicts": list(FAMILIES["verdicts"].fields), "scores": ["quality"]})
    if verdicts.num_rows:
        decided = _verdicts(rows, new, verdicts.combine_chunks(), agreement)
        rest.rows["verdicts"] = _with_run(decided, run_id, "verdicts")
        was = aligned_rows(snapshot, gone, {"verdicts": ["kept"], "duplicates": ["cluster_id"]})
        rest.winners.update(_winners(was, rows, verdicts, decided))
    return rest


def _with_run(rows: pa.Table, run_id: str, family: str) -> pa.Table:
    table = rows.append_column("run_id", repeat_text(run_id, rows.num_rows))
    return table.select(arrow_schema(family).names).cast(arrow_schema(family))


def _clusters(rows: pa.Table, min_agreement: int) -> pa.Table:
    """Return columns of family ``duplicates`` for the rest of some clusters."""
    n = rows.num_rows
    normalized, content = rows["normalized_hash"].combine_chunks(), rows["content_hash"].combine_chunks()
    nodes = halves_of_hashes(pc.if_else(pc.greater(pc.binary_length(normalized), 0), normalized, content))
    texts = halves_of_hashes(content)
    unique, node = np.unique(nodes, axis=0, return_inverse=True)
    node = node.reshape(-1)
    first = np.full(len(unique), n, np.int64)
    np.minimum.at(first, node, np.arange(n))
    left, right = _edges(rows.take(pa.array(first)), min_agreement)
    of_node = components(left, right, len(unique))  # nodes are in order, so a component is named by its smallest
    cluster = of_node[node]
    size = np.bincount(cluster, minlength=len(unique))[cluster]
    _, text, copies = np.unique(texts, axis=0, return_inverse=True, return_counts=True)
    alone = size < 2
    names = hashes_of_halves(unique[cluster]).cast(pa.binary())
    kinds = np.where(copies[text.reshape(-1)] > 1, "exact", "near")
    return pa.table(
        {
            "sample_id": rows["sample_id"],
            "cluster_id": pc.if_else(pa.array(alone), pa.scalar(None, pa.binary()), names),
            "cluster_size": pa.array(size),
            "kind": pc.if_else(pa.array(alone), pa.scalar(None, pa.string()), pa.array(kinds, pa.string())),
        }
    )


def _edges(nodes: pa.Table, min_agreement: int) -> tuple[_Ids, _Ids]:
    """Return pairs of nodes that share a band and agree on enough values."""
    if min_agreement == N_PERMUTATIONS:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    bands = nodes["bands"].combine_chunks()
    flat = bands.flatten().to_numpy()
    of = np.repeat(np.arange(nodes.num_rows), pc.list_value_length(bands).to_numpy(zero_copy_only=False))
    order = np.lexsort((of, flat))
    begins = np.flatnonzero(np.append(True, np.diff(flat[order]) != 0)) if len(order) else np.empty(0, np.int64)
    offsets = np.append(begins, len(order)).astype(np.int64)
    members = of[order]
    if not len(members):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    signatures = signature_matrix(nodes["signature"])[members]
    left, right = connect_bucket(signatures, np.full(len(members), -1, np.int64), offsets, min_agreement)
    return members[left], members[right]


def _verdicts(rows: pa.Table, clusters: pa.Table, verdicts: pa.Table, min_agreement: int) -> pa.Table:
    """Return columns of family ``verdicts`` for the rest, whose duplicates are judged anew."""
    decided = np.isin(rows["sample_id"].to_numpy(), verdicts["sample_id"].to_numpy())
    table = rows.filter(pa.array(decided)).drop_columns(["cluster_id", "bands"])
    table = table.append_column("cluster_id", clusters["cluster_id"].filter(pa.array(decided)))
    table = table.append_column("quality", verdicts["quality"])
    fired = [
        [reason for reason in reasons or [] if reason not in _DUPLICATES] for reasons in verdicts["reasons"].to_pylist()
    ]
    passing = np.array([not reasons for reasons in fired], np.bool_)
    candidates = table.filter(pc.and_(pa.array(passing), pc.is_valid(table["cluster_id"])))
    best = [(name, "ascending") for name in ("cluster_id", "content_hash", "origin", "sample_id")]
    ordered = candidates.sort_by([best[0], ("quality", "descending"), ("text_bytes", "descending"), *best[1:]])
    batches = ordered.combine_chunks().to_batches()
    losers = {row["sample_id"]: row for batch in find_losers(min_agreement, iter(batches)) for row in batch.to_pylist()}
    ids = verdicts["sample_id"].to_pylist()
    lost = [losers.get(sample) for sample in ids]
    reasons = [
        [*mine, *(() if loser is None else (EXACT if loser["same_text"] else NEAR,))]
        for mine, loser in zip(fired, lost, strict=True)
    ]
    columns = {
        "sample_id": verdicts["sample_id"],
        "kept": pa.array([not mine for mine in reasons]),
        "reasons": pa.array(reasons, pa.list_(pa.string())),
        "first_reason": pa.array([next(iter(mine), None) for mine in reasons], pa.string()),
        "duplicate_of": pa.array([None if row is None else row["duplicate_of"] for row in lost], pa.int64()),
        "similarity": pa.array([None if row is None else row["similarity"] for row in lost], pa.float32()),
    }
    for name in FAMILIES["verdicts"].fields:
        columns.setdefault(name, verdicts[name])
    return pa.table(columns)


def _winners(was: pa.Table, rows: pa.Table, before: pa.Table, after: pa.Table) -> dict[int, int]:
    """Return sample that went and was kept → the sample of its cluster that is kept now and was not, each named once."""
    cluster = dict(zip(rows["sample_id"].to_pylist(), rows["cluster_id"].to_pylist(), strict=True))
    old = dict(zip(before["sample_id"].to_pylist(), before["kept"].to_pylist(), strict=True))
    repeated = dict(zip(before["sample_id"].to_pylist(), before["duplicate_of"].to_pylist(), strict=True))
    risen: dict[bytes, list[int]] = {}
    for sample, kept in zip(after["sample_id"].to_pylist(), after["kept"].to_pylist(), strict=True):
        if kept and not old[sample]:
            risen.setdefault(cluster[sample], []).append(sample)
    found: dict[int, int] = {}
    for sample, kept, name in zip(
        *(was[column].to_pylist() for column in ("sample_id", "kept", "cluster_id")), strict=True
    ):
        waiting = risen.get(name, []) if kept and name is not None else []
        # First what repeated this very sample.
        chosen = next((each for each in waiting if repeated[each] == sample), next(iter(waiting), None))
        if chosen is not None:
            found[sample] = chosen
            waiting.remove(chosen)
    return found


def _newest_captures(snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, gone: _Ids, run_id: str) -> pa.Table:
    """Return rows of family ``recaptures`` of captures whose newest one goes: the newest of the rest is none's older capture."""
    empty = arrow_schema("recaptures").empty_table()
    if not len(snapshot.live("recaptures")):
        return empty
    connection.register("going", pa.table({"newest_capture": gone}))
    try:
        found = connection.execute("SELECT sample_id FROM recaptures SEMI JOIN going USING (newest_capture)")
        ids = np.setdiff1d(found.to_arrow_table().column(0).to_numpy(), gone)
    finally:
        connection.unregister("going")
    if not len(ids):
        return empty
    rows = aligned_rows(
        snapshot, ids, {"recaptures": ["newest_capture"], "content": ["uri", "collected_at", "content_hash", "origin"]}
    )
    at = np.maximum(capture_times(rows["collected_at"].to_pylist()), np.iinfo(np.int64).min + 1)
    keys = capture_columns(rows["uri"].combine_chunks())["url_key"].to_pylist()
    hashes, origins, ids_ = (rows[name].to_pylist() for name in ("content_hash", "origin", "sample_id"))
    newest: dict[int, tuple[int, bytes, int, int]] = {}
    for key, *place in zip(keys, (-at).tolist(), hashes, origins, ids_, strict=True):
        newest[key] = min(newest.get(key, tuple(place)), tuple(place))  # type: ignore[type-var,assignment]  # the four of a row
    named = [newest[key][3] for key in keys]
    table = pa.table(
        {
            "sample_id": rows["sample_id"],
            "older_capture": pa.array([int(n != own) for n, own in zip(named, ids_, strict=True)], pa.int32()),
            "newest_capture": pa.array(
                [n if n != own else None for n, own in zip(named, ids_, strict=True)], pa.int64()
            ),
        }
    )
    return _with_run(table, run_id, "recaptures")
