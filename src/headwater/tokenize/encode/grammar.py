"""The pre-tokenizer: where a text is cut before byte pair encoding, as a regular expression and as character classes.

A *piece* is one of these, tried in this order at each position:

1. a word: letters of one script with their marks, joiners and modifier letters, after at most one character that is
   neither a letter, a digit nor a line break (``" word"``, ``".append"``, ``"'t"``);
2. one digit;
3. a run of signs (everything that is no letter, digit or white space) after at most one space;
4. a run of line breaks;
5. a run of blanks up to the last one before a word, so that indentation is one piece and the last blank goes with the
   word;
6. what blanks are left.

So no token crosses the border between two scripts, and none joins a digit or a line break with anything else. Scripts
are those of Unicode; letters of `Common` and `Inherited` (``ー``, ``ʼ``) continue whichever word they stand in.
"""

from __future__ import annotations

import functools
import json
import lzma
from importlib import resources
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "BLANK",
    "BREAK",
    "COMMON_LETTER",
    "DIGIT",
    "MARK",
    "SCRIPTS",
    "SIGN",
    "SPACE",
    "character_classes",
    "class_patterns",
    "encoding_pattern",
]

SIGN: Final = 0
MARK: Final = 1
SPACE: Final = 2
BLANK: Final = 3
BREAK: Final = 4
DIGIT: Final = 5
COMMON_LETTER: Final = 6
"""Classes of characters, in an order that lets the scanner compare ranges; the letters of each script follow from 7,
those of all other scripts last."""

SCRIPTS: Final = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Devanagari", "Bengali", "Gurmukhi", "Gujarati",
    "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Georgian", "Hangul",
    "Ethiopic", "Khmer", "Hiragana", "Katakana", "Han",
)  # fmt: skip
"""Scripts told apart; the letters of all others count as one more."""

_COMMON: Final = r"[\p{L}&&[\p{Common}\p{Inherited}]]"
_CONTINUES: Final = r"\p{M}\x{200C}\x{200D}" + _COMMON


@functools.cache
def character_classes() -> npt.NDArray[np.uint8]:
    """Return the class of every code point, uint8 [0x110000], as Oniguruma (the engine inside `tokenizers`) has them.

    Stored with the package as runs of equal classes, since Python's own Unicode tables know no scripts and change with
    its version.
    """
    stored = resources.files("headwater.tokenize") / "data" / "character_classes.json.xz"
    content = json.loads(lzma.decompress(stored.read_bytes()))
    return np.repeat(np.array(content["classes"], dtype=np.uint8), content["lengths"])


def class_patterns() -> list[str]:
    """Return a pattern for each class but `SIGN`, which is everything else; position 0 stands for class 1."""
    return [r"[\p{M}\x{200C}\x{200D}]", " ", r"[[^\S\r\n]&&[^ ]]", r"[\r\n]", r"\p{N}", _COMMON, *_letters()[:-1]]


def _letters() -> list[str]:
    known = "".join(rf"\p{{{script}}}" for script in (*SCRIPTS, "Common", "Inherited"))
    return [rf"[\p{{L}}&&\p{{{script}}}]" for script in SCRIPTS] + [rf"[\p{{L}}&&[^{known}]]", _COMMON]


def encoding_pattern() -> str:
    """Return the pattern in Oniguruma's syntax, as the vocabulary file carries it."""
    words = "|".join(f"{letters}[{letters}{_CONTINUES}]*" for letters in _letters())
    return (
        rf"[^\r\n\p{{L}}\p{{N}}]?(?:{words})|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+|[\r\n]+"
        r"|[^\S\r\n]+(?!\S)|[^\S\r\n]+"
    )
