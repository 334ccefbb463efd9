"""All that a reader of a web page sees, boilerplate with it: what a crawl gives before anyone extracts a main text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

__all__ = ["page_text"]

_UNSEEN: Final = {"script", "style", "noscript", "template", "svg", "head", "iframe"}
_INLINE: Final = {
    "a", "abbr", "b", "bdi", "cite", "code", "em", "font", "i", "kbd", "label", "mark", "q", "s", "small", "span", "strong", "sub",
    "sup", "time", "u", "var",
}  # fmt: skip


def page_text(html: str) -> str:
    r"""Return the text of a page, one line a block element, white space folded.

    >>> page_text("<head><title>T</title></head><ul><li>Home<li>Cart</ul><p>A <b>bold</b>\n word.</p><script>x</script>")
    'Home\nCart\nA bold word.\n'
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(reader.parts).split("\n"))
    return "".join(f"{line}\n" for line in lines if line)


class _Reader(HTMLParser):
    """Collects text; line feeds stand for the borders of blocks only."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base class's signature
        """Hide what is not shown, and end the line where a block begins."""
        if self._hidden is None and tag in _UNSEEN:
            self._hidden = tag
        elif self._hidden == "head" and tag == "body":  # pages leave `</head>` out
            self._hidden = None
        if tag not in _INLINE:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Show again, or end the line where a block ends."""
        if tag == self._hidden:
            self._hidden = None
        if tag not in _INLINE:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if self._hidden is None:
            self.parts.append(data.replace("\n", " "))
