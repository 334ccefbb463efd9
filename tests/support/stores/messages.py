"""One request of S3's protocol as it passes: its head, its body, and which operation it is."""

from __future__ import annotations

import re
import select
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Connection", "Message", "Request", "has_body", "parse_headers", "parse_request"]

_BLOCK: Final = 1 << 16
_HEAD_END: Final = b"\r\n\r\n"
_NO_BODY: Final = (204, 304)


class Connection:
    """A socket with a buffer, from which whole messages of HTTP/1.1 are read."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self._held = b""

    def stale(self) -> bool:
        """Return whether the peer has closed it or sent what nobody asked for."""
        return bool(self._held) or bool(select.select([self.socket], [], [], 0)[0])

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def read_head(self) -> bytes:
        """Return a head with the empty line that ends it; nothing where the peer has closed."""
        while _HEAD_END not in self._held:
            if not self._fill():
                return b""
        head, _, self._held = self._held.partition(_HEAD_END)
        return head + _HEAD_END

    def read_body(self, headers: dict[str, str]) -> bytes:
        """Return the body that the headers announce, as it was sent: chunks with their sizes.

        Raises:
            ConnectionError: it breaks off.
        """
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        return self._take(int(headers.get("content-length", "0")))

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            line = self._line()
            size = int(line.split(b";")[0], 16)
            body += line
            if size == 0:
                while True:  # trailers, then an empty line
                    line = self._line()
                    body += line
                    if line == b"\r\n":
                        return body
            body += self._take(size + 2)

    def _line(self) -> bytes:
        while b"\r\n" not in self._held:
            if not self._fill():
                raise ConnectionError("a body broke off")
        line, _, self._held = self._held.partition(b"\r\n")
        return line + b"\r\n"

    def _take(self, size: int) -> bytes:
        parts, left = [self._held[:size]], size - len(self._held)
        self._held = self._held[size:]
        while left > 0:
            part = self.socket.recv(min(left, _BLOCK))
            if not part:
                raise ConnectionError("a body broke off")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _fill(self) -> bool:
        part = self.socket.recv(_BLOCK)
        self._held += part
        return bool(part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A head and a body."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """Status of an answer."""
        return int(self.head.split(b" ", 2)[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a client asks for.

    ``operation`` is one of GET, HEAD, LIST, PUT, PUT_IF (a conditional one), MARKER (an empty object that stands for a folder), COPY, DELETE,
    DELETE_MANY, UPLOAD (begins one in parts), PART, COMPLETE, ABORT, BUCKET (makes, deletes or asks for one) and OTHER.
    """

    method: str
    bucket: str
    key: str
    query: dict[str, list[str]]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    operation: str

    @property
    def path(self) -> str:
        """Bucket and key."""
        return f"{self.bucket}/{self.key}"


def parse_request(head: bytes, body: bytes, headers: dict[str, str]) -> Request:
    """Return the request of a head and its body."""
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    parts = urlsplit(target)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    operation = _operation(method, key, query, headers, empty=not body)
    return Request(method=method, bucket=bucket, key=key, query=query, headers=headers, body=body, operation=operation)


def parse_headers(head: bytes) -> dict[str, str]:
    """Return the headers by name in lower case."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {
        name.strip().lower(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon
    }


def has_body(method: str, status: int) -> bool:
    """Return whether an answer to ``method`` with this status has a body."""
    return method != "HEAD" and status not in _NO_BODY and status >= 200


def _operation(method: str, key: str, query: dict[str, list[str]], headers: dict[str, str], *, empty: bool) -> str:
    if not key:
        named = {("POST", "delete"): "DELETE_MANY", ("GET", "list-type"): "LIST", ("GET", "prefix"): "LIST"}
        return next((name for (verb, word), name in named.items() if verb == method and word in query), "BUCKET")
    if method == "POST":
        return "UPLOAD" if "uploads" in query else "COMPLETE" if "uploadId" in query else "OTHER"
    if "uploadId" in query:
        return {"PUT": "PART", "DELETE": "ABORT"}.get(method, "OTHER")
    if method == "PUT":
        if "x-amz-copy-source" in headers:
            return "COPY"
        if "if-none-match" in headers or "if-match" in headers:
            return "PUT_IF"
        return "MARKER" if key.endswith("/") and empty else "PUT"
    return method if re.fullmatch("GET|HEAD|DELETE", method) else "OTHER"
