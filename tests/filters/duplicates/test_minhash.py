"""Shingles against a plain reference, signatures against datasketch, and the columns of `measure_minhash`."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st
from number_reference import reference_signs
from real_text import first_texts

from headwater.filters.duplicates.minhash import (
    MIN_SHINGLES,
    N_BANDS,
    N_PERMUTATIONS,
    ROWS_PER_BAND,
    measure_minhash,
    permutations,
)
from headwater.filters.duplicates.normalize import normalize
from headwater.filters.duplicates.number_settings import NUMBER_TEXTS
from headwater.filters.duplicates.shingles import N_UNITS, distinct, shingle_hashes

_ALL = (1 << 64) - 1
_SOLO_NAMES = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")

PINNED_FIRST = [[3582191691, 4270784983], [2465816345, 2636844999]]
PINNED_SHA256 = "9f32a3cd5bc2c6fc8863f179b9c656d610b588c62f7ca1140c472de91a014a0a"
PINNED_COLUMNS = (33, "593da33b5457550264fdfa742ea91a7b02c681e9d95560bc13ca41a046bedaac")

_WORDS = st.lists(
    st.sampled_from(
        ["a", "bb", "ccc", "dddddddd", "eeeeeeeeeeeee", "ψ", "ไทย", "ที่", "漢字", "かガ", "한국", "नमस्ते", " "]
    ),
    max_size=40,
)
_TEXTS = st.one_of(_WORDS.map(" ".join), _WORDS.map("".join), st.text(max_size=60))


def reference_units(normalized: str) -> list[str]:
    """Words; characters of scripts without spaces, each with the marks behind it."""
    units: list[str] = []
    last = "space"
    for character in normalized:
        if character == " ":
            kind = "space"
        elif unicodedata.category(character)[0] == "M" and last != "space":
            units[-1] += character
            continue
        else:
            kind = (
                "solo" if unicodedata.name(character, "").startswith(_SOLO_NAMES) or character in "々〇ー" else "word"
            )
            if kind == "word" and last == "word":
                units[-1] += character
            else:
                units.append(character)
        last = kind
    return units


def finish64(value: int) -> int:
    """MurmurHash3's finalizer in plain integers."""
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & _ALL
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & _ALL
    return value ^ value >> 33


