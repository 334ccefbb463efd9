"""The names of a block's numbers, in their places: `FEATURES`. What they mean is in the docstring of `features.py`."""

from __future__ import annotations

from typing import Final

from headwater.filters.html.element_marks import MARKS, N_GROUPS

__all__ = ["FEATURES", "LEVELS", "NEAR", "N_PAGE_NUMBERS"]

LEVELS: Final = 6
"""Containers around a block that are measured, its own element the first."""
NEAR: Final = (-3, -2, -1, 1, 2, 3)
"""Neighbours of a block that are measured."""
FEATURES: Final = (
    *"chars words letter_share capital_share digit_share ends commas other_share links link_share bold_share wide_share".split(),
    *"capital_words first last currencies bars longest images breaks inlines times rights colons questions hidden".split(),
    "words_an_end",
    *(f"mark_{mark}" for mark in MARKS),
    *"tag parent_tag depth place chars_before chars_after blocks_after".split(),
    *(f"words{group}_{name}" for group in range(N_GROUPS) for name in ("least", "most", "near")),
    *(f"around{level}_{name}" for level in range(LEVELS) for name in ("chars", "links", "blocks", "share")),
    *(f"around{level}_{name}" for level in (1, 2, 3) for name in ("ends", "images", "currencies")),
    *(f"repeated{level}" for level in range(4)),
    *"repeated_times repeated_chars repeated_links repeated_level".split(),
    *"way_blocks way_chars way_links way_share copies copies_before".split(),
    *"linked described titled trigrams".split(),
    *"after_h1 before_h1 heading_level after_heading before_heading".split(),
    *"best_in best_before best_after best_share best_depth best_above".split(),
    *(f"near{by:+d}_{name}" for by in NEAR for name in ("chars", "links", "ends", "words", "way", "tag")),
    *"within5_chars within5_links within15_chars within15_links".split(),
    *"after_long before_long after_long_above before_long_above".split(),
    *"page_blocks page_chars page_links page_p page_li page_table page_article page_form page_h1 page_long_share".split(),
    *"page_long page_currencies page_main page_linked page_described page_headings page_images page_repeated".split(),
)
"""Names of a block's numbers, in their places."""

N_PAGE_NUMBERS: Final = len(FEATURES) - FEATURES.index("page_blocks")
"""The last ones of a row are the page's, the same for all its blocks."""
