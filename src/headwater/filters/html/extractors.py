"""What an extractor of a recipe is: a name there, and everything that has a say in its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["COMMENTS", "FORMS", "METHODS", "OF_OTHERS", "ExtractorSettings"]

OF_OTHERS: Final = ("resiliparse", "trafilatura")
"""Methods that a package of others brings, which need not be installed."""
METHODS: Final = ("main", "full", *OF_OTHERS)
"""``main``: the blocks that are the page's own; ``full``: every visible block; the others: what those packages take."""
FORMS: Final = ("text", "markdown")
COMMENTS: Final = ("drop", "keep")
"""What becomes of readers' comments below a page's own text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractorSettings:
    """One extractor of a recipe: its name there, how it chooses (of ``METHODS``), the form of its text, and whether comments stay."""

    name: str
    method: str = "main"
    form: str = "text"
    comments: str = "drop"
