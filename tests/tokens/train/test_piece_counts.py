"""Counts of pieces: those of a slow count, whole below their caps, the same in any order."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
import pytest
from real_text import read_texts
from tokenizers import Regex, pre_tokenizers

from headwater.errors import BadInputError
from headwater.tokenize.encode.grammar import encoding_pattern
from headwater.tokenize.names import MAX_DOCUMENTS, MAX_SOURCES
from headwater.tokenize.train.piece_counts import MAX_PIECE_BYTES, count_pieces, merge_counts

SPLIT = pre_tokenizers.Split(Regex(encoding_pattern()), "isolated")
Row = tuple[str, str, str, str]


def hash_of(name: str) -> int:
    """The hash under which a source or document is kept."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)


def count(rows: list[Row]) -> pa.Table:
    """Count one batch of (text, document, source, language)."""
    texts, *others = zip(*rows, strict=True)
    return count_pieces(pa.array(texts, pa.large_string()), *(pa.array(column) for column in others))


def count_slowly(rows: list[Row]) -> dict[tuple[str, bytes], tuple[int, list[int], list[int]]]:
    """The obvious way, with the regular expression."""
    counts: Counter[tuple[str, bytes]] = Counter()
    sources, documents = defaultdict(set), defaultdict(set)
    for text, document, source, language in rows:
        for piece, _ in SPLIT.pre_tokenize_str(text):
            key = language, piece.encode()
            counts[key] += 1
            sources[key].add(hash_of(source))
            documents[key].add(hash_of(document))
    return {
        key: (n, sorted(sources[key])[:MAX_SOURCES], sorted(documents[key])[:MAX_DOCUMENTS])
        for key, n in counts.items()
    }


def as_dict(table: pa.Table) -> dict[tuple[str, bytes], tuple[int, list[int], list[int]]]:
    """The table by language and piece."""
    return {
        (row["language"], row["piece"]): (row["count"], row["sources"], row["documents"]) for row in table.to_pylist()
    }


def make_rows(n: int) -> list[Row]:
    """Short texts of few words in many documents, some of which come twice."""
    chosen = random.Random(3)
    words = ["river", " sea", " 12", "\n\n", "река ", "川", "  if", "नमस्ते", "...", " e\u0301"]
    return [
        ("".join(chosen.choices(words, k=9)), f"d{chosen.randrange(n)}", f"s{chosen.randrange(5)}", chosen.choice("ab"))
        for _ in range(n)
    ]


def test_counts_are_those_of_the_slow_count() -> None:
    """Counts, sources and documents of every piece, in one batch or merged from many."""
    rows = make_rows(400)
    assert as_dict(count(rows)) == count_slowly(rows)
    assert as_dict(merge_counts([count(rows[i : i + 37]) for i in range(0, 400, 37)])) == count_slowly(rows)


@pytest.mark.slow
def test_corpus_counts_are_those_of_the_slow_count(real_text_files: list[Path]) -> None:
    """Real text of many languages is cut as the regular expression cuts it."""
    texts = [text[:3000] for path in real_text_files[::9] for text in read_texts(path)[:4]]
    rows = [(text, f"d{i}", f"s{i % 7}", "x") for i, text in enumerate(texts)]
    expected = {key: value for key, value in count_slowly(rows).items() if len(key[1]) <= MAX_PIECE_BYTES}
    found = {key: value for key, value in as_dict(count(rows)).items() if key in expected}
    assert len(found) > 100
    assert found.keys() == expected.keys()
    assert sum(found[key] != expected[key] for key in found) <= len(count_slowly(rows)) - len(expected)


def test_merging_is_the_same_in_any_order() -> None:
    """Which batch came first, or was merged with which, leaves no trace."""
    rows = make_rows(300)
    parts = [count(rows[i : i + 50]) for i in range(0, 300, 50)]
    whole = merge_counts(parts)
    assert merge_counts(parts[::-1]).equals(whole)
    assert merge_counts([merge_counts(parts[3:]), merge_counts(parts[:3])]).equals(whole)
    assert merge_counts([]).num_rows == 0


def test_caps_keep_the_smallest_hashes() -> None:
    """Of 60 documents and 5 sources the 50 and 3 smallest hashes stay, ascending."""
    rows = [("word", f"d{i}", f"s{i % 5}", "x") for i in range(60)]
    (row,) = merge_counts([count(rows[:7]), count(rows[7:])]).to_pylist()
    assert row["documents"] == sorted(hash_of(f"d{i}") for i in range(60))[:50]
    assert row["sources"] == sorted(hash_of(f"s{i}") for i in range(5))[:3]
    assert row["count"] == 60


@pytest.mark.parametrize("letter", ["a", "я", "漢", "😀"])
def test_long_pieces_are_counted_in_parts(letter: str) -> None:
    """A megabyte of one letter is some 4,000 equal pieces of whole characters and a rest."""
    text = letter * (1_000_000 // len(letter.encode()))
    found = as_dict(count([(text, "d", "s", "x")]))
    assert len(found) <= 2
    assert sum(len(piece) * n for (_, piece), (n, _, _) in found.items()) == len(text.encode())
    assert all(len(piece) <= MAX_PIECE_BYTES and set(piece.decode()) == {letter} for _, piece in found)


def test_pieces_of_another_pre_tokenizer() -> None:
    """A function that cuts gives counts of its pieces, by the same rules."""
    rows = make_rows(60)
    texts, *others = zip(*rows, strict=True)
    documents, sources, languages = (pa.array(column) for column in others)
    cut = [[piece.encode() for piece, _ in SPLIT.pre_tokenize_str(text)] for text in texts]
    by_text = dict(zip(texts, cut, strict=True))
    table = count_pieces(pa.array(texts), documents, sources, languages, cut=by_text.__getitem__)
    assert as_dict(table) == count_slowly(rows)
    firsts = (documents.slice(0, 1), sources.slice(0, 1), languages.slice(0, 1))
    long = count_pieces(pa.array(["x"]), firsts[0], firsts[1], firsts[2], cut=lambda _: ["я".encode() * 200])
    assert sorted(len(piece) for _, piece in as_dict(long)) == [144, 256]


def test_nulls_are_refused() -> None:
    """A document without an id or a source would be counted as a wrong one."""
    names = pa.array(["a"])
    with pytest.raises(BadInputError, match="expected no nulls in sources, found 1"):
        count_pieces(names, names, pa.array([None], pa.string()), names)
