"""Hashes that name a text and a record the same way in every lake, whatever the order, batch or file name it came in.

A content hash has 128 bits and is stored as Arrow binary: ``hashes`` in the names below. Where NumPy works on it, it is a row of 16 bytes
(``bytes``), one item of 16 bytes (``items``), or two numbers that sort as the bytes do (``halves``).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.buffers import text_buffers

__all__ = [
    "GOLDEN_GAMMA",
    "Halves",
    "bytes_of_hashes",
    "bytes_of_origins",
    "content_hashes",
    "find_hashes",
    "halves_of_hashes",
    "hashes_of_halves",
    "hashes_of_items",
    "items_of_hashes",
    "mix_hashes",
    "origins",
    "origins_of_bytes",
    "short_hashes",
    "splitmix64",
    "splitmix64_multiply",
]

Halves = npt.NDArray[np.uint64]
"""uint64 [n, 2]: 128-bit hashes, the first eight bytes and the last eight as big-endian numbers."""
GOLDEN_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
"""By how much SplitMix64's state grows from one number to the next."""

_DIGEST_BYTES: Final = 16
_SIGN: Final = np.uint64(1 << 63)


def content_hashes(texts: pa.Array) -> pa.BinaryArray:
    """Return binary[n]: BLAKE2b-128 of each text's UTF-8 bytes (RFC 7693), null where the text is null.

    Args:
        texts: string[n] or large_string[n].

    >>> content_hashes(pa.array(["abc"]))[0].as_py().hex()
    'cf4ab791c62b8d2b2109c90275287816'
    """
    data, offsets = text_buffers(texts)
    view, bounds = data.data, pairwise(offsets.tolist())
    digests = b"".join(blake2b(view[begin:end], digest_size=_DIGEST_BYTES).digest() for begin, end in bounds)
    ends = np.arange(0, len(digests) + 1, _DIGEST_BYTES, dtype=np.int32)
    hashes = pa.Array.from_buffers(pa.binary(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(digests)])
    return pc.if_else(texts.is_valid(), hashes, None) if texts.null_count else hashes


