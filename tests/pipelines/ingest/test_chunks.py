from __future__ import annotations

from pathlib import Path

import pytest

from headwater.pipelines.ingest.chunks import BlockHasher, Blocks, TouchedFile


def _hashed(data: bytes, block_bytes: int) -> Blocks:
    hasher = BlockHasher(len(data))
    hasher.block_bytes = hasher._left = block_bytes
    for begin in range(0, len(data), 7):
        hasher.add(data[begin : begin + 7])
    return hasher.finish()


def test_blocks_that_were_read_are_those_that_must_agree(tmp_path: Path) -> None:
    """A change in a block that was read is found, at its first and last byte; one in a block that was not is no matter."""
    data = bytes(range(100))
    blocks = _hashed(data, 10)
    path = tmp_path / "file"
    path.write_bytes(data)
    touched: set[int] = set()
    with path.open("rb") as stream:
        file = TouchedFile(stream, blocks.block_bytes, touched)
        file.seek(19)
        assert file.read(2) == data[19:21]
        file.seek(-5, 2)
        assert file.read() == data[-5:]
        assert (file.tell(), file.read(1)) == (100, b"")
    assert touched == {1, 2, 9}
    for changed, agree in {0: True, 9: True, 10: False, 29: False, 30: True, 90: False, 99: False}.items():
        path.write_bytes(bytes([*data[:changed], 255, *data[changed + 1 :]]))
        assert blocks.agree(str(path), touched) is agree
    path.write_bytes(data[:-1])
    assert not blocks.agree(str(path), touched)


@pytest.mark.parametrize("size", [1, 9, 10, 11, 100])
def test_every_byte_is_in_a_block(tmp_path: Path, size: int) -> None:
    """Whatever the size, a file agrees with itself, and a thousand blocks suffice."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert _hashed(b"x" * size, 10).agree(str(path), set(range(-(-size // 10))))
    assert BlockHasher(10**15).block_bytes * 1024 >= 10**15