def reference_shingles(normalized: str) -> list[int]:
    """The definition of the module's docstring, without rolling."""
    hashes = []
    for unit in reference_units(normalized):
        raw = unit.encode()
        value = 0x9AE16A3B2F90404F
        for k in range(0, len(raw) // 8 * 8, 8):
            value = (value ^ int.from_bytes(raw[k : k + 8], "big")) * 0xC6A4A7935BD1E995 & _ALL
            value ^= value >> 32
        value = (value ^ int.from_bytes(raw[len(raw) // 8 * 8 :], "big")) * 0xC6A4A7935BD1E995 & _ALL
        hashes.append(finish64(value + len(raw) & _ALL))
    windows = [hashes[k : k + N_UNITS] for k in range(len(hashes) - N_UNITS + 1)] or ([hashes] if hashes else [])
    shingles = []
    for window in windows:
        value = 0
        for unit_hash in window:
            value = value * 0x9E3779B97F4A7C15 + unit_hash & _ALL
        shingles.append(finish64(value) >> 32)
    return shingles


def datasketch_signature(hashes: npt.NDArray[np.uint32]) -> bytes:
    """What datasketch computes from the same shingle hashes."""
    oracle = MinHash(num_perm=N_PERMUTATIONS, seed=1, scheme="affine32", hashfunc=int)
    oracle.update_batch(hashes.tolist())
    return bytes(oracle.hashvalues.astype("<u4").tobytes()) if hashes.size else b""


def check_batch(texts: list[str]) -> None:
    """Every column of a batch against its definition, its numbers kept and folded."""
    array = pa.array(texts, pa.large_string())
    kept = normalize(array)
    folded = pa.array([re.sub("[0-9]", "0", text) for text in kept.to_pylist()], pa.large_string())
    for choice, normalized in (("keep", kept), ("fold", folded)):
        columns = measure_minhash(array, None, dict.fromkeys(NUMBER_TEXTS, choice)).to_pylist()
        rows = zip(columns, texts, kept.to_pylist(), shingle_hashes(normalized), strict=True)
        for row, text, exact, hashes in rows:
            assert row["signature"] == datasketch_signature(hashes)
            assert row["n_shingles"] == len(set(hashes.tolist()))
            assert row["normalized_hash"] == reference_hash(text, exact, choice == "fold")
            assert len(row["bands"]) == (N_BANDS if row["n_shingles"] >= MIN_SHINGLES else 0)


def reference_hash(text: str, exact: str, folds: bool) -> bytes:
    """The hash of a text that normalises to `exact`: its signs and the mark of folding count where it has a digit."""
    if not exact:
        return b""
    has_digit = re.search("[0-9]", exact) is not None
    signs = reference_signs(text) if has_digit else b""
    mark = b"\0F" if folds and has_digit else b"\0" if signs else b""
    return hashlib.blake2b(exact.encode() + mark + signs, digest_size=16).digest()


@settings(max_examples=400, deadline=None)
@given(_TEXTS)
def test_shingles_equal_reference(text: str) -> None:
    """Units and their rolled hashes are those of the definition."""
    normalized = normalize(pa.array([text]))
    known = all(
        unicodedata.name(character, "").startswith(
            (*_SOLO_NAMES, "LATIN", "GREEK", "HANGUL", "DEVANAGARI", "DIGIT", "SPACE")
        )
        for character in normalized[0].as_py()
    )
    if known:
        assert shingle_hashes(normalized)[0].tolist() == reference_shingles(normalized[0].as_py())


def test_words_are_cut_alike_at_every_place() -> None:
    """Eight bytes are read at once: words of every length and width of characters, at every distance from the end."""
    for letters in ("abcdefgh", "žščřéíáý", "aščbcéíd", "日本語中文字", "hinदीअगp", "a🙂bé"):
        for length in range(1, 20):
            word = "".join(letters[k % len(letters)] for k in range(length))
            for tail in ("", "x", "é", "tgm", "střílí", "語"):
                normalized = normalize(pa.array([f"{word} o se {word}{tail} hra {tail}"]))
                assert shingle_hashes(normalized)[0].tolist() == reference_shingles(normalized[0].as_py())


@settings(max_examples=200, deadline=None)
@given(st.lists(_TEXTS, max_size=5))
def test_columns_equal_datasketch(texts: list[str]) -> None:
    """Signatures are datasketch's bit for bit, counts and hashes those of their definitions."""
    check_batch(texts)


def test_real_text_of_the_corpus(real_text_files: list[Path]) -> None:
    """Documents of every file of real text, all languages: shingles by the reference, signatures by datasketch."""
    for path in real_text_files:
        check_batch(first_texts(path, 20_000)[:5])


def test_large_text_equals_datasketch() -> None:
    """A text of more shingles than fit in one block of the signature kernel, repeated ones among them."""
    words = [f"w{value:x}" for value in np.random.default_rng(1).integers(0, 1 << 40, 9000)]
    words = [word.translate(str.maketrans("0123456789", "ghijklmnop")) for word in words]
    check_batch([" ".join(words), " ".join(words + words[:5000]), " ".join(words[: MIN_SHINGLES + 3])])


def test_permutations_are_pinned() -> None:
    """The first constants and the hash of all: a change would make old signatures worthless."""
    constants = permutations()
    oracle = MinHash(num_perm=N_PERMUTATIONS, seed=1, scheme="affine32").permutations
    assert (constants == oracle).all()
    assert constants[:, :2].tolist() == PINNED_FIRST
    assert hashlib.sha256(constants.astype("<u4").tobytes()).hexdigest() == PINNED_SHA256


def test_stored_bytes_are_pinned() -> None:
    """The columns of a text in four scripts never change while VERSION stays."""
    text = "Near-duplicates of 40 documents, измерены по словам; 春眠不觉晓，处处闻啼鸟。夜来风雨声 นี่คือข้อความ नमस्ते दुनिया फिर से मिलेंगे"
    batch = measure_minhash(pa.array([text])).to_pylist()[0]
    digest = hashlib.sha256(batch["signature"] + repr(batch["bands"]).encode() + batch["normalized_hash"]).hexdigest()
    assert (batch["n_shingles"], digest) == PINNED_COLUMNS


def test_bands_follow_their_eight_values() -> None:
    """Two texts share a band hash where, and only where, its eight signature values are equal."""
    words = [f"{chr(97 + k % 26)}{chr(97 + k // 26)}" for k in range(400)]
    texts = [" ".join(words), " ".join(words[:380] + words[300:320])]
    first, second = measure_minhash(pa.array(texts)).to_pylist()
    values = [np.frombuffer(row["signature"], "<u4").reshape(N_BANDS, ROWS_PER_BAND) for row in (first, second)]
    equal = (values[0] == values[1]).all(axis=1).tolist()
    assert [a == b for a, b in zip(first["bands"], second["bands"], strict=True)] == equal
    assert True in equal
    assert False in equal
    assert len(set(first["bands"])) == N_BANDS


@pytest.mark.parametrize(
    ("text", "shingles", "has_bands"),
    [
        ("", 0, False),
        ("?! …", 0, False),
        ("one", 1, False),
        ("one two three four", 1, False),
        ("one two three four five", 1, False),
        ("a b c d e f", 2, False),
        (" ".join(chr(97 + k) for k in range(23)), 19, False),
        (" ".join(chr(97 + k) for k in range(24)), 20, True),
        ("a b c d e " * 50, 5, False),
        ("春眠不觉晓处处闻啼鸟", 6, False),
        ("x" * 1000, 1, False),
    ],
)
def test_shingles_and_bands(text: str, shingles: int, has_bands: bool) -> None:
    """Distinct shingles are counted, and bands exist from 20 of them on."""
    row = measure_minhash(pa.array([text])).to_pylist()[0]
    assert row["n_shingles"] == shingles
    assert bool(row["bands"]) == has_bands
    assert bool(row["signature"]) == (shingles > 0)


def test_same_text_in_another_guise() -> None:
    """Case, punctuation, the script of digits and layout change nothing; another word does."""
    rows = measure_minhash(
        pa.array(["Chapter 12: The\tSea!", "chapter ١٢ — the sea", "chapter 12 the seas"])
    ).to_pylist()
    assert rows[0] == rows[1]
    assert rows[0]["normalized_hash"] != rows[2]["normalized_hash"]


def test_batch_shapes() -> None:
    """String types, slices, nulls and empty arrays give one row a text, of the same type and values."""
    texts = ["eins zwei", None, "drei", " ".join(map(chr, range(97, 122)))]
    expected = measure_minhash(pa.array([text or "" for text in texts])).to_pylist()
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(texts, kind)
        batch = measure_minhash(array)
        assert batch.to_pylist() == expected
        assert measure_minhash(array.slice(2)).to_pylist() == expected[2:]
        assert measure_minhash(array.slice(0, 0)).schema == batch.schema
        assert measure_minhash(pa.array([], kind)).num_rows == 0
    batch.validate(full=True)
    kinds = [pa.list_(pa.int64()), pa.binary(), pa.int32(), pa.binary()]
    assert batch.schema.names == ["bands", "signature", "n_shingles", "normalized_hash"]
    assert batch.schema.types == kinds


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "a " * 10**6, "春" * 10**6, "é" * 10**6, "\u0301" * 10**6, "क्" * 500_000, " " * 10**6]
)
def test_hostile_text_is_linear(text: str) -> None:
    """A million characters of one kind end at once, and have at most a few shingles."""
    assert measure_minhash(pa.array([text]))["n_shingles"][0].as_py() <= 1


def test_distinct_keeps_zero_and_first_appearance() -> None:
    """The hash set counts the value zero, which marks its free slots, once."""
    for values in ([0, 0, 5, 0, 5], [7, 64, 128, 0, 64, 7], list(range(300)) * 2, []):
        hashes = np.array(values, np.uint32)
        kept = distinct(hashes, hashes.size, np.zeros(2048, np.uint32))
        assert hashes[:kept].tolist() == list(dict.fromkeys(values))


def test_agreement_estimates_jaccard() -> None:
    """The share of equal values lies within five standard deviations, √(s(1 − s)/112), of the true Jaccard similarity."""
    generator = np.random.default_rng(2)
    for shared in (100, 500, 900):
        words = ["".join(map(chr, generator.integers(97, 123, 6))) for _ in range(2000 - shared)]
        texts = [" ".join(words[:1000]), " ".join(words[1000 - shared :])]
        sets = [set(hashes.tolist()) for hashes in shingle_hashes(pa.array(texts))]
        jaccard = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        values = [np.frombuffer(value, "<u4") for value in measure_minhash(pa.array(texts))["signature"].to_pylist()]
        assert abs((values[0] == values[1]).mean() - jaccard) < 5 * (jaccard * (1 - jaccard) / 112) ** 0.5
