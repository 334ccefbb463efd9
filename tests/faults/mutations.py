"""Our own code broken on purpose, one mutation at a time: each must be seen by the check of its invariant.

A mutation is a function that takes pytest's ``monkeypatch``. What runs in Spark's workers travels there by value for as long as it is broken.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark import cloudpickle

from headwater.filters.duplicates.pairs import elect_winners
from headwater.hashes import content_hashes
from headwater.lineage import runs
from headwater.lineage.claims import Claims
from headwater.pipelines.builds import encode_task, shard_task
from headwater.pipelines.builds import step as build_step
from headwater.pipelines.decide import election
from headwater.pipelines.decide import step as decide_step
from headwater.pipelines.ingest import step as ingest_step
from headwater.pipelines.ingest import task as ingest_task
from headwater.pipelines.ingest import units
from headwater.warehouse import commit

__all__ = ["MUTATIONS", "Mutation", "by_value"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutation:
    """What is broken, in words; which step shows it; the invariant's check that must see it."""

    what: str
    step: str
    caught_by: str
    break_it: Callable[[pytest.MonkeyPatch], None]


def _refusals_are_counted_and_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ingest_task._records
    monkeypatch.setattr(ingest_task, "_records", lambda task, result, _: plain(task, result, []))


def _fragments_are_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "reserve_fragments", lambda *_: 0)
    monkeypatch.setattr(commit, "_check_coverage", lambda *_: None)
    monkeypatch.setattr(Claims, "grant", lambda *_: True)


def _only_the_beginning_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ingest_task, "content_hashes", lambda texts: content_hashes(pc.utf8_slice_codeunits(texts, 0, 64))
    )


def _a_shard_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build_step._missing
    monkeypatch.setattr(build_step, "_missing", lambda *given: plain(*given)[1:])


def _places_are_one_token_late(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = shard_task._placements

    def late(*given: Any) -> pa.Table:  # Any: the arguments of what is broken
        table = plain(*given)
        for name in ("token_begin", "token_end"):
            table = table.set_column(table.column_names.index(name), name, pc.add(table[name], 1))
        return table

    monkeypatch.setattr(shard_task, "_placements", late)


def _losers_name_their_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = elect_winners

    def chained(
        *given: Any,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:  # Any: the arguments of what is broken
        winner, similarity = plain(*given)
        return np.where(winner >= 0, np.arange(len(winner)) - 1, winner), similarity

    monkeypatch.setattr(election, "elect_winners", chained)


def _a_run_records_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = runs.begin_run

    def begin(*given: Any) -> runs.Run:  # Any: the arguments of what is broken
        run = plain(*given)
        write = runs._write_row

        def write_row(snapshot: Any, of: runs.Run, *rest: Any) -> Any:  # Any: the arguments of what is broken
            of.run_id, kept = of.run_id + "-other", of.run_id
            try:
                return write(snapshot, of, *rest)
            finally:
                of.run_id = kept

        monkeypatch.setattr(runs, "_write_row", write_row)
        return run

    monkeypatch.setattr(ingest_step, "begin_run", begin)


def _the_shuffle_depends_on_sample_id(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = encode_task._place_copies

    def by_id(job: Any, table: pa.Table, chosen: pa.Table) -> Any:  # Any: the arguments of what is broken
        ids = table["sample_id"].to_numpy().astype("<i8")
        names = pa.array([int(each).to_bytes(16, "little", signed=True) for each in ids], pa.binary(16))
        at = table.column_names.index("content_hash")
        return plain(job, table.set_column(at, "content_hash", names), chosen)

    monkeypatch.setattr(encode_task, "_place_copies", by_id)


def _ties_go_to_the_lowest_sample_id(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = election.find_losers

    def first_come(min_agreement: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        order = [("cluster_id", "ascending"), ("sample_id", "ascending")]
        yield from plain(min_agreement, (batch.sort_by(order) for batch in batches))

    monkeypatch.setattr(decide_step, "find_losers", first_come)


def _the_log_counts_a_row_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = commit._add

    def one_more(entry: Any, *rest: Any) -> Any:  # Any: the arguments of what is broken
        from dataclasses import replace

        return plain(replace(entry, rows=entry.rows + 1), *rest)

    monkeypatch.setattr(commit, "_add", one_more)


MUTATIONS: Final = (
    Mutation(
        what="ingest counts refused records and does not store them",
        step="ingest",
        caught_by="every_record_is_accounted_for",
        break_it=_refusals_are_counted_and_not_stored,
    ),
    Mutation(
        what="a commit adds a fragment that is there, its numbers having been given out twice",
        step="ingest",
        caught_by="every_sample_is_there_once",
        break_it=_fragments_are_given_twice,
    ),
    Mutation(
        what="a hash ignores all but the first 64 bytes of a text",
        step="ingest",
        caught_by="every_text_is_what_was_hashed",
        break_it=_only_the_beginning_is_hashed,
    ),
    Mutation(
        what="a build forgets a shard",
        step="build",
        caught_by="every_choice_is_placed",
        break_it=_a_shard_is_forgotten,
    ),
    Mutation(
        what="placements are one token late",
        step="build",
        caught_by="every_choice_is_placed",
        break_it=_places_are_one_token_late,
    ),
    Mutation(
        what="a loser of an election names the sample before it instead of the winner",
        step="decide",
        caught_by="every_duplicate_names_a_kept_winner",
        break_it=_losers_name_their_neighbour,
    ),
    Mutation(
        what="a step records its run under another name than its rows carry",
        step="ingest",
        caught_by="every_run_is_known",
        break_it=_a_run_records_another_name,
    ),
    Mutation(
        what="the shuffle depends on sample_id",
        step="build",
        caught_by="the_same_bytes_again",
        break_it=_the_shuffle_depends_on_sample_id,
    ),
    Mutation(
        what="an election goes to the lowest sample_id",
        step="decide",
        caught_by="the_same_bytes_again",
        break_it=_ties_go_to_the_lowest_sample_id,
    ),
    Mutation(
        what="a commit says a row too many of each file",
        step="ingest",
        caught_by="the_log_says_what_files_hold",
        break_it=_the_log_counts_a_row_too_many,
    ),
)

_TRAVELLING: Final[tuple[ModuleType, ...]] = (encode_task, shard_task, election)


@contextlib.contextmanager
def by_value() -> Iterator[None]:
    """Let workers get the broken functions of this process, not those that they would import."""
    modules = (*_TRAVELLING, sys.modules[__name__])
    for module in modules:
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]  # pyspark leaves it bare
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)  # type: ignore[no-untyped-call]  # pyspark leaves it bare
