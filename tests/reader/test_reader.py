"""The reader: what was written is read, every sequence once an epoch over any ranks, and resumed exactly."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import fs as pafs
from stage_folder import END, Folder, document_hash, write_folder

from headwater.errors import CorruptLakeError, MissingDependencyError, UsageError
from headwater.reader import Batch, Reader, open_stage
from headwater.reader import torch as torch_reader

SUFFIXES = (".bin", ".npy", ".dolma.npy", ".tokens.parquet")
COUNTS = (5, 1, 8, 7)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A stage of four shards in all formats."""
    return write_folder(tmp_path / "stage", COUNTS, suffixes=SUFFIXES)


def check(batch: Batch, folder: Folder) -> None:
    """Compare tokens, runs and all that follows from them with what was written, one token at a time."""
    context = folder.tokens.shape[1]
    documents = batch.documents()
    positions, padding = batch.positions(), batch.padding()
    labels, own = batch.labels(), batch.labels(across_documents=False)
    borders = set()
    for row, sequence in enumerate(batch.sequences.tolist()):
        tokens, runs = folder.tokens[sequence], folder.runs[sequence]
        assert batch.tokens[row].tolist() == tokens.tolist()
        mine = [document for document in documents if document["row"] == row]
        assert [(d["begin"], d["end"], d["sample_token_begin"], d["ends"], d["begins"]) for d in mine] == [
            (begin, end, first, ends, first == 0) for begin, end, _, first, ends in runs
        ]
        assert [d["content_hash"] for d in mine] == [document_hash(number).hex() for _, _, number, _, _ in runs]
        assert [(d["origin"], d["copy"], d["sample_id"]) for d in mine] == [
            (1000 + number, number % 2, None) for _, _, number, _, _ in runs
        ]
        filled = runs[-1][1]
        borders |= {row * context, (row + 1) * context, row * context + filled}
        for begin, end, *_ in runs:
            borders.add(row * context + begin)
            for at in range(begin, end):
                assert positions[row, at] == at - begin
                assert not padding[row, at]
                expected = int(tokens[at + 1]) if at + 1 < filled else -100
                assert labels[row, at] == expected
                assert own[row, at] == (expected if at + 1 < end else -100)
        assert padding[row, filled:].all()
        assert (labels[row, filled:] == -100).all()
        assert (batch.tokens[row, filled:] == END).all()
    assert batch.cu_seqlens().tolist() == sorted(borders)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("shuffle", [True, False])
def test_what_was_written_is_read(folder: Folder, suffix: str, shuffle: bool) -> None:
    """Tokens, runs, labels, positions and padding of every sequence of one epoch, from each format."""
    reader = Reader(open_stage(folder.path, suffix=suffix, verify=True), batch_size=4, shuffle=shuffle, epochs=1)
    seen: list[int] = []
    for batch in reader:
        check(batch, folder)
        seen += batch.sequences.tolist()
    assert sorted(seen) == list(range(21))
    assert (seen == list(range(21))) == (not shuffle)


def test_through_a_file_system_that_cannot_be_mapped(folder: Folder) -> None:
    """A folder given by URI is read like a path."""
    stage = open_stage(folder.path.as_uri())
    check(next(Reader(stage, batch_size=21)), folder)


