"""HTTP responses as web archives hold them: status, headers, and the body without its transfer and content encoding.

Crawlers disagree on what they store: some undo the encodings and leave the headers that name them. So a body is decoded where it is encoded by its
bytes, and stands as it is where it is not. A body that ends in the middle of its last chunk, or of its compressed data, is a page that was cut: what
is there is taken, and said to be cut.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]  # it has no stubs
from fastwarc.stream_io import ZstdReader

__all__ = ["Body", "Response", "decode_body", "parse_response"]

_HEADER_BYTES: Final = 1 << 20
_STATUS: Final = re.compile(rb"HTTP/[0-9]{1,2}(?:\.[0-9]{1,2})?[ \t]+([0-9]{3})(?![0-9])[^\n]*(?:\n|$)")
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_CHUNK: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]{0,4096})?\r?\n")
_MOST_CODINGS: Final = 4
_INPUT_BYTES: Final = 64 << 10
_OUTPUT_BYTES: Final = 1 << 20
_GRACE_BYTES: Final = 1 << 20
_MOST_HEADERS: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """A response as it is stored.

    Attributes:
        status: 100 to 999.
        headers: lower-case name → value; of one that comes twice the values, with a comma between.
        body: still encoded.
    """

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A body that was decoded.

    Attributes:
        data: without transfer and content encoding.
        is_cut: whether its encoded form ends before its end mark.
    """

    data: bytes
    is_cut: bool


def parse_response(block: bytes) -> Response | None:
    r"""Return the response that a record holds, None where it holds none.

    >>> parse_response(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody")
    Response(status=200, headers={'a': 'b'}, body=b'body')
    """
    status = _STATUS.match(block)
    if status is None:
        return None
    end = _EMPTY_LINE.search(block, status.end() - 1, status.end() + _HEADER_BYTES)
    header = block[status.end() : len(block) if end is None else end.start()]
    headers: dict[str, str] = {}
    for line in _FOLD.sub(b" ", header[:_HEADER_BYTES]).split(b"\n")[:_MOST_HEADERS]:
        name, colon, value = line.partition(b":")
        key = name.strip().lower().decode("latin-1")
        if colon and key:
            text = value.strip().decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Response(status=int(status[1]), headers=headers, body=b"" if end is None else block[end.end() :])


def decode_body(response: Response, max_bytes: int, max_ratio: int) -> Body | str:
    """Return a response's body without its encodings, or the reason for which it cannot be had.

    Args:
        max_bytes: longest body.
        max_ratio: most bytes that come out for each of the stored body, once 1 MiB has.

    Returns:
        The body, or ``record_too_large``, ``expansion_ratio`` or ``bad_content_encoding``.
    """
    data, is_cut = response.body, False
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        data, is_cut = _without_chunks(data)
    codings = [name.strip().lower() for name in response.headers.get("content-encoding", "").split(",")]
    codings = [name for name in codings if name not in {"", "identity", "none", "utf-8"}]
    if len(codings) > _MOST_CODINGS:
        return "bad_content_encoding"
    limit = min(max_bytes, max(_GRACE_BYTES, max_ratio * len(data)))
    for name in reversed(codings):
        found = _unpacked(name, data, limit)
        if found is None:
            continue
        if isinstance(found, str):
            return "record_too_large" if found == "expansion_ratio" and limit == max_bytes else found
        data, is_cut = found.data, is_cut or found.is_cut
    return Body(data=data, is_cut=is_cut)


def _without_chunks(data: bytes) -> tuple[bytes, bool]:
    """Return a chunked body's data (RFC 9112, section 7.1) and whether its end is missing; one that begins with no chunk as it is."""
    pieces: list[bytes] = []
    at = 0
    while True:
        head = _CHUNK.match(data, at, at + 8192)
        if head is None:
            if not pieces:
                return data, False
            return b"".join(pieces), True
        size = int(head[1], 16)
        if size == 0:
            return b"".join(pieces), False
        begin = head.end()
        end = begin + size
        # The first chunk tells whether the body is chunked at all: a text may begin with a number in a line of its own.
        if not pieces and end < len(data) and data[end : end + 1] not in (b"\r", b"\n"):
            return data, False
        pieces.append(data[begin:end])
        if end >= len(data):
            return b"".join(pieces), True
        at = end + (2 if data[end : end + 2] == b"\r\n" else 1)


