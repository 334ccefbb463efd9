"""The files of a shard in every format, read back by readers that share no code with the writers."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any, BinaryIO, cast

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, UsageError
from headwater.tokenize.names import FORMATS
from headwater.tokenize.shards import dolma_sidecar, token_parquet
from headwater.tokenize.shards.boundaries import SCHEMA
from headwater.tokenize.shards.tokens import SUFFIXES, open_tokens, token_suffix, tokens_in
from headwater.tokenize.shards.writers import shard_writers

CONTEXT = 16
PADDING = 156_892


def shard() -> tuple[npt.NDArray[np.uint32], pa.Table]:
    """Five sequences of 16 tokens; each holds a run of 9 and one of 5 tokens and two of padding, the last only the first run."""
    sequences = (np.arange(5 * CONTEXT, dtype=np.uint32) * 7919 % 156_892).reshape(5, CONTEXT)
    sequences[:, 14:] = PADDING
    sequences[4, 9:] = PADDING
    runs: list[dict[str, Any]] = []
    for sequence in range(5):
        for begin, end in ((0, 9), (9, 14)) if sequence < 4 else ((0, 9),):
            runs.append(
                {
                    "sequence": sequence,
                    "token_begin": sequence * CONTEXT + begin,
                    "token_end": sequence * CONTEXT + end,
                    "sample_token_begin": -1 if begin else 4 * sequence,
                    "content_hash": bytes([sequence, begin]) * 8,
                    "origin": (-1) ** sequence * (begin + 2**40),
                    "copy": begin % 2,
                    "begins": begin > 0,
                    "ends": True,
                }
            )
    return sequences, pa.Table.from_pylist(runs, schema=SCHEMA)


def written(suffix: str) -> bytes:
    """Return the bytes of one file of the shard."""
    sequences, boundaries = shard()
    buffer = io.BytesIO()
    shard_writers(sequences, boundaries, FORMATS)[suffix](buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_the_same_tokens(suffix: str) -> None:
    """Whatever file of tokens a shard has, the same sequences come back from it in the same order."""
    tokens = tokens_in(written(suffix), "shard" + suffix)
    assert np.array_equal(tokens.read(0, tokens.n_tokens).reshape(-1, CONTEXT), shard()[0])


@pytest.mark.parametrize("suffix", [".csv.gz", ".dolma.csv.gz", ".tokens.parquet", ".boundaries.parquet"])
def test_bytes_depend_on_the_content_alone(suffix: str) -> None:
    """Writing twice gives the same bytes: no time, no name, no order of hashing."""
    assert written(suffix) == written(suffix)


def test_bare_array_is_read_from_its_first_byte(tmp_path: Path) -> None:
    """`np.memmap(dtype=uint32, offset=0)`, as OLMo-core reads, gets the tokens; NumPy's file read so is off by 32."""
    (tmp_path / "a.dolma.npy").write_bytes(written(".dolma.npy"))
    (tmp_path / "a.npy").write_bytes(written(".npy"))
    bare = np.memmap(tmp_path / "a.dolma.npy", dtype=np.uint32, mode="r")
    assert np.array_equal(bare.reshape(-1, CONTEXT), shard()[0])
    shifted = np.memmap(tmp_path / "a.npy", dtype=np.uint32, mode="r")
    assert np.array_equal(shifted[32:].reshape(-1, CONTEXT), shard()[0])


def test_rows_are_those_of_dolma() -> None:
    """start, end, id, src, loc without a head: places of the bare array, ids of the sample and its record, loc from 1."""
    data = written(".csv.gz")
    assert data[3] == 0  # no name, no comment
    assert data[4:8] == bytes(4)  # no time
    rows = list(csv.reader(io.StringIO(gzip.decompress(data).decode(), newline="")))
    boundaries = shard()[1].to_pylist()
    assert len(rows) == len(boundaries) == 9
    for row, run in zip(rows, boundaries, strict=True):
        begin, end, name, source, place = row
        assert (int(begin), int(end)) == (run["token_begin"], run["token_end"])
        assert bytes.fromhex(name) == run["content_hash"]
        assert int.from_bytes(bytes.fromhex(source), "big", signed=True) == run["origin"]
        assert int(place) == max(run["sample_token_begin"], 0) + 1


