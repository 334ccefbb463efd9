"""The order of an epoch: a permutation by hash that is computed place by place, so nothing grows with the stage.

A Feistel network over the smallest power of two that holds all places, walked on until a place of the stage is met (Black and
Rogaway, "Ciphers with arbitrary finite domains", 2002): at most twice the work on average, for any length. Few bits mix badly in such a
network, so a stage of up to 4,096 sequences is sorted by their hashes instead.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.hashes import splitmix64_multiply

__all__ = ["places_of", "sequences_at"]

_ROUNDS: Final = 8
_SORTED: Final = 4096
_Ints = npt.NDArray[np.int64]


def _keys(seed: int, epoch: int) -> npt.NDArray[np.uint64]:
    digest = blake2b(f"headwater epoch {seed} {epoch}".encode(), digest_size=8 * _ROUNDS).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def _mixed(half: npt.NDArray[np.uint64], key: np.uint64, bits: int) -> npt.NDArray[np.uint64]:
    """Return ``bits`` bits of a hash of a half and the key of a round."""
    return splitmix64_multiply(half ^ key) & np.uint64((1 << bits) - 1)


def _encipher(
    values: npt.NDArray[np.uint64], keys: npt.NDArray[np.uint64], bits: int, *, backward: bool
) -> npt.NDArray[np.uint64]:
    """Return each value's partner among the values of ``bits`` bits."""
    low = bits - bits // 2
    left, right = values >> np.uint64(low), values & np.uint64((1 << low) - 1)
    rounds = range(_ROUNDS)
    for number in reversed(rounds) if backward else rounds:
        if number % 2:
            left = left ^ _mixed(right, keys[number], bits - low)
        else:
            right = right ^ _mixed(left, keys[number], low)
    return (left << np.uint64(low)) | right


def _walk(start: _Ints, length: int, seed: int, epoch: int, *, backward: bool) -> _Ints:
    if length <= _SORTED:
        return _sorted_order(length, seed, epoch)[int(backward)][start]
    bits = (length - 1).bit_length()
    keys = _keys(seed, epoch)
    with np.errstate(over="ignore"):
        found = _encipher(start.astype(np.uint64), keys, bits, backward=backward)
        while len(outside := np.flatnonzero(found >= np.uint64(length))):
            found[outside] = _encipher(found[outside], keys, bits, backward=backward)
    return found.astype(np.int64)


@lru_cache(maxsize=4)
def _sorted_order(length: int, seed: int, epoch: int) -> tuple[_Ints, _Ints]:
    """Return the sequence at each place and the place of each sequence, of a short stage."""
    with np.errstate(over="ignore"):
        first, second = _keys(seed, epoch)[:2]
        hashes = _mixed(_mixed(np.arange(length, dtype=np.uint64), first, 64), second, 64)
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    return order, np.argsort(order).astype(np.int64)


def sequences_at(places: _Ints, length: int, *, seed: int, epoch: int) -> _Ints:
    """Return the sequence that an epoch has at each place: over all places, every sequence exactly once.

    Args:
        places: int64 [n], from 0 to ``length`` - 1.
        length: sequences of the stage.
        seed: of the training run.
        epoch: 0-based; each has an order of its own.

    >>> [sequences_at(np.arange(5), 5, seed=1, epoch=epoch).tolist() for epoch in (0, 1)]
    [[1, 3, 0, 2, 4], [4, 2, 3, 1, 0]]
    """
    return _walk(places, length, seed, epoch, backward=False)


def places_of(sequences: _Ints, length: int, *, seed: int, epoch: int) -> _Ints:
    """Return where in an epoch each sequence stands: the inverse of ``sequences_at``.

    >>> places_of(sequences_at(np.arange(5), 5, seed=1, epoch=0), 5, seed=1, epoch=0).tolist()
    [0, 1, 2, 3, 4]
    """
    return _walk(sequences, length, seed, epoch, backward=True)
