"""Keyed hashes: what a lake keeps of a text that it must not hold, to know it again.

The key is the lake's own, 32 random bytes in ``takedowns/key``. Who has the key can tell whether a text at hand is one that was taken down; nobody
can make the text from them, and who has a lake's table without the key can do neither. 128-bit hashes go through keyed BLAKE2b (RFC 7693), numbers
of 64 bits through SipHash-2-4 (Aumasson and Bernstein 2012), which NumPy computes for millions at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.errors import CorruptLakeError
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes, write_file

__all__ = ["KEY_BYTES", "find_key", "hash_bytes", "keyed_numbers", "make_key", "siphash"]

KEY_BYTES: Final = 32
_FOLDER: Final = "takedowns"
_NAME: Final = "key"
_Numbers = npt.NDArray[np.uint64]


def find_key(lake: str) -> bytes | None:
    """Return the key of a lake, or None where nothing was ever taken down.

    Raises:
        CorruptLakeError: the file of the key is no key.
    """
    filesystem, path = filesystem_of(join(lake, _FOLDER))
    place = join(path, _NAME)
    if exists(filesystem, place) is None:
        return None
    key = read_bytes(filesystem, place)
    if len(key) != KEY_BYTES:
        raise CorruptLakeError(
            f"expected a key of {KEY_BYTES} bytes at {place}, found {len(key)}; restore it from a copy: "
            "without it texts that were taken down are not known again"
        )
    return key


def make_key(lake: str) -> bytes:
    """Return the key of a lake, a new one where it has none.

    Raises:
        StorageError: it cannot be written.
        CorruptLakeError: the file of the key is no key.
    """
    found = find_key(lake)
    if found is None:
        write_file(join(lake, _FOLDER), _NAME, secrets.token_bytes(KEY_BYTES), root=lake)
        found = find_key(lake)  # of two that make it at once the last one's counts
    return found or b""


def hash_bytes(key: bytes, data: bytes | None) -> bytes | None:
    """Return BLAKE2b-128 of some bytes under a key; of none and of no bytes None.

    >>> hash_bytes(bytes(32), b"abc").hex()
    '5f5b3b301f676e9f2ed8d0e8439807c7'
    """
    return blake2b(data, digest_size=16, key=key).digest() if data else None


def keyed_numbers(key: bytes, values: Sequence[int] | npt.NDArray[np.int64] | _Numbers) -> npt.NDArray[np.int64]:
    """Return int64 [n]: SipHash-2-4 of n numbers of 64 bits under a key of 32 bytes, of which it takes the first half."""
    numbers = np.asarray(values)
    if numbers.dtype != np.uint64:
        numbers = numbers.astype(np.int64).view(np.uint64)
    return siphash(key[:16], numbers).view(np.int64)


def siphash(key: bytes, values: _Numbers) -> _Numbers:
    """Return uint64 [n]: SipHash-2-4 of messages of 8 bytes, given as little-endian numbers, under a key of 16 bytes.

    >>> hex(siphash(bytes(range(16)), np.array([0x0706050403020100], np.uint64))[0])
    '0x93f5f5799a932462'
    """
    low, high = np.frombuffer(key, "<u8")
    v0 = np.full(values.shape, low ^ np.uint64(0x736F6D6570736575), np.uint64)
    v1 = np.full(values.shape, high ^ np.uint64(0x646F72616E646F6D), np.uint64)
    v2 = np.full(values.shape, low ^ np.uint64(0x6C7967656E657261), np.uint64)
    v3 = np.full(values.shape, high ^ np.uint64(0x7465646279746573), np.uint64)
    end = np.uint64(8 << 56)
    for message in (values, np.full(values.shape, end, np.uint64)):
        v3 ^= message
        for _ in range(2):
            _round(v0, v1, v2, v3)
        v0 ^= message
    v2 ^= np.uint64(0xFF)
    for _ in range(4):
        _round(v0, v1, v2, v3)
    found: _Numbers = v0 ^ v1 ^ v2 ^ v3
    return found


def _round(v0: _Numbers, v1: _Numbers, v2: _Numbers, v3: _Numbers) -> None:
    v0 += v1
    _rotate(v1, 13)
    v1 ^= v0
    _rotate(v0, 32)
    v2 += v3
    _rotate(v3, 16)
    v3 ^= v2
    v0 += v3
    _rotate(v3, 21)
    v3 ^= v0
    v2 += v1
    _rotate(v1, 17)
    v1 ^= v2
    _rotate(v2, 32)


def _rotate(values: _Numbers, bits: int) -> None:
    values[...] = (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))
