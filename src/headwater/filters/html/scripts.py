"""How a sub- or superscript is written in plain text: `script_mark`.

`mc<sup>2</sup>` is `mc^2`, `H<sub>2</sub>O` is `H_2O`, `e<sup>i x</sup>` is `e^(i x)`; `1<sup>st</sup>` and `Acme<sup>TM</sup>` stay
words, a footnote's mark is `[3]`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.emit import AT, BREAKS, GAP, LINE, TABS, put
from headwater.filters.html.tags import SUP, TEXT, A
from headwater.filters.text.compile import kernel

__all__ = ["FOOTNOTE", "GROUPED", "PLAIN", "SINGLE", "begin_script", "script_mark"]

PLAIN: Final = 0
SINGLE: Final = 1
GROUPED: Final = 2
FOOTNOTE: Final = 3

_MOST_NODES: Final = 12
_MOST_BYTES: Final = 24


@kernel
def script_mark(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    node: int,
    before: int,
    letters_before: int,
) -> int:
    """Return how the `<sub>` or `<sup>` at `node` is written: PLAIN, SINGLE (`^2`), GROUPED (`^(…)`), FOOTNOTE (`[…]`).

    Args:
        html: the page.
        tag: of its nodes.
        end: of its nodes.
        begin: of its nodes.
        finish: of its nodes.
        node: the element.
        before: the byte written before it, 0 if it follows white space: there it marks nothing.
        letters_before: how many ASCII letters stand before it without a break: a number after a word is a footnote's.
    """
    after_word = (
        before >= 0x80 or 0x30 <= before <= 0x39 or 0x41 <= (before & 0xDF) <= 0x5A or before in (0x29, 0x5D, 0x7D)
    )
    if not after_word or end[node] - node > _MOST_NODES:
        return PLAIN
    digits, letters, others, wide, signs, size, first, second, linked = 0, 0, 0, 0, 0, 0, 0, 0, False
    for within in range(node + 1, end[node]):
        if tag[within] == A:
            linked = True
        if tag[within] != TEXT:
            continue
        for at in range(begin[within], finish[within]):
            byte = html[at]
            if size == 0:
                if byte <= 0x20:
                    continue
                first = byte
            elif size == 1:
                second = byte
            size += 1
            if size > _MOST_BYTES:
                return PLAIN
            if 0x30 <= byte <= 0x39:
                digits += 1
            elif 0x41 <= (byte & 0xDF) <= 0x5A and byte < 0x80:
                letters += 1
            elif 0x80 <= byte < 0xC0:
                continue  # the rest of a wide character
            elif byte >= 0xC0:
                wide += 1
            elif byte > 0x20:
                others += 1
                signs += byte in (0x2A, 0x2B, 0x2C, 0x2D, 0x2F, 0x3D)
    if size == 0 or first in (0x28, 0x5B):
        return PLAIN
    if linked:
        return FOOTNOTE if tag[node] == SUP and digits == size else PLAIN
    if tag[node] == SUP:
        if digits == size and (letters_before >= 4 or before == 0xE2):
            return FOOTNOTE
        if letters == size and (size > 2 or (size == 2 and not 0x61 <= first <= 0x7A)):
            return PLAIN
        if letters == size == 2 and (0x30 <= before <= 0x39 or 0x41 <= before <= 0x5A):
            return PLAIN  # 1st, IInd
        if letters == size == 1 and first in (0x65, 0x6F, 0x61) and (0x30 <= before <= 0x39 or 0x41 <= before <= 0x5A):
            return PLAIN  # 2e, XIXe, No
        if digits + letters + wide + others == 1 and (digits or letters):
            return SINGLE
        if others == 1 and digits == 0 and letters == 0 and wide == 0:
            return SINGLE if first in (0x2B, 0x2D) else PLAIN
        if wide == 1 and digits + letters + others == 0:
            # Greek letters and signs of mathematics are exponents; ®, ™, † and the like are not.
            return PLAIN if first == 0xC2 or (first == 0xE2 and second not in (0x88, 0x89)) else SINGLE
    if letters == 0 and digits and (others == 0 or (others == 1 and first in (0x2B, 0x2D))) and wide <= 1:
        return SINGLE
    if tag[node] != SUP and others == 0 and digits + letters + wide > 0:
        return SINGLE
    return GROUPED if digits or signs or wide else PLAIN


@kernel
def begin_script(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    node: int,
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> int:
    """Write what stands before the script at `node`; return the byte due at its end, 0 for none, -1 if it is not marked."""
    before, letters = 0, 0
    if state[AT] and state[LINE] and not state[GAP] and not state[BREAKS] and not state[TABS]:
        before = int(out[state[AT] - 1])
    while letters < 4 and state[AT] > letters and 0x41 <= (out[state[AT] - 1 - letters] & 0xDF) <= 0x5A:
        letters += 1
    if before >= 0x80:
        # Of a character beyond ASCII, the byte that tells its range: 0xE2 for marks of punctuation.
        punctuation = state[AT] > 2 and out[state[AT] - 3] == 0xE2 and out[state[AT] - 2] == 0x80
        before = 0xE2 if punctuation else 0x80
    mark = script_mark(html, tag, end, begin, finish, node, before, letters)
    if mark == PLAIN:
        return -1
    if mark == FOOTNOTE:
        put(out, state, 0x5B)
        return 0x5D
    put(out, state, 0x5E if tag[node] == SUP else 0x5F)
    if mark == SINGLE:
        return 0
    put(out, state, 0x28)
    return 0x29
