from __future__ import annotations

from typing import Any

import pytest

from headwater.errors import RecipeError
from headwater.pipelines.recipe.shipped import find_vocabulary_recipe
from headwater.pipelines.recipe.vocabulary import SampleSettings, parse_vocabulary_recipe
from headwater.pipelines.vocabulary.targets import TextCell, sample_targets


@pytest.mark.parametrize("name", ["demo-vocabulary", "vocabulary-156k"])
def test_shipped_vocabulary_recipes(name: str) -> None:
    """A shipped recipe reads, and its literals give the same recipe back."""
    recipe = find_vocabulary_recipe(name)
    assert parse_vocabulary_recipe(recipe.literals) == recipe
    assert parse_vocabulary_recipe(recipe.literals).fingerprint == recipe.fingerprint


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("sample", {"text_byte": 1}, "sample: unknown key 'text_byte'; did you mean 'text_bytes'"),
        ("sample", {"temperature": 0.5}, "temperature: expected a number from 1 to 1000, found 0.5"),
        ("sample", {"languages": {"en": 0.7, "de": 0.4}}, "at most 1 in sum, found 1.1"),
        ("sample", {"languages": {"*": 0.7}}, "languages"),
        ("sample", {"domains": {"code": 0.5}}, "sum to 1, found 0.5"),
        ("sample", {"where": "languag = 'en'"}, "unknown column 'languag'.*did you mean 'language'"),
        ("training", {"n_ids": 256}, "n_ids: expected a whole number from 257"),
        ("training", {"min_documents": 51}, "min_documents: expected a whole number from 1 to 50"),
        ("training", {"weights": {"en": 0}}, "weights: expected a number from 1/1024"),
    ],
)
def test_wrong_settings_are_refused(section: str, settings: dict[str, Any], message: str) -> None:
    """An unknown key names the nearest one; a value out of range says what was expected."""
    with pytest.raises(RecipeError, match=message):
        parse_vocabulary_recipe({"format": 1, "name": "x", section: settings})


def test_a_recipe_that_is_nowhere_names_those_that_ship() -> None:
    """Neither a file nor a shipped name: the message lists the shipped ones."""
    with pytest.raises(RecipeError, match="demo-vocabulary, vocabulary-156k"):
        find_vocabulary_recipe("nothing.toml")


def _cells(**sizes: int) -> dict[TextCell, int]:
    return {TextCell(*name.split("_")): size for name, size in sizes.items()}


def test_temperature_1_takes_languages_as_they_are_and_a_large_one_evenly() -> None:
    """Shares are proportional to bytes at T = 1, and nearly equal at a large T."""
    there = _cells(en_general=9000, fi_general=1000)
    plain = sample_targets(there, SampleSettings(text_bytes=1000, temperature=1))
    even = sample_targets(there, SampleSettings(text_bytes=1000, temperature=1000))
    assert list(plain.values()) == [900, 100]
    assert all(abs(size - 500) <= 2 for size in even.values())


def test_shares_of_languages_and_domains_are_met_where_the_text_is_there() -> None:
    """A language with a share gets it; its domains divide it by their shares, `*` by what is there; the rest goes by temperature."""
    there = _cells(en_code=5000, en_web=3000, en_books=1000, fi_web=9000, de_web=9000)
    settings = SampleSettings(text_bytes=2000, languages={"en": 0.5}, domains={"code": 0.2, "*": 0.8})
    found = sample_targets(there, settings)
    assert found[TextCell("en", "code")] == 200
    assert found[TextCell("en", "web")] == 600
    assert found[TextCell("en", "books")] == 200
    # Neither German nor Finnish has code: its share goes to what they have.
    assert found[TextCell("de", "web")] == found[TextCell("fi", "web")] == 500


def test_nobody_gives_more_than_is_there() -> None:
    """What a language cannot give goes to the others; a lake smaller than the sample is taken whole."""
    there = _cells(en_web=10_000, th_web=10)
    found = sample_targets(there, SampleSettings(text_bytes=1000, languages={"th": 0.5}))
    assert found == {TextCell("en", "web"): 990, TextCell("th", "web"): 10}
    assert sample_targets(there, SampleSettings(text_bytes=10**9)) == there