def origins(
    source: pa.Array | Sequence[str | None],
    uri: pa.Array | Sequence[str | None],
    file_sha256: str,
    record_no: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Return int64[n]: where each record came from, as a hash that breaks ties of order between equal texts.

    The first 8 bytes, signed and big-endian, of BLAKE2b over ``u`` and the length-prefixed UTF-8 of source and uri; where there is no
    uri, over ``f``, the file's SHA-256 and the record's number. So a document that has a URL keeps its origin in whatever file it
    comes, and the path of a file never counts. A length is 8 bytes, big-endian; a missing source counts as an empty one.

    Args:
        source: string[n].
        uri: string[n], null where the record names none.
        file_sha256: hexadecimal, of the file that holds all n records.
        record_no: int64[n].
    """
    sources = source.to_pylist() if isinstance(source, pa.Array) else source
    uris = uri.to_pylist() if isinstance(uri, pa.Array) else uri
    file_digest = bytes.fromhex(file_sha256)
    prefixes: dict[str | None, bytes] = {}
    parts = []
    for name, address, number in zip(sources, uris, record_no.tolist(), strict=True):
        if address is None:
            key = b"f" + file_digest + number.to_bytes(8, "big")
        else:
            prefix = prefixes.get(name)
            if prefix is None:
                prefix = prefixes[name] = b"u" + _prefixed(name or "")
            key = prefix + _prefixed(address)
        parts.append(blake2b(key).digest()[:8])
    return np.frombuffer(b"".join(parts), dtype=">i8").astype(np.int64)


def short_hashes(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return int64[n]: the first 8 bytes of BLAKE2b of each text's UTF-8 bytes, signed and big-endian; half a surrogate counts as ``?``.

    >>> short_hashes(["abc"]).tolist()
    [-2829645022057097895]
    """
    digests = b"".join(blake2b(text.encode(errors="replace"), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype=">i8").astype(np.int64)


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(8, "big") + data


def bytes_of_hashes(hashes: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """Return 128-bit hashes as uint8 [n, 16].

    Args:
        hashes: binary [n] or binary(16) [n], none of them null.

    Raises:
        pyarrow.ArrowInvalid: a value that is not 16 bytes long.
    """
    if isinstance(hashes, pa.ChunkedArray):
        hashes = hashes.combine_chunks()
    fixed = hashes.cast(pa.binary(_DIGEST_BYTES))
    data = np.frombuffer(fixed.buffers()[1] or b"", np.uint8, _DIGEST_BYTES * len(fixed), _DIGEST_BYTES * fixed.offset)
    return data.reshape(-1, _DIGEST_BYTES)


def items_of_hashes(hashes: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.void]:
    """Return 128-bit hashes as V16 [n], an item each; arguments and errors as for ``bytes_of_hashes``."""
    return np.asarray(bytes_of_hashes(hashes).reshape(-1).view(f"V{_DIGEST_BYTES}"))


def halves_of_hashes(hashes: pa.Array | pa.ChunkedArray, *, missing_as_zeros: bool = False) -> Halves:
    r"""Return 128-bit hashes as uint64 [n, 2]: two big-endian numbers each, which sort as the bytes do.

    Args:
        hashes: binary [n] or binary(16) [n].
        missing_as_zeros: whether a null or empty hash gives two zeros; otherwise there must be none.

    Raises:
        pyarrow.ArrowInvalid: a value that is not 16 bytes long.

    >>> halves_of_hashes(pa.array([bytes(7) + b"\x01" + bytes(7) + b"\x02"])).tolist()
    [[1, 2]]
    >>> halves_of_hashes(pa.array([b"", None], pa.binary()), missing_as_zeros=True).tolist()
    [[0, 0], [0, 0]]
    """
    if missing_as_zeros:
        there = pc.fill_null(pc.greater(pc.binary_length(hashes), 0), False)
        hashes = pc.if_else(there, hashes, pa.scalar(bytes(_DIGEST_BYTES), hashes.type))
    return bytes_of_hashes(hashes).view(">u8").astype(np.uint64)


def hashes_of_halves(halves: Halves) -> pa.FixedSizeBinaryArray:
    r"""Return 128-bit hashes as binary(16) [n]: ``halves_of_hashes`` undone.

    >>> hashes_of_halves(np.array([[1, 2]], np.uint64))[0].as_py() == bytes(7) + b"\x01" + bytes(7) + b"\x02"
    True
    """
    return hashes_of_items(np.ascontiguousarray(halves.astype(">u8")))


def hashes_of_items(items: npt.NDArray[np.generic]) -> pa.FixedSizeBinaryArray:
    """Return 128-bit hashes as binary(16) [n], from contiguous memory that holds 16 bytes each."""
    return pa.Array.from_buffers(
        pa.binary(_DIGEST_BYTES), items.nbytes // _DIGEST_BYTES, [None, pa.py_buffer(items.reshape(-1).view(np.uint8))]
    )


def find_hashes(wanted: Halves, among: Halves) -> npt.NDArray[np.int64]:
    """Return for each of some hashes its first place in ``among``, or -1.

    >>> find_hashes(np.array([[1, 2], [1, 3]], np.uint64), np.array([[0, 0], [1, 3]], np.uint64)).tolist()
    [-1, 1]
    """
    if len(among) == 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    found = pc.index_in(hashes_of_halves(wanted), value_set=hashes_of_halves(among))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def bytes_of_origins(origin: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return origins as uint8 [n, 8]; the bytes sort as the signed numbers do.

    >>> bytes_of_origins(np.array([-1, 0], np.int64)).tolist()
    [[127, 255, 255, 255, 255, 255, 255, 255], [128, 0, 0, 0, 0, 0, 0, 0]]
    """
    return (origin.view(np.uint64) ^ _SIGN).astype(">u8").view(np.uint8).reshape(-1, 8)


def origins_of_bytes(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return origins as int64 [n]: ``bytes_of_origins`` undone."""
    return (np.ascontiguousarray(data).view(">u8").reshape(-1).astype(np.uint64) ^ _SIGN).view(np.int64)


def splitmix64(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return SplitMix64's finaliser of each value (Steele, Lea and Flood 2014): every bit of the result depends on all bits of the value.

    >>> [f"{value:016x}" for value in splitmix64(GOLDEN_GAMMA * np.arange(1, 3, dtype=np.uint64)).tolist()]
    ['e220a8397b1dcdaf', '6e789e6aa1b965f4']
    """
    return splitmix64_multiply(values ^ (values >> np.uint64(30)))


def splitmix64_multiply(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return SplitMix64's finaliser without its first shift: enough where the high bits of the values are as good as their low ones."""
    with np.errstate(over="ignore"):
        mixed = values * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def mix_hashes(
    purpose: str, seed: int, content: npt.NDArray[np.uint8] | npt.NDArray[np.void], origin: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Return uint64 [n]: SplitMix64's finaliser over purpose, seed, content hash and origin.

    Another purpose gives another order of the same documents.

    Args:
        content: uint8 [n, 16] or V16 [n].
        origin: int64 [n].
    """
    start = int.from_bytes(blake2b(f"headwater {purpose} {seed}".encode(), digest_size=8).digest(), "little")
    halves = np.ascontiguousarray(content).view("<u8").reshape(-1, 2)
    mixed = np.full(len(halves), start, dtype=np.uint64)
    for part in (halves[:, 0], halves[:, 1], origin.view(np.uint64)):
        with np.errstate(over="ignore"):
            mixed = (mixed ^ part) + GOLDEN_GAMMA
        mixed = splitmix64(mixed)
    return mixed
