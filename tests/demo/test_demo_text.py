"""The text that the package ships is what its README says: counts, lengths and planted faults."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import headwater

DEMO = Path(headwater.__file__).parent / "demo"
LANGUAGES = "en zh es fr de pt it ru ja ko ar hi vi th id tr pl nl uk cs sv no da fi ro hu el he fa bn".split()
# Written without spaces between words, so their length is counted in characters.
UNSPACED = {"zh", "ja", "th"}
MIN_WORDS = 90
MIN_CHARACTERS = 250
REASONING = {"math": 30, "code": 20, "cot": 20}


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _text(record: dict[str, Any]) -> str:
    text = record["text"] if "text" in record else record["content"]
    assert isinstance(text, str)
    return text


def _url(record: dict[str, Any]) -> str:
    return str(record["url"] if "url" in record else record["metadata"]["url"])


def _good_files() -> list[Path]:
    return sorted((DEMO / "web").iterdir()) + sorted((DEMO / "reasoning").iterdir())


def _shingles(text: str) -> set[tuple[str, ...]]:
    """5-grams of lower-case words, a Chinese character counting as a word."""
    words = re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def _is_bad(line: bytes) -> bool:
    """Whether a line is no record of clean text: the planted kinds and nothing else."""
    try:
        record = json.loads(line.decode("utf-8"))
    except ValueError:
        return True
    text = record.get("text")
    if not isinstance(text, str) or not text or "\0" in text:
        return True
    return any("\ud800" <= c <= "\udfff" for c in text) or line.count(b"{") > 100


def test_one_web_file_a_language() -> None:
    """Each of the 30 languages has a file of 6 documents, English one of 20, and there is no other file."""
    counts = {path.stem: len(_records(path)) for path in (DEMO / "web").iterdir()}
    assert counts == {language: 20 if language == "en" else 6 for language in LANGUAGES}


def test_reasoning_files() -> None:
    """Worked problems, code and chains of thought have the numbers of documents the README gives."""
    counts = {path.stem: len(_records(path)) for path in (DEMO / "reasoning").iterdir()}
    assert counts == REASONING


@pytest.mark.parametrize("path", _good_files(), ids=lambda path: path.stem)
def test_good_documents_are_long_enough(path: Path) -> None:
    """A good document has at least 90 words, where words are not spaced 250 characters, and at least two paragraphs."""
    for record in _records(path):
        text = _text(record)
        length, least = (len(text), MIN_CHARACTERS) if path.stem in UNSPACED else (len(text.split()), MIN_WORDS)
        assert length >= least, _url(record)
        assert "\n\n" in text, _url(record)


def test_good_documents_differ() -> None:
    """No two good documents share a URL or a text, and none are near-duplicates by chance."""
    records = [record for path in _good_files() for record in _records(path)]
    assert len({_url(record) for record in records}) == len(records) == 264
    seen: set[tuple[str, ...]] = set()
    for record in records:
        shingles = _shingles(_text(record))
        assert len(shingles & seen) <= 0.1 * len(shingles), _url(record)
        seen |= shingles


def test_only_reserved_domains() -> None:
    """URLs and e-mail addresses use example.org, example.com and example.net only."""
    text = "\n".join(path.read_bytes().decode("utf-8", "replace") for path in DEMO.rglob("*.jsonl"))
    hosts = re.findall(r"https?://([^/\"\s]+)", text) + re.findall(r"[\w.]+@(\w+\.[\w.]*\w)", text)
    assert set(hosts) == {"example.org", "example.com", "example.net"}


def test_planted_boilerplate() -> None:
    """The boilerplate file holds the kinds the README lists, and 8 of its documents an e-mail address."""
    records = _records(DEMO / "noise" / "boilerplate.jsonl")
    planted = Counter(record["metadata"]["planted"] for record in records)
    assert planted == {
        "boilerplate lines": 5,
        "navigation only": 3,
        "short": 3,
        "repeated lines": 2,
        "filler": 2,
    }
    assert sum(_text(record).count("@example.org") == 1 for record in records) == 8
    for record in records:
        text = _text(record)
        match record["metadata"]["planted"]:
            case "boilerplate lines":
                assert "cookie" in text.lower()
            case "short":
                assert len(text.split()) < 25
            case "repeated lines":
                lines = text.split("\n")
                assert len(set(lines)) < len(lines) / 4


def test_planted_duplicates() -> None:
    """12 exact duplicates equal their original; 12 near ones differ from it and share at least 0.8 of their 5-grams."""
    originals = {_url(record): (path.stem, _text(record)) for path in _good_files() for record in _records(path)}
    records = _records(DEMO / "noise" / "duplicates.jsonl")
    assert Counter(record["metadata"]["planted"] for record in records) == {"exact": 12, "near": 12}
    languages: dict[str, set[str]] = {"exact": set(), "near": set()}
    for record in records:
        kind, text = record["metadata"]["planted"], _text(record)
        stem, original = originals[record["metadata"]["original"]]
        languages[kind].add("en" if stem in REASONING else stem)
        assert (text == original) == (kind == "exact")
        ours, theirs = _shingles(text), _shingles(original)
        assert len(ours & theirs) / len(ours | theirs) >= 0.8, _url(record)
        assert len(text) >= MIN_CHARACTERS if stem in UNSPACED else len(text.split()) >= 100, _url(record)
    assert {kind: len(found) for kind, found in languages.items()} == {"exact": 9, "near": 8}


def test_planted_bad_records() -> None:
    """Of the 13 lines of the bad file 5 are good, and each of the 8 kinds of fault occurs once."""
    lines = (DEMO / "noise" / "bad.jsonl").read_bytes().splitlines()
    bad = [line for line in lines if _is_bad(line)]
    assert (len(lines), len(bad)) == (13, 8)
    names = [re.search(rb"/broken/([a-z0-9-]+)", line) for line in bad]
    assert [name[1].decode() for name in names if name] == [
        "invalid-utf-8",
        "lone-surrogate",
        "broken-json",
        "missing-text",
        "number-as-text",
        "empty-text",
        "nul-inside",
        "nested-200",
    ]
    assert bad[-1].count(b'{"a":') == 200


def test_planted_bad_files() -> None:
    """The gzip file breaks off inside its stream, and the empty file has no bytes."""
    with gzip.open(DEMO / "noise" / "truncated.jsonl.gz") as stream, pytest.raises(EOFError):
        stream.read()
    assert (DEMO / "noise" / "truncated.jsonl.gz").stat().st_size == 400
    assert (DEMO / "noise" / "empty.jsonl").stat().st_size == 0


def test_small() -> None:
    """All shipped text together stays under one megabyte."""
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) < 1_000_000
