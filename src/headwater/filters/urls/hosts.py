"""Hosts of documents' URLs in one form, for the shares of the largest hosts, the samples of vocabularies and questions; URLs without credentials."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "CREDENTIALS",
    "HOST_PATTERN",
    "UNUSUAL_HOST",
    "host_of",
    "hosts",
    "plain_host",
    "with_parents",
    "without_credentials",
]

HOST_PATTERN: Final = (
    r"^[\x00-\x20]*[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#\\]*@)?(?P<host>\[[^\]\[@/?#\\]*\]|[^/?#:@\[\]\\]+)(?:[/?#:\\]|$)"
)
"""Of RE2 and of Python alike: the host as it stands in a URL, after the credentials and before the port."""
UNUSUAL_HOST: Final = r"[^!-~]|%|[\[\]<>^|]|\.\.$|(?:^|\.)(?:[0-9]+|0[Xx][0-9A-Fa-f]*)\.?$"
"""What a host has whose form small letters alone do not settle: other letters, escapes, what none may have, the look of an address."""
CREDENTIALS: Final = r"^([ \t\r\n]*[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\\]*@"
"""Of RE2 and of Python alike: scheme, kept as the first group, and credentials."""

_LONGEST: Final = 1000
_USUAL: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z][a-z0-9-]*")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20#%/:<>?@\[\\\]^|\x7f]")
"""The URL standard's forbidden domain code points."""
_LIKE_ADDRESS: Final = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")
_ADDRESS_NUMBER: Final = re.compile(
    r"0[Xx](?P<hex>[0-9A-Fa-f]{0,16})|0(?P<octal>[0-7]{1,22})|(?P<decimal>0|[1-9][0-9]{0,19})", re.ASCII
)


def plain_host(host: str) -> str:
    """Return the form in which hosts are compared, as the WHATWG URL standard parses them; an empty text for what is no host.

    Small letters, no dot at the end, labels beyond ASCII in Punycode (RFC 3492, ``xn--``), addresses of IPv4 with four decimal numbers,
    those of IPv6 as short as they are (RFC 5952). What looks like an address and is none stays as it stands, a name of more than 1,000
    characters is no host (DNS has 253).

    >>> plain_host("EXAMPLE.org."), plain_host("Bücher.example"), plain_host("xn--bcher-kva.EXAMPLE")
    ('example.org', 'xn--bcher-kva.example', 'xn--bcher-kva.example')
    >>> plain_host("0x7f.1"), plain_host("[2001:DB8:0::1]"), plain_host("a%2Fb")
    ('127.0.0.1', '[2001:db8::1]', '')
    """
    if len(host) > _LONGEST:
        return ""
    if _USUAL.fullmatch(host):
        return host
    if re.search(UNUSUAL_HOST, host):
        if host.startswith("["):
            return _address_6(host)
        # As browsers do (UTS 46): escapes, wide letters and the dots of other scripts first.
        host = unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".").replace("\u00ad", "")
        host = unicodedata.normalize("NFC", host.lower())
        labels = (
            label if label.isascii() else f"xn--{label.encode('punycode', 'replace').decode()}"
            for label in host.split(".")
        )
        host = ".".join(labels)
        if len(host) > _LONGEST or _FORBIDDEN.search(host):
            return ""
    host = host.lower().rstrip(".")
    return (_address_4(host) or host) if _LIKE_ADDRESS.search(host) else host


def _address_4(host: str) -> str | None:
    """Return an IPv4 address with four decimal numbers, or None (URL standard, section 3.5, "IPv4 parser")."""
    parts = host.split(".")
    if len(parts) > 4:
        return None
    numbers = []
    for part in parts:
        found = _ADDRESS_NUMBER.fullmatch(part)
        if found is None:
            return None
        base = 16 if found["hex"] is not None else 8 if found["octal"] is not None else 10
        numbers.append(int(found["hex"] or found["octal"] or found["decimal"] or "0", base))
    *first, last = numbers
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(numbers)):
        return None
    value = last + sum(number << 8 * (3 - place) for place, number in enumerate(first))
    return str(IPv4Address(value))


def _address_6(host: str) -> str:
    """Return an IPv6 address in brackets, as short as it is; what is none in small letters."""
    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        return host.lower()


def host_of(uri: str) -> str | None:
    """Return the host of a URL in the form of ``plain_host``, or None where it has none.

    >>> host_of("https://user:pw@example.org:8443/a"), host_of("isbn 1")
    ('example.org', None)
    """
    found = re.match(HOST_PATTERN, uri)
    return plain_host(found["host"]) or None if found else None


def with_parents(host: str) -> list[str]:
    """Return a host and the domains above it.

    >>> with_parents("a.b.example"), with_parents("[::1]")
    (['a.b.example', 'b.example', 'example'], ['[::1]'])
    """
    labels = host.split(".")
    return [".".join(labels[place:]) for place in range(len(labels))]


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
