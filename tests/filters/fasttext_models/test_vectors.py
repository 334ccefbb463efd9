"""The instructions on several bytes at once, and the sieve of n-grams, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from headwater.filters.fasttext.layout import FILTER_SHIFT
from headwater.filters.fasttext.predict import _factor, _make_sieve
from headwater.filters.fasttext.vectors import LANES, find_white, hash_lanes, high_product, is_key, make_key


@pytest.mark.parametrize("byte", range(256))
def test_fasttext_white_space_is_found(byte: int) -> None:
    """A piece ends at space, tab to carriage return and NUL, wherever it stands, and at no other byte."""
    is_white = byte in b" \t\n\v\f\r\0"
    for place in (0, 7, 31):
        data = np.full(40, ord("x"), dtype=np.uint8)
        data[4 + place] = byte
        assert find_white(data, 4) == (place if is_white else 32)


@pytest.mark.parametrize("length", [0, 1, 8, 30, 31])
def test_fasttext_key_is_the_token(length: int) -> None:
    """A key is the token and zeros, equal to itself and to no key that differs in a byte."""
    data = np.arange(100, 140, dtype=np.uint8)
    keys = np.ones(12, dtype=np.uint64)
    make_key(data, 3, length, keys, 4)
    assert keys[4:8].tobytes() == data[3 : 3 + length].tobytes() + bytes(32 - length)
    keys[8:] = keys[4:8]
    assert is_key(keys, 8, keys, 4)
    for byte in range(32):
        other = keys.copy()
        other.view(np.uint8)[64 + byte] ^= 1
        assert not is_key(other, 8, keys, 4)


def test_fasttext_hashes_are_of_signed_bytes() -> None:
    """Each lane holds FNV-1a of its stretch, where a byte of 128 or more is widened with ones."""
    word = np.random.default_rng(3).integers(0, 256, 40).astype(np.uint8)
    hashes = np.zeros(8 * 20, dtype=np.uint32)
    hash_lanes(word, 2, 8, hashes, 1, 20)
    for lane in range(LANES):
        expected = 2166136261
        for step in range(8):
            byte = int(word[2 + lane + step])
            expected = ((expected ^ (byte | (0xFFFFFF00 if byte >= 128 else 0))) * 16777619) % (1 << 32)
            assert hashes[1 + step * 20 + lane] == expected


@pytest.mark.parametrize("bucket", [1, 2, 3, 64, 15_625, 1 << 20, 2_000_000, (1 << 31) - 1])
def test_fasttext_fraction_gives_the_remainder(bucket: int) -> None:
    """The fraction of every hash, also of the outermost, times the number of buckets is the remainder."""
    draw = np.random.default_rng(7).integers(0, 1 << 32, 2000).tolist()
    edges = [0, 1, bucket - 1, bucket, (1 << 32) // bucket * bucket - 1, (1 << 32) - 1]
    for hash_ in [*draw, *edges]:
        fraction = hash_ * _factor(bucket) % (1 << 64)
        assert high_product(np.uint64(fraction), np.uint64(bucket)) == hash_ % bucket


@pytest.mark.parametrize("bucket", [2, 1000, 2_000_000])
def test_fasttext_sieve_loses_no_bucket(bucket: int) -> None:
    """Every hash whose bucket has a row passes; of a large table's others most do not."""
    draw = np.random.default_rng(11)
    has_row = draw.random(bucket) < 0.02
    has_row[[0, bucket - 1]] = True
    sieve = _make_sieve(has_row, _factor(bucket))
    multiples = (1 << 32) // bucket
    chosen = np.flatnonzero(has_row)[:500].astype(np.uint64)
    others = np.flatnonzero(~has_row)[:500].astype(np.uint64)
    factor = np.uint64(_factor(bucket))
    for times in (0, multiples // 2, multiples - 1):
        bits = ((chosen + np.uint64(times * bucket)) * factor) >> np.uint64(FILTER_SHIFT)
        assert ((sieve[bits >> np.uint64(6)] >> (bits & np.uint64(63))) & np.uint64(1)).all()
    if bucket > 1000:
        bits = (others * factor) >> np.uint64(FILTER_SHIFT)
        assert ((sieve[bits >> np.uint64(6)] >> (bits & np.uint64(63))) & np.uint64(1)).mean() < 0.5