class _Decoder(Protocol):
    def feed(self, data: bytes, most: int) -> bytes: ...

    @property
    def ended(self) -> bool: ...

    @property
    def has_more(self) -> bool: ...


class _Deflate:
    """zlib's three forms: gzip, zlib and raw; several gzip members one after the other are one body."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._decoder = zlib.decompressobj(wbits)
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes, most: int) -> bytes:
        """Return up to ``most`` bytes more."""
        data = self._rest + data
        if self._decoder.eof and data:
            if self._wbits != 31 or not data.startswith(b"\x1f\x8b"):
                self._rest = b""
                return b""
            self._decoder = zlib.decompressobj(self._wbits)
        out = self._decoder.decompress(data, most)
        self._rest = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
        return out

    @property
    def ended(self) -> bool:
        """Whether the end mark was met."""
        return self._decoder.eof

    @property
    def has_more(self) -> bool:
        """Whether more can be given without more data."""
        return bool(self._rest)


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    def feed(self, data: bytes, most: int) -> bytes:
        """Return about ``most`` bytes more."""
        return bytes(self._decoder.process(data, output_buffer_limit=most))

    @property
    def ended(self) -> bool:
        """Whether the end mark was met."""
        return bool(self._decoder.is_finished())

    @property
    def has_more(self) -> bool:
        """Whether more can be given without more data."""
        return not self._decoder.can_accept_more_data()


def _unpacked(name: str, data: bytes, limit: int) -> Body | str | None:
    """Return a body without one of its content codings; None where it has not got it, or nobody knows it."""
    if name in {"gzip", "x-gzip"}:
        return _decode(lambda: _Deflate(31), data, limit) if data.startswith(b"\x1f\x8b") else None
    if name == "deflate":
        # RFC 9110, section 8.4.1.2: the zlib format; many servers send raw deflate data.
        found = _decode(lambda: _Deflate(15), data, limit) if _is_zlib(data) else None
        if found is not None and found != "bad_content_encoding":
            return found
        return None if _is_markup(data) else _decode(lambda: _Deflate(-15), data, limit)
    if name == "br":
        found = _decode(_Brotli, data, limit)
        return None if found == "bad_content_encoding" and _is_markup(data) else found
    if name == "zstd":
        return _decode_zstd(data, limit) if data.startswith(b"\x28\xb5\x2f\xfd") else None
    return None if _is_markup(data) else "bad_content_encoding"


def _is_zlib(data: bytes) -> bool:
    return len(data) >= 2 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0


def _is_markup(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _decode(make: Callable[[], _Decoder], data: bytes, limit: int) -> Body | str:
    decoder = make()
    pieces: list[bytes] = []
    total = 0
    # What is left in the decoder is asked for in the end, without more data.
    blocks = [data[begin : begin + _INPUT_BYTES] for begin in range(0, len(data), _INPUT_BYTES)]
    try:
        for block in (*blocks, b""):
            given = block
            while True:
                piece = decoder.feed(given, _OUTPUT_BYTES)
                given = b""
                pieces.append(piece)
                total += len(piece)
                if total > limit:
                    return "expansion_ratio"
                if not piece or not (decoder.has_more or len(piece) >= _OUTPUT_BYTES):
                    break
    except MemoryError:  # says nothing of the data
        raise
    except Exception:  # each decoder has an exception of its own; damaged data are all that it can mean
        return "bad_content_encoding"
    return Body(data=b"".join(pieces), is_cut=not decoder.ended)


def _decode_zstd(data: bytes, limit: int) -> Body | str:
    reader = ZstdReader(io.BytesIO(data))
    pieces: list[bytes] = []
    total = 0
    try:
        while piece := bytes(reader.read(_OUTPUT_BYTES)):
            pieces.append(piece)
            total += len(piece)
            if total > limit:
                return "expansion_ratio"
    except OSError:
        return "bad_content_encoding" if not total else Body(data=b"".join(pieces), is_cut=True)
    return Body(data=b"".join(pieces), is_cut=False)
