"""Where words begin in scripts without spaces, written for clarity: plain Python over the weights as they are stored."""

from __future__ import annotations

import functools
import lzma
from importlib.resources import files

_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_BITS = (13, 15, 15)  # 8,192 characters, 32,768 pairs and triples, each with a byte for each of four places
_STARTS = (0, 1 << _BITS[0], (1 << _BITS[0]) + (1 << _BITS[1]))


@functools.cache
def _weights() -> bytes:
    return lzma.decompress((files("headwater.filters") / "data" / "word_boundaries.xz").read_bytes())


def _weight(ngram: list[int], lane: int) -> int:
    """Return the weight of an n-gram for the place that its lane names."""
    bits = _BITS[len(ngram) - 1]
    value = sum(point * factor for point, factor in zip(ngram, _FACTORS, strict=False)) % (1 << 64)
    byte = _weights()[4 * (_STARTS[len(ngram) - 1] + (value >> (64 - bits))) + lane]
    return byte - 256 if byte > 127 else byte


def word_starts(run: str) -> list[int]:
    """Return the characters of a run of Han and kana, or of Thai, where a word begins if no limit of length cuts it."""
    points = [0, 0, 0, *map(ord, run), 0, 0, 0]
    starts = [0]
    for place in range(1, len(run)):
        score = 0
        for lane in range(4):
            last = place + 5 - lane  # of the window; points has three zeros before the run
            if points[last]:
                score += _weight(points[last : last + 1], lane)
            if points[last] or points[last - 1]:
                score += _weight(points[last - 1 : last + 1], lane) + _weight(points[last - 2 : last + 1], lane)
        if score > 0:
            starts.append(place)
    return starts


def cut_run(run: str, shape: str, letter_names: str) -> list[str]:
    """Return the words of a run; `shape` has one class letter a character, those in `letter_names` are no marks."""
    starts = _hashed_starts(run) if letter_names == "R" else word_starts(run)
    words: list[str] = []
    letters = 0
    for i, character in enumerate(run):
        is_letter = shape[i] in letter_names
        if not words or (is_letter and (i in starts or letters == 16)):
            words.append("")
            letters = 0
        words[-1] += character
        letters += is_letter
    return words


def _hashed_starts(run: str) -> list[int]:
    """Return the same for Lao, Khmer and Burmese."""
    return [0, *(i for i in range(1, len(run)) if _begins_by_hash(ord(run[i - 1]), ord(run[i])))]


def _begins_by_hash(before: int, point: int) -> bool:
    if before in (0x17D2, 0x1039) or 0xEC0 <= before <= 0xEC4 or 0xEB0 <= point <= 0xEB3:
        return False
    return (before * _FACTORS[0] + point * _FACTORS[1]) % (1 << 64) < 1 << 62
