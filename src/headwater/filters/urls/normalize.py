"""One form of a URL, to join by and never to store in its place (RFC 3986, section 6; hosts as the WHATWG URL standard reads them).

What changes: scheme and host in small letters, the host as ``hosts.plain_host`` writes it, no credentials, no default port, no fragment, an empty
path as ``/``, dot segments resolved, a backslash as a slash, percent-encoding in its normal form (``%7e`` is ``~``, ``%c3`` is ``%C3``;
what may not stand as it is gets encoded, as does a ``%`` that begins no escape, and ``'``, which browsers encode in queries), parameters of
tracking and sessions left out (see ``parameters``), the others sorted by name, those of one name in their order. What does not: ``http``
against ``https``, ``www.``, case, ``//``, a slash at the end, ``index.html``, ``+`` against ``%20``: on some sites these are different pages,
and a page too many does less harm than one lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from headwater.filters.urls.hosts import plain_host
from headwater.filters.urls.parameters import PATH_SESSIONS, is_noise

__all__ = ["VERSION", "hosts_and_urls", "normalize_url"]

VERSION: Final = 1
"""Raised with any change that gives a URL another normal form."""
_URL_PARTS: Final = re.compile(
    r"[\x00-\x20]*([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#\\]*@)?(\[[^\]\[@/?#\\]*\]|[^/?#:@\[\]\\]+)(?=[/?#:\\]|\Z)(?::([^/?#\\]*))?"
    r"((?:[/\\][^?#]*)?)(?:\?([^#]*))?(?:#.*)?",
    re.DOTALL,
)
"""Scheme, host, port, path and query of a URL with a host, in agreement with ``hosts.HOST_PATTERN``."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~!$&()*+,;=:@/-]*")
"""A path, or a query without ``?``, that is in its normal form already."""
_TO_CHANGE: Final = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&()*+,;=:@/?-]+", re.DOTALL)
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_UNSEEN: Final = "".join(map(chr, range(0x21)))
_DIGITS: Final = re.compile(r"[0-9]{1,9}")


def normalize_url(url: str) -> str | None:
    r"""Return the form of a URL to join by, or None where it has no host.

    >>> normalize_url("HTTP://user:pw@Example.ORG:80/a/./b/../%7ec?b=2&utm_source=x&a=1#top")
    'http://example.org/a/~c?a=1&b=2'
    >>> normalize_url("https://Bücher.example"), normalize_url("isbn 1")
    ('https://xn--bcher-kva.example/', None)
    """
    _, (normal,) = hosts_and_urls([url])
    return normal or None


def hosts_and_urls(urls: Sequence[str | None]) -> tuple[list[str], list[str]]:
    """Return the host of each URL and its form to join by, both empty where it has no host; a host is read once, however often it comes."""
    plain: dict[str, str] = {}
    hosts: list[str] = []
    normal: list[str] = []
    for url in urls:
        found = _URL_PARTS.match(_without_breaks(url)) if url else None
        host = ""
        if found:
            given = found[2]
            if given not in plain:
                plain[given] = plain_host(given)
            host = plain[given]
        hosts.append(host)
        normal.append(_normal_url(found, host) if found and host else "")
    return hosts, normal


def _without_breaks(url: str) -> str:
    """Return a URL without tabs, line breaks and what cannot be seen at its end, as a browser takes it."""
    if "\n" in url or "\t" in url or "\r" in url:
        url = url.replace("\n", "").replace("\t", "").replace("\r", "")
    return url if url[-1:] > " " else url.rstrip(_UNSEEN)


def _normal_url(found: re.Match[str], host: str) -> str:
    """Return the form to join by of a URL that ``_URL_PARTS`` matched.

    Args:
        host: in the form of ``plain_host``.
    """
    scheme, _, port, path, query = found.groups()
    scheme = scheme.lower()
    shown = _port(scheme, port) if port else ""
    target = _path(path) if path else "/"
    asked = _query(query) if query else ""
    return f"{scheme}://{host}{shown}{target}{asked}"


def _port(scheme: str, port: str) -> str:
    if _DIGITS.fullmatch(port):
        number = int(port)
        return "" if _DEFAULT_PORTS.get(scheme) == number else f":{number}"
    return f":{_encode(port)}"


def _encode(text: str) -> str:
    """Return text with its percent-encoding in normal form (RFC 3986, sections 2.4, 6.2.2.1 and 6.2.2.2)."""
    return text if _PLAIN.fullmatch(text) else _TO_CHANGE.sub(_encoded, text)


def _encoded(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) == 3 and text[0] == "%" and text.isascii() and text[1].isalnum():
        value = int(text[1:], 16)
        return chr(value) if value in _UNRESERVED else text.upper()
    return "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))


def _path(path: str) -> str:
    if "\\" in path:
        path = path.replace("\\", "/")
    path = _encode(path)
    if ";" in path or "(" in path:
        path = PATH_SESSIONS.sub("", path) or "/"
    return _without_dots(path) if "/." in path else path


def _without_dots(path: str) -> str:
    """Return a path without dot segments (RFC 3986, section 5.2.4).

    >>> _without_dots("/a/b/c/./../../g"), _without_dots("/../a/.."), _without_dots("/a/.b/..c")
    ('/a/g', '/', '/a/.b/..c')
    """
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def _query(query: str) -> str:
    pieces = []
    for piece in _encode(query).split("&"):
        name, _, value = piece.partition("=")
        if piece and not is_noise(name, value):
            pieces.append((name, piece))
    if len(pieces) > 1:
        pieces.sort(key=lambda each: each[0])
    return "?" + "&".join(piece for _, piece in pieces) if pieces else ""
