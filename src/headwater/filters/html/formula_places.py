"""Where a page's formulas stand, each once, whatever its markup doubles: `find_formulas`.

A page that shows formulas holds each two or three times: MathML beside a picture (MediaWiki), MathML beside positioned
glyphs (KaTeX, MathJax), a preview beside a script (MathJax 2). A *place* is the outermost element of all that belongs to
one formula, and the node that gives its source. In order of preference: LaTeX in an `<annotation>`, in `alttext` or in
the container's `data-tex`; a MathJax script; MathML itself; a picture's `alt`. What has none is left to be read as text.

Kinds of source: NOTHING (the place is left out: a preview before its script), LATEX_TEXT (the text of the node: an
annotation, a script), LATEX_ATTRIBUTE (a stretch of the page, in an attribute), MATHML (the node is a `<math>`),
MATHML_TEXT (a script that holds MathML), ASCII_TEXT (a script that holds AsciiMath).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import equals, find_attribute, listed_word, name_bytes, starts_with, word_list
from headwater.filters.html.formulas import is_formula_image
from headwater.filters.html.tags import ANNOTATION, CUSTOM, DIV, IMG, MATH, SCRIPT, SPAN, TEXT
from headwater.filters.text.compile import kernel

# fmt: off
__all__ = [
    "ASCII_TEXT", "LATEX_ATTRIBUTE", "LATEX_TEXT", "MATHML", "MATHML_TEXT", "NOTHING", "PLACE_COLUMNS", "find_formulas",
]
# fmt: on

NOTHING: Final = 0
LATEX_TEXT: Final = 1
LATEX_ATTRIBUTE: Final = 2
MATHML: Final = 3
MATHML_TEXT: Final = 4
ASCII_TEXT: Final = 5

PLACE_COLUMNS: Final = 7
"""Of a place: its element, one past its last node, kind, begin and end of the source (or the node), display, alone.

`alone`: 0 where no text stands between this formula and the one before (they may be two forms of one).
"""

_ALT: Final = name_bytes("alt")
_ALTTEXT: Final = name_bytes("alttext")
_CLASS: Final = name_bytes("class")
_DATA_TEX: Final = name_bytes("data-tex")
_DISPLAY: Final = name_bytes("display")
_MODE: Final = name_bytes("mode")
_BLOCK: Final = name_bytes("block")
_ENCODING: Final = name_bytes("encoding")
_LATEX_ENCODING: Final = name_bytes("application/x-tex")
_TEX_ENCODING: Final = name_bytes("tex")
_LATEX_NAME: Final = name_bytes("latex")
_TYPE: Final = name_bytes("type")
_MATH_TEX: Final = name_bytes("math/tex")
_MATH_MML: Final = name_bytes("math/mml")
_MATH_ANY: Final = name_bytes("math/")
_IMAGE_DISPLAY: Final = name_bytes("mwe-math-fallback-image-display")
_KATEX: Final = name_bytes("katex")
_KATEX_DISPLAY: Final = name_bytes("katex-display")
_MEDIAWIKI: Final = name_bytes("mwe-math-element")
_ZHIHU: Final = name_bytes("ztext-math")
_DRAWN, _DRAWN_ENDS = word_list(
    (
        *("mathjax_preview", "mathjax", "mathjax_display", "mathjax_svg", "mathjax_svg_display", "mathjax_chtml"),
        *("mathjax_phtml", "mathjax_mathml", "mjx-chtml", "mjxc-display"),
    )
)
"""What MathJax 2 draws, by its output processors; wrappers of others have names that begin alike."""
_MJX: Final = name_bytes("mjx-")

_PLAIN: Final = 0
_CONTAINER: Final = 1
_DISPLAYED: Final = 2
_RENDERED: Final = 3


@kernel
def _container(html: npt.NDArray[np.uint8], begin: int, finish: int) -> int:
    """Return what an element's class says: nothing, the container of a formula, of a displayed one, what MathJax drew."""
    at, end = find_attribute(html, begin, finish, _CLASS)
    while at < end:
        stop = at
        while stop < end and html[stop] > 0x20:
            stop += 1
        first = html[at] | 0x20  # in lower case
        if first == 0x6B and starts_with(html, at, stop, _KATEX):
            if equals(html, at, stop, _KATEX_DISPLAY):
                return _DISPLAYED
            if stop - at == 5:
                return _CONTAINER
        elif first == 0x6D:
            if starts_with(html, at, stop, _MEDIAWIKI):
                return _CONTAINER
            if listed_word(html, at, stop, _DRAWN, _DRAWN_ENDS) >= 0:
                return _RENDERED
        elif first == 0x7A and equals(html, at, stop, _ZHIHU):
            return _CONTAINER
        at = stop + 1
    return _PLAIN


@kernel
def _is_latex_annotation(html: npt.NDArray[np.uint8], begin: int, finish: int) -> bool:
    at, end = find_attribute(html, begin, finish, _ENCODING)
    return (
        starts_with(html, at, end, _LATEX_ENCODING)
        or equals(html, at, end, _TEX_ENCODING)
        or equals(html, at, end, _LATEX_NAME)
    )


@kernel
def _script_after(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    node: int,
) -> bool:
    """Tell whether a MathJax script follows the element, with nothing but white space and what MathJax drew between."""
    after = end[node]
    for _ in range(6):
        if after >= len(tag) or parent[after] != parent[node]:
            return False
        if tag[after] == TEXT:
            for at in range(begin[after], min(finish[after], begin[after] + 64)):
                if html[at] > 0x20:
                    return False
        elif tag[after] == SCRIPT:
            at, stop = find_attribute(html, begin[after], finish[after], _TYPE)
            return starts_with(html, at, stop, _MATH_ANY)
        elif _container(html, begin[after], finish[after]) != _RENDERED:
            return False
        after = end[after]
    return False


