from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import StorageError
from headwater.pipelines.ingest.chunks import Chunk
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import FileInfo, detect_compression, detect_format, inspect_file

RECORD = b'{"text": "one line"}\n'


def _inspect(path: Path, limits: Limits | None = None) -> FileInfo:
    return inspect_file(str(path), path.stat().st_size, limits or Limits())


@pytest.mark.parametrize(
    "head,expected",
    [
        (b"\x1f\x8b\x08\x00", "gz"),
        (b"\x28\xb5\x2f\xfd\x00", "zst"),
        (b"\x50\x2a\x4d\x18\x00", "zst"),
        (b"BZh9", "bz2"),
        (b"BZh0", ""),
        (b"\xfd7zXZ\x00", "xz"),
        (b"PK\x03\x04", ""),
        (b"", ""),
        (RECORD, ""),
    ],
)
def test_compression_is_told_by_magic_numbers(head: bytes, expected: str) -> None:
    """Each format's first bytes, zstd's skippable frames among them; an archive is no compression."""
    assert detect_compression(head) == expected


@pytest.mark.parametrize(
    "head,name,expected",
    [
        (RECORD, "a.jsonl", "jsonl"),
        (RECORD, "a.jsonl.gz", "jsonl"),
        (RECORD, "part-00000", "jsonl"),
        (RECORD, "a.parquet", "jsonl"),
        (RECORD, "a.txt", "jsonl"),
        (b"\xef\xbb\xbf\r\n " + RECORD, "a", "jsonl"),
        (b'{"a": "' + b"x" * (64 << 10), "long.txt", "jsonl"),
        (b'{"a": "x\ny"', "short.txt", "text"),
        (b"{curly} text", "a.md", "text"),
        (b"{curly} text", "a.csv", "unknown"),
        (b"prose", "a.txt", "text"),
        (b"prose", "A.MD", "text"),
        (b"prose", "a.txt.gz", "text"),
        (b"", "a.txt", "text"),
        (b"", "a.jsonl", "jsonl"),
        (b"prose", "a.jsonl", "jsonl"),
        (b"\xff\n" + RECORD, "a.jsonl", "jsonl"),
        (b"\0\n" + RECORD, "a.jsonl", "jsonl"),
        (b"\0\1\2", "a.jsonl", "unknown"),
        (b"\x89PNG\r\n", "a.jsonl", "unknown"),
        ('{"text": "x"}'.encode("utf-16"), "a.jsonl", "unknown"),
        (b"a,b\n1,2\n", "a.csv", "unknown"),
        (b"<html>", "a", "html"),
        (b'[\n{"text": "x"}', "a.json", "unknown"),
        (b"[1]\n" + RECORD, "a.jsonl", "jsonl"),
        (b"PAR1\x15", "a.txt", "parquet"),
        (b"", "a.parquet", "unknown"),
        ("ж".encode() * (32 << 10), "a.jsonl", "jsonl"),
        (b"a" + "ж".encode() * (32 << 10), "a.jsonl", "jsonl"),
    ],
)
def test_format_is_told_by_content_then_name(head: bytes, name: str, expected: str) -> None:
    """Bytes decide what they can; the name decides between prose and a JSON Lines file that begins badly."""
    assert detect_format(head[: 64 << 10], name) == expected


def test_wrong_extension_is_read_as_what_it_is(tmp_path: Path) -> None:
    """gzip called .jsonl, plain text called .gz, and gzip within zstd's name are known by content."""
    for name, data, compression in [
        ("a.jsonl", gzip.compress(RECORD), "gz"),
        ("b.gz", RECORD, ""),
        ("c.zst", gzip.compress(RECORD), "gz"),
    ]:
        (tmp_path / name).write_bytes(data)
        found = _inspect(tmp_path / name)
        assert (found.format, found.compression) == ("jsonl", compression)


def test_info_of_a_small_file(tmp_path: Path) -> None:
    """SHA-256 and size are those of the stored bytes; a small file is one chunk."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(RECORD))
    data = path.read_bytes()
    assert _inspect(path) == FileInfo(
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        format="jsonl",
        compression="gz",
        chunks=(Chunk(begin=0, end=len(data), first_record=0),),
    )


def test_empty_files(tmp_path: Path) -> None:
    """An empty JSON Lines file has nothing to read; an empty packed file is read, since it is a truncated one."""
    for name, compression, chunks in [
        ("a.jsonl", "", 0),
        ("b", "", 0),
        ("c.jsonl.gz", "gz", 1),
        ("d.txt.zst", "zst", 1),
        ("e.txt", "", 1),
    ]:
        (tmp_path / name).write_bytes(b"")
        found = _inspect(tmp_path / name)
        assert (found.compression, len(found.chunks), found.size) == (compression, chunks, 0)


def test_packed_parquet_is_unknown(tmp_path: Path) -> None:
    """Parquet is read from its end, so it cannot be inside gzip."""
    path = tmp_path / "a.parquet.gz"
    path.write_bytes(gzip.compress(b"PAR1 and so on"))
    assert _inspect(path).format == "unknown"


@given(
    lines=st.lists(st.integers(0, 40), min_size=1, max_size=60),
    split=st.integers(1, 200),
    newline_at_end=st.booleans(),
)
def test_chunks_are_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[int], split: int, newline_at_end: bool
) -> None:
    """Chunks tile the file, end at line ends, reach the wanted size, and know the number of their first line."""
    data = RECORD + b"\n".join(b"x" * length for length in lines) + (b"\n" if newline_at_end else b"")
    path = tmp_path_factory.getbasetemp() / "chunks.jsonl"
    path.write_bytes(data)
    chunks = _inspect(path, Limits(split_bytes=split)).chunks
    position = 0
    for chunk in chunks:
        assert chunk.begin == position
        assert chunk.first_record == data.count(b"\n", 0, chunk.begin)
        position = chunk.end
        if position < len(data):
            assert data[position - 1 : position] == b"\n"
            # The shortest run of whole lines that is long enough.
            assert chunk.end - chunk.begin >= split
            assert data.find(b"\n", chunk.begin + split - 1) == chunk.end - 1
    assert position == len(data)


def test_large_plain_file_is_split_across_blocks(tmp_path: Path) -> None:
    """Boundaries are right where a chunk ends in a later block of 1 MiB, and where a line is longer than a block."""
    lines = [RECORD, b"x" * (9 << 20) + b"\n", *[b"y" * 1000 + b"\n"] * 6000]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines))
    chunks = _inspect(path, Limits(split_bytes=1 << 20)).chunks
    assert chunks[0] == Chunk(begin=0, end=len(RECORD) + (9 << 20) + 1, first_record=0)
    assert all(chunk.first_record == 2 + (chunk.begin - chunks[0].end) // 1001 for chunk in chunks[1:])
    assert chunks[-1].end == path.stat().st_size


def test_parquet_chunks_are_row_groups(tmp_path: Path) -> None:
    """Row groups are gathered up to the wanted size, with the number of the first row of each chunk."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [str(number) * 50 for number in range(1000)]}), path, row_group_size=100)
    assert [(chunk.begin, chunk.end, chunk.first_record) for chunk in _inspect(path, Limits(split_bytes=1)).chunks] == [
        (group, group + 1, 100 * group) for group in range(10)
    ]
    assert [(chunk.begin, chunk.end) for chunk in _inspect(path).chunks] == [(0, 10)]


def test_unreadable_file_is_a_storage_error(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(StorageError, match="gone.jsonl"):
        inspect_file(str(tmp_path / "gone.jsonl"), 10, Limits())
