"""The section of a recipe that names score models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from headwater.errors import RecipeError
from headwater.filters.scores.names import SCORE_COLUMNS
from headwater.pipelines.recipe.checks import check_own_score, check_text

__all__ = ["ScoreSettings"]

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreSettings:
    """A score and the model that gives it.

    Attributes:
        name: one of the scores that every lake has, or ``domain``, whose shipped model it replaces; or a name of the team's own for a column
            beside them.
        model: a shipped model's name, one of the lake's, or a file's path.
        sha256: that the model must have; None for whichever is there.
    """

    name: str
    model: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        check_text("model", self.model)
        if self.sha256 is not None and not _SHA256.fullmatch(str(self.sha256)):
            raise RecipeError(f"sha256: expected 64 hexadecimal digits, found {self.sha256!r}")
        if self.name not in SCORE_COLUMNS:
            check_own_score("name", self.name)
