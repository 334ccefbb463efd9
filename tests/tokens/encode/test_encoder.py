"""The encoder: ids of `tokenizers`, every byte back, any valid UTF-8, no quadratic case."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from adversarial_text import ADVERSARIAL, PIECES
from hypothesis import given, settings
from hypothesis import strategies as st
from real_text import first_texts

from headwater.errors import BadInputError, UsageError
from headwater.tokenize.encode.encoder import decode, encode, encode_with_library, has_kernel
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json

VOCABULARY = load_vocabulary()


def assert_same(texts: list[str]) -> None:
    """Assert that kernel and library agree on every text, and that decoding gives it back."""
    array = pa.array(texts, pa.large_string())
    ids, offsets = encode(array, VOCABULARY)
    expected, expected_offsets = encode_with_library(array, VOCABULARY)
    assert offsets.tolist() == expected_offsets.tolist()
    for i, text in enumerate(texts):
        own = ids[offsets[i] : offsets[i + 1]]
        assert own.tolist() == expected[offsets[i] : offsets[i + 1]].tolist(), i
        assert decode(own, VOCABULARY) == text.encode(), i


def test_the_kernel_serves_the_shipped_vocabulary() -> None:
    """The other tests compare two encoders and not one with itself."""
    assert has_kernel(VOCABULARY)


@pytest.mark.slow
def test_adversarial_text_has_the_ids_of_tokenizers() -> None:
    """Specials' text, marks without letters, odd blanks, controls, long runs: same ids, same bytes back."""
    assert_same(ADVERSARIAL)
    assert_same(["".join(ADVERSARIAL)])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(), max_size=5))
def test_any_text_has_the_ids_of_tokenizers(texts: list[str]) -> None:
    """Whatever valid UTF-8 comes, kernel and library agree and nothing is lost."""
    assert_same(texts)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=150).map("".join))
def test_joined_words_have_the_ids_of_tokenizers(text: str) -> None:
    """Mixed scripts, marks, digits and blanks in any order meet every rule of the grammar."""
    assert_same([text])


@pytest.mark.slow
def test_every_code_point_has_the_ids_of_tokenizers() -> None:
    """Every character of Unicode, between letters and after a blank, is cut as the library's regular expression cuts it."""
    points = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    lines = ["".join(f"a{c}b {c}1{c}" for c in points[i : i + 64]) for i in range(0, len(points), 64)]
    # Assigned planes whole; of the empty ones a sample, for time.
    chosen = [line for i, line in enumerate(lines) if i < 3200 or i % 97 == 0]
    assert_same(chosen)


def test_corpus_text_has_the_ids_of_tokenizers(real_text_files: list[Path]) -> None:
    """A slice of every third file of real text: same ids, same bytes back."""
    texts = [text[:4000] for path in real_text_files[::3] for text in first_texts(path, 60_000)[:7]]
    assert len(texts) > 20
    assert_same(texts)


def test_special_text_is_ordinary_text() -> None:
    """No document can make the id of end of text, however it spells it."""
    ids, _ = encode(pa.array(["<|endoftext|>", "</s>"]), VOCABULARY)
    assert ids.max() < VOCABULARY.n_ids
    assert decode(ids, VOCABULARY) == b"<|endoftext|></s>"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_arrow_arrays_of_either_width_sliced_and_chunked(kind: pa.DataType) -> None:
    """Slices and chunks give the ids of their own texts, with offsets from 0."""
    texts = ["one two", "", "drei", "четыре 4", ""]
    array = pa.array(texts, kind)
    whole, offsets = encode(array, VOCABULARY)
    part, part_offsets = encode(array.slice(2, 2), VOCABULARY)
    assert part.tolist() == whole[offsets[2] : offsets[4]].tolist()
    assert part_offsets.tolist() == (offsets[2:5] - offsets[2]).tolist()
    chunked = pa.chunked_array([array.slice(0, 2), array.slice(2)])
    assert encode(chunked, VOCABULARY)[0].tolist() == whole.tolist()
    assert encode(pa.chunked_array([], kind), VOCABULARY)[1].tolist() == [0]
    assert encode(pa.array([], kind), VOCABULARY)[1].tolist() == [0]
    assert encode(pa.array(["", ""], kind), VOCABULARY)[1].tolist() == [0, 0, 0]
    assert (whole.dtype, offsets.dtype) == (np.dtype(np.uint32), np.dtype(np.int64))


