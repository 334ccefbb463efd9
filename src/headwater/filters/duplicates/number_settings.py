"""Where near comparison keeps numbers and where it folds them; pure data, so that reading a recipe loads no kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEFAULT_NUMBERS", "DENSE_TEXTS", "FOLD", "KEEP", "NUMBER_TEXTS", "with_new_names"]

KEEP: Final = "keep"
FOLD: Final = "fold"

DENSE_TEXTS: Final = "dense"
NUMBER_TEXTS: Final = ("prose", "code", "math", DENSE_TEXTS)
"""Kinds of text that have a setting: those of ``signals.kinds``, and ``dense``: a text of any kind that has a number in at least a
third of its shingles. Numbers are kept where the kind says so, and where ``dense`` does and the text is."""

DEFAULT_NUMBERS: Final[dict[str, str]] = {
    "prose": FOLD,
    "code": KEEP,
    "math": KEEP,
    DENSE_TEXTS: KEEP,
}


def with_new_names(numbers: Mapping[str, object]) -> Mapping[str, object]:
    """Return a table of numbers as it is written today: recipes of runs before say ``general`` for prose, and ``dialogue``, which is prose too."""
    if "general" not in numbers or numbers.get("dialogue", numbers["general"]) != numbers["general"]:
        return numbers
    rest = {name: value for name, value in numbers.items() if name not in ("general", "dialogue")}
    return {"prose": numbers["general"], **rest}
