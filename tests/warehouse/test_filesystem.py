"""Files appear whole, under their own name, or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from headwater.errors import StorageError
from headwater.warehouse.filesystem import HashingSink, write_file, write_hashed


def test_a_small_file_is_written_and_replaced_whole(tmp_path: Path) -> None:
    """Its folder is made, an older file of its name replaced, and nothing else is left there."""
    folder = tmp_path / "a" / "b"
    for data in (b"first", b""):
        write_file(str(folder), "name.json", data, root=str(tmp_path))
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"name.json": data}


def test_a_stream_is_hashed_on_its_way_and_named_by_its_hash(tmp_path: Path) -> None:
    """The name is made from the SHA-256 of what was written, which comes back with the size."""

    def fill(sink: HashingSink) -> None:
        assert sink.write(b"ab") + sink.write(memoryview(b"c")) == sink.tell() == 3

    expected = hashlib.sha256(b"abc").hexdigest()
    assert write_hashed(str(tmp_path), fill, lambda sha256: f"{sha256}.bin", root=str(tmp_path)) == (
        f"{expected}.bin",
        expected,
        3,
    )
    assert (tmp_path / f"{expected}.bin").read_bytes() == b"abc"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a file nor a temporary one: an error of the file system is one of storage, any other passes on."""
    for error, expected in ((OSError("full"), StorageError), (KeyboardInterrupt(), KeyboardInterrupt)):

        def fill(sink: HashingSink, error: BaseException = error) -> None:
            sink.write(b"half")
            raise error

        with pytest.raises(expected):
            write_hashed(str(tmp_path), fill, lambda _: "name", root=str(tmp_path))
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write below"):
        write_file(str(tmp_path / "file"), "name", b"", root=str(tmp_path))


def test_what_a_signal_cut_off_is_removed(tmp_path: Path) -> None:
    """A file that nobody got to close goes; one that has its name, and one that was discarded, are not looked for again."""
    from headwater.warehouse import filesystem as module
    from headwater.warehouse.filesystem import HashedFile, discard_unfinished

    cut_off, ended, given_up = (HashedFile(str(tmp_path), str(tmp_path)) for _ in range(3))
    for file in (cut_off, ended, given_up):
        file.sink.write(b"text")
    ended.publish("whole")
    given_up.discard()
    assert len(list(tmp_path.iterdir())) == 2
    discard_unfinished()
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    assert module._unfinished == {}
    cut_off.discard()
