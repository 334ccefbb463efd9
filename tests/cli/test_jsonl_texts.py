"""Texts outside of a lake: read in batches, whatever the files' size and compression, and a bad line told by its number."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from headwater.cli import jsonl_texts
from headwater.cli.jsonl_texts import read_batches
from headwater.errors import BadInputError


def _line(number: int) -> bytes:
    return json.dumps({"text": f"text {number}", "lang": "en"}).encode() + b"\n"


@pytest.mark.slow
def test_batches_come_as_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first batch is there before the fault at the file's end is met: no file is held in memory whole."""
    monkeypatch.setattr(jsonl_texts, "_BATCH_CHARACTERS", 1000)
    data = b"\n".join(_line(number) for number in range(400_000))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(data, 1)[:-100])
    batches = read_batches([path], "lang")
    texts, languages = next(batches)
    assert texts.to_pylist() == [f"text {number}" for number in range(len(texts))]
    assert 1000 <= sum(map(len, texts.to_pylist())) < 1010
    assert set(languages) == {"en"}
    with pytest.raises(BadInputError, match="truncated_compression"):
        list(batches)


def test_files_of_a_folder_by_name(tmp_path: Path) -> None:
    """Plain and compressed files of a folder in the order of their names; others are left alone; a batch never spans files."""
    (tmp_path / "b.jsonl").write_bytes(_line(2) + b"\n" + _line(3))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + _line(1)))
    (tmp_path / "notes.txt").write_bytes(b"none of them")
    assert [texts.to_pylist() for texts, _ in read_batches([tmp_path], "lang")] == [["text 1"], ["text 2", "text 3"]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match=r"expected files ending in \.jsonl"):
        list(read_batches([tmp_path / "empty"], "lang"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"lang": "en"}', "something else"),
        (b'{"text": "a"}', "something else"),
        (b'{"text": null, "lang": "en"}', "something else"),
        (b"[1]", "not_an_object"),
        (b"{", "not_json"),
        (b'{"text": "\xff", "lang": "en"}', "invalid_utf8"),
    ],
)
def test_a_bad_line_is_told_by_its_number(tmp_path: Path, line: bytes, found: str) -> None:
    """File, 1-based line and what was found, never the text."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(_line(1) + b"\n" + line)
    with pytest.raises(
        BadInputError, match=rf"a\.jsonl, line 3: expected a JSON object with text and lang, found {found}$"
    ):
        list(read_batches([path], "lang"))