def test_parquet_rows_are_sequences_with_their_runs(tmp_path: Path) -> None:
    """Another engine finds a row a sequence: tokens, where runs begin and end in it, and whose they are."""
    path = tmp_path / "shard.tokens.parquet"
    path.write_bytes(written(".tokens.parquet"))
    found = duckdb.sql(f"SELECT * FROM '{path}' ORDER BY sequence").to_arrow_table().to_pylist()
    sequences, boundaries = shard()
    assert [row["tokens"] for row in found] == sequences.tolist()
    runs = [
        (row["sequence"] * CONTEXT + begin, row["sequence"] * CONTEXT + end, at, bytes(name), origin, copy)
        for row in found
        for begin, end, at, name, origin, copy in zip(
            row["run_begin"],
            row["run_end"],
            row["sample_token_begin"],
            row["content_hash"],
            row["origin"],
            row["copy"],
            strict=True,
        )
    ]
    columns = ["token_begin", "token_end", "sample_token_begin", "content_hash", "origin", "copy"]
    assert runs == [tuple(row[name] for name in columns) for row in boundaries.to_pylist()]


def test_parquet_pages_are_checked(tmp_path: Path) -> None:
    """A flipped bit in a page of tokens is found when they are read."""
    data = bytearray(written(".tokens.parquet"))
    chunk = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(1)
    data[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    with pytest.raises(CorruptLakeError, match="row group 0 of shard.tokens.parquet: .*CRC"):
        tokens_in(bytes(data), "shard.tokens.parquet").read(0, 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("begin", "end"), [(0, 80), (3, 5), (15, 17), (47, 64), (79, 80), (80, 80)])
def test_a_range_of_tokens(suffix: str, begin: int, end: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, mapped and through a file system that cannot be mapped; of Parquet from one row group or two."""
    monkeypatch.setattr(token_parquet, "_ROW_GROUP_TOKENS", 2 * CONTEXT)
    data = written(suffix)
    if suffix == ".tokens.parquet":
        assert pq.ParquetFile(io.BytesIO(data)).metadata.num_row_groups == 3
    path = tmp_path / f"shard{suffix}"
    path.write_bytes(data)
    local = pafs.LocalFileSystem()
    remote = pafs.SubTreeFileSystem(str(tmp_path), local)
    for tokens in (tokens_in(data, path.name), open_tokens(local, str(path)), open_tokens(remote, path.name)):
        assert tokens.n_tokens == 80
        assert tokens.read(begin, end).tolist() == shard()[0].reshape(-1)[begin:end].tolist()
        with pytest.raises(
            CorruptLakeError, match=f"expected tokens {end} to 90 in .*{path.name}, found only {80 - end}"
        ):
            tokens.read(end, 90)


def test_other_types_are_refused() -> None:
    """A narrow type would cut ids above 65,535 silently, so it is no shard."""
    narrow = np.zeros((2, CONTEXT), np.uint16)
    with pytest.raises(UsageError, match="dolma: expected sequences of uint32"):
        dolma_sidecar.write_tokens(io.BytesIO(), cast(Any, narrow))
    with pytest.raises(UsageError, match="parquet: expected uint32"):
        token_parquet.write_sequences(cast(BinaryIO, io.BytesIO()), cast(Any, narrow), shard()[1])


def test_a_cut_file_of_tokens_is_found() -> None:
    """A file that does not hold whole tokens, or is no Parquet file, is corrupt, not shorter; so is one with other columns."""
    for suffix in (".bin", ".npy", ".dolma.npy"):
        with pytest.raises(CorruptLakeError, match="whole tokens"):
            tokens_in(written(suffix)[:-1], "shard" + suffix)
        assert tokens_in(written(suffix)[:-4], "shard" + suffix).n_tokens == 79
    with pytest.raises(CorruptLakeError, match="whole tokens .* found 100 bytes"):
        tokens_in(bytes(100), "shard.npy")
    with pytest.raises(CorruptLakeError, match="cannot read shard.tokens.parquet"):
        tokens_in(written(".tokens.parquet")[:-4], "shard.tokens.parquet")
    with pytest.raises(CorruptLakeError, match="expected a column tokens of lists, found sequence"):
        tokens_in(written(".boundaries.parquet"), "shard.tokens.parquet")


def test_a_shard_without_tokens_has_no_suffix() -> None:
    """Among the files of a shard the cheapest one to read is named, or none."""
    assert token_suffix(["a.boundaries.parquet", "a.idx"]) is None
    assert token_suffix(["a.boundaries.parquet", "a.tokens.parquet", "a.bin"]) == ".bin"


def test_no_sequences_give_readable_files() -> None:
    """A shard of nothing is a valid file in every format."""
    empty = np.empty((0, CONTEXT), np.uint32)
    for suffix, write in shard_writers(empty, SCHEMA.empty_table(), FORMATS).items():
        buffer = io.BytesIO()
        write(buffer)
        if suffix in SUFFIXES:
            assert tokens_in(buffer.getvalue(), "shard" + suffix).n_tokens == 0
