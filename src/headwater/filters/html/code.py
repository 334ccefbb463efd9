"""Code blocks: columns of line numbers are no code (`is_line_numbers`); a block's language (`code_language`)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import find_attribute, name_bytes, starts_with
from headwater.filters.html.tags import CODE, DIV, FIGURE, OL, PRE, TABLE
from headwater.filters.text.compile import kernel

__all__ = ["code_language", "is_line_numbers"]

_CLASS: Final = name_bytes("class")
_LANGUAGE: Final = name_bytes("language-")
_LANG: Final = name_bytes("lang-")

_WHOLE = ("line-numbers", "linenums", "line-number", "linenumbers")
"""Said of a whole block too, whose lines a script numbers (Prism, prettify)."""
_WORDS = (
    *_WHOLE,
    *("lineno", "linenos", "linenum", "linenodiv", "lnt", "ln", "gutter", "rouge-gutter", "blob-num", "crayon-nums"),
    *("hljs-ln-numbers", "hljs-ln-n", "line-numbers-rows", "line_numbers", "codemirror-linenumber", "code-lineno"),
    *("react-syntax-highlighter-line-number", "lntd-number", "line-num", "lines-number"),
)
_ENDS: Final = np.cumsum([len(word) for word in _WORDS])
_LETTERS: Final = name_bytes("".join(_WORDS))


@kernel
def is_line_numbers(html: npt.NDArray[np.uint8], tag: int, begin: int, finish: int, within: bool) -> bool:
    """Tell whether an element with the attributes `html[begin:finish]` holds numbers of lines, by its class.

    The words are those of GitHub, Pygments, Rouge, Chroma, highlight.js, Prism, Crayon, CodeMirror, SyntaxHighlighter. Those of
    three letters count only `within` a block of code: elsewhere scripts make such names up.
    """
    at, end = find_attribute(html, begin, finish, _CLASS)
    whole = tag in (PRE, CODE, OL, DIV, TABLE, FIGURE)
    while at < end:
        stop = at
        while stop < end and html[stop] > 0x20:
            stop += 1
        first = 0
        for word in range(len(_ENDS)):
            if _ENDS[word] - first == stop - at and (within or stop - at > 3) and not (whole and word < len(_WHOLE)):
                same = True
                for place in range(stop - at):
                    letter = html[at + place]
                    if 0x41 <= letter <= 0x5A:
                        letter |= 0x20
                    if letter != _LETTERS[first + place]:
                        same = False
                        break
                if same:
                    return True
            first = _ENDS[word]
        at = stop + 1
    return False


@kernel
def code_language(html: npt.NDArray[np.uint8], begin: int, finish: int) -> tuple[int, int]:
    """Return where an element's class names a language (`language-…`, `lang-…`), both -1 where it names none."""
    at, end = find_attribute(html, begin, finish, _CLASS)
    while at < end:
        stop = at
        while stop < end and html[stop] > 0x20:
            stop += 1
        for prefix in (_LANGUAGE, _LANG):
            if starts_with(html, at, stop, prefix) and 0 < stop - at - len(prefix) <= 24:
                plain = True
                for place in range(at + len(prefix), stop):
                    plain &= 0x21 <= html[place] <= 0x7E and html[place] != 0x60
                if plain:
                    return at + len(prefix), stop
        at = stop + 1
    return -1, -1
