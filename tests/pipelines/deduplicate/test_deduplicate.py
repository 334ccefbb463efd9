"""Deduplicate: clusters are those of all pairs compared, in whatever batches and order the texts came."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from small_lake import small_recipe

from headwater.filters.duplicates.minhash import measure_minhash
from headwater.pipelines.deduplicate import clusters
from headwater.pipelines.deduplicate import pairs as buckets
from headwater.pipelines.deduplicate import step as deduplicate
from headwater.pipelines.deduplicate.clusters import CLUSTER_ANSWER
from headwater.pipelines.recipe.operators import resolve
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import FragmentFiles, read_file, write_family
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Cluster = tuple[bytes | None, int, str | None]


def _texts() -> list[str]:
    """Base texts, near copies of some at several distances, a chain of copies, exact copies, texts equal but for case, short texts."""
    draw = random.Random(9)
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("lm", "rt", "ns", "st")]
    texts = []
    for number in range(12):
        base = [draw.choice(words) for _ in range(120)]
        texts.append(" ".join(base))
        texts += [
            " ".join(draw.choice(words) if draw.random() < share else word for word in base)
            for share in (0.02, 0.05, 0.2)[: number % 4]
        ]
        if number % 5 == 0:  # a chain: each near the one before, its ends far apart
            for step in range(1, 7):
                base = [*base]
                base[step * 15 : step * 15 + 3] = ["new", "words", str(step)]
                texts.append(" ".join(base))
    texts += [texts[0], texts[3], texts[0], texts[5].upper(), texts[5] + " !"]
    texts += ["short one", "Short one!", "short two", "...", "!!!", "...", ""]
    draw.shuffle(texts)
    return texts


def _reference(texts: Sequence[str]) -> list[Cluster]:
    """All pairs of different normalised texts that share a band and agree on three quarters, closed; named by the smallest."""
    measured = measure_minhash(pa.array(texts, pa.large_string()))
    rows = measured.to_pylist()
    hashes = [blake2b(text.encode(), digest_size=16).digest() for text in texts]
    nodes = [row["normalized_hash"] or digest for row, digest in zip(rows, hashes, strict=True)]
    parent = {node: node for node in nodes}

    def find(node: bytes) -> bytes:
        while parent[node] != node:
            node = parent[node]
        return node

    for one, first in enumerate(rows):
        for two in range(one):
            second = rows[two]
            if set(first["bands"]) & set(second["bands"]):
                signatures = [np.frombuffer(row["signature"], np.uint32) for row in (first, second)]
                if np.mean(signatures[0] == signatures[1]) >= 0.75:
                    low, high = sorted((find(nodes[one]), find(nodes[two])))
                    parent[high] = low
    roots = [find(node) for node in nodes]
    size, same = Counter(roots), Counter(hashes)
    return [
        (root, size[root], "exact" if same[digest] > 1 else "near") if size[root] > 1 else (None, 1, None)
        for root, digest in zip(roots, hashes, strict=True)
    ]


def _add(lake: Path, fragment: int, texts: Sequence[str]) -> None:
    """Commit one fragment with what deduplicate reads of it."""
    snapshot = open_snapshot(str(lake))
    n = len(texts)
    strings = pa.nulls(n, pa.string())
    content = {
        "sample_id": pa.array(sample_ids(fragment, 0, n)),
        "content_hash": pa.array([blake2b(text.encode(), digest_size=16).digest() for text in texts], pa.binary()),
        "text": pa.array(texts, pa.string()),
        **{name: pa.nulls(n, pa.int64()) for name in ("file_id", "record_no", "origin", "text_bytes")},
        **dict.fromkeys(("source", "uri", "collected_at", "meta", "run_id"), strings),
    }
    measured = pa.Table.from_batches([measure_minhash(pa.array(texts, pa.large_string()))])
    minhash = measured.append_column("sample_id", content["sample_id"]).append_column("run_id", strings)
    operator = resolve(small_recipe(), "").fingerprints["minhash"]
    adds = [
        write_family(snapshot.uri, "content", "b", fragment, 1, "c" * 32, [pa.table(content)]),
        write_family(snapshot.uri, "minhash", "b", fragment, 1, operator, [minhash]),
    ]
    commit(snapshot, adds=adds, wave=(f"add-{fragment}", 1), lake=str(lake))


def _clusters(lake: Path) -> dict[int, Cluster]:
    snapshot = open_snapshot(str(lake))
    return {
        row["sample_id"]: (row["cluster_id"], row["cluster_size"], row["kind"])
        for path in snapshot.paths("duplicates")
        for table in read_file(snapshot.uri, path)
        for row in table.to_pylist()
    }


@pytest.mark.spark
@pytest.mark.parametrize("partitions", [2, 5])
def test_clusters_do_not_depend_on_batches(
    spark: SparkSession, lake_folder: Path, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    """Three batches in an order that tears clusters apart: each text's cluster is the one of all pairs compared at once."""
    for module in (buckets, clusters):
        monkeypatch.setattr(module, "partitions_of", lambda *_: partitions)
    texts = _texts()
    expected = _reference(texts)
    assert {kind for _, _, kind in expected} == {None, "exact", "near"}
    assert max(size for _, size, _ in expected) >= 6
    recipe, lake = small_recipe(), str(lake_folder)
    order = list(range(len(texts)))
    random.Random(2).shuffle(order)
    batches = order[::3], order[1::3], order[2::3]
    create_lake(lake)
    for fragment, batch in enumerate(batches):
        _add(lake_folder, fragment, [texts[number] for number in batch])
        deduplicate.deduplicate(spark, resolve(recipe, lake))
    found = _clusters(lake_folder)
    assert [found[(fragment << 24) + row] for fragment, batch in enumerate(batches) for row in range(len(batch))] == [
        expected[number] for batch in batches for number in batch
    ]
    version = open_snapshot(lake).version
    assert deduplicate.deduplicate(spark, resolve(recipe, lake)) == {}
    assert open_snapshot(lake).version == version


