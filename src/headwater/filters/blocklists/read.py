"""A block list's file as its entries: one a line, whatever the file's quirks, and how many lines could not be used.

Domains: ``example.org``, also with ``*.`` or ``||`` before and ``^`` after it, as a URL, or as a line of a hosts file (``0.0.0.0 example.org``).
URLs: with or without scheme; one that ends in ``*`` stands for all that begin so. Words: a word or a few. A line that begins with ``#`` or ``!``
is a comment, as is what follows `` #`` in a list of domains or URLs. A line of bad UTF-8, one that is too long and one that is no entry of
its kind is not used, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from headwater.filters.urls.hosts import host_of, plain_host
from headwater.filters.urls.normalize import normalize_url

__all__ = ["KINDS", "MOST_BYTES", "Entries", "read_entries"]

KINDS: Final = ("domains", "urls", "words")
MOST_BYTES: Final = 256 << 20
"""Largest file."""
_LONGEST_LINE: Final = 8192
_LONGEST_WORD: Final = 256
_SINK: Final = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(\S+)\s*")
_COMMENT: Final = re.compile(r"\s#.*")
_DOMAIN: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entries:
    """What a file holds.

    Attributes:
        kind: of ``KINDS``.
        entries: in one form, each once, in the order of the file.
        unusable: lines that are neither an entry nor a comment.
        first_unusable: number of the first of them, 1 for the first line; 0 for none.
    """

    kind: str
    entries: tuple[str, ...]
    unusable: int
    first_unusable: int


def read_entries(data: bytes, kind: str) -> Entries:
    r"""Return the entries of a file.

    >>> found = read_entries(b"# ads\n0.0.0.0 Ads.example\n||b.example^\nnot a domain\n", "domains")
    >>> found.entries, found.unusable, found.first_unusable
    (('ads.example', 'b.example'), 1, 4)
    >>> read_entries("example.org/a/*\n".encode(), "urls").entries, read_entries("Foo  BAR\n".encode(), "words").entries
    (('example.org/a/*',), ('Foo BAR',))
    """
    entries: dict[str, None] = {}
    unusable = first = 0
    for number, line in enumerate(_lines(data), 1):
        found = None if line is None else _entry(line, kind)
        if found is None:
            unusable += 1
            first = first or number
        elif found:
            entries[found] = None
    return Entries(
        kind=kind,
        entries=tuple(entries),
        unusable=unusable,
        first_unusable=first,
    )


def _lines(data: bytes) -> Iterator[str | None]:
    """Yield the lines without white space around them; None for one that cannot be read."""
    begin = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while begin < len(data):
        end = data.find(b"\n", begin)
        end = len(data) if end < 0 else end
        if end - begin > _LONGEST_LINE:
            yield None
        else:
            try:
                yield data[begin:end].decode().strip()
            except UnicodeDecodeError:
                yield None
        begin = end + 1


def _entry(line: str, kind: str) -> str | None:
    """Return an entry in one form, empty for a comment or an empty line, None for what is none."""
    if not line or line[0] in "#!":
        return ""
    if kind == "words":
        word = " ".join(line.split())
        return word if len(word) <= _LONGEST_WORD else None
    line = _COMMENT.sub("", line)
    if kind == "domains":
        return _domain(line)
    prefix = line.endswith("*")
    url = normalize_url(line.rstrip("*") if "://" in line else f"http://{line.rstrip('*')}")
    if url is None:
        return None
    return url.partition("://")[2] + ("*" if prefix else "")


def _domain(line: str) -> str | None:
    found = _SINK.fullmatch(line)
    name = found[1] if found else line
    name = name.removeprefix("||").removesuffix("^").removeprefix("*").removeprefix(".")
    host = host_of(name) if "://" in name else plain_host(name)
    return host if host and _DOMAIN.fullmatch(host) else None
