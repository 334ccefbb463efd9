"""What of a web archive becomes a sample, and by which extractor: what a recipe says of the web, as ingest needs it."""

from __future__ import annotations

from dataclasses import dataclass, field

from headwater.filters.html.extractors import ExtractorSettings
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.sections import IngestSettings

__all__ = ["WebSettings", "web_settings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSettings:
    """What of the web is taken.

    Attributes:
        statuses: HTTP statuses of responses that are taken.
        kinds: types of media that are taken.
        metadata: whether titles and descriptions of WAT files are.
        extractor: what makes a page's text.
        others: what makes it where the extractor finds none, in this order.
        store_html: whether pages are stored as they were served.
    """

    statuses: tuple[int, ...] = IngestSettings().web_statuses
    kinds: tuple[str, ...] = IngestSettings().web_kinds
    metadata: bool = False
    extractor: ExtractorSettings = field(default_factory=lambda: ExtractorSettings(name="main"))
    others: tuple[ExtractorSettings, ...] = ()
    store_html: bool = False


def web_settings(recipe: Recipe) -> WebSettings:
    """Return what a recipe says of the web."""
    return WebSettings(
        statuses=recipe.ingest.web_statuses,
        kinds=recipe.ingest.web_kinds,
        metadata=recipe.ingest.web_metadata,
        extractor=recipe.extractors[0],
        others=recipe.extractors[1:],
        store_html=recipe.extract.store_html,
    )
