"""Hashes that name a text and a record the same way in every lake, whatever the order, batch or file name it came in."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["content_hashes", "hash_bytes", "mix_hashes", "order_bytes", "ordered_numbers", "origins"]

_DIGEST_BYTES = 16
_SIGN = np.uint64(1 << 63)


def content_hashes(texts: pa.Array) -> pa.BinaryArray:
    """Return binary[n]: BLAKE2b-128 of each text's UTF-8 bytes (RFC 7693), null where the text is null.

    Args:
        texts: string[n] or large_string[n].

    >>> content_hashes(pa.array(["abc"]))[0].as_py().hex()
    'cf4ab791c62b8d2b2109c90275287816'
    """
    n = len(texts)
    _, offsets_buffer, data_buffer = texts.buffers()
    if n == 0 or texts.null_count:
        return pa.array(
            [
                None if text is None else blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
                for text in texts.to_pylist()
            ],
            pa.binary(),
        )
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    offsets = np.frombuffer(offsets_buffer, dtype=kind)[texts.offset : texts.offset + n + 1].tolist()
    data = memoryview(data_buffer or b"")
    digests = b"".join(blake2b(data[begin:end], digest_size=_DIGEST_BYTES).digest() for begin, end in pairwise(offsets))
    ends = np.arange(0, _DIGEST_BYTES * (n + 1), _DIGEST_BYTES, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(ends), pa.py_buffer(digests)])


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


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(8, "big") + data


def hash_bytes(column: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """Return 128-bit hashes as uint8 [n, 16]."""
    fixed = column.cast(pa.binary(16)).combine_chunks()
    return np.frombuffer(fixed.buffers()[1] or b"", np.uint8, 16 * len(fixed), 16 * fixed.offset).reshape(-1, 16)


def mix_hashes(
    purpose: str, seed: int, content: npt.NDArray[np.uint8], origin: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Return uint64 [n]: SplitMix64's finaliser over purpose, seed, content hash (uint8 [n, 16]) and origin (int64 [n]).

    Another purpose gives another order of the same documents.
    """
    start = int.from_bytes(blake2b(f"headwater {purpose} {seed}".encode(), digest_size=8).digest(), "little")
    halves = np.ascontiguousarray(content).view("<u8").reshape(-1, 2)
    mixed = np.full(len(halves), start, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in (halves[:, 0], halves[:, 1], origin.view(np.uint64)):
            mixed = (mixed ^ part) + np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
    return mixed


def order_bytes(signed: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return int64 [n] as uint8 [n, 8] that compare as bytes in the order of the numbers: big-endian, the sign bit flipped.

    >>> order_bytes(np.array([-1, 0])).tolist()
    [[127, 255, 255, 255, 255, 255, 255, 255], [128, 0, 0, 0, 0, 0, 0, 0]]
    """
    return (signed.view(np.uint64) ^ _SIGN).astype(">u8").view(np.uint8).reshape(-1, 8)


def ordered_numbers(octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return the numbers of which ``order_bytes`` made uint8 [n, 8].

    >>> ordered_numbers(order_bytes(np.array([-(2**63), -1, 0, 5]))).tolist()
    [-9223372036854775808, -1, 0, 5]
    """
    return (np.ascontiguousarray(octets).view(">u8").reshape(-1).astype(np.uint64) ^ _SIGN).view(np.int64)
