"""Who is told of runs: the one section of a recipe that is no part of its identity, as paths and cores are none."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.errors import RecipeError, UsageError
from headwater.pipelines.recipe.checks import check_text

__all__ = ["LineageSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LineageSettings:
    """Where events of runs go.

    Attributes:
        openlineage: URL of an endpoint, or a file; None tells nobody. The command line and the environment count before it.
    """

    openlineage: str | None = None

    def __post_init__(self) -> None:
        if self.openlineage is None:
            return
        check_text("openlineage", self.openlineage)
        from headwater.lineage.openlineage.places import check_place

        try:
            check_place(self.openlineage, "openlineage")
        except UsageError as error:
            raise RecipeError(str(error)) from None
