"""A page as the standard's parser reads it, written out again: `normal_html`.

turbohtml builds the tree of the WHATWG standard, whatever the input, and writes it in the standard's serialised form:
every element closed, every attribute quoted, `&` and `<` escaped. What reads those bytes (`nodes.py`) needs no rule of
error recovery. turbohtml was chosen over Lexbor (selectolax 1.0.2), which is a quarter faster on real pages and takes time
that grows with the square of nesting and of attributes: `docs/decisions/0025-html-parser.md`.

Lossy: the order of attributes given twice, and whatever the standard's parser drops. A template's shadow root stays a template.
"""

from __future__ import annotations

import turbohtml

__all__ = ["normal_html"]


def normal_html(data: bytes | str) -> bytes:
    """Return a page, a text or UTF-8, in the standard's serialised form, as UTF-8.

    Bytes that are no UTF-8 become U+FFFD. Time and memory are linear in `data` (some 35 times its bytes at worst).
    `<noscript>` is read as a browser without scripts reads it, since a crawler runs none: as elements, which are shown.
    """
    # A shadow root would be left out of what `encode` writes: its template is kept instead.
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    document = turbohtml.parse(text, positions=False, scripting=False, allow_declarative_shadow_roots=False)
    return document.encode()
