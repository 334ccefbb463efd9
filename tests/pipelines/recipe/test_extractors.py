"""Extractors of a recipe: told apart, named so that SQL can name them, and ``choose`` gives one of them on every row."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from web_lake import RECIPE, web_recipe

from headwater.errors import RecipeError
from headwater.filters.rules.predicates import check_choice
from headwater.pipelines.recipe.job import parse_recipe, read_section
from headwater.pipelines.recipe.sections import IngestSettings


def test_defaults_are_no_part_of_the_identity() -> None:
    """A recipe without the sections of the web keeps the identity that it had, and so does one that spells their defaults out."""
    bare = web_recipe("")
    assert bare.fingerprint == "16a389206d7a5c5fdcee08d8cff44c38"  # as 0837ff9 gave it
    assert not {"extractors", "extract"} & set(bare.literals)
    assert set(bare.literals["ingest"]) == {"max_record_bytes", "max_expansion_ratio", "max_nesting"}
    spelled = web_recipe(
        '[[extractors]]\nname = "main"\nmethod = "main"\n[extract]\nstore_html = false\n[ingest]\nweb_statuses = [200]\n'
    )
    assert spelled == bare
    assert spelled.fingerprint == bare.fingerprint


_TWO = """
[ingest]
web_statuses = [200, 203]
web_kinds = ["text/html"]
[[extractors]]
name = "main"
[[extractors]]
name = "whole"
method = "full"
form = "markdown"
comments = "keep"
[extract]
store_html = true
choose = "CASE WHEN whole.table_rows > main.table_rows AND main.page_kind <> 'forum' THEN 'whole' ELSE 'main' END"
"""


def test_literals_give_the_recipe_back() -> None:
    """Extractors, ``choose`` and what is taken of web archives are part of the identity, and of its literals."""
    recipe = web_recipe(_TWO)
    assert [extractor.name for extractor in recipe.extractors] == ["main", "whole"]
    assert parse_recipe(recipe.literals) == recipe
    assert recipe.fingerprint != web_recipe("").fingerprint
    assert read_section(IngestSettings, recipe.literals["ingest"], "ingest") == recipe.ingest


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('name = "whole"', 'name = "main"', "extractors: the name 'main' is given twice"),
        ('name = "whole"', 'name = "full"', "extractors[1] (full): name: expected a name that is no word of SQL"),
        ('name = "whole"', 'name = "a-b"', "expected a name of a-z, 0-9 and _"),
        ('method = "full"', 'method = "maim"', "method: expected one of main, full, resiliparse, trafilatura, found 'maim'; did"),
        ('form = "markdown"', 'form = "html"', "form: expected one of text, markdown"),
        ('comments = "keep"', "comments = true", "comments: expected one of drop, keep"),
        ('method = "full"', 'method = "resiliparse"', 'form: expected "text", the only one that resiliparse writes'),
        ('method = "full"\nform = "markdown"\ncomments = "keep"', "", "expected different settings, found 'main' and 'whole' alike"),
        ("store_html = true", "store_html = 1", "extract: store_html: expected true or false"),
        ("store_html", "store_htm", "unknown key 'store_htm'; did you mean 'store_html'?"),
        ("THEN 'whole'", "THEN 'hole'", "extract: choose: unknown name 'hole'"),
        ("THEN 'whole'", "THEN main.page_kind", "each value of which is a name in quotes"),
        ("THEN 'whole'", "THEN 7", "fails on some values of its columns"),
        ("whole.table_rows", "whole.rows", "unknown column 'whole.rows'"),
        ("whole.table_rows", "other.table_rows", "unknown column 'other.table_rows'"),
        ("whole.table_rows", "whole.table_rows * 1000", "fails on some values of its columns"),
        ("main.page_kind <> 'forum'", "main.page_kind <> 5", "fails on some values of its columns"),
        ("main.page_kind <> 'forum'", "random() > 0.5", "may not call random()"),
        ("[200, 203]", "[200, 99]", "ingest: web_statuses: expected a whole number from 100 to 999, found 99"),
        ("[200, 203]", "[]", "web_statuses: expected a list of HTTP statuses"),
        ("[200, 203]", "[200, 200]", "expected no status twice"),
        ('["text/html"]', '["Text/HTML"]', "web_kinds: expected a kind of media in small letters"),
        ('["text/html"]', "[]", "web_kinds: expected at least one kind of media"),
    ],
)  # fmt: skip
def test_what_is_refused(old: str, new: str, message: str) -> None:
    """What cannot be meant is refused before anything is read, with its place and the nearest known name."""
    assert old in _TWO
    with pytest.raises(RecipeError) as caught:
        web_recipe(_TWO.replace(old, new))
    assert message in str(caught.value)


_COLUMNS = {"a.n": "INTEGER", "b.kind": "VARCHAR"}


@pytest.mark.parametrize(
    "expression, columns",
    [
        ("'a'", ()),
        ("NULL", ()),
        ("CASE b.kind WHEN 'x' THEN 'b' END", ("b.kind",)),
        ("CASE WHEN a.n > 3 THEN CASE WHEN b.kind = 'x' THEN NULL ELSE 'a' END ELSE 'b' END", ("a.n", "b.kind")),
    ],
)
def test_a_choice_is_known_before_it_is_made(expression: str, columns: tuple[str, ...]) -> None:
    """A choice is a name, NULL or CASE of such; what it reads is told."""
    assert set(check_choice(expression, _COLUMNS, ["a", "b"], "here")) == set(columns)


def test_the_number_of_extractors_is_bounded() -> None:
    """A page is read by every extractor, so there are at most sixteen."""
    many: list[dict[str, Any]] = [{"name": f"e{number}"} for number in range(17)]
    with pytest.raises(RecipeError, match="expected 1 to 16"):
        parse_recipe(tomllib.loads(RECIPE) | {"extractors": many})
