"""Web pages that people marked, how an extracted text is scored against them, and the folds by site.

Two sets of ``../shared/web``: ``pages_wcxb`` (the whole main text of a page) and ``pages_segments`` (segments that must be in the
text and others that must not).
"""

from __future__ import annotations

import base64
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from bench.records import read_records

__all__ = ["MarkedPage", "fold_of", "read_segments", "read_wcxb", "segment_counts", "segments_f1", "word_f1"]

_WORD: Final = re.compile(r"\w+")
_SPACE: Final = re.compile(r"\s+")
_SUFFIXES: Final = PublicSuffixList()


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedPage:
    """One page and what people said of it.

    Attributes:
        set: "wcxb" or "segments".
        url: as the set gives it.
        site: registered domain; the part that decides the fold.
        kind: page kind in WCXB; "" in segments.
        body: the page as served (segments) or in UTF-8 (wcxb).
        text: the whole main text (wcxb); "" in segments.
        inside: segments that must be in the text.
        outside: segments that must not.
    """

    set: str
    url: str
    site: str
    kind: str
    body: bytes
    text: str
    inside: tuple[str, ...]
    outside: tuple[str, ...]


def read_wcxb(folder: Path) -> list[MarkedPage]:
    """Return the pages of WCXB's first half, in the order of the file."""
    return [
        MarkedPage(
            set="wcxb",
            url=row["url"] or row["id"],
            site=_site(row["url"] or row["id"]),
            kind=row["page_type"],
            body=row["html"].encode("utf-8", "surrogatepass"),
            text=row["main_content"],
            inside=tuple(row["with"]),
            outside=tuple(row["without"]),
        )
        for row in read_records(folder / "pages_wcxb.jsonl.zst")
    ]


def read_segments(folder: Path) -> list[MarkedPage]:
    """Return the pages with segments of the first half, in the order of the file."""
    return [
        MarkedPage(
            set="segments",
            url=row["url"],
            site=_site(row["url"]),
            kind="",
            body=base64.b64decode(row["html_base64"]),
            text="",
            inside=tuple(row["with"]),
            outside=tuple(row["without"]),
        )
        for row in read_records(folder / "pages_segments.jsonl.zst")
    ]


def _site(url: str) -> str:
    """Return the registered domain of a URL, the host where there is none."""
    if url.startswith(
        "hard::"
    ):  # "hard::host-name-of-file.html": host and page cannot be told apart; the name is unique
        url = url.removeprefix("hard::").removesuffix(".html").partition("-")[0]
    host = (urlsplit(url if "//" in url else "//" + url).hostname or url).lower()
    return str(_SUFFIXES.privatesuffix(host) or host)


def fold_of(site: str, n_folds: int) -> int:
    """Return the fold of a site; the same in both sets, whatever the order of the pages."""
    return zlib.crc32(site.encode()) % n_folds


def word_f1(text: str, wanted: str) -> float:
    r"""Return the F1 of the bags of ``\w+`` words, lower-cased, as WCXB scores a page; 1 where both are empty."""
    found, expected = Counter(_WORD.findall(text.lower())), Counter(_WORD.findall(wanted.lower()))
    shared = sum((found & expected).values())
    total = found.total() + expected.total()
    return 2 * shared / total if total else 1.0


def segment_counts(text: str, page: MarkedPage) -> tuple[int, int, int]:
    """Return (wanted segments found, wanted segments missing, unwanted segments found), white space folded."""
    folded = _SPACE.sub(" ", text)
    found = sum(_SPACE.sub(" ", each).strip() in folded for each in page.inside)
    unwanted = sum(_SPACE.sub(" ", each).strip() in folded for each in page.outside)
    return found, len(page.inside) - found, unwanted


def segments_f1(counts: Sequence[tuple[int, int, int]]) -> float:
    """Return the F1 of all segments together."""
    found, missing, unwanted = (sum(each) for each in zip(*counts, strict=True))
    total = 2 * found + missing + unwanted
    return 2 * found / total if total else 1.0