def test_the_agreement_is_the_smallest_that_reaches_the_similarity() -> None:
    """Three quarters of 112 are 84 values exactly; the decimal is taken as written, not as a binary fraction."""
    recipe = small_recipe()
    assert recipe.deduplicate.min_similarity == 0.75
    assert resolve(recipe, "").min_agreement == 84


def test_samples_without_a_cluster_are_unique() -> None:
    """Aligned rows: a sample whose text has an answer has its cluster, all others have size 1 and no name."""
    texts = [bytes(15) + bytes([number]) for number in range(3)]
    zipped = pa.table({"sample_id": pa.array([5, 6, 7], pa.int64()), "content_hash": pa.array(texts, pa.binary())})
    answers = np.zeros(1, CLUSTER_ANSWER)
    answers["content"], answers["cluster"], answers["size"], answers["kind"] = (0, 1), (7, 8), 4, 1
    table, counts = deduplicate._fill("r", FragmentFiles(fragment=0, batch="b"), zipped, answers)
    cluster = (7).to_bytes(8, "big") + (8).to_bytes(8, "big")
    assert table.drop_columns(["run_id"]).to_pylist() == [
        {"sample_id": 5, "cluster_id": None, "cluster_size": 1, "kind": None},
        {"sample_id": 6, "cluster_id": cluster, "cluster_size": 4, "kind": "near"},
        {"sample_id": 7, "cluster_id": None, "cluster_size": 1, "kind": None},
    ]
    assert counts == {"samples": 3, "clustered": 1}
    empty, _ = deduplicate._fill("r", FragmentFiles(fragment=0, batch="b"), zipped, answers[:0])
    assert empty["cluster_size"].to_pylist() == [1, 1, 1]
