"""What people's main text says of each block of a page: `label_text`, `label_segments`.

The words of the page and of the main text are aligned in order, so that runs of neighbours count for more than words apart; a block's
label is the share of its words that are aligned. Blocks out of order are found by their trigrams among the words left over.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["block_words", "label_segments", "label_text"]

_WORD: Final = re.compile(r"\w+")
_SPACE: Final = re.compile(r"\s+")
_MOST_CELLS: Final = 4_000_000_000
_FAR: Final = -(1 << 20)


def block_words(texts: list[str]) -> list[list[str]]:
    r"""Return the lower-cased `\w+` words of each text."""
    return [_WORD.findall(text.lower()) for text in texts]


@njit(cache=True)
def _align(  # type: ignore[no-untyped-def]  # numba types it
    words, places, wanted
):
    """Return for each word the place of the wanted word that it is aligned with, or -1.

    A pair counts 2, and 5 where the pair before it is aligned and stands right before it on the page and in the main text.
    """
    n, m = len(words), len(wanted)
    ways = np.zeros((n + 1, m + 1), np.uint8)  # 1: the best ends in a pair; 2: from the row above; 4: the pair goes on
    best = np.zeros(m + 1, np.int32)
    run = np.full(m + 1, _FAR, np.int32)
    for i in range(1, n + 1):
        above_best, above_run = 0, _FAR
        goes_on = i > 1 and places[i - 1] == places[i - 2] + 1
        for j in range(1, m + 1):
            old_best, old_run, way = best[j], run[j], 0
            if words[i - 1] == wanted[j - 1]:
                pair = above_best + 2
                if goes_on and above_run + 5 > pair:
                    pair, way = above_run + 5, 4
                run[j] = pair
                if pair >= old_best and pair >= best[j - 1]:
                    best[j] = pair
                    way |= 1
                elif old_best >= best[j - 1]:
                    way |= 2
                else:
                    best[j] = best[j - 1]
            else:
                run[j] = _FAR
                if old_best >= best[j - 1]:
                    way |= 2
                else:
                    best[j] = best[j - 1]
            ways[i, j] = way
            above_best, above_run = old_best, old_run
    found = np.full(n, -1, np.int32)
    i, j, inside = n, m, False
    while i > 0 and j > 0:
        way = ways[i, j]
        if inside or way & 1:
            found[i - 1] = j - 1
            inside = (way & 4) != 0
            i -= 1
            j -= 1
        elif way & 2:
            i -= 1
        else:
            j -= 1
    return found


def label_text(words: list[list[str]], wanted: str) -> npt.NDArray[np.float64]:
    """Return the share of each block's words (blocks,) that are part of the main text."""
    wanted_words = _WORD.findall(wanted.lower())
    numbers = {word: number for number, word in enumerate(dict.fromkeys(wanted_words))}
    sizes = np.array([len(each) for each in words], np.int64)
    known = [
        (numbers[word], number, place)
        for place, (number, word) in enumerate((number, word) for number, each in enumerate(words) for word in each)
        if word in numbers
    ]
    hits = np.zeros(len(words))
    if not known or len(known) * len(wanted_words) > _MOST_CELLS:
        return hits
    table = np.array(known, np.int64)
    found = _align(
        table[:, 0].astype(np.int32), table[:, 2], np.array([numbers[word] for word in wanted_words], np.int32)
    )
    hits += np.bincount(table[found >= 0, 1], minlength=len(words))
    used = np.zeros(len(wanted_words), np.bool_)
    used[found[found >= 0]] = True
    left = Counter(word for word, is_used in zip(wanted_words, used, strict=True) if not is_used)
    trigrams = Counter(
        tuple(wanted_words[at : at + 3]) for at in range(len(wanted_words) - 2) if not used[at : at + 3].all()
    )
    for number, each in enumerate(words):
        if len(each) < 4 or hits[number] >= len(each) / 2:
            continue
        mine = [tuple(each[at : at + 3]) for at in range(len(each) - 2)]
        if sum(trigrams[gram] > 0 for gram in mine) < 0.7 * len(mine):
            continue
        shared = (Counter(each) & left).total()
        if shared >= 0.7 * len(each):
            hits[number] = shared
            left -= Counter(each)
            trigrams.subtract(gram for gram in mine if trigrams[gram] > 0)
    return hits / np.maximum(sizes, 1)


def label_segments(texts: list[str], inside: tuple[str, ...], outside: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return 1 for blocks with a wanted segment, 0 for those with an unwanted one alone, -1 for others."""
    folded = [_SPACE.sub(" ", text).strip() for text in texts]
    begins = np.cumsum([0] + [len(text) + 1 for text in folded])
    page = " ".join(folded)
    labels = np.full(len(texts), -1.0)

    def ranges(segment: str) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        at = page.find(segment)
        while at >= 0 and len(found) < 50:
            last = int(np.searchsorted(begins, at + len(segment) - 1, "right"))
            found.append((int(np.searchsorted(begins, at, "right")) - 1, last))
            at = page.find(segment, at + 1)
        return found

    for segment in outside:
        for first, last in ranges(_SPACE.sub(" ", segment).strip()):
            labels[first:last] = 0
    for segment in inside:
        found = ranges(_SPACE.sub(" ", segment).strip())
        if found:
            first, last = max(found, key=lambda each: begins[each[1]] - begins[each[0]])
            labels[first:last] = 1
    return labels
