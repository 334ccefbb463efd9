from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.hashes import (
    bytes_of_hashes,
    bytes_of_origins,
    content_hashes,
    find_hashes,
    halves_of_hashes,
    hashes_of_halves,
    hashes_of_items,
    items_of_hashes,
    origins,
    origins_of_bytes,
    splitmix64,
    splitmix64_multiply,
)

SHA = "ab" * 32
_HASHES = st.lists(st.binary(min_size=16, max_size=16), max_size=30)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.sampled_from([pa.string(), pa.large_string()]))
def test_content_hash_is_blake2b_128_of_the_utf8(texts: list[str], kind: pa.DataType) -> None:
    """Equal to hashlib text by text, for both string types, sliced or not."""
    expected = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    found = content_hashes(pa.array(texts, kind))
    found.validate(full=True)
    assert found.type == pa.binary()
    assert found.to_pylist() == expected
    assert content_hashes(pa.array(["x", *texts], kind).slice(1)).to_pylist() == expected


def test_content_hash_of_null_is_null() -> None:
    """A missing text has no hash."""
    assert content_hashes(pa.array([None, ""])).is_null().to_pylist() == [True, False]


def test_origin_with_a_uri_is_independent_of_the_file() -> None:
    """The formula of the docstring, whatever the file and the number."""
    key = b"u" + (3).to_bytes(8, "big") + b"web" + (4).to_bytes(8, "big") + b"u://"
    expected = int.from_bytes(hashlib.blake2b(key).digest()[:8], "big", signed=True)
    found = origins(["web", "web"], ["u://", "u://"], SHA, np.array([1, 2]))
    assert found.dtype == np.int64
    assert found.tolist() == [expected] * 2
    assert origins(["web"], ["u://"], "cd" * 32, np.array([9])).tolist() == [expected]


def test_origin_without_a_uri_is_the_place_in_the_file() -> None:
    """File and number decide; the source does not."""
    key = b"f" + bytes.fromhex(SHA) + (7).to_bytes(8, "big")
    expected = int.from_bytes(hashlib.blake2b(key).digest()[:8], "big", signed=True)
    assert origins(["a", None], [None, None], SHA, np.array([7, 8])).tolist()[0] == expected
    assert len(set(origins([None] * 3, [None] * 3, SHA, np.array([1, 2, 3])).tolist())) == 3


@pytest.mark.parametrize(
    "left,right", [(("ab", "c"), ("a", "bc")), (("", "abc"), ("abc", "")), ((None, "u"), ("u", "u"))]
)
def test_lengths_keep_source_and_uri_apart(left: tuple[str | None, str], right: tuple[str | None, str]) -> None:
    """The same letters divided otherwise are another origin; Arrow arrays and lists count alike."""
    found = origins(pa.array([left[0], right[0]]), pa.array([left[1], right[1]]), SHA, np.array([0, 0]))
    assert found[0] != found[1]


def test_no_records() -> None:
    """An empty batch has empty columns."""
    assert origins([], [], SHA, np.empty(0, np.int64)).shape == (0,)
    assert len(content_hashes(pa.array([], pa.string()))) == 0


@given(_HASHES)
def test_hashes_come_back_from_every_form(hashes: list[bytes]) -> None:
    """Bytes, items and halves hold the same 16 bytes, of a slice and of chunks too; halves sort as the bytes do."""
    column = pa.array([bytes(16), *hashes], pa.binary()).slice(1)
    chunks = pa.chunked_array([column.slice(0, 1), column.slice(1)], pa.binary())
    for given_hashes in (column, chunks):
        halves = halves_of_hashes(given_hashes)
        assert [row.tobytes() for row in bytes_of_hashes(given_hashes)] == hashes
        assert [item.tobytes() for item in items_of_hashes(given_hashes)] == hashes
        assert hashes_of_halves(halves).to_pylist() == hashes
        assert hashes_of_items(items_of_hashes(given_hashes)).to_pylist() == hashes
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    assert [hashes[row] for row in order] == sorted(hashes)


def test_a_hash_of_another_length_is_refused_and_a_missing_one_is_zeros_where_asked() -> None:
    """An empty or null hash gives two zeros with ``missing_as_zeros`` and never passes silently without; a short one never does."""
    one = b"\x01" * 16
    column = pa.array([one, b"", None], pa.binary())
    number = int.from_bytes(one[:8], "big")
    assert halves_of_hashes(column, missing_as_zeros=True).tolist() == [[number, number], [0, 0], [0, 0]]
    for strange in (b"", b"short"):
        with pytest.raises(pa.ArrowInvalid):
            halves_of_hashes(pa.array([one, strange], pa.binary()))
    with pytest.raises(pa.ArrowInvalid):
        halves_of_hashes(pa.array([b"short"], pa.binary()), missing_as_zeros=True)


@given(_HASHES, _HASHES)
def test_a_hash_is_found_at_its_first_place(wanted: list[bytes], others: list[bytes]) -> None:
    """As a dictionary would, -1 for those that are not there."""
    among = others + wanted[::2] + others
    place = {value: among.index(value) for value in among}
    found = find_hashes(*(halves_of_hashes(pa.array(values, pa.binary())) for values in (wanted, among)))
    assert found.tolist() == [place.get(value, -1) for value in wanted]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1))
def test_origins_sort_as_bytes_and_come_back(numbers: list[int]) -> None:
    """The order of the bytes is that of the signed numbers."""
    found = bytes_of_origins(np.array(numbers, np.int64))
    assert origins_of_bytes(found).tolist() == numbers
    assert sorted(numbers) == [
        numbers[row] for row in sorted(range(len(numbers)), key=lambda row: found[row].tobytes())
    ]


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1))
def test_splitmix64_is_the_published_function(values: list[int]) -> None:
    """Equal to the finaliser in whole numbers, with and without its first shift."""
    whole = (1 << 64) - 1

    def multiplied(value: int) -> int:
        value = value * 0xBF58476D1CE4E5B9 & whole
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB & whole
        return value ^ (value >> 31)

    array = np.array(values, np.uint64)
    assert splitmix64_multiply(array).tolist() == [multiplied(value) for value in values]
    assert splitmix64(array).tolist() == [multiplied(value ^ (value >> 30)) for value in values]
