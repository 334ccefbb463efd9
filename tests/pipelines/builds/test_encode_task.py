"""Positions: the same for the same text and origin, spread over the stage, and never the same for two copies."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_lake import small_recipe

from headwater.errors import CorruptLakeError
from headwater.hashes import items_of_hashes
from headwater.lineage.buckets import bucket_of, positions
from headwater.pipelines.builds import chunks as token_chunks
from headwater.pipelines.builds import encode_task as token_rows
from headwater.pipelines.builds.chunks import TokenRows, from_chunks, to_chunks
from headwater.pipelines.builds.encode_task import BuildJob
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import Vocabulary, load_vocabulary

_NO_SPANS = pa.table(
    {
        "sample_id": pa.array([], pa.int64()),
        "span_begin": pa.array([], pa.int64()),
        "span_end": pa.array([], pa.int64()),
        "action": pa.array([], pa.string()),
    }
)


def _hashes(count: int) -> pa.Array:
    draw = np.random.default_rng(3)
    return pa.array([draw.bytes(16) for _ in range(count)], pa.binary())


def _reference(seed_start: int, content: bytes, origin: int) -> int:
    """SplitMix64's finaliser in Python's own integers."""
    whole = 2**64 - 1
    mixed = seed_start
    for part in (int.from_bytes(content[:8], "little"), int.from_bytes(content[8:], "little"), origin & whole):
        mixed = ((mixed ^ part) + 0x9E3779B97F4A7C15) & whole
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & whole
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & whole
        mixed ^= mixed >> 31
    return mixed


@given(
    st.integers(0, 2**31),
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(-(2**63), 2**63 - 1)), max_size=5),
)
def test_positions_equal_plain_arithmetic(seed: int, samples: list[tuple[bytes, int]]) -> None:
    """The arrays give what Python's integers give, also where products overflow."""
    from hashlib import blake2b

    start = int.from_bytes(blake2b(f"headwater order {seed}".encode(), digest_size=8).digest(), "little")
    found = positions(
        seed,
        pa.array([content for content, _ in samples], pa.binary()),
        np.array([origin for _, origin in samples], np.int64),
    )
    assert found.tolist() == [_reference(start, *sample) for sample in samples]


def test_positions_are_spread_over_the_range() -> None:
    """Of 64,000 samples each of 64 equal shards gets its share within five standard deviations; another seed is another order."""
    hashes, origin = _hashes(64_000), np.arange(64_000, dtype=np.int64)
    found = positions(1, hashes, origin)
    counts = np.bincount(bucket_of(found, 64), minlength=64)
    deviation = np.sqrt(64_000 * (1 / 64) * (63 / 64))
    assert np.abs(counts - 1000).max() < 5 * deviation
    other = positions(2, hashes, origin)
    assert not (found == other).any()
    assert abs(np.corrcoef(found.astype(float), other.astype(float))[0, 1]) < 5 / np.sqrt(64_000)


@pytest.mark.parametrize("shards", [1, 2, 4, 1024, 65_536])
def test_a_position_has_one_shard(shards: int) -> None:
    """First and last position are in the first and last shard; shards are in the order of positions."""
    edges = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], dtype=np.uint64)
    found = bucket_of(edges, shards).tolist()
    assert (found[0], found[-1]) == (0, shards - 1)
    assert found == sorted(found)
    assert found == [place * shards >> 64 for place in edges.tolist()]


def _job(copies_of: dict[str, int], slots: list[tuple[str, int]]) -> BuildJob:
    return BuildJob(
        lake="",
        table="",
        folder="",
        build="b",
        run_id="r",
        recipe=small_recipe(),
        shards=copies_of,
        slots=tuple(slots),
    )


def _samples(texts: list[str]) -> pa.Table:
    vocabulary = load_vocabulary()
    _, offsets = encode(pa.array(texts, pa.large_string()), vocabulary)
    return pa.table(
        {
            "sample_id": pa.array([(3 << 24) + 2 * row for row in range(len(texts))], pa.int64()),
            "text": pa.array(texts, pa.large_string()),
            "text_bytes": pa.array([len(text.encode()) for text in texts], pa.int64()),
            "content_hash": _hashes(len(texts)),
            "origin": pa.array(range(len(texts)), pa.int64()),
            "n_tokens": pa.array(np.diff(offsets), pa.int64()),
        }
    )


