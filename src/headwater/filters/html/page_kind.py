"""The kind of a page: `PAGE_KINDS`, and the numbers from which boosted trees tell it: `page_row`.

The kinds are those of WCXB. A page's numbers are its own among the features of blocks, means of a few features over its blocks,
and how much more often its tokens (`PageHints`) stand on pages of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.element_marks import word_hash
from headwater.filters.html.features import FEATURES, BlockFeatures

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
_MOST: Final = (FEATURES.index("repeated_times"), FEATURES.index("chars"))


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
    for token in measured.tokens:
        value = word_hash(token)
        place = int(np.searchsorted(tokens.hashes, np.uint32(value)))
        if place < len(tokens.hashes) and tokens.hashes[place] == value:
            sums[0] += tokens.weights[place]
            for group, start in enumerate(_GROUPS):
                if token.startswith(start):
                    sums[1 + group] += tokens.weights[place]
    rows = measured.rows
    chars = rows[:, 0].astype(np.float64)
    shares = [float((chars * rows[:, place]).sum()) / max(float(chars.sum()), 1.0) for place in _BY_CHARS]
    means = [float(rows[:, place].astype(np.float64).sum()) / len(rows) for place in _MEANS]
    most = [float(rows[:, place].max()) for place in _MOST]
    numbers = (*sums.ravel(), *rows[0, _FIRST_OF_PAGE:], *shares, *means, *most)
    return np.array([numbers], np.float64).astype(np.float32)
