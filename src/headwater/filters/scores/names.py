"""The scores and the domains that columns of family ``scores`` can hold; pure data, so that reading a recipe loads no model."""

from __future__ import annotations

from typing import Final

__all__ = ["DOMAIN", "DOMAINS", "GENRES", "MOST_SCORE", "SCORES", "SCORE_COLUMNS"]

SCORES: Final = ("quality", "knowledge_density", "reasoning_density", "chain_of_thought")
"""The scores that every lake has; a team's own are columns beside them."""

MOST_SCORE: Final = 65_535
"""What is stored for 1; 0 stands for 0."""

DOMAIN: Final = "domain"
"""The column whose model has a class for each genre."""

SCORE_COLUMNS: Final = (*SCORES, DOMAIN)
"""The columns that models fill in every lake, in the order of the table."""

GENRES: Final = (
    "informational",
    "narrative",
    "opinion",
    "how-to",
    "discussion",
    "selling",
    "lyrical",
    "spoken",
    "machine-made",
    "encyclopedia",
    "reference",
    "book",
)
"""What the model of genres may tell apart; the last three are kinds of others, answered where it is sure."""

DOMAINS: Final = ("general", "code", "math", *GENRES)
"""Every value that column ``domain`` can have; ``general`` is a text too short, or in a language, to tell."""
