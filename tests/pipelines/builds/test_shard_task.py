"""A shard: the same rows give the same bytes, and its placements say where every token is."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_lake import small_recipe

from headwater.errors import RecipeError
from headwater.hashes import items_of_hashes
from headwater.lineage.builds import builds_uri, read_tokens, shard_name, stage_operator
from headwater.lineage.runs import Unit
from headwater.pipelines.builds import shard_task as shards
from headwater.pipelines.builds.chunks import TokenRows, to_chunks
from headwater.pipelines.builds.encode_task import BuildJob
from headwater.pipelines.builds.files import write_shard_file
from headwater.pipelines.builds.shard_task import empty_shard, write_shards
from headwater.pipelines.builds.step import packing_buckets
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.names import FORMATS
from headwater.tokenize.shards.manifest import read_shard
from headwater.tokenize.shards.tokens import SUFFIXES
from headwater.warehouse.parquet import read_file


def _job(root: Path) -> BuildJob:
    return BuildJob(
        lake=str(root),
        table=str(root / "samples"),
        folder=builds_uri(str(root), "b"),
        build="b",
        run_id="r",
        recipe=small_recipe(),
        shards={"knowledge": 2, "mid-training": 1},
        slots=(("knowledge", 0), ("knowledge", 1), ("mid-training", 0)),
    )


def _rows() -> list[dict[str, Any]]:
    """Forty documents of 1 to 400 tokens over three slots; every third one has a second copy."""
    draw = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for number in range(40):
        for copy in range(1 + (number % 3 == 0)):
            tokens = draw.integers(0, 1000, 1 + number * 10, dtype=np.uint32) if copy == 0 else rows[-1]["ids"]
            rows.append(
                {
                    "slot": number % 3,
                    "position": int(draw.integers(0, 2**63)),
                    "content_hash": number.to_bytes(16, "big")[::-1],
                    "origin": number,
                    "copy": copy,
                    "sample_id": (5 << 24) + number,
                    "ids": tokens,
                }
            )
    return rows


def _chunks(rows: list[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
    lengths = np.array([len(row["ids"]) for row in rows], np.int64)
    columns = {name: np.array([row[name] for row in rows]) for name in ("position", "origin", "copy", "sample_id")}
    hashes = items_of_hashes(pa.array([row["content_hash"] for row in rows], pa.binary()))
    tokens = np.concatenate([row["ids"] for row in rows])
    begin = np.cumsum(lengths) - lengths
    documents = TokenRows(**columns, content_hash=hashes, begin=begin, n_tokens=lengths, tokens=tokens)
    return to_chunks(np.array([row["slot"] for row in rows]), documents)


def _write(root: Path, rows_a_batch: int = 7) -> list[Unit]:
    rows = _rows()
    batches = [
        chunk for begin in range(0, len(rows), rows_a_batch) for chunk in _chunks(rows[begin : begin + rows_a_batch])
    ]
    return [pickle.loads(found["unit"][0].as_py()) for found in write_shards(_job(root), iter(batches))]  # noqa: S301 - written above


def _hashes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_names_of_shards_sort_as_numbers() -> None:
    """Names have five digits; stages of a build have operators of their own."""
    assert [shard_name(number) for number in (0, 7, 12345)] == ["shard-00000", "shard-00007", "shard-12345"]
    assert stage_operator("a") != stage_operator("b")


@pytest.mark.parametrize("rows_a_batch", [1, 13, 1000])
def test_the_same_rows_give_the_same_bytes(rows_a_batch: int, tmp_path: Path) -> None:
    """Written again, and cut into other batches, every file of every shard and its placements are the same."""
    first, again = _write(tmp_path / "a"), _write(tmp_path / "b", rows_a_batch)
    assert first == again
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")
    _write(tmp_path / "a")
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")


def test_a_run_of_shards_is_written_one_at_a_time(tmp_path: Path) -> None:
    """Chunks that come shard by shard give the bytes of those in any order, each shard as soon as the next one begins."""
    expected = _write(tmp_path / "a")
    chunks = [chunk for begin in range(0, len(_rows()), 3) for chunk in _chunks(_rows()[begin : begin + 3])]
    pieces = [chunk.slice(row, 1) for chunk in chunks for row in range(len(chunk))]
    pieces.sort(key=lambda piece: piece["slot"][0].as_py())
    batches = [pa.Table.from_batches(pieces[begin : begin + 5]) for begin in range(0, len(pieces), 5)]
    batches = [table.combine_chunks().to_batches()[0] for table in batches]
    came: list[int] = []

    def noted() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            came.append(max(batch["slot"].to_pylist()))
            yield batch

    units, when = [], []
    for found in write_shards(_job(tmp_path / "b"), noted(), ordered=True):
        units.append(pickle.loads(found["unit"][0].as_py()))  # noqa: S301 - written above
        when.append(came[-1])
    assert units == expected
    assert when == [1, 2, 2]
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")


def test_placements_name_every_token_once(tmp_path: Path) -> None:
    """Per copy the pieces are its tokens and one end of text, in order; the rest of a shard is padding."""
    units = _write(tmp_path)
    assert [set(unit.tags) for unit in units] == [{"knowledge/0"}, {"knowledge/1"}, {"mid-training/0"}]
    vocabulary, rows = load_vocabulary(), _rows()
    for slot, unit in enumerate(units):
        stage, number = _job(tmp_path).slots[slot]
        (entry,) = unit.adds
        assert (entry.base, entry.mask, entry.operator) == (number, 1, stage_operator(stage)[:16])
        (table,) = read_file(str(tmp_path / "samples"), entry.path)
        placed = table.to_pylist()
        size = (tmp_path / "builds" / "b" / stage / f"{shard_name(number)}.bin").stat().st_size // 4
        tokens = read_tokens(str(tmp_path), "b", stage, number, 0, size)
        used = np.zeros(size, dtype=int)
        pieces: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in placed:
            used[row["token_begin"] : row["token_end"]] += 1
            pieces.setdefault((row["sample_id"], row["copy"]), []).append(row)
            context = 256 if stage == "knowledge" else 1024
            assert row["sequence"] == row["token_begin"] // context == (row["token_end"] - 1) // context
        assert used.max() == 1
        assert (tokens[used == 0] == vocabulary.padding).all()
        mine = [row for row in rows if row["slot"] == slot]
        assert set(pieces) == {(row["sample_id"], row["copy"]) for row in mine}
        for row in mine:
            parts = sorted(pieces[row["sample_id"], row["copy"]], key=lambda piece: piece["sample_token_begin"])
            laid = np.concatenate([tokens[part["token_begin"] : part["token_end"]] for part in parts])
            assert laid.tolist() == [*row["ids"].tolist(), vocabulary.end_of_text]
            ends = np.cumsum([part["token_end"] - part["token_begin"] for part in parts])
            assert [part["sample_token_begin"] for part in parts] == [0, *ends[:-1].tolist()]
        for sequence in {row["sequence"] for row in placed}:
            copies = [(row["sample_id"], row["copy"]) for row in placed if row["sequence"] == sequence]
            samples = [sample for sample, _ in set(copies)]
            assert len(samples) == len(set(samples))
        assert unit.counts[f"tokens:{stage}"] == int(used.sum())
        assert unit.counts[f"padding:{stage}"] == int((used == 0).sum())


def test_both_formats_hold_the_same_tokens(tmp_path: Path) -> None:
    """.npy and .bin of a shard are one array of uint32."""
    _write(tmp_path)
    folder = tmp_path / "builds" / "b" / "knowledge"
    found = np.load(folder / "shard-00001.npy", mmap_mode="r")
    assert found.dtype == np.uint32
    assert found.tobytes() == (folder / "shard-00001.bin").read_bytes()


def test_every_file_of_a_shard_is_in_its_record(tmp_path: Path) -> None:
    """Whatever formats a build has, the manifest's record names each file with its size and SHA-256, so that verify holds it."""
    job = _job(tmp_path)
    build = dataclasses.replace(job.recipe.build, formats=FORMATS)
    job = dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, build=build))
    list(write_shards(job, iter(_chunks(_rows()))))
    folder = tmp_path / "builds" / "b" / "knowledge"
    shard = read_shard((folder / "shard-00001.json").read_bytes(), "shard")
    names = {path.name for path in folder.glob("shard-00001*")} - {"shard-00001.json"}
    assert len(names) == 8
    assert {file.name for file in shard.files} == names
    for file in shard.files:
        data = (folder / file.name).read_bytes()
        assert (file.n_bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    begin, end = 300, 900
    expected = read_tokens(str(tmp_path), "b", "knowledge", 1, begin, end)
    for suffix in SUFFIXES[:-1]:
        (folder / f"shard-00001{suffix}").unlink()
        assert read_tokens(str(tmp_path), "b", "knowledge", 1, begin, end).tolist() == expected.tolist()


def test_an_empty_shard_has_placements_without_rows(tmp_path: Path) -> None:
    """A shard to which no document fell writes no file of tokens, and counts as done."""
    (entry,) = empty_shard(_job(tmp_path), "knowledge", 1).adds
    (table,) = read_file(str(tmp_path / "samples"), entry.path)
    assert table.num_rows == 0
    assert (entry.base, entry.mask, entry.min_id) == (1, 1, None)
    assert not (tmp_path / "builds").exists()


@pytest.mark.parametrize(
    ("tokens", "buckets"), [(0, 1), (1, 1), (100, 1), (101, 2), (200, 2), (201, 4), (800, 8), (801, 16)]
)
def test_buckets_are_the_smallest_power_of_two(tokens: int, buckets: int) -> None:
    """A stage has the fewest buckets, a power of two, whose share of its tokens keeps to the tokens of a shard."""
    stage = small_recipe().stages[0]
    assert packing_buckets(stage, tokens, 100) == buckets


def test_buckets_of_the_recipe_win() -> None:
    """A stage that says how many buckets it has gets them, whatever its size; too many by size are an error that says what to set."""
    stage = dataclasses.replace(small_recipe().stages[0], buckets=16)
    assert packing_buckets(stage, 1, 100) == 16
    with pytest.raises(RecipeError, match="set it to 2 or more"):
        packing_buckets(small_recipe().stages[0], 2 * 65_536, 1)


@pytest.mark.parametrize("buckets", [0, 3, 131_072, True])
def test_wrong_buckets_are_refused(buckets: int) -> None:
    """Buckets are a power of two up to 65,536."""
    with pytest.raises(RecipeError, match="buckets: expected"):
        dataclasses.replace(small_recipe().stages[0], buckets=buckets)


def test_beginning_of_text_counts(tmp_path: Path) -> None:
    """With a beginning of text each document has one token more; its placement begins at -1, and the sidecar says so."""
    recipe = small_recipe()
    stages = tuple(dataclasses.replace(stage, beginning_of_text=True) for stage in recipe.stages)
    assert [stage.special_tokens for stage in stages] == [2, 2]
    job = dataclasses.replace(_job(tmp_path), recipe=dataclasses.replace(recipe, stages=stages))
    vocabulary, rows = load_vocabulary(), _rows()
    unit = pickle.loads(next(iter(write_shards(job, iter(_chunks(rows)))))["unit"][0].as_py())  # noqa: S301 - written above
    (table,) = read_file(str(tmp_path / "samples"), unit.adds[0].path)
    first = table.filter(pc.equal(table["sample_token_begin"], -1)).to_pylist()
    mine = [row for row in rows if row["slot"] == 0]
    assert len(first) == len(mine)
    assert unit.counts["tokens:knowledge"] == sum(len(row["ids"]) + 2 for row in mine)
    for row in first:
        assert read_tokens(str(tmp_path), "b", "knowledge", 0, row["token_begin"], row["token_begin"] + 1)[0] == (
            vocabulary.beginning_of_text
        )
    sidecar = pq.read_table(tmp_path / "builds" / "b" / "knowledge" / "shard-00000.boundaries.parquet")
    assert sidecar["begins"].to_pylist() == [value == -1 for value in sidecar["sample_token_begin"].to_pylist()]


def test_what_a_killed_task_left_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that dies between two files of a shard, and files of its names with other bytes: written again, all bytes are right."""
    _write(tmp_path / "whole")
    written: list[str] = []

    def dies(*arguments: Any, **keywords: Any) -> Any:
        if len(written) == 2:
            raise OSError("gone")
        written.append("one")
        return write_shard_file(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_shard_file", dies)
        with pytest.raises(OSError, match="gone"):
            _write(tmp_path / "killed")
    left = _hashes(tmp_path / "killed")
    assert 0 < len(left) < len(_hashes(tmp_path / "whole"))
    for name in left:
        (tmp_path / "killed" / name).write_bytes(b"half")
    _write(tmp_path / "killed")
    assert _hashes(tmp_path / "killed") == _hashes(tmp_path / "whole")
