r"""Where the pieces of normal HTML end: tags, comments, raw text; kernels for the walk of `nodes.py`.

>>> html = np.frombuffer(b'<p a=">"><!-- > --> &nbsp;\n', np.uint8)
>>> tag_end(html, 2), markup_end(html, 9), is_blank(html, 19, len(html))
(8, 19, True)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

__all__ = ["is_blank", "markup_end", "raw_end", "skip_to", "tag_end"]


@kernel
def skip_to(html: npt.NDArray[np.uint8], at: int, byte: int) -> int:
    """Return the place of the next `byte` at or after `at`, the page's end if there is none."""
    size = len(html)
    while at < size and html[at] != byte:
        at += 1
    return at


@kernel
def markup_end(html: npt.NDArray[np.uint8], at: int) -> int:
    """Return one past the comment, doctype or processing instruction that begins at `at`."""
    size = len(html)
    if at + 3 < size and html[at + 1] == 0x21 and html[at + 2] == 0x2D and html[at + 3] == 0x2D:
        at += 4
        while at + 2 < size and not (html[at] == 0x2D and html[at + 1] == 0x2D and html[at + 2] == 0x3E):
            at += 1
        return min(at + 3, size)
    return min(skip_to(html, at, 0x3E) + 1, size)


@kernel
def tag_end(html: npt.NDArray[np.uint8], at: int) -> int:
    """Return the place of the `>` that ends the start tag whose name ends at `at`."""
    size = len(html)
    while True:
        while at < size and (html[at] == 0x20 or html[at] == 0x2F or 0x09 <= html[at] <= 0x0D):
            at += 1
        if at >= size or html[at] == 0x3E:
            return at
        at += 1
        while at < size and html[at] != 0x3D and html[at] != 0x3E and html[at] != 0x20 and html[at] != 0x2F:
            at += 1
        if at + 1 < size and html[at] == 0x3D and html[at + 1] == 0x22:
            at = skip_to(html, at + 2, 0x22) + 1


@kernel
def raw_end(html: npt.NDArray[np.uint8], at: int, name: int, name_end: int, script: bool) -> int:
    """Return the place of the `</` that ends the raw text beginning at `at` of the element `html[name:name_end]`.

    A script that holds `<!--` and then `<script` goes on to the second end tag ("HTML", section 13.2.5.20, escaped script).
    """
    size, length = len(html), name_end - name
    dashed, doubled = False, False
    while at < size:
        byte = html[at]
        if byte == 0x3C and at + 1 < size:
            closing = html[at + 1] == 0x2F
            if (
                script
                and not dashed
                and at + 3 < size
                and html[at + 1] == 0x21
                and html[at + 2] == 0x2D
                and html[at + 3] == 0x2D
            ):
                dashed = True
                at += 3  # `<!-->` ends at once
            if closing or dashed:
                start = at + (2 if closing else 1)
                same = start + length < size
                for place in range(length if same else 0):
                    letter = html[start + place]
                    if 0x41 <= letter <= 0x5A:
                        letter |= 0x20
                    if letter != html[name + place]:
                        same = False
                        break
                if same:
                    after = html[start + length]
                    if after in (0x3E, 0x2F, 0x20) or 0x09 <= after <= 0x0D:
                        if closing and not doubled:
                            return at
                        doubled = dashed and not closing
        elif byte == 0x3E and dashed and html[at - 1] == 0x2D and html[at - 2] == 0x2D:
            dashed, doubled = False, False
        at += 1
    return size


@kernel
def is_blank(html: npt.NDArray[np.uint8], begin: int, finish: int) -> bool:
    """Tell whether a text is white space alone, `&nbsp;` and U+200B among it."""
    at = begin
    while at < finish:
        byte = html[at]
        if byte == 0x20 or 0x09 <= byte <= 0x0D:
            at += 1
        elif byte == 0x26 and at + 5 < finish and html[at + 1] == 0x6E and html[at + 2] == 0x62:
            at += 6
        elif byte == 0xE2 and at + 2 < finish and html[at + 1] == 0x80 and html[at + 2] == 0x8B:
            at += 3
        else:
            return False
    return True