def test_wrong_arrays_are_refused() -> None:
    """A null or another type is an error, never an empty document."""
    with pytest.raises(BadInputError, match="expected no nulls, found 1"):
        encode(pa.array(["a", None]), VOCABULARY)
    with pytest.raises(UsageError, match="found binary"):
        encode(pa.array([b"a"]), VOCABULARY)


def test_decode_refuses_ids_beyond_the_model() -> None:
    """An id outside the embedding is named; end of text and unused ids stand for no bytes."""
    with pytest.raises(BadInputError, match="expected ids below 157184, found 157184"):
        decode(np.array([157_184], dtype=np.uint32), VOCABULARY)
    assert decode(np.array([VOCABULARY.end_of_text, 157_183], dtype=np.uint32), VOCABULARY) == b""
    assert decode(np.empty(0, dtype=np.uint32), VOCABULARY) == b""


@pytest.mark.parametrize("unit", ["a", "я", "漢", "=", " ", "\n", "ab", "ไท"])
def test_long_runs_are_not_quadratic(unit: str) -> None:
    """A run of 2 MB costs at most some forty times one of a tenth of it (linear: ten), not a hundred, and decodes exactly."""
    encode(pa.array([unit * 1000]), VOCABULARY)
    costs = []
    for n_bytes in (200_000, 2_000_000):
        text = unit * (n_bytes // len(unit.encode()))
        started = time.process_time()
        ids, _ = encode(pa.array([text]), VOCABULARY)
        costs.append(time.process_time() - started)
        assert decode(ids, VOCABULARY) == text.encode()
    assert costs[1] < 40 * costs[0] + 0.5


def test_one_document_of_16_mib() -> None:
    """The largest document that ingest lets in is encoded whole and decodes exactly."""
    text = "".join(random.Random(5).choices(["reka ", "море ", "川", " 12", "\n", "stream"], k=50_000))
    text *= (16 << 20) // len(text.encode()) + 1
    text = text.encode()[: 16 << 20].decode(errors="ignore")
    ids, offsets = encode(pa.array([text]), VOCABULARY)
    assert offsets.tolist() == [0, len(ids)]
    assert decode(ids, VOCABULARY) == text.encode()


def stray(data: bytes) -> npt.NDArray[np.uint32]:
    """Encode bytes that claim to be UTF-8 without Arrow checking them."""
    offsets = pa.py_buffer(np.array([0, len(data)], dtype=np.int32).tobytes())
    return encode(pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)), VOCABULARY)[0]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_invalid_utf8_is_carried_byte_for_byte(data: bytes) -> None:
    """Bytes that ingest should have refused are neither lost nor read beyond their end."""
    assert decode(stray(data), VOCABULARY) == data


@pytest.mark.slow
def test_a_vocabulary_from_a_file_gives_the_same_ids(tmp_path: Path) -> None:
    """The exported tokenizer.json, loaded by path, encodes alike and by the same kernel."""
    path = tmp_path / "tokenizer.json"
    path.write_text(write_tokenizer_json(VOCABULARY), encoding="utf-8")
    loaded = load_vocabulary(str(path))
    array = pa.array(ADVERSARIAL)
    assert has_kernel(loaded)
    assert encode(array, loaded)[0].tolist() == encode(array, VOCABULARY)[0].tolist()
    assert (loaded.end_of_text, loaded.model_size) == (156_892, 157_184)
