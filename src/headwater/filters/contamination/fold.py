"""Words as decontamination compares them: case, accents, punctuation, layout and compatibility forms do not matter, digits do.

A *word* is a run of letters and digits. Each character is folded by a table: compatibility forms taken apart (NFKD), case folded, marks with
a combining class dropped (accents, niqqud, harakat, tone marks), digits of every script to ASCII. Format characters vanish. All signs
and white space separate words, apart from apostrophes and underscores, which vanish too. In scripts without spaces every letter is a
word of its own and weighs less: 2 Han or Hiragana letters, or 4 Katakana, Thai, Lao, Khmer or Burmese ones, weigh as much as a
word; vowel signs and tone marks of the latter four are left out.

Signs may be left out altogether, which joins words (``2,000`` to ``2000``), or all become spaces (``don t``). So there are three *readings*:
documents are read in the first, items in all, `READINGS`.

Unicode's tables are those of version 3.2, which every Python carries unchanged; characters encoded later are folded to themselves.

>>> fold_words("Janet’s Ｄucks lay 1,600 EGGS!"), fold_words("1,600 東京", SIGNS_VANISH)
(['janets', 'ducks', 'lay', '1', '600', 'eggs'], ['1600', '東', '京'])
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.text.characters import (
    HAN,
    HIRAGANA,
    JOINER,
    KATAKANA,
    MARK,
    NEWLINE,
    SPACE,
    THAI,
    UNSEGMENTED,
    character_classes,
    decode_point,
)
from headwater.filters.text.compile import kernel
from headwater.filters.text.word_hash import HASH_SEED, mix, step_hash

__all__ = [
    "HASH_BASE",
    "JOINERS_SEPARATE",
    "READINGS",
    "SIGNS_SEPARATE",
    "SIGNS_VANISH",
    "WORD_WEIGHT",
    "FoldTables",
    "Words",
    "cut_words",
    "fold_tables",
    "fold_words",
    "make_words",
]

WORD_WEIGHT: Final = 4
"""Weight of a word of a script with spaces; letters of the others weigh 1 or 2."""

HASH_BASE: Final = 0xD1342543DE82EF95
"""Factor of the running hash over words: odd, so that no bit is lost."""
SIGNS_SEPARATE: Final = 1
SIGNS_VANISH: Final = 0
JOINERS_SEPARATE: Final = 2
READINGS: Final = (SIGNS_SEPARATE, SIGNS_VANISH, JOINERS_SEPARATE)
"""Highest code that separates words: of signs, of white space only, or of apostrophes and underscores too."""

_WHITE: Final = 0
_SIGN: Final = 1
_JOINER: Final = 2
_NOTHING: Final = 3
_POINT_BITS: Final = 21
_POINT: Final = (1 << _POINT_BITS) - 1
_EXPANDS: Final = 1 << 24
_APOSTROPHES: Final = (0x60, 0xB4, 0x2BC, 0x2018)
"""Signs that stand for one, besides those of the class JOINER."""
_VANISHING: Final = (
    (0xAD, 0xAD),  # the soft hyphen, in Unicode 3.2 a dash yet
    (0x34F, 0x34F),  # the grapheme joiner
    (0xFE00, 0xFE0F),  # variation selectors
    (0xE0100, 0xE01EF),
)
_UNSPACED_BLOCKS: Final = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))
_WEIGHTS: Final = {HAN: 2, HIRAGANA: 2, KATAKANA: 1, THAI: 1, UNSEGMENTED: 1}


class FoldTables(NamedTuple):
    """What becomes of a character.

    Attributes:
        ascii: uint8 (128,): 0 white space, 1 sign, 2 apostrophe or underscore, 3 nothing, else the folded letter or digit.
        single: int32 (0x110000,): the same; a letter of a script without spaces has its weight from bit 21 on; from bit 24 on, what expands:
            the bit, and where its elements begin in ``elements``.
        elements: int32: number of elements, then the elements, as in ``single``.
    """

    ascii: npt.NDArray[np.uint8]
    single: npt.NDArray[np.int32]
    elements: npt.NDArray[np.int32]


class Words(NamedTuple):
    """The words of one text; arrays are reused from text to text and hold more than the current one.

    Attributes:
        hashes: uint64, running hash before each word and after the last: a window's hash is `window_hash` of two of them.
        weights: int32, running weight before each word and after the last.
        begins: int32, a word's first byte, from the begin of the text.
        ends: int32, the byte after a word.
    """

    hashes: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]


def make_words(most_bytes: int) -> Words:
    """Return room for the words of a text of at most `most_bytes`; pages are touched only when used.

    A byte is at most two words: some squared Japanese abbreviations of 3 bytes are 6 letters.
    """
    n = 2 * most_bytes + 2
    return Words(np.zeros(n, np.uint64), np.zeros(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32))


@functools.cache
def fold_tables() -> FoldTables:
    """Return the tables, made once a process in 0.2 s; 4.6 MB, of which a text touches what its scripts need."""
    classes = character_classes()
    old = unicodedata.ucd_3_2_0
    single = np.full(0x110000, _SIGN, np.int32)
    letters = classes >= MARK
    single[letters] = np.flatnonzero(letters)
    single[(classes == SPACE) | (classes == NEWLINE)] = _WHITE
    single[classes == JOINER] = _JOINER
    single[list(_APOSTROPHES)] = _JOINER
    for kind, weight in _WEIGHTS.items():
        single[classes == kind] |= weight << _POINT_BITS
    for first, last in _VANISHING:
        single[first : last + 1] = _NOTHING
    for first, last in _UNSPACED_BLOCKS:
        block = single[first : last + 1]
        block[classes[first : last + 1] == MARK] = _NOTHING
    elements: list[int] = []
    folded: dict[int, list[int]] = {}
    for point in [*range(0x20000), *range(0x2F800, 0x2FA20)]:
        character = chr(point)
        category = old.category(character)
        if category in ("Cs", "Cn", "Co") or single[point] in (_NOTHING, _JOINER):
            continue
        if category in ("Cf", "Me") or old.combining(character):
            single[point] = _WHITE if classes[point] == SPACE else _NOTHING
            continue
        parts = [ord(part) for part in _fold(character)]
        if parts != [point]:
            folded[point] = parts
    plain = single.copy()
    for point, parts in folded.items():
        kept = [int(plain[part]) for part in parts if plain[part] != _NOTHING]
        if len(kept) == 1:
            single[point] = kept[0]
        elif not kept:
            single[point] = _NOTHING
        else:
            single[point] = _EXPANDS | len(elements)
            elements += [len(kept), *kept]
    single.setflags(write=False)
    return FoldTables(single[:128].astype(np.uint8), single, np.array(elements, np.int32))


def _fold(character: str) -> str:
    """Return the folded character, marks with a combining class left out, digits as ASCII."""
    old = unicodedata.ucd_3_2_0
    taken_apart = old.normalize("NFKD", old.normalize("NFKD", character).casefold())
    kept = [part for part in taken_apart if not old.combining(part)]
    return "".join(str(old.decimal(part)) if old.category(part) == "Nd" else part for part in kept)


@kernel
def cut_words(data: npt.NDArray[np.uint8], begin: int, end: int, tables: FoldTables, reading: int, words: Words) -> int:
    """Fill `words` with the words of the bytes [begin, end) of `data` and return their number.

    Cost: one step a code point, and up to 18 for a compatibility form that expands; memory is `words`.

    Args:
        reading: one of `READINGS`.
    """
    # Arrays are taken out of the tuples once: Numba counts a reference, atomically, each time one is.
    hashes, weights, begins, ends = words.hashes, words.weights, words.begins, words.ends
    ascii_table, single, elements = tables.ascii, tables.single, tables.elements
    n = 0
    running, weight = np.uint64(HASH_SEED), np.int32(0)
    hashes[0], weights[0] = running, weight
    value = np.uint64(HASH_SEED)
    is_open = False
    first, last = begin, begin
    at = begin
    while at <= end:
        code, width = _WHITE, 1  # the end of the text ends its last word
        if at < end:
            byte = int(np.int64(data[np.uint64(at)]))
            if byte < 0x80:
                code = int(np.int64(ascii_table[np.uint64(byte)]))
                if code > _NOTHING:
                    if not is_open:
                        is_open, first, value = True, at, np.uint64(HASH_SEED)
                    while (
                        code > _NOTHING
                    ):  # the letters and digits of ASCII, apart: no step waits for the width of the one before
                        value = step_hash(value, code)
                        at += 1
                        byte = int(np.int64(data[np.uint64(at)])) if at < end else 0x80
                        if byte >= 0x80:
                            break
                        code = int(np.int64(ascii_table[np.uint64(byte)]))
                    last = at
                    if byte >= 0x80:
                        continue
                at += 1
                if is_open and code <= reading:
                    running = running * np.uint64(HASH_BASE) + mix(value)
                    weight += WORD_WEIGHT
                    begins[np.uint64(n)], ends[np.uint64(n)] = first - begin, last - begin
                    n += 1
                    hashes[np.uint64(n)], weights[np.uint64(n)] = running, weight
                    is_open = False
                continue
            point, width = decode_point(data, at, end)
            code = int(np.int64(single[np.uint64(point)]))
        count, element = 1, 0
        if code >= _EXPANDS:
            element = code - _EXPANDS + 1
            count = int(np.int64(elements[np.uint64(element - 1)]))
        for i in range(count):
            if element:
                code = int(np.int64(elements[np.uint64(element + i)]))
            heavy = code >> _POINT_BITS
            if is_open and (code <= reading or heavy):
                running = running * np.uint64(HASH_BASE) + mix(value)
                weight += WORD_WEIGHT
                begins[np.uint64(n)], ends[np.uint64(n)] = first - begin, last - begin
                n += 1
                hashes[np.uint64(n)], weights[np.uint64(n)] = running, weight
                is_open = False
            if heavy:
                running = running * np.uint64(HASH_BASE) + mix(step_hash(np.uint64(HASH_SEED), code & _POINT))
                weight += heavy
                begins[np.uint64(n)], ends[np.uint64(n)] = at - begin, at + width - begin
                n += 1
                hashes[np.uint64(n)], weights[np.uint64(n)] = running, weight
            elif code > _NOTHING:
                if not is_open:
                    is_open, first, value = True, at, np.uint64(HASH_SEED)
                value = step_hash(value, code)
                last = at + width
            elif code == _NOTHING and is_open:
                last = at + width
        at += width
    return n


def fold_words(text: str, reading: int = SIGNS_SEPARATE) -> list[str]:
    """Return the folded words of one text; for tests and a look at the definition."""
    tables = fold_tables()
    data = np.frombuffer(text.encode(), np.uint8)
    words = make_words(len(data))
    n = cut_words(data, 0, len(data), tables, reading, words)
    raw = text.encode()
    found = [
        raw[begin:end].decode(errors="ignore") for begin, end in zip(words.begins[:n], words.ends[:n], strict=True)
    ]
    return ["".join(_spell(word, tables)) for word in found]


def _spell(word: str, tables: FoldTables) -> list[str]:
    letters = []
    for character in word:
        code = int(tables.single[ord(character)])
        codes = [code]
        if code >= _EXPANDS:
            begin = code - _EXPANDS
            codes = tables.elements[begin + 1 : begin + 1 + int(tables.elements[begin])].tolist()
        letters += [chr(each & _POINT) for each in codes if each > _NOTHING]
    return letters
