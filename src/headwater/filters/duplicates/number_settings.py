"""Where near comparison keeps numbers and where it folds them; pure data, so that reading a recipe loads no kernel."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_NUMBERS", "DENSE_TEXTS", "FOLD", "KEEP", "NUMBER_TEXTS"]

KEEP: Final = "keep"
FOLD: Final = "fold"

DENSE_TEXTS: Final = "dense"
NUMBER_TEXTS: Final = ("general", "code", "math", "dialogue", DENSE_TEXTS)
"""Kinds of text that have a setting: the four domains of family ``scores``, and ``dense``: a text of any domain that has a number in at least a
third of its shingles. Numbers are kept where the domain says so, and where ``dense`` does and the text is."""

DEFAULT_NUMBERS: Final[dict[str, str]] = {
    "general": FOLD,
    "code": KEEP,
    "math": KEEP,
    "dialogue": FOLD,
    DENSE_TEXTS: KEEP,
}
