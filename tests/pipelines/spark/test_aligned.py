"""Narrow rows: which files are written for which fragments, and rows that come in pieces."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.pipelines.spark import aligned
from headwater.pipelines.spark.aligned import TASKS_PER_SLOT, Target, group_neighbours, plan_targets, rows_by_target
from headwater.pipelines.spark.blocks import run_bounds
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import FileEntry, fragment_mask, sample_ids
from headwater.warehouse.parquet import FragmentFiles, read_file, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot


def _file(uri: str, family: str, fragments: list[int], batch: str = "b", rows: int = 2) -> FileEntry:
    base, mask = fragment_mask(fragments)
    groups = []
    for number in fragments:
        table = arrow_schema(family).empty_table()
        columns = [pa.nulls(rows, field.type) for field in table.schema]
        columns[0] = pa.array(sample_ids(number, 0, rows))
        groups.append(pa.table(columns, schema=table.schema))
    return write_family(uri, family, batch, base, mask, "a" * 32, groups)


def _lake(folder: Path, content: dict[int, str], *files: tuple[str, list[int], str]) -> Snapshot:
    snapshot = create_lake(str(folder))
    entries = [_file(snapshot.uri, "content", [number], batch) for number, batch in content.items()]
    entries += [_file(snapshot.uri, family, fragments, batch) for family, fragments, batch in files]
    return commit(snapshot, adds=entries, wave=("w", 1), lake=str(folder))


def _planned(targets: list[Target]) -> list[list[int]]:
    return [[where.fragment for where in target.fragments] for target in targets]


@given(st.lists(st.integers(0, 3), max_size=30))
def test_runs_of_equal_neighbours(keys: list[int]) -> None:
    """Bounds rise from 0 to the length; within them keys are equal, across them they differ."""
    bounds = run_bounds(np.array(keys, dtype=np.int64)).tolist()
    assert (bounds[0], bounds[-1]) == (0, len(keys))
    runs = [keys[begin:end] for begin, end in zip(bounds, bounds[1:], strict=False)]
    assert all(len(set(run)) == 1 for run in runs)
    assert all(one[0] != two[0] for one, two in zip(runs, runs[1:], strict=False))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=8, unique_by=lambda pair: pair[0]),
    st.integers(1, 5),
)
def test_rows_of_a_target_are_put_together(sizes: list[tuple[int, int]], rows_a_batch: int) -> None:
    """Each target comes once, in order, with its rows and the mark first, however rows are cut into batches."""
    targets = [target for target, size in sorted(sizes) for _ in range(size + 1)]
    ids = [number for _, size in sorted(sizes) for number in [-1, *range(size)]]
    table = pa.table({"target": pa.array(targets, pa.int32()), "sample_id": pa.array(ids, pa.int64())})
    found = list(rows_by_target(iter(table.to_batches(max_chunksize=rows_a_batch))))
    assert [target for target, _ in found] == [target for target, _ in sorted(sizes)]
    assert [rows["sample_id"].to_pylist() for _, rows in found] == [[-1, *range(size)] for _, size in sorted(sizes)]


def test_a_file_covers_neighbours_of_one_batch(lake_folder: Path) -> None:
    """A large lake gets files of up to 64 fragments, never over two batches nor further than 64 apart."""
    content = dict.fromkeys([*range(100), 300], "a") | dict.fromkeys(range(100, 110), "b")
    snapshot = _lake(lake_folder, content)
    fragments = np.array(sorted(content))
    planned = _planned(plan_targets(snapshot, "verdicts", fragments, [], slots=1))
    assert [number for target in planned for number in target] == sorted(content)
    assert all(max(target) - min(target) < 64 for target in planned)
    assert all(len({content[number] for number in target}) == 1 for target in planned)
    assert max(map(len, planned)) == len(content) // TASKS_PER_SLOT
    few = _planned(plan_targets(snapshot, "verdicts", fragments[:5], [], slots=8))
    assert few == [[0], [1], [2], [3], [4]]


def test_a_replaced_file_is_replaced_whole(lake_folder: Path) -> None:
    """One fragment of a file anew means all of them, in one target that removes the file; others stay untouched."""
    content = dict.fromkeys(range(8), "b")
    snapshot = _lake(lake_folder, content, ("verdicts", [0, 2, 5], "b"), ("verdicts", [1], "b"))
    (target,) = plan_targets(snapshot, "verdicts", np.array([2]), [], slots=8)
    assert [where.fragment for where in target.fragments] == [0, 2, 5]
    assert target.removes == tuple(path for path in snapshot.paths("verdicts") if "0000000025" in path)
    assert plan_targets(snapshot, "verdicts", np.array([], dtype=np.int64), [], slots=1) == []


@pytest.mark.parametrize("fragments", [[0, 1, 3], [3]])
def test_a_target_is_written_for_all_its_fragments(fragments: list[int], lake_folder: Path) -> None:
    """Each fragment gets the sparse rows that are its own, also none, and one row group in order."""
    snapshot = _lake(lake_folder, dict.fromkeys(range(4), "b"))
    located = tuple(snapshot.locate(np.array(fragments), []))
    rows = pa.table(
        {"sample_id": pa.array([(0 << 24) + 1, 3 << 24, (3 << 24) + 1], pa.int64()), "n": pa.array([1, 2, 3])}
    )

    def fill(_: FragmentFiles, zipped: pa.Table, sparse: pa.Table) -> tuple[pa.Table, dict[str, int]]:
        table = pa.table(
            {
                "sample_id": zipped["sample_id"],
                "vocabulary": pa.nulls(zipped.num_rows, pa.string()),
                "n_tokens": pa.array([sum(sparse["n"].to_pylist())] * zipped.num_rows, pa.int64()),
                "run_id": pa.nulls(zipped.num_rows, pa.string()),
            }
        )
        return table, {"rows": sparse.num_rows}

    filled = partial(aligned._fill_sparse, rows["sample_id"].to_numpy(), rows, fill)
    target = Target(fragments=located, removes=("x",))
    unit = aligned._write_target(snapshot.uri, target, "tokens", "c" * 32, {"content": []}, filled)
    groups = list(read_file(snapshot.uri, unit.adds[0].path))
    assert [group["sample_id"][0].as_py() >> 24 for group in groups] == fragments
    expected = {0: 1, 1: 0, 3: 5}
    assert [group["n_tokens"].to_pylist() for group in groups] == [[expected[number]] * 2 for number in fragments]
    assert unit.removes == ("x",)
    assert unit.counts["rows"] == (3 if 0 in fragments else 2)
    assert unit.counts["fragments"] == len(fragments)
    assert isinstance(located[0], FragmentFiles)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.sampled_from("ab"), st.integers(0, 4)), unique_by=lambda item: item[0]),
    st.integers(1, 5),
)
def test_groups_are_neighbours_of_a_kind(items: list[tuple[int, str, int]], most: int) -> None:
    """Every fragment once and in order; one kind and one file's reach a group; only files that are replaced together make one larger."""
    located = [
        FragmentFiles(fragment=number, batch=batch, files={"tokens": (f"file {old}", 0)} if old else {})
        for number, batch, old in sorted(items)
    ]
    groups = group_neighbours(located, most, lambda where: where.batch, lambda where: where.paths(["tokens"]))
    assert [where for group in groups for where in group] == located
    for group in groups:
        assert len({where.batch for where in group}) == 1
        assert group[-1].fragment - group[0].fragment < 64
        for at in range(most, len(group)):
            assert set(group[at].paths(["tokens"])) & {path for where in group[:at] for path in where.paths(["tokens"])}
    for left, right in itertools.pairwise(groups):
        if left[0].batch == right[0].batch and right[0].fragment - left[0].fragment < 64:
            assert len(left) >= most
            assert not set(right[0].paths(["tokens"])) & {path for where in left for path in where.paths(["tokens"])}
