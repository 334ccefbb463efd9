"""The class of a character for the signals, written from docs/concepts/words.md and Unicode's names, a character at a time.

Unicode as of version 3.2 says what a character is, so that a newer Python alters nothing. What was assigned later is a letter, but for
blocks of symbols, the scripts that are cut without spaces, and the marks of the 30 languages.
"""

from __future__ import annotations

import functools
import unicodedata

__all__ = ["CLASS_LETTERS", "class_letter"]

CLASS_LETTERS = "s \nJN+MDULCHIKTR"
"""By the number of the class: symbol, space, newline, joiner, joiner of numbers, mathematics, mark, digit, other number, letter, capital,
Han, hiragana, katakana, Thai, other script without spaces."""

_OLD = unicodedata.ucd_3_2_0
_NAMED = {
    **dict.fromkeys("'_\u2019\u05f3\u05f4", "J"),
    **dict.fromkeys(".,", "N"),
    **dict.fromkeys("<>|~", "s"),
    **dict.fromkeys("\t\v\f\r\x1c\x1d\x1e\x1f\x85\u200b\ufeff", " "),
    **dict.fromkeys("々〆〇〻", "H"),
    **dict.fromkeys("ゝゞゟ", "I"),
    **dict.fromkeys("ーヽヾヿ\uff70\uff9e\uff9f", "K"),
    "\n": "\n",
    "^": "+",
    "\xad": "M",
}
_SCRIPTS = {
    "CJK UNIFIED IDEOGRAPH": "H",
    "CJK COMPATIBILITY IDEOGRAPH": "H",
    "HIRAGANA LETTER": "I",
    "KATAKANA LETTER": "K",
    "HALFWIDTH KATAKANA LETTER": "K",
    "THAI CHARACTER": "T",
    "LAO ": "R",
    "MYANMAR ": "R",
    "KHMER ": "R",
}
_BY_CATEGORY = {"Lu": "C", "Lt": "C", "Nd": "D", "Sm": "+", "Cf": "M"}
_BY_INITIAL = {"L": "L", "M": "M", "N": "U", "Z": " "}

# First and last of what Unicode assigned after 3.2, by block.
_SYMBOLS = (
    (0x2000, 0x2BFF),
    (0x2E00, 0x2E7F),
    (0x2FF0, 0x2FFF),
    (0xFE10, 0xFE1F),
    (0xFFF0, 0xFFFF),
    (0x1F000, 0x1FAFF),
)
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_KANA = ((0x3041, 0x3096, "I"), (0x30A1, 0x30FA, "K"), (0x31F0, 0x31FF, "K"), (0xFF66, 0xFF9F, "K"))
_UNSPACED = ((0x0E00, 0x0E7F, "T"), (0x0E80, 0x0EFF, "R"), (0x1000, 0x109F, "R"), (0x1780, 0x17FF, "R"))
_MARKS = (
    *((0x0350, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0xFE24, 0xFE2F)),  # combining marks for any letter
    *((0x05A2, 0x05A2), (0x05BA, 0x05BA), (0x05C5, 0x05C5), (0x05C7, 0x05C7)),  # Hebrew
    *((0x0610, 0x061A), (0x061C, 0x061C), (0x0656, 0x065F), (0x08D3, 0x08FF)),  # Arabic
    *((0x0955, 0x0957), (0x09FE, 0x09FE), (0x102B, 0x1032), (0x1036, 0x103E)),  # Devanagari, Bengali, Burmese
    *((0x2066, 0x2069), (0xE0100, 0xE01EF)),  # directions, variants of Han characters
)


@functools.lru_cache(maxsize=1 << 14)
def class_letter(character: str) -> str:
    """The letter of the character's class."""
    if character in _NAMED:
        return _NAMED[character]
    point, kind = ord(character), _OLD.category(character)
    if any(first <= point <= last for first, last in _MARKS):
        return "M"
    if kind == "Cn":
        return _class_of_late(point)
    if 0xFFF0 <= point <= 0xFFFF or point >= 0xE0000:  # annotations and tags: format characters outside words
        return "s"
    if kind[0] == "L":
        name = unicodedata.name(character)
        script = next((letter for prefix, letter in _SCRIPTS.items() if name.startswith(prefix)), "L")
        return _BY_CATEGORY.get(kind, script)
    return _BY_CATEGORY.get(kind) or _BY_INITIAL.get(kind[0], "s")


def _class_of_late(point: int) -> str:
    if point > 0x3FFFF:  # planes without a letter
        return "s"
    if any(first <= point <= last for first, last in _SYMBOLS):
        return "s"
    if any(first <= point <= last for first, last in _HAN):
        return "H"
    return next((letter for first, last, letter in (*_KANA, *_UNSPACED) if first <= point <= last), "L")
