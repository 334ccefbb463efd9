"""Recipes are found by a file's path or by the name of one that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.errors import RecipeError
from headwater.pipelines.recipe.shipped import (
    find_recipe,
    find_vocabulary_recipe,
    shipped_recipes,
    shipped_vocabulary_recipes,
)

_RECIPES = Path(__file__).resolve().parents[3] / "recipes"


def test_shipped_recipes_are_found_by_name_and_by_path() -> None:
    """A recipe of the package is named without a path; both places in the repository are the same files."""
    assert shipped_recipes() == ["demo", "ling-flash-2"]
    for name in shipped_recipes():
        assert find_recipe(name) == find_recipe(_RECIPES / f"{name}.toml")
    assert shipped_vocabulary_recipes() == ["demo-vocabulary", "vocabulary-156k"]
    for name in shipped_vocabulary_recipes():
        assert find_vocabulary_recipe(name) == find_vocabulary_recipe(str(_RECIPES / "vocabularies" / f"{name}.toml"))


def test_identities_of_the_shipped_recipes() -> None:
    """A recipe's fingerprint stands in every manifest and run: it changes with a setting or a default, and never by chance."""
    found = {name: find_recipe(name).fingerprint for name in shipped_recipes()}
    found |= {name: find_vocabulary_recipe(name).fingerprint for name in shipped_vocabulary_recipes()}
    assert found == {
        "demo": "78fd51f23ba228351162b38f0a4204a3",
        "ling-flash-2": "2b413b624791525924a5d785d7826522",
        "demo-vocabulary": "9f63a750c6c27e51f744a0eaae0acac7",
        "vocabulary-156k": "6bee231717b4bd072268d366273487d5",
    }


def test_unknown_recipe_names_the_shipped_ones() -> None:
    """A recipe that is neither a file nor shipped is an error that lists what ships, of its own kind."""
    with pytest.raises(
        RecipeError, match="expected a recipe file or one of demo, ling-flash-2, found no file at 'nope'"
    ):
        find_recipe("nope")
    with pytest.raises(RecipeError, match="a vocabulary recipe file or one of demo-vocabulary, vocabulary-156k"):
        find_vocabulary_recipe("demo")


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    """An error of a recipe's file begins with its path."""
    path = tmp_path / "mine.toml"
    path.write_text("format = 1\n", "utf-8")
    for find in (find_recipe, find_vocabulary_recipe):
        with pytest.raises(RecipeError, match=r"mine\.toml: (vocabulary )?recipe: expected the key 'name'"):
            find(path)


@pytest.mark.parametrize("path", ["a" * 5000, "a/" * 3000, "a\0b", "\u202eabc"])
def test_a_path_that_no_file_can_have(path: str) -> None:
    """It is refused in one short line that says what was expected, without raw characters that steer a terminal."""
    for find in (find_recipe, find_vocabulary_recipe):
        with pytest.raises(RecipeError, match="expected a .*recipe file or one of .*check the path") as caught:
            find(path)
        assert len(str(caught.value)) < 400
        assert str(caught.value).isprintable()
