"""The 64-bit hash of a token: one multiplication a code point and a finish."""

from __future__ import annotations

from typing import Final

import numpy as np

from headwater.filters.text.compile import kernel

__all__ = ["HASH_SEED", "hash_characters", "mix", "step_hash"]

HASH_SEED: Final = 0xCBF29CE484222325
_HASH_FACTOR: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


def hash_characters(word: str) -> int:
    """Return what `step_hash` and `mix` make of these characters, in plain Python: for tables made at import.

    >>> hash_characters("a") == int(mix(step_hash(np.uint64(HASH_SEED), ord("a"))))
    True
    """
    value = HASH_SEED
    for character in word:
        value = (value * _HASH_FACTOR + ord(character)) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


@kernel
def step_hash(value: np.uint64, point: int) -> np.uint64:
    """Return the running hash of a token after one more code point; `mix` finishes it."""
    return value * np.uint64(_HASH_FACTOR) + np.uint64(point)


@kernel
def mix(value: np.uint64) -> np.uint64:
    """Return the finished hash: every bit of it depends on every bit of `value` (the finalizer of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
