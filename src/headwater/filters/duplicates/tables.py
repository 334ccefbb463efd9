"""Tables that `normalize` walks: what each code point becomes, built once a process from Python's ``unicodedata``.

They cover code points up to `LIMIT` (every assigned character of the planes 0 to 3); above it only format characters and variation
selectors exist. Building takes about 0.2 s, the arrays about 3 MB. They follow the Unicode version of the running Python (`UNICODE_VERSION`):
a character that was assigned later counts as punctuation, so a lake should be written by one version of Python.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "CODE_POINT",
    "CONTINUES",
    "LEADS",
    "LIMIT",
    "MARK",
    "MULTIPLE",
    "NON_STARTER",
    "PLAIN",
    "UNICODE_VERSION",
    "NormalizationTables",
    "fold",
    "normalization_tables",
]

UNICODE_VERSION = unicodedata.unidata_version
LIMIT = 0x32400
_PAIR_BITS = 15

# An entry of `single` or `fold`: a code point (0: nothing) and these flags.
CODE_POINT = 0x1FFFFF
LEADS = 1 << 26  # what it becomes may compose with a following starter
NON_STARTER = 1 << 27  # its decomposition begins with a combining mark that may be reordered
PLAIN = 1 << 28  # a non-starter that neither decomposes nor composes with anything
MARK = 1 << 29  # category M: kept only after a letter, digit or mark
CONTINUES = 1 << 30  # may change what came before it
MULTIPLE = 1 << 31  # the low bits are a number of `multiple_begins`


class NormalizationTables(NamedTuple):
    """Arrays indexed by code point unless said otherwise; a named tuple since Numba takes it as an argument."""

    single: npt.NDArray[np.uint32]  # [LIMIT] the whole normalisation of a character that stands alone, with flags
    multiple: npt.NDArray[np.uint32]  # flat: entries of characters that become several
    multiple_begins: npt.NDArray[np.int64]  # [characters that become several + 1] into `multiple`
    folded: npt.NDArray[np.uint32]  # [LIMIT] what a character of NFKC text becomes
    combining: npt.NDArray[
        np.uint16
    ]  # [LIMIT] canonical combining class, and 256 if it is the second of a pair that composes
    decomposed: npt.NDArray[np.uint32]  # flat: compatibility decompositions
    decomposed_begins: npt.NDArray[np.int64]  # [LIMIT + 1] into `decomposed`; an empty range: the character itself
    pair_keys: npt.NDArray[np.uint64]  # [2^15] open addressing: first << 21 | second, 0 where free
    pair_values: npt.NDArray[np.uint32]  # [2^15] what the pair composes to
    ascii: npt.NDArray[np.uint8]  # [128]


def fold(character: str) -> int:
    """What one character of NFKC text becomes: a code point (32: a space, 0: nothing), with `MARK` for a combining mark."""
    category = unicodedata.category(character)
    code_point = ord(character)
    if category == "Lo":
        return code_point  # most characters: a letter without case
    if category == "Cf" or _is_variation_selector(code_point) or code_point == 0x34F:
        return 0
    if category == "Nd":
        return ord("0") + unicodedata.decimal(character)
    if category[0] == "M":
        return code_point | MARK
    if category[0] not in "LN":
        return 32
    # lower() of a whole text writes a final sigma at word ends; İ alone becomes two characters, of which the dot is left out.
    return ord("σ") if character == "ς" else ord(character.lower()[0])


def _is_variation_selector(code_point: int) -> bool:
    return 0xFE00 <= code_point <= 0xFE0F or 0x180B <= code_point <= 0x180F or 0xE0100 <= code_point <= 0xE01EF


@cache
def normalization_tables() -> NormalizationTables:
    """The tables of this process, built at the first call."""
    characters = [chr(code_point) for code_point in range(LIMIT)]
    pairs = _composing_pairs(characters)
    seconds = {second for _, second in pairs}
    leaders = {first for first, second in pairs if not unicodedata.combining(chr(second))}
    folded = np.array([fold(character) for character in characters], np.uint32)
    single = folded.copy()
    combining = np.zeros(LIMIT, np.uint16)
    multiple: list[int] = []
    multiple_begins = [0]
    decomposed: list[int] = []
    decomposed_begins = [0]
    for code_point, character in enumerate(characters):
        own_class = unicodedata.combining(character)
        changes = (
            unicodedata.decomposition(character) or 0xAC00 <= code_point <= 0xD7A3
        )  # Hangul's syllables, by arithmetic
        if not (changes or own_class or code_point in seconds or code_point in leaders):
            decomposed_begins.append(len(decomposed))
            continue
        combining[code_point] = own_class | (256 if code_point in seconds else 0)
        parts = unicodedata.normalize("NFKD", character)
        composed = unicodedata.normalize("NFKC", character)
        if parts != character:
            decomposed.extend(map(ord, parts))
        decomposed_begins.append(len(decomposed))
        if len(composed) > 1:
            single[code_point] = MULTIPLE | (len(multiple_begins) - 1)
            multiple.extend(int(folded[ord(part)]) for part in composed)
            multiple_begins.append(len(multiple))
        elif composed != character:
            single[code_point] = folded[ord(composed)]
        flags = 0
        if unicodedata.combining(parts[0]):
            flags = CONTINUES | NON_STARTER
            if parts == character and code_point not in seconds:
                flags |= PLAIN
        elif ord(parts[0]) in seconds:
            flags = CONTINUES
        if ord(composed[-1]) in leaders:
            flags |= LEADS
        single[code_point] |= np.uint32(flags)
    keys, values = _pair_table(pairs)
    return NormalizationTables(
        single=single,
        multiple=np.array(multiple, np.uint32),
        multiple_begins=np.array(multiple_begins, np.int64),
        folded=folded,
        combining=combining,
        decomposed=np.array(decomposed, np.uint32),
        decomposed_begins=np.array(decomposed_begins, np.int64),
        pair_keys=keys,
        pair_values=values,
        ascii=folded[:128].astype(np.uint8),
    )


def _composing_pairs(characters: list[str]) -> dict[tuple[int, int], int]:
    """(first, second) → primary composite, Hangul syllables included (Unicode 3.12)."""
    pairs = {}
    for code_point, character in enumerate(characters):
        if 0xAC00 <= code_point <= 0xD7A3:
            final = (code_point - 0xAC00) % 28
            if final:
                pairs[code_point - final, 0x11A7 + final] = code_point
            else:
                initial, vowel = divmod((code_point - 0xAC00) // 28, 21)
                pairs[0x1100 + initial, 0x1161 + vowel] = code_point
            continue
        decomposition = unicodedata.decomposition(character)
        if not decomposition or decomposition[0] == "<" or " " not in decomposition:
            continue
        if unicodedata.normalize("NFC", character) == character:
            first, second = decomposition.split()
            pairs[int(first, 16), int(second, 16)] = code_point
    return pairs


def _pair_table(pairs: dict[tuple[int, int], int]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    keys = np.zeros(1 << _PAIR_BITS, np.uint64)
    values = np.zeros(1 << _PAIR_BITS, np.uint32)
    for (first, second), composite in pairs.items():
        key = first << 21 | second
        slot = (key * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> (64 - _PAIR_BITS)
        while keys[slot]:
            slot = (slot + 1) & (1 << _PAIR_BITS) - 1
        keys[slot] = key
        values[slot] = composite
    return keys, values
