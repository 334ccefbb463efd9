"""Code blocks: columns of line numbers are no code (`is_line_numbers`); a block's language and fence (`begin_code`)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import find_attribute, listed_word, name_bytes, starts_with, word_list
from headwater.filters.html.emit import AT, CODE_BREAK, CODE_OPEN, FENCE, FORM, LINE, MARKDOWN, NAME, NAME_END, put
from headwater.filters.html.tags import CODE, DIV, FIGURE, OL, PRE, TABLE, TEXT
from headwater.filters.text.compile import kernel

__all__ = ["begin_code", "code_language", "end_code", "is_line_numbers", "longest_ticks"]

_CLASS: Final = name_bytes("class")
_LANGUAGE: Final = name_bytes("language-")
_LANG: Final = name_bytes("lang-")

_WHOLE: Final = ("line-numbers", "linenums", "line-number", "linenumbers")
"""Said of a whole block too, whose lines a script numbers (Prism, prettify)."""
_WORDS = (
    *_WHOLE,
    *("lineno", "linenos", "linenum", "linenodiv", "lnt", "ln", "gutter", "rouge-gutter", "blob-num", "crayon-nums"),
    *("hljs-ln-numbers", "hljs-ln-n", "line-numbers-rows", "line_numbers", "codemirror-linenumber", "code-lineno"),
    *("react-syntax-highlighter-line-number", "lntd-number", "line-num", "lines-number"),
)
_MOST_TICKS: Final = 64
_LETTERS, _ENDS = word_list(_WORDS)


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
        word = listed_word(html, at, stop, _LETTERS, _ENDS)
        if word >= (len(_WHOLE) if whole else 0) and (within or stop - at > 3):
            return True
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


@kernel
def longest_ticks(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    first: int,
    end: int,
) -> int:
    """Return the length of the longest run of backticks in the texts of the nodes first to end, 64 at most."""
    longest = 0
    for node in range(first, end):
        if tag[node] != TEXT:
            continue
        run = 0
        for at in range(begin[node], finish[node]):
            run = run + 1 if html[at] == 0x60 else 0
            longest = max(longest, run)
    return min(longest, _MOST_TICKS)


@kernel
def begin_code(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    node: int,
    state: npt.NDArray[np.int64],
) -> None:
    """Make ready for the code block at `node`: its fence, and its language, which it or the `<code>` within names."""
    state[CODE_OPEN] = 0
    state[FENCE] = max(3, longest_ticks(html, tag, begin, finish, node, end[node]) + 1)
    state[NAME], state[NAME_END] = code_language(html, begin[node], finish[node])
    within = node + 1
    while state[NAME] < 0 and within < min(end[node], node + 4):
        if tag[within] == CODE:
            state[NAME], state[NAME_END] = code_language(html, begin[within], finish[within])
        within += 1


@kernel
def end_code(out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]) -> bool:
    """Close the code block, without line feeds at its end; tell whether it has text."""
    if not state[CODE_OPEN]:
        return False
    while state[AT] > 0 and out[state[AT] - 1] == 0x0A:
        state[AT] -= 1
    if state[FORM] == MARKDOWN:
        put(out, state, 0x0A)
        for _ in range(state[FENCE]):
            put(out, state, 0x60)
    state[CODE_OPEN], state[CODE_BREAK], state[LINE] = 0, 0, 1
    return True
