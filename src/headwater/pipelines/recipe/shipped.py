"""Recipes by the name that a user gives: a file's path, or the name of one that comes with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from headwater.errors import RecipeError, one_line
from headwater.pipelines.recipe.job import Recipe, load_recipe
from headwater.pipelines.recipe.vocabulary import VocabularyRecipe, load_vocabulary_recipe

__all__ = ["find_recipe", "find_vocabulary_recipe", "shipped_recipes", "shipped_vocabulary_recipes"]

_RECIPES: Final = Path(__file__).parents[2] / "recipes"
_VOCABULARIES: Final = _RECIPES / "vocabularies"
_SHOWN: Final = 200
_Found = TypeVar("_Found")


def shipped_recipes() -> list[str]:
    """Return the names of the job recipes that come with the package, sorted."""
    return _names(_RECIPES)


def shipped_vocabulary_recipes() -> list[str]:
    """Return the names of the vocabulary recipes that come with the package, sorted."""
    return _names(_VOCABULARIES)


def find_recipe(given: str | Path) -> Recipe:
    """Return the job recipe in a file, or the shipped one of that name.

    Raises:
        RecipeError: there is neither, or the recipe is wrong.
    """
    return _find(given, load_recipe, _RECIPES, "recipe")


def find_vocabulary_recipe(given: str | Path) -> VocabularyRecipe:
    """Return the vocabulary recipe in a file, or the shipped one of that name.

    Raises:
        RecipeError: there is neither, or the recipe is wrong.
    """
    return _find(given, load_vocabulary_recipe, _VOCABULARIES, "vocabulary recipe")


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def _find(given: str | Path, load: Callable[[Path], _Found], folder: Path, kind: str) -> _Found:
    try:
        is_there, why = Path(given).is_file(), "no file"
    except OSError as error:  # a name too long for any file, a folder that may not be searched
        is_there, why = False, f"{error.strerror}, no file"
    if is_there:
        return load(Path(given))
    names = _names(folder)
    if str(given) in names:
        return load(folder / f"{given}.toml")
    raise RecipeError(
        f"expected a {kind} file or one of {', '.join(names)}, found {why} at {one_line(repr(str(given)), _SHOWN)}; check the path"
    )
