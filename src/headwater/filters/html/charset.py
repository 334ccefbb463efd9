"""The character encoding of a page, decided as browsers decide it, and its text."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Decoded", "decode_page"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """A page's text, the label that it declares, the encoding used, and what decided: bom, http, meta, detected or default."""

    text: str
    declared: str | None
    used: str
    source: str


def decode_page(body: bytes, http_charset: str | None = None) -> Decoded:
    """Return a page's text."""
    return Decoded(text=body.decode("utf-8", "replace"), declared=http_charset, used="UTF-8", source="default")
