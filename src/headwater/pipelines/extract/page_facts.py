"""What a comparison of extractors tells of a page."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Page", "TextFacts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFacts:
    """What one extractor makes of a page.

    Attributes:
        fault: why there is no text; None where there is one, and then the others are set.
        page_kind: that the extractor saw; None where it tells none.
        left_out_bytes: text of the page that is not in it.
        signals: of ``compare.SIGNALS_SHOWN``.
        first_reason: the first rule that refuses it; None where all let it pass.
    """

    extractor: str
    fault: str | None
    page_kind: str | None = None
    language: str | None = None
    characters: int = 0
    tokens: int = 0
    table_rows: int | None = None
    left_out_bytes: int | None = None
    scores: dict[str, int] | None = None
    signals: dict[str, float] | None = None
    first_reason: str | None = None

    @property
    def passes(self) -> bool:
        """Whether there is a text and every rule lets it pass."""
        return self.fault is None and self.first_reason is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page: its sample, its address, the extractor whose text the recipe takes (None: none has one), and each extractor's text."""

    sample_id: int
    uri: str | None
    chosen: str | None
    texts: tuple[TextFacts, ...]
