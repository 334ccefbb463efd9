"""XXH64 against a slow reference from its specification, and the two values known from elsewhere."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from headwater.tokenize.shards.xxh64 import xxh64

MASK = (1 << 64) - 1
PRIMES = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)


def rotated(value: int, bits: int) -> int:
    """Return a 64-bit value rotated to the left."""
    value &= MASK
    return (value << bits | value >> (64 - bits)) & MASK


def lane_round(lane: int, word: int) -> int:
    """Return the lane after taking in eight bytes."""
    return rotated(lane + word * PRIMES[1], 31) * PRIMES[0] & MASK


def reference(data: bytes) -> str:
    """Return XXH64 with seed 0 by the steps of the specification, in Python's integers."""
    first, second, third, fourth, fifth = PRIMES
    at = 0
    if len(data) >= 32:
        lanes = [first + second & MASK, second, 0, -first & MASK]
        while at + 32 <= len(data):
            lanes = [
                lane_round(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", data, at), strict=True)
            ]
            at += 32
        state = sum(rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for lane in lanes:
            state = ((state ^ lane_round(0, lane)) * first + fourth) & MASK
    else:
        state = fifth
    state = state + len(data) & MASK
    while at + 8 <= len(data):
        state = rotated(state ^ lane_round(0, struct.unpack_from("<Q", data, at)[0]), 27) * first + fourth & MASK
        at += 8
    if at + 4 <= len(data):
        state = rotated(state ^ struct.unpack_from("<I", data, at)[0] * first & MASK, 23) * second + third & MASK
        at += 4
    for byte in data[at:]:
        state = rotated(state ^ byte * fifth & MASK, 11) * first & MASK
    state = (state ^ state >> 33) * second & MASK
    state = (state ^ state >> 29) * third & MASK
    return f"{state ^ state >> 32:016x}"


@pytest.mark.parametrize("length", [*range(70), 255, 1000, 4097])
def test_equals_the_reference(length: int) -> None:
    """Every length, so every way in which the tail is taken in, gives the reference's hash."""
    data = np.random.default_rng(length).integers(0, 256, length, np.uint8).tobytes()
    assert xxh64(data) == reference(data)


def test_known_values() -> None:
    """The hashes of nothing and of "a", as the specification's own implementation prints them."""
    assert (xxh64(b""), xxh64(b"a")) == ("ef46db3751d8e999", "d24ec4f1a98c6e5b")