@kernel
def find_formulas(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    next_kept: npt.NDArray[np.int32],
    places: npt.NDArray[np.int64],
) -> int:
    """Fill `places` (rows of `PLACE_COLUMNS`) with the formulas among what is kept; return how many there are.

    If there are more than `places` has rows, the number comes back all the same and a call with more rows is due.
    Cost: one walk of the kept nodes; sources are found by pointers that only move forward.
    """
    nodes, found, node = len(tag), 0, 0
    annotation, math, second, script, image = -1, -1, -1, -1, -1
    alone = 1
    while node < nodes:
        name = tag[node]
        if next_kept[node] >= end[node]:
            node = end[node]
            continue
        if name == TEXT:
            for at in range(begin[node], finish[node]):
                if html[at] > 0x20:
                    alone = 1
                    break
            node += 1
            continue
        if name not in (CUSTOM, DIV, IMG, MATH, SCRIPT, SPAN):
            node += 1
            continue
        kind, source, source_end, display = -1, -1, -1, 0
        role = _PLAIN
        if name in (SPAN, DIV) and finish[node] > begin[node]:
            role = _container(html, begin[node], finish[node])
        elif name == CUSTOM:
            # The name stands before the attributes.
            start = begin[node] - 4
            while start > 0 and html[start - 1] != 0x3C:
                start -= 1
            if starts_with(html, start, begin[node], _MJX):
                role = _RENDERED
                at, stop = find_attribute(html, begin[node], finish[node], _DISPLAY)
                display = at < stop
        elif name == MATH:
            role = _CONTAINER
        if role == _RENDERED and _script_after(html, tag, parent, end, begin, finish, node):
            kind = NOTHING
        elif role != _PLAIN:
            display |= role == _DISPLAYED
            # What is within: the first annotation, <math>, script and picture at or after this node.
            while annotation < node or (annotation < nodes and tag[annotation] != ANNOTATION):
                annotation = max(annotation + 1, node)
            while annotation < end[node] and not (
                tag[annotation] == ANNOTATION and _is_latex_annotation(html, begin[annotation], finish[annotation])
            ):
                annotation += 1
            while math < node or (math < nodes and tag[math] != MATH):
                math = max(math + 1, node)
            if math < end[node]:
                while second < end[math] or (second < nodes and tag[second] != MATH):
                    second = max(second + 1, end[math])
            while script < node or (script < nodes and tag[script] != SCRIPT):
                script = max(script + 1, node)
            while image < node or (image < nodes and tag[image] != IMG):
                image = max(image + 1, node)
            if math < end[node] and second < end[node]:
                node += 1  # it holds two formulas: no container, whatever its class says
                continue
            if math < end[node]:
                at, stop = find_attribute(html, begin[math], finish[math], _DISPLAY)
                display |= equals(html, at, stop, _BLOCK)
                at, stop = find_attribute(html, begin[math], finish[math], _MODE)
                display |= equals(html, at, stop, _DISPLAY)
            if image < end[node]:
                at, stop = find_attribute(html, begin[image], finish[image], _CLASS)
                display |= starts_with(html, at, stop, _IMAGE_DISPLAY)
            if annotation < end[node] and annotation + 1 < end[annotation]:
                kind, source, source_end = LATEX_TEXT, annotation, end[annotation]
            if kind < 0 and math < end[node]:
                at, stop = find_attribute(html, begin[math], finish[math], _ALTTEXT)
                if at < stop:
                    kind, source, source_end = LATEX_ATTRIBUTE, at, stop
            if kind < 0:
                at, stop = find_attribute(html, begin[node], finish[node], _DATA_TEX)
                if at < stop:
                    kind, source, source_end = LATEX_ATTRIBUTE, at, stop
            if kind < 0 and math < end[node]:
                kind, source, source_end = MATHML, math, end[math]
            if kind < 0 and image < end[node] and is_formula_image(html, begin[image], finish[image]):
                source, source_end = find_attribute(html, begin[image], finish[image], _ALT)
                kind = LATEX_ATTRIBUTE
            if kind < 0 and script < end[node]:
                role = _PLAIN  # its script is come to by itself
        elif name == SCRIPT:
            at, stop = find_attribute(html, begin[node], finish[node], _TYPE)
            if starts_with(html, at, stop, _MATH_ANY) and node + 1 < end[node]:
                source, source_end = node, end[node]
                kind = ASCII_TEXT
                if starts_with(html, at, stop, _MATH_TEX):
                    kind = LATEX_TEXT
                elif starts_with(html, at, stop, _MATH_MML):
                    kind = MATHML_TEXT
                while at < stop and html[at] != 0x3B:
                    at += 1
                display = at < stop
        elif name == IMG and is_formula_image(html, begin[node], finish[node]):
            kind = LATEX_ATTRIBUTE
            source, source_end = find_attribute(html, begin[node], finish[node], _ALT)
            at, stop = find_attribute(html, begin[node], finish[node], _CLASS)
            display = starts_with(html, at, stop, _IMAGE_DISPLAY)
        if kind < 0:
            node += 1
            continue
        if found < len(places):
            places[found, 0], places[found, 1], places[found, 2] = node, end[node], kind
            places[found, 3], places[found, 4] = source, source_end
            places[found, 5], places[found, 6] = display, alone
        found += 1
        if kind != NOTHING:
            alone = 0
        node = end[node]
    return found
