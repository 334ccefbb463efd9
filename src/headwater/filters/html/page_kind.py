"""The kind of a page: `PAGE_KINDS`, and the numbers from which boosted trees tell it: `page_row`.

The kinds are those of WCXB. A page's numbers are its own among the features of blocks, means of a few features over its blocks,
and how much more often its tokens (`PageHints`) stand on pages of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.element_marks import hash_place
from headwater.filters.html.features import FEATURES, BlockFeatures
from headwater.filters.text.compile import kernel

__all__ = ["PAGE_KINDS", "TokenWeights", "page_row"]

PAGE_KINDS: Final = ("article", "documentation", "forum", "service", "product", "collection", "listing")
_GROUPS: Final = ("ld:", "pa", "og")
_FIRST_OF_PAGE: Final = FEATURES.index("page_blocks")
_BY_CHARS: Final = tuple(
    FEATURES.index(name) for name in ("mark_article", "mark_main", "mark_w_comment", "mark_pre", "mark_h2", "best_in")
)
_MEANS: Final = tuple(
    FEATURES.index(name)
    for name in (
        "mark_p mark_li mark_w_price mark_time repeated_times way_blocks chars currencies questions words0_near words1_near words2_near"
    ).split()
)
_N_FEATURES: Final = len(FEATURES)
_HASH_START: Final = 2166136261
_HASH_FACTOR: Final = 16777619
_MOST: Final = (FEATURES.index("repeated_times"), FEATURES.index("chars"))

_N_NUMBERS: Final = (
    (1 + len(_GROUPS)) * len(PAGE_KINDS) + _N_FEATURES - _FIRST_OF_PAGE + len(_BY_CHARS) + len(_MEANS) + len(_MOST)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenWeights:
    """Weights of the tokens of pages.

    Attributes:
        hashes: uint32 (tokens,), sorted; of the token's UTF-8 (`word_hash`).
        weights: float32 (tokens, kinds).
    """

    hashes: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.float32]


def page_row(measured: BlockFeatures, tokens: TokenWeights) -> npt.NDArray[np.float32]:
    """Return a page's numbers, (1, numbers); the page has at least one block."""
    sums = np.zeros((1 + len(_GROUPS), len(PAGE_KINDS)), np.float64)
    letters = "\n".join(measured.tokens).encode()
    _add_tokens(np.frombuffer(letters + b"\n", np.uint8), tokens.hashes, tokens.weights, sums)
    row = np.zeros((1, _N_NUMBERS), np.float32)
    _fill_row(measured.rows, sums, row[0])
    return row


@kernel
def _add_tokens(
    letters: npt.NDArray[np.uint8],
    hashes: npt.NDArray[np.uint32],
    weights: npt.NDArray[np.float32],
    sums: npt.NDArray[np.float64],
) -> None:
    """Add the weights of tokens, each ended by a line feed, to the sums of all and of each group."""
    begin, value = 0, np.int64(_HASH_START)
    for at in range(len(letters)):
        if letters[at] != 0x0A:
            value = ((value ^ np.int64(letters[at])) * _HASH_FACTOR) & 0xFFFFFFFF
            continue
        place = hash_place(hashes, int(value))
        if place >= 0:
            first, second = letters[begin], letters[min(begin + 1, at)]
            group = 0
            if first == 0x6C and second == 0x64 and letters[begin + 2] == 0x3A:
                group = 1
            elif first == 0x70 and second == 0x61:
                group = 2
            elif first == 0x6F and second == 0x67:
                group = 3
            for kind in range(sums.shape[1]):
                sums[0, kind] += np.float64(weights[place, kind])
                if group:
                    sums[group, kind] += np.float64(weights[place, kind])
        begin, value = at + 1, np.int64(_HASH_START)


@kernel
def _fill_row(rows: npt.NDArray[np.float32], sums: npt.NDArray[np.float64], row: npt.NDArray[np.float32]) -> None:
    """Fill a page's numbers; what is added is added in order, so that its bits do not depend on the CPU."""
    blocks, at = len(rows), 0
    for group in range(sums.shape[0]):
        for kind in range(sums.shape[1]):
            row[at] = np.float32(sums[group, kind])
            at += 1
    for place in range(_FIRST_OF_PAGE, _N_FEATURES):
        row[at] = rows[0, place]
        at += 1
    total = 0.0
    for number in range(blocks):
        total += np.float64(rows[number, 0])
    total = max(total, 1.0)
    for place in _BY_CHARS:
        share = 0.0
        for number in range(blocks):
            share += np.float64(rows[number, 0]) * np.float64(rows[number, place])
        row[at] = np.float32(share / total)
        at += 1
    for place in _MEANS:
        mean = 0.0
        for number in range(blocks):
            mean += np.float64(rows[number, place])
        row[at] = np.float32(mean / blocks)
        at += 1
    for place in _MOST:
        most = rows[0, place]
        for number in range(blocks):
            most = max(most, rows[number, place])
        row[at] = most
        at += 1
