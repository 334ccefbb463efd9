"""MinHash signatures and their bands: 112 permutations of 5-unit shingles of normalised text, 14 bands of 8.

Signatures equal ``datasketch.MinHash(num_perm=112, seed=1, scheme="affine32")`` of datasketch 2.0 bit for bit over the same shingle hashes:
h → a·fmix32(h) + b modulo 2^32 with odd a, the least value of each permutation. The expected share of equal values is the Jaccard similarity s
of the two shingle sets, with standard deviation √(s(1 − s)/112): 0.041 at 0.75 (Broder 1997, "On the resemblance and containment of documents").
Two samples share a band with probability 1 − (1 − s^8)^14: 0.77 at s = 0.75, 0.92 at 0.8, 0.999 at 0.9 (Leskovec, Rajaraman, Ullman, "Mining of
Massive Datasets", section 3.4).

The multiplication wraps and every step is integer arithmetic: the bits depend on neither the processor nor the batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from headwater.buffers import text_buffers
from headwater.filters.duplicates.normalize import normalize_bytes
from headwater.filters.duplicates.number_settings import DEFAULT_NUMBERS
from headwater.filters.duplicates.numbers import find_numbers, fold_digits, keeps_numbers, number_signs
from headwater.filters.duplicates.shingles import distinct, finish64, most_shingles, unit_kinds, write_shingles

__all__ = ["MIN_SHINGLES", "N_BANDS", "N_PERMUTATIONS", "ROWS_PER_BAND", "VERSION", "measure_minhash", "permutations"]

_Words = npt.NDArray[np.uint32]

VERSION = 2
N_PERMUTATIONS = 112
N_BANDS = 14
ROWS_PER_BAND = 8
MIN_SHINGLES = 20
"""Texts with fewer distinct shingles have no bands: they are duplicates only where their normalised text is equal."""

_BLOCK = 2048  # hashes that stay in the first cache while 112 permutations pass over them
_LANES = 32  # blocks are padded to a multiple, so that no permutation ends in a scalar loop


@cache
def permutations() -> npt.NDArray[np.uint32]:
    """[2, 112] factors (odd) and summands, drawn as datasketch 2.0 does for seed 1; NumPy promises this generator's stream for ever."""
    generator = np.random.RandomState(1)
    factors = generator.randint(0, 1 << 31, N_PERMUTATIONS, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return np.array([factors, generator.randint(0, 1 << 32, N_PERMUTATIONS, dtype=np.uint32)])


def measure_minhash(
    texts: pa.Array,
    kinds: pa.Array | pa.ChunkedArray | None = None,
    numbers: Mapping[str, str] = DEFAULT_NUMBERS,
) -> pa.RecordBatch:
    """The columns ``bands signature n_shingles normalized_hash``, one row for each text (string or large_string; null counts as empty).

    - bands list<int64>: a 64-bit hash of 8 signature values and the band's number, 14 of them; empty under `MIN_SHINGLES` shingles.
    - signature binary: 112 uint32, little-endian; empty where there is no shingle.
    - n_shingles int32: distinct shingle hashes.
    - normalized_hash binary: BLAKE2b, 16 bytes, of the normalised text with its numbers; empty where that is empty.

    Signature and shingles are those of the normalised text, its digits folded to 0 where `numbers` says so. The hash is that of a text
    alone: texts of equal hashes have equal signatures, so a text whose digits were folded has another hash than one that kept them.

    Memory besides the input: the normalised text of the batch, and 10 bytes for each byte of the largest text at most.

    Args:
        kinds: of the texts, from ``signals.kinds``; None or null: ``prose``.
        numbers: ``keep`` or ``fold`` for each of ``number_settings.NUMBER_TEXTS``.

    Raises:
        UsageError: texts of another type; more or fewer kinds than texts, or an unknown one.
    """
    writable, offsets = normalize_bytes(texts)
    data = writable.view()
    data.flags.writeable = False  # as all bytes are that kernels read, so that each is compiled once
    holds_numbers, dense = find_numbers(data, offsets, unit_kinds())
    folded = holds_numbers & ~keeps_numbers(dense, kinds, numbers)
    hashes = _hash_texts(data, offsets, folded, *number_signs(*text_buffers(texts), holds_numbers))
    fold_digits(writable, offsets, folded)
    signatures, n_shingles = _sign(data, offsets, unit_kinds(), permutations(), most_shingles(offsets))
    has_signature = n_shingles > 0
    has_bands = n_shingles >= MIN_SHINGLES
    return pa.RecordBatch.from_pydict(
        {
            "bands": pa.ListArray.from_arrays(
                pa.array(_offsets(has_bands, N_BANDS)), pa.array(_bands(signatures[has_bands]).reshape(-1))
            ),
            "signature": _binary(
                has_signature, signatures[has_signature].astype("<u4", copy=False), 4 * N_PERMUTATIONS
            ),
            "n_shingles": pa.array(n_shingles),
            "normalized_hash": _binary(offsets[1:] > offsets[:-1], hashes, 16),
        }
    )


def _offsets(present: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.int32]:
    ends = np.zeros(present.size + 1, np.int32)
    np.cumsum(present * width, out=ends[1:])
    return ends


def _binary(present: npt.NDArray[np.bool_], values: npt.NDArray[np.uint32] | bytes, width: int) -> pa.BinaryArray:
    buffers = [None, pa.py_buffer(_offsets(present, width)), pa.py_buffer(values)]
    return pa.BinaryArray.from_buffers(pa.binary(), present.size, buffers)


def _hash_texts(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    folded: npt.NDArray[np.bool_],
    signs: npt.NDArray[np.uint8],
    sign_offsets: npt.NDArray[np.int64],
) -> bytes:
    """BLAKE2b of each text that is not empty; behind a byte that no text has: its numbers' signs, and F where its digits are to be folded."""
    view, sign_view = data.data, signs.data
    bounds, sign_bounds = offsets.tolist(), sign_offsets.tolist()
    digests = []
    for row, is_folded in enumerate(folded.tolist()):
        if bounds[row] == bounds[row + 1]:
            continue
        digest = hashlib.blake2b(view[bounds[row] : bounds[row + 1]], digest_size=16)
        if is_folded or sign_bounds[row] < sign_bounds[row + 1]:
            digest.update(b"\0F" if is_folded else b"\0")
            digest.update(sign_view[sign_bounds[row] : sign_bounds[row + 1]])
        digests.append(digest.digest())
    return b"".join(digests)


@njit(cache=True, nogil=True)
def _sign(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint8],
    factors_summands: _Words,
    most: int,
) -> tuple[_Words, npt.NDArray[np.int32]]:
    """Signatures uint32 [n, 112] (all bits set where there is no shingle) and distinct shingles int32 [n]."""
    n = offsets.size - 1
    signatures = np.full((n, N_PERMUTATIONS), np.uint32(0xFFFFFFFF), np.uint32)
    counts = np.zeros(n, np.int32)
    hashes = np.empty(most, np.uint32)
    n_slots = 64
    while n_slots < 2 * most:
        n_slots *= 2
    slots = np.empty(n_slots, np.uint32)
    block = np.empty(_BLOCK, np.uint32)
    for row in range(n):
        n_hashes = write_shingles(data, offsets[row], offsets[row + 1], kinds, hashes)
        n_distinct = distinct(hashes, n_hashes, slots)
        counts[row] = n_distinct
        begin = 0
        while begin < n_distinct:
            size = min(_BLOCK, n_distinct - begin)
            for k in range(size):
                block[k] = _finish32(hashes[begin + k])
            padded = (size + _LANES - 1) // _LANES * _LANES
            block[size:padded] = block[0]  # a repeated value changes no minimum
            _lower(signatures[row], factors_summands[0], factors_summands[1], block[:padded])
            begin += size
    return signatures, counts


