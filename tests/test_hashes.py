from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.hashes import content_hashes, origins

SHA = "ab" * 32


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