def _chosen(rows: list[tuple[int, str, int]]) -> pa.Table:
    return pa.table(
        {
            "sample_id": pa.array([row[0] for row in rows], pa.int64()),
            "stage": [row[1] for row in rows],
            "copies": pa.array([row[2] for row in rows], pa.int32()),
        }
    )


def _encoded(job: BuildJob, table: pa.Table, spans: pa.Table, chosen: pa.Table) -> list[dict[str, Any]]:
    """Return the documents of all chunks, by slot."""
    found: list[dict[str, Any]] = []
    batches = list(token_rows.encode_rows(job, table, spans, chosen))
    for slot in sorted({value for batch in batches for value in batch.column("slot").to_pylist()}):
        mine = [batch.filter(pc.equal(batch.column("slot"), slot)) for batch in batches]
        rows = from_chunks(mine)
        for row in range(len(rows)):
            begin = int(rows.begin[row])
            found.append(
                {
                    "slot": slot,
                    "position": int(rows.position[row]),
                    "copy": int(rows.copy[row]),
                    "sample_id": int(rows.sample_id[row]),
                    "tokens": rows.tokens[begin : begin + int(rows.n_tokens[row])].tobytes(),
                }
            )
    return found


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 7)), min_size=1, max_size=4, unique_by=lambda pair: pair[0]),
    st.sampled_from([1, 2, 4, 8]),
)
def test_copies_of_a_sample_are_equally_far_apart(chosen: list[tuple[int, int]], shards: int) -> None:
    """Each copy once, all with the sample's tokens; positions of c copies are a c-th of the whole range apart, round the end."""
    table = _samples(["one river", "two rivers and a lake", "three", "four seas"])
    ids = table["sample_id"].to_pylist()
    job = _job({"s": shards}, [("s", number) for number in range(shards)])
    rows = sorted((ids[at], "s", copies) for at, copies in chosen)
    found = _encoded(job, table, _NO_SPANS, _chosen(rows))
    for sample, _, copies in rows:
        mine = sorted((row for row in found if row["sample_id"] == sample), key=lambda row: row["copy"])
        assert [row["copy"] for row in mine] == list(range(copies))
        assert len({row["tokens"] for row in mine}) == 1
        places = [row["position"] for row in mine]
        assert {(two - one) % 2**64 for one, two in zip(places, places[1:], strict=False)} <= {(2**64 - 1) // copies}
        assert [row["slot"] for row in mine] == [place * shards >> 64 for place in places]
    assert len(found) == sum(copies for _, _, copies in rows)


def test_only_missing_shards_get_rows() -> None:
    """A build that goes on encodes what the missing shards need; their slots are numbered by the job."""
    table = _samples([f"text number {number}" for number in range(40)])
    rows = [(sample, "s", 1) for sample in table["sample_id"].to_pylist()]
    whole = _encoded(_job({"s": 4}, [("s", n) for n in range(4)]), table, _NO_SPANS, _chosen(rows))
    part = _encoded(_job({"s": 4}, [("s", 2)]), table, _NO_SPANS, _chosen(rows))
    assert {row["slot"] for row in part} == {0}
    assert [row["sample_id"] for row in part] == [row["sample_id"] for row in whole if row["slot"] == 2]


def test_spans_are_left_out_before_tokens_are_made() -> None:
    """Tokens are those of the text minus its spans, and the count that annotate stored is checked."""
    table = _samples(["abc secret def", "plain"])
    spans = pa.table(
        {
            "sample_id": pa.array([3 << 24], pa.int64()),
            "span_begin": pa.array([4], pa.int64()),
            "span_end": pa.array([11], pa.int64()),
            "action": ["drop"],
        }
    )
    chosen = _chosen([(3 << 24, "s", 1)])
    vocabulary = load_vocabulary()
    with pytest.raises(CorruptLakeError, match=f"sample {3 << 24}: expected .* annotate again"):
        _encoded(_job({"s": 1}, [("s", 0)]), table, spans, chosen)
    left, offsets = encode(pa.array(["abc def", "plain"], pa.large_string()), vocabulary)
    table = table.set_column(5, "n_tokens", pa.array(np.diff(offsets), pa.int64()))
    (row,) = _encoded(_job({"s": 1}, [("s", 0)]), table, spans, chosen)
    assert row["tokens"] == left[: offsets[1]].tobytes()


def test_no_one_is_chosen() -> None:
    """Samples that no stage of the job took give no rows."""
    table = _samples(["x"])
    job = _job({"s": 1}, [("s", 0)])
    assert _encoded(job, table, _NO_SPANS, _chosen([(3 << 24, "other", 1)])) == []


def test_samples_without_a_slot_are_not_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that goes on, or a repair of one shard, tokenizes only what lies in the shards that it writes."""
    table = _samples([f"text number {number}" for number in range(40)])
    chosen = _chosen([(sample, "s", 1) for sample in table["sample_id"].to_pylist()])
    seen: list[int] = []

    def counted(texts: pa.Array, vocabulary: Vocabulary) -> Any:
        seen.append(len(texts))
        return encode(texts, vocabulary)

    monkeypatch.setattr(token_rows, "encode", counted)
    found = _encoded(_job({"s": 8}, [("s", 5)]), table, _NO_SPANS, chosen)
    assert seen == [len(found)]
    assert 0 < len(found) < 40


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=40), st.integers(1, 9), st.randoms())
def test_chunks_give_back_every_document(documents: list[tuple[int, int]], batches: int, random: Random) -> None:
    """However documents are cut into batches and in whatever order their chunks arrive, each slot gets its own, by position."""
    draw = np.random.default_rng(5)
    lengths = np.array([length for _, length in documents], np.int64)
    slots = np.array([slot for slot, _ in documents], np.int64)
    rows = TokenRows(
        position=draw.integers(0, 2**64, len(documents), np.uint64, endpoint=False),
        content_hash=items_of_hashes(_hashes(len(documents))),
        origin=np.arange(len(documents), dtype=np.int64),
        copy=np.arange(len(documents), dtype=np.int32),
        sample_id=np.arange(len(documents), dtype=np.int64) + 7,
        begin=np.cumsum(lengths) - lengths,
        n_tokens=lengths,
        tokens=np.arange(lengths.sum(), dtype=np.uint32),
    )
    chunks: list[pa.RecordBatch] = []
    for part in np.array_split(np.arange(len(documents)), batches):
        columns = {name: getattr(rows, name)[part] for name in TokenRows.__slots__ if name != "tokens"}
        chunks += list(to_chunks(slots[part], TokenRows(**columns, tokens=rows.tokens)))
    random.shuffle(chunks)
    for slot in range(5):
        found = from_chunks([chunk.filter(pc.equal(chunk.column("slot"), slot)) for chunk in chunks])
        mine = np.flatnonzero(slots == slot)
        mine = mine[np.argsort(rows.position[mine])]
        for name in ("position", "content_hash", "origin", "copy", "sample_id", "n_tokens"):
            assert getattr(found, name).tolist() == getattr(rows, name)[mine].tolist()
        expected = [np.arange(rows.begin[at], rows.begin[at] + lengths[at]) for at in mine]
        assert found.tokens.tolist() == np.concatenate([np.empty(0, np.int64), *expected]).tolist()
        assert found.begin.tolist() == (np.cumsum(found.n_tokens) - found.n_tokens).tolist()


def test_chunks_of_many_copies_leave_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves a task at once is bounded, a document at least, and nothing is lost."""
    monkeypatch.setattr(token_chunks, "_CHUNK_TOKENS", 5)
    table = _samples(["one river and one lake", "two"])
    job = _job({"s": 1}, [("s", 0)])
    chosen = _chosen([(3 << 24, "s", 6), ((3 << 24) + 2, "s", 3)])
    batches = list(token_rows.encode_rows(job, table, _NO_SPANS, chosen))
    assert len(batches) >= 6
    assert len(from_chunks(batches)) == 9
