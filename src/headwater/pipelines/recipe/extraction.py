"""What identifies the texts of web pages: each extractor by itself, and the choice among them.

A file of family ``texts`` is named by its extractor's operator, so that a changed or a new extractor is a family that is missing. Files of
families ``content`` and ``captures`` of web pages are named by the choice: while there is one extractor, that is what ingest writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headwater.filters.html.extractors import ExtractorSettings
from headwater.filters.html.page import extractor_operator
from headwater.fingerprint import fingerprint
from headwater.pipelines.recipe.extractors import Extractor, ExtractSettings
from headwater.plain import JsonObject

__all__ = ["INGEST_VERSION", "choice", "choice_operators", "content_operator", "text_operator", "without_pages"]

INGEST_VERSION: Final = 2
"""Version of ingest: of how records are read and stored."""
_FIRST_WITH_PAGES: Final = 2
"""The first version of ingest that may have read web pages."""
CHOICE_VERSION: Final = 1


def text_operator(extractor: ExtractorSettings) -> str:
    """Return the fingerprint under which an extractor's texts are stored; its name has no say."""
    return fingerprint(["texts", extractor_operator(extractor)])


def content_operator(extractor: ExtractorSettings | None, version: int = INGEST_VERSION) -> str:
    """Return the fingerprint under which ingest stores content: of web pages with the extractor that it ran, of all else with None."""
    if extractor is None:
        return fingerprint(["content", version])
    return fingerprint(["content", version, extractor_operator(extractor)])


def without_pages() -> frozenset[str]:
    """Return the fingerprints of content in which no extractor has a say."""
    return frozenset(content_operator(None, version) for version in range(1, INGEST_VERSION + 1))


def choice(extractors: Sequence[Extractor], extract: ExtractSettings) -> JsonObject:
    """Return what has a say in whose text a page has: the extractors in order, by name where the choice names them."""
    return {
        "version": CHOICE_VERSION,
        "extractors": [
            extractor_operator(each) | ({"name": each.name} if extract.choose is not None else {})
            for each in extractors
        ],
        "choose": extract.choose,
    }


def choice_operators(extractors: Sequence[Extractor], extract: ExtractSettings) -> list[str]:
    """Return the fingerprints of content that is right under a choice, first the one under which step ``extract`` stores it.

    Content that ingest wrote is right where its extractor is the only one.
    """
    if len(extractors) == 1:
        return [
            content_operator(extractors[0], version) for version in range(INGEST_VERSION, _FIRST_WITH_PAGES - 1, -1)
        ]
    return [fingerprint({"content": choice(extractors, extract)})]