def test_ranged_reads(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be mapped, as in an object store, sequences come by ranged reads and are the same."""
    from headwater.reader import stage as module

    store = pafs.SubTreeFileSystem("/", pafs.LocalFileSystem())
    monkeypatch.setattr(module, "filesystem_of", lambda uri: (store, uri.removeprefix("/")))
    for suffix in SUFFIXES:
        check(next(Reader(open_stage(folder.path, suffix=suffix), batch_size=21)), folder)


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
def test_ranks_share_one_order(folder: Folder, world_size: int) -> None:
    """Laid side by side the ranks' parts of each step are the steps of one rank, epoch borders included; each sequence once an epoch."""
    stage = open_stage(folder.path)
    whole = Reader(stage, batch_size=6, seed=5, epochs=2)
    ranks = [
        Reader(stage, batch_size=6, seed=5, rank=rank, world_size=world_size, epochs=2) for rank in range(world_size)
    ]
    seen: list[int] = []
    for step in whole:
        parts = [next(rank) for rank in ranks]
        assert step.sequences.tolist() == [number for part in parts for number in part.sequences.tolist()]
        assert all(part.state == step.state for part in parts)
        seen += step.sequences.tolist()
    assert [sorted(seen[:21]), sorted(seen[21:])] == [list(range(21))] * 2
    assert seen[:21] != seen[21:]
    assert all(next(rank, None) is None for rank in ranks)


@pytest.mark.parametrize("world_size", [1, 2, 4, 8])
@pytest.mark.parametrize("batch_size", [8, 16, 32])
@pytest.mark.parametrize("epochs", [1, 2])
def test_no_rank_gets_an_empty_batch(folder: Folder, world_size: int, batch_size: int, epochs: int) -> None:
    """Of 21 and 42 sequences the last step is shared as equally as can be, filled, or left out; with too few for the ranks it is refused."""
    stage, total = open_stage(folder.path), 21 * epochs
    endless = Reader(stage, batch_size=1, seed=5).order(0, total + batch_size).tolist()
    left = total % batch_size
    n_whole = {"short": -(-total // batch_size), "whole": -(-total // batch_size), "drop": total // batch_size}

    def read(last_step: str) -> list[list[list[int]]]:
        ranks = [
            Reader(
                stage,
                batch_size=batch_size,
                seed=5,
                rank=rank,
                world_size=world_size,
                epochs=epochs,
                last_step=last_step,
            )
            for rank in range(world_size)
        ]
        steps = [[batch.sequences.tolist() for batch in rank] for rank in ranks]
        assert {len(rank) for rank in steps} == {n_whole[last_step]}
        return [list(step) for step in zip(*steps, strict=True)]

    whole, dropped = read("whole"), read("drop")
    assert {len(part) for step in [*whole, *dropped] for part in step} <= {batch_size // world_size}
    assert [number for step in whole for part in step for number in part] == endless[: n_whole["whole"] * batch_size]
    assert dropped == whole[: n_whole["drop"]]
    if 0 < left < world_size:
        with pytest.raises(
            UsageError,
            match=f"each of {world_size} ranks in the last step, found {left} left after whole steps of {batch_size}",
        ):
            read("short")
        return
    short = read("short")
    sizes = [len(part) for part in short[-1]]
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= 1
    assert [number for step in short for part in step for number in part] == endless[:total]


def test_a_state_may_leave_too_few_for_the_ranks(folder: Folder) -> None:
    """A reader that goes on elsewhere is judged by what is left from there, and an endless one never."""
    stage = open_stage(folder.path)
    state = Reader(stage, batch_size=3).state_at(20)
    reader = Reader(stage, batch_size=2, world_size=2, rank=1, epochs=2)
    with pytest.raises(UsageError, match="found 1 left"):
        Reader(stage, batch_size=2, world_size=2, epochs=1, state=state)
    with pytest.raises(UsageError, match="found 1 left"):
        reader.load_state(state | {"epoch": 1})
    Reader(stage, batch_size=2, world_size=2, state=state)
    with pytest.raises(UsageError, match="expected a last_step of short, whole, drop, found 'pad'"):
        Reader(stage, batch_size=2, last_step="pad")


def test_workers_end_with_the_last_step(folder: Folder) -> None:
    """Several workers' steps end where the reader's do, however the last one ends."""
    for last_step, n in (("short", 3), ("whole", 3), ("drop", 2)):
        reader = Reader(open_stage(folder.path), batch_size=8, epochs=1, last_step=last_step)
        workers = [[step.sequences.tolist() for step in reader.steps(first=worker, every=2)] for worker in range(2)]
        assert [workers[step % 2][step // 2] for step in range(n)] == [step.sequences.tolist() for step in reader]
        assert sum(map(len, workers)) == n


@pytest.mark.parametrize("shuffle", [True, False])
def test_resumed_exactly(folder: Folder, shuffle: bool) -> None:
    """From the JSON of a state after any step, with any number of ranks and any batch size, the same sequences follow."""
    stage = open_stage(folder.path)
    reader = Reader(stage, batch_size=3, seed=9, shuffle=shuffle)
    steps = [next(reader) for _ in range(20)]
    everything = [number for step in steps for number in step.sequences.tolist()]
    for done in range(1, 15):
        state = json.loads(json.dumps(steps[done - 1].state))
        assert (state["epoch"], state["position"]) == divmod(3 * done, 21)
        resumed = Reader(stage, batch_size=3, seed=9, shuffle=shuffle, state=state)
        assert resumed.state() == state
        assert next(resumed).sequences.tolist() == everything[3 * done : 3 * done + 3]
        other = [
            Reader(stage, batch_size=8, seed=9, shuffle=shuffle, rank=rank, world_size=2, state=state)
            for rank in (0, 1)
        ]
        found = [number for rank in other for number in next(rank).sequences.tolist()]
        assert found == everything[3 * done : 3 * done + 8]


def test_workers_share_the_steps(folder: Folder) -> None:
    """Steps w, w + W, … of W workers, taken in turn, are the reader's steps; the reader stays where it is."""
    reader = Reader(open_stage(folder.path), batch_size=2, epochs=1)
    next(reader)
    before = reader.state()
    workers = [list(reader.steps(first=worker, every=3)) for worker in range(3)]
    taken = [workers[step % 3][step // 3].sequences.tolist() for step in range(10)]
    assert reader.state() == before
    assert taken == [step.sequences.tolist() for step in reader]


def test_a_state_fits_only_its_order(folder: Folder, tmp_path: Path) -> None:
    """Another seed, order, stage or format of state, or a position outside, is refused."""
    stage = open_stage(folder.path)
    reader = Reader(stage, batch_size=3)
    state = reader.state()
    other = open_stage(write_folder(tmp_path / "other", (21,)).path)
    with pytest.raises(UsageError, match="state of stage"):
        Reader(other, batch_size=3, state=state)
    for change in ({"seed": 1}, {"shuffle": False}, {"format": 2}, {"position": 21}, {"epoch": -1}, {"position": None}):
        with pytest.raises(UsageError):
            Reader(stage, batch_size=3, state=state | change)
    copied = shutil.copytree(folder.path, tmp_path / "copied")
    assert Reader(open_stage(copied), batch_size=3, state=state).state() == state


@pytest.mark.parametrize(
    "arguments",
    [{"batch_size": 0}, {"batch_size": 3, "world_size": 2}, {"batch_size": 2, "world_size": 2, "rank": 2}, {"batch_size": 1, "epochs": 0}],
)  # fmt: skip
def test_impossible_arguments(folder: Folder, arguments: dict[str, Any]) -> None:
    """A batch that ranks cannot share, a rank outside the world, and no epoch are errors."""
    with pytest.raises(UsageError):
        Reader(open_stage(folder.path), **arguments)


def test_only_what_is_read_must_be_there(folder: Folder) -> None:
    """Without the quickest files the next ones are read; a part of them alone is damage."""
    for suffix in SUFFIXES[:-1]:
        assert open_stage(folder.path).suffix == suffix
        for file in sorted(folder.path.glob(f"shard-?????{suffix}"))[1:]:
            file.unlink()
        with pytest.raises(CorruptLakeError, match="found none"):
            open_stage(folder.path)
        (folder.path / f"shard-00000{suffix}").unlink()
    assert open_stage(folder.path).suffix == ".tokens.parquet"
    check(next(Reader(open_stage(folder.path), batch_size=9)), folder)


def test_damage_is_found(folder: Folder) -> None:
    """A truncated file is found on opening, a flipped bit with ``verify``, in tokens and sidecar."""
    for name in ("shard-00002.bin", "shard-00002.boundaries.parquet"):
        file = folder.path / name
        data = file.read_bytes()
        file.write_bytes(data[:-1])
        with pytest.raises(CorruptLakeError, match=f"{name}: expected {len(data)} bytes, found {len(data) - 1}"):
            open_stage(folder.path)
        file.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
        open_stage(folder.path)
        with pytest.raises(CorruptLakeError, match="SHA-256"):
            open_stage(folder.path, verify=True)
        file.write_bytes(data)
    assert len(open_stage(folder.path, verify=True)) == 21


def test_no_stage(tmp_path: Path, folder: Folder) -> None:
    """A folder without a manifest, or without tokens, and an unknown suffix are named."""
    with pytest.raises(UsageError, match="manifest"):
        open_stage(tmp_path / "nothing")
    with pytest.raises(UsageError, match="suffix"):
        open_stage(folder.path, suffix=".txt")
    for file in folder.path.glob("shard-*"):
        file.unlink()
    with pytest.raises(UsageError, match="files with tokens"):
        open_stage(folder.path)


def test_more_shards_than_files_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are closed and opened again when there are more than may be open."""
    from headwater.reader import stage as module

    monkeypatch.setattr(module, "_FILES_HELD", 2)
    written = write_folder(tmp_path / "many", (2,) * 9)
    for batch in Reader(open_stage(written.path), batch_size=3, epochs=2):
        check(batch, written)


def test_sent_to_other_processes(folder: Folder) -> None:
    """A stage and a reader that were pickled or copied read the same, with decoded boundaries of their own."""
    reader = Reader(open_stage(folder.path), batch_size=7, seed=2)
    next(reader)
    again = pickle.loads(pickle.dumps(reader))  # noqa: S301 - written here
    assert again.state() == reader.state()
    twin = copy.copy(reader)
    expected = next(reader)
    for other in (again, twin):
        found = next(other)
        assert np.array_equal(found.tokens, expected.tokens)
        assert np.array_equal(found.runs, expected.runs)


@pytest.mark.slow
def test_forked_processes_do_not_disturb_each_other(folder: Folder) -> None:
    """Children of a process that has read already decode for themselves, as workers of a DataLoader do."""
    program = (
        "import os, sys\nfrom headwater.reader import Reader, open_stage\n"
        "stage = open_stage(sys.argv[1])\nnext(Reader(stage, batch_size=2, shuffle=False))\n"
        "children = []\n"
        "for seed in range(4):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        b = [x for _ in range(50) for x in Reader(stage, batch_size=3, seed=seed, epochs=1)]\n"
        "        ok = all((x.runs['end'] <= 32).all() and (x.runs['begin'] < x.runs['end']).all() and "
        "(x.padding()[:, :25] == False).all() for x in b)\n"
        "        os._exit(0 if ok else 1)\n"
        "    children.append(child)\n"
        "sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_gap_between_runs_is_padding(folder: Folder) -> None:
    """Padding need not stand at the end: what no run covers is masked wherever it is."""
    batch = next(Reader(open_stage(folder.path), batch_size=1, shuffle=False))
    runs = batch.runs[1:].copy()
    changed = Batch(**{name: getattr(batch, name) for name in Batch.__slots__} | {"runs": runs})
    padding = changed.padding()
    assert padding[0, : runs["begin"][0]].all()
    assert not padding[0, runs["begin"][0] : runs["end"][-1]].any()
    assert (changed.labels()[0, : runs["begin"][0]] == -100).all()


def test_sample_ids_are_asked_for_by_shard(folder: Folder) -> None:
    """What a lake says of a shard's runs stands in the runs of each of its sequences."""
    asked = []

    def sample_ids(shard: int, runs: np.ndarray) -> np.ndarray:
        asked.append(shard)
        return runs["origin"] * 10 + shard

    batch = next(Reader(open_stage(folder.path, sample_ids=sample_ids), batch_size=21))
    assert sorted(asked) == [0, 1, 2, 3]
    assert np.array_equal(batch.runs["sample_id"], batch.runs["origin"] * 10 + batch.shards[batch.runs["row"]])


def test_import_is_light() -> None:
    """Importing the reader, and opening nothing, loads NumPy and pyarrow and neither Spark, Delta, DuckDB, Numba, pandas nor torch."""
    program = "import sys, headwater.reader, headwater.reader.torch; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"numpy", "pyarrow"} <= loaded
    assert not loaded & {"pyspark", "deltalake", "duckdb", "numba", "pandas", "torch", "tokenizers"}


def test_without_torch(folder: Folder) -> None:
    """Without torch the dataset says what to install."""
    with pytest.raises(MissingDependencyError, match="install torch"):
        torch_reader.StageDataset(Reader(open_stage(folder.path), batch_size=1))
