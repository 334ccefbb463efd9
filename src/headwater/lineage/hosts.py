"""Hosts of documents' URLs in one form, for the shares of the largest hosts, the samples of vocabularies and questions; URLs without credentials."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["CREDENTIALS", "HOST_PATTERN", "UNUSUAL_HOST", "host_of", "hosts", "plain_host", "without_credentials"]

HOST_PATTERN: Final = (
    r"^[ \t\r\n]*[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?(?P<host>\[[^\]/?#]*\]|[^/?#:@\[\]]+)(?:[/?#:]|$)"
)
"""Of RE2 and of Python alike: the host as it stands in a URL, after the credentials and before the port."""
UNUSUAL_HOST: Final = "[^!-~]|%"
"""What a host has whose form small letters alone do not settle."""
CREDENTIALS: Final = r"^([ \t\r\n]*[A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@"
"""Of RE2 and of Python alike: scheme, kept as the first group, and credentials."""


def plain_host(host: str) -> str:
    """Return the form in which hosts are compared: small letters, no dot at the end, labels beyond ASCII in Punycode (RFC 3492, ``xn--``).

    >>> plain_host("EXAMPLE.org."), plain_host("Bücher.example"), plain_host("xn--bcher-kva.EXAMPLE")
    ('example.org', 'xn--bcher-kva.example', 'xn--bcher-kva.example')
    """
    if re.search(UNUSUAL_HOST, host):
        # As browsers do (UTS 46): escapes, wide letters and the dots of other scripts first.
        host = unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".")
        host = unicodedata.normalize("NFC", host.lower())
        labels = (
            label if label.isascii() else f"xn--{label.encode('punycode', 'replace').decode()}"
            for label in host.split(".")
        )
        host = ".".join(labels)
    return host.lower().removesuffix(".")


def host_of(uri: str) -> str | None:
    """Return the host of a URL in the form of ``plain_host``, or None where it has none.

    >>> host_of("https://user:pw@example.org:8443/a"), host_of("isbn 1")
    ('example.org', None)
    """
    found = re.match(HOST_PATTERN, uri)
    return plain_host(found["host"]) or None if found else None


def hosts(uri: pa.ChunkedArray, source: pa.ChunkedArray) -> pa.Array:
    """Return string[n]: the host of each document's URL; its source where it has none, and ``(none)`` where it has neither.

    >>> column = pa.chunked_array([["https://u:p@Example.org:8080/a", "isbn 1", None]])
    >>> hosts(column, pa.chunked_array([["web", "books", None]])).to_pylist()
    ['example.org', 'books', '(none)']
    """
    parsed = pc.extract_regex(uri.combine_chunks(), HOST_PATTERN)
    # The struct's own nulls count: its field alone holds an empty string where the pattern did not match.
    found = pc.struct_field(parsed, "host").cast(pa.string()).dictionary_encode()
    names = found.dictionary.to_pylist()
    plain = pa.array([plain_host(name) or None for name in names], pa.string())
    host = plain.take(found.indices)
    return pc.coalesce(host, source.combine_chunks(), "(none)")


def without_credentials(uri: str) -> str:
    """Return a URL without the user and password that may stand before its host; any other text as it is.

    >>> without_credentials("https://user:p%40ss@example.org/a@b")
    'https://example.org/a@b'
    """
    return re.sub(CREDENTIALS, r"\1", uri, count=1) if "@" in uri else uri
