"""Which elements a page hides by its markup alone: `which_hides`.

Few rules, since scripts and style sheets are not read: the attribute `hidden`, `display: none` in the element's own
`style`, `aria-hidden="true"`. `<html>` and `<body>` are never hidden (scripts show them later), and neither style nor
`aria-hidden` hides pictures or formulas of KaTeX, MathJax and MediaWiki, which give one formula twice and hide one of both.

>>> style = np.frombuffer(b'<i style="color:red; display: none">', np.uint8)
>>> which_hides(style, 0, 2, len(style) - 1) == HIDDEN_STYLE
True
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import equals, name_bytes, next_attribute, starts_with
from headwater.filters.html.tags import BODY, HTML, IMG, MATH
from headwater.filters.text.compile import kernel

__all__ = ["HIDDEN_ARIA", "HIDDEN_ATTRIBUTE", "HIDDEN_STYLE", "SHOWN", "which_hides"]

SHOWN: Final = 0
HIDDEN_ATTRIBUTE: Final = 1
HIDDEN_STYLE: Final = 2
HIDDEN_ARIA: Final = 3

_HIDDEN: Final = name_bytes("hidden")
_UNTIL_FOUND: Final = name_bytes("until-found")
_STYLE: Final = name_bytes("style")
_ARIA: Final = name_bytes("aria-hidden")
_TRUE: Final = name_bytes("true")
_CLASS: Final = name_bytes("class")
_DISPLAY: Final = name_bytes("display")
_NONE: Final = name_bytes("none")
_KATEX: Final = name_bytes("katex")
_MATHJAX: Final = name_bytes("mathjax")
_MEDIAWIKI: Final = name_bytes("mwe-math")


@kernel
def _has_part(html: npt.NDArray[np.uint8], begin: int, finish: int, part: npt.NDArray[np.uint8]) -> bool:
    """Tell whether `part` (lower case) stands in `html[begin:finish]`, without regard to case."""
    for at in range(begin, finish - len(part) + 1):
        if (html[at] | 0x20) == part[0] and starts_with(html, at, finish, part):
            return True
    return False


@kernel
def _is_not_displayed(html: npt.NDArray[np.uint8], begin: int, finish: int) -> bool:
    """Tell whether a style says `display: none`."""
    at = begin
    while at + 11 < finish:
        if (
            (html[at] | 0x20) == 0x64
            and starts_with(html, at, finish, _DISPLAY)
            and (at == begin or html[at - 1] < 0x41)
        ):
            at += 7
            while at < finish and (html[at] <= 0x20 or html[at] == 0x3A):
                at += 1
            if starts_with(html, at, finish, _NONE):
                return html[at - 5] != 0x2D
        at += 1
    return False


@kernel
def which_hides(html: npt.NDArray[np.uint8], tag: int, begin: int, finish: int) -> int:
    """Return by which rule the element with the attributes `html[begin:finish]` is hidden; SHOWN if by none."""
    if tag in (HTML, BODY):
        return SHOWN
    found, formula = SHOWN, tag in (IMG, MATH)
    at = begin
    while True:
        name_begin, name_end, value_begin, value_end = next_attribute(html, at, finish)
        if name_begin < 0:
            break
        size = name_end - name_begin
        if size == 6 and html[name_begin] == 0x68 and equals(html, name_begin, name_end, _HIDDEN):
            if not equals(html, value_begin, value_end, _UNTIL_FOUND):
                return HIDDEN_ATTRIBUTE
        elif size == 5 and html[name_begin] == 0x73 and equals(html, name_begin, name_end, _STYLE):
            if _is_not_displayed(html, value_begin, value_end):
                found = HIDDEN_STYLE
        elif size == 5 and html[name_begin] == 0x63 and equals(html, name_begin, name_end, _CLASS):
            formula |= (
                _has_part(html, value_begin, value_end, _KATEX)
                or _has_part(html, value_begin, value_end, _MATHJAX)
                or _has_part(html, value_begin, value_end, _MEDIAWIKI)
            )
        elif size == 11 and html[name_begin] == 0x61 and equals(html, name_begin, name_end, _ARIA):
            found = HIDDEN_ARIA if found == SHOWN and equals(html, value_begin, value_end, _TRUE) else found
        at = value_end + 1 if value_begin > name_end else name_end
    return SHOWN if formula else found