@njit(cache=True, nogil=True)
def _finish32(value: np.uint32) -> np.uint32:
    """MurmurHash3's 32-bit finalizer; Numba widens products to 64 bits, hence the masks."""
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ (value >> np.uint32(13)))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))


@njit(cache=True, nogil=True)
def _lower(signature: _Words, factors: _Words, summands: _Words, block: _Words) -> None:
    """One permutation after the other over all hashes: the compiler turns the inner loop into vector multiply, add and minimum."""
    for permutation in range(N_PERMUTATIONS):
        factor = factors[permutation]
        summand = summands[permutation]
        least = signature[permutation]
        for k in range(block.size):
            least = min(least, np.uint32(factor * block[k] + summand))
        signature[permutation] = least


@njit(cache=True, nogil=True)
def _bands(signatures: _Words) -> npt.NDArray[np.int64]:
    """int64 [n, 14]: the hash of each band's number and values."""
    bands = np.empty((signatures.shape[0], N_BANDS), np.int64)
    for row in range(signatures.shape[0]):
        for band in range(N_BANDS):
            value = finish64(np.uint64(band + 1))
            for k in range(band * ROWS_PER_BAND, (band + 1) * ROWS_PER_BAND):
                value = finish64(value ^ np.uint64(signatures[row, k]))
            bands[row, band] = np.int64(value)
    return bands
