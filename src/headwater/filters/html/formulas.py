"""Which pictures are formulas: `is_formula_image`, by what their `alt` and `class` say.

Wikipedia (`mwe-math-fallback-image-…`), WordPress (`class="latex"`), LaTeX2HTML and others put the formula's LaTeX into `alt`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import find_attribute, name_bytes, starts_with
from headwater.filters.text.compile import kernel

__all__ = ["is_formula_image", "looks_like_latex"]

_ALT: Final = name_bytes("alt")
_CLASS: Final = name_bytes("class")
_MATH_IMAGE: Final = name_bytes("mwe-math")
_LATEX: Final = name_bytes("latex")
_TEX: Final = name_bytes("tex")
_MATH: Final = name_bytes("math")


@kernel
def looks_like_latex(html: npt.NDArray[np.uint8], begin: int, finish: int) -> bool:
    r"""Tell whether a text is LaTeX without doubt: in `$…$`, `\(…\)`, `\[…\]`, or with `\name` or `x^…`, `x_…`.

    >>> [looks_like_latex(name_bytes(text), 0, len(text)) for text in (r"$x$", r"\frac{a}{b}", r"C:\files", "{a}_{b}")]
    [True, True, False, True]
    """
    while begin < finish and html[begin] <= 0x20:
        begin += 1
    while finish > begin and html[finish - 1] <= 0x20:
        finish -= 1
    if finish - begin < 3:
        return False
    if html[begin] == 0x24 and html[finish - 1] == 0x24:
        return True
    if html[begin] == 0x5C:
        return True
    for at in range(begin + 1, finish - 1):
        byte, before, after = html[at], html[at - 1], html[at + 1]
        if byte == 0x5C and before in (0x20, 0x7B, 0x7D) and 0x61 <= (after | 0x20) <= 0x7A:
            return True
        if byte in (0x5E, 0x5F) and after == 0x7B:
            return True
    return False


@kernel
def _of_class(html: npt.NDArray[np.uint8], at: int, end: int, signs: bool) -> bool:
    """Tell whether one of the words `html[at:end]` of a class marks a formula; `math` and `tex` do if its alt has signs."""
    while at < end:
        stop = at
        while stop < end and html[stop] > 0x20:
            stop += 1
        if starts_with(html, at, stop, _MATH_IMAGE):
            return True
        if stop - at == 5 and starts_with(html, at, stop, _LATEX):
            return True
        if signs and stop - at == 4 and starts_with(html, at, stop, _MATH):
            return True
        if signs and stop - at == 3 and starts_with(html, at, stop, _TEX):
            return True
        at = stop + 1
    return False


@kernel
def is_formula_image(html: npt.NDArray[np.uint8], begin: int, finish: int) -> bool:
    """Tell whether the picture with the attributes `html[begin:finish]` is a formula whose LaTeX is its `alt`."""
    alt, alt_end = find_attribute(html, begin, finish, _ALT)
    if alt_end <= alt:
        return False
    if looks_like_latex(html, alt, alt_end):
        return True
    signs = False
    for place in range(alt, alt_end):
        signs |= html[place] in (0x2B, 0x3C, 0x3D, 0x3E, 0x5C, 0x5E, 0x5F, 0x7B)
    at, end = find_attribute(html, begin, finish, _CLASS)
    return _of_class(html, at, end, signs or alt_end - alt <= 2)
