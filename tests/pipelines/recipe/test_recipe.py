"""The recipe: checked where it is made, its literals are its identity, and an error names the place and the nearest known name."""

from __future__ import annotations

import copy
import json
import pickle
import re
import tomllib
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest

from headwater.errors import RecipeError
from headwater.filters.personal.types import PERSONAL_TYPES
from headwater.filters.rules.predicates import predicate_connection
from headwater.fingerprint import fingerprint
from headwater.pipelines.recipe.job import Recipe, load_recipe, parse_recipe
from headwater.pipelines.recipe.stages import SELECTION_COLUMNS, Stage

_RECIPES = Path(__file__).resolve().parents[3] / "recipes"
_MINIMAL = """
format = 1
name = "small"

[[pools]]
name = "reasoning"
where = "domain IN ('code', 'math')"

[[pools]]
name = "general"
where = "TRUE"

[[stages]]
name = "first"
context = 4096
budget = "40 %"
order_by = "knowledge_density"
shares = { general = 0.7, reasoning = 0.3 }

[[stages]]
name = "second"
context = 4096
budget_tokens = 1000
order_by = "reasoning_density"
shares = { reasoning = 1 }
repeat_from = ["first"]
shortfall_to = ["general/*"]
languages = { "en+zh" = 0.9, "*" = 0.1 }
"""


def _raw() -> dict[str, Any]:
    return tomllib.loads(_MINIMAL)


def _changed(change: Callable[[dict[str, Any]], object]) -> Recipe:
    raw = _raw()
    change(raw)
    return parse_recipe(raw)


def test_defaults() -> None:
    """What a recipe leaves out has the documented defaults."""
    recipe = parse_recipe(_raw())
    assert (recipe.ingest.max_record_bytes, recipe.ingest.max_expansion_ratio, recipe.ingest.max_nesting) == (
        2**24,
        200,
        64,
    )
    assert recipe.language.model == "lid.176"
    assert recipe.spans.operators == ()
    assert (recipe.deduplicate.min_similarity, recipe.deduplicate.alarm_source_loss) == (0.75, 0.5)
    assert recipe.deduplicate.numbers == {
        "prose": "fold",
        "code": "keep",
        "math": "keep",
        "dense": "keep",
    }
    assert recipe.vocabulary.name == "headwater-156k"
    assert (recipe.rules.sets, recipe.rules.limits, recipe.rules.exempt) == (("default",), {}, {})
    assert (recipe.build.seed, recipe.build.shard_tokens, recipe.build.formats) == (0, 67_108_864, ("megatron", "npy"))
    first, second = recipe.stages
    assert (first.max_copies, first.packing, first.on_shortfall, first.where) == (1, "concatenate", "report", "TRUE")
    assert second.languages == {"reasoning": {"en+zh": 0.9, "*": 0.1}}
    assert (first.choose, second.choose) == (1, 2)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("fold", set()),
        ("keep", {"prose", "code", "math", "dense"}),
        ({"default": "keep", "prose": "fold"}, {"code", "math", "dense"}),
        ({"default": "keep", "general": "fold", "dialogue": "fold"}, {"code", "math", "dense"}),
        ({"math": "keep", "code": "keep", "default": "fold"}, {"math", "code"}),
        ({"dense": "fold"}, {"math", "code"}),
        ({}, {"math", "code", "dense"}),
    ],
)
def test_numbers_by_domain(written: object, kept: set[str]) -> None:
    """One word stands for every kind of text, ``default`` for those that a table leaves out, else they keep their own default."""
    numbers = _changed(lambda raw: raw.update(deduplicate={"numbers": written})).deduplicate.numbers
    assert {name for name, value in numbers.items() if value == "keep"} == kept
    assert set(numbers) == {"prose", "code", "math", "dense"}


_OWN = {"name": "legal", "model": "legal.json"}


def test_scores_of_a_recipe() -> None:
    """A team's own score stands in pools, where, order_by and rules; without it the same names are unknown."""

    def change(raw: dict[str, Any]) -> None:
        raw["scores"] = [{"name": "quality", "model": "mine", "sha256": "0" * 64}, _OWN]
        raw["pools"][0]["where"] = "legal > 20000 AND quality > 5"
        raw["stages"][0] |= {"order_by": "legal", "where": "legal * 100 > 5"}
        raw["rules"] = {
            "sets": [],
            "own": [{"name": "legal_enough", "passes": "legal >= {limit}", "limits": {"limit": 9}}],
        }

    recipe = _changed(change)
    assert recipe.own_scores == ("legal",)
    assert recipe.rule_set.columns == ("legal",)
    assert parse_recipe(recipe.literals) == recipe
    assert "scores" not in parse_recipe(_raw()).literals
    with pytest.raises(RecipeError, match="unknown column 'legal'"):
        parse_recipe({name: value for name, value in recipe.literals.items() if name != "scores"})


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([{"name": "legal"}], "scores[0] (legal): expected the key 'model'"),
        (
            [{"name": "n_tokens", "model": "x"}],
            "scores[0] (n_tokens): name: expected a name that no column of a lake has",
        ),
        ([{"name": "batch", "model": "x"}], "expected a name that no column of a lake has, found 'batch'"),
        ([{"name": "select", "model": "x"}], "expected a name that is no word of SQL, found 'select'"),
        ([{"name": "Legal", "model": "x"}], "expected a name of a-z, 0-9 and _"),
        ([{"name": "legal", "model": ""}], "model: expected a string that is not empty"),
        ([{"name": "legal", "model": "x", "sha256": "0"}], "sha256: expected 64 hexadecimal digits"),
        ([_OWN, _OWN], "scores: the name 'legal' is given twice"),
        ({"name": "legal"}, "scores: expected at least one table [[scores]]"),
    ],
)
def test_wrong_scores(scores: object, message: str) -> None:
    """A name that cannot be a column of its own, or a model that is none, is an error that says why."""
    with pytest.raises(RecipeError, match=re.escape(message)):
        _changed(lambda raw: raw.update(scores=scores))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"name": "x"}, "rules.own[0]: expected a text for 'passes', found None"),
        ({"name": "x", "passes": "no_column > 1"}, "rules: x: unknown column 'no_column'"),
        (
            {"name": "x", "passes": "quality > {limit}"},
            "x: the limits named in 'quality > {limit}' are not the limits that it lists",
        ),
        ({"name": "x", "passes": "quality > 1", "limit": 3}, "rules.own[0]: unknown key 'limit'"),
        ({"name": "X", "passes": "quality > 1"}, "expected a name of a-z, 0-9 and _, found 'X'"),
        ({"name": "gopher_min_words", "passes": "quality > 1"}, "the rule 'gopher_min_words' is there already"),
        ({"name": "x", "passes": "quality > {limit}", "limits": {"limit": {"de": 3}}}, "limits: expected a default"),
        ({"name": "x", "passes": "quality > {limit}", "limits": {"limit": "3"}}, "expected a finite number"),
        ({"name": "x", "passes": "quality > 1", "exempt_domains": ["web"]}, "unknown domain 'web'"),
        ("x", "rules.own[0]: expected a table"),
    ],
)
def test_wrong_rules_of_a_recipe(rule: object, message: str) -> None:
    """A rule of the recipe's own is checked as one that ships, before anything is read."""
    with pytest.raises(RecipeError, match=re.escape(message)):
        _changed(lambda raw: raw.update(rules={"own": [rule]}))


def test_literals_give_the_recipe_back() -> None:
    """Literals are the whole recipe, as JSON too: lineage stores them and a run can be repeated from them."""
    recipe = parse_recipe(_raw())
    assert parse_recipe(json.loads(json.dumps(recipe.literals))) == recipe
    assert recipe.fingerprint == fingerprint(recipe.literals)
    assert pickle.loads(pickle.dumps(recipe)) == recipe  # noqa: S301 - our own bytes; tasks receive recipes so


def test_fingerprint_is_of_meaning() -> None:
    """Order of keys, comments, a default written out and 1 for 1.0 change nothing."""
    base = parse_recipe(_raw())

    def spelled_out(raw: dict[str, Any]) -> None:
        raw["deduplicate"] = {"alarm_source_loss": 0.5}
        raw["build"] = {"seed": 0}
        raw["stages"][0] |= {"budget": "40%", "where": "TRUE"}
        raw["stages"][1]["shares"] = {"reasoning": 1.0}

    assert _changed(spelled_out).fingerprint == base.fingerprint
    assert parse_recipe(dict(reversed(_raw().items()))).fingerprint == base.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.update(name="other"),
        lambda raw: raw.update(ingest={"max_nesting": 65}),
        lambda raw: raw.update(rules={"limits": {"gopher_min_words": 49}}),
        lambda raw: raw.update(rules={"exempt": {"gopher_min_words": ["code"]}}),
        lambda raw: raw.update(deduplicate={"min_similarity": 0.8}),
        lambda raw: raw.update(build={"seed": 1}),
        lambda raw: raw["pools"][0].update(where="domain = 'code'"),
        lambda raw: raw["stages"][0].update(budget="41 %"),
        lambda raw: raw["stages"][0].update(context=8192),
        lambda raw: raw["stages"].reverse() or raw["stages"][0].pop("repeat_from"),
    ],
)
def test_fingerprint_changes(change: Callable[[dict[str, Any]], object]) -> None:
    """Any setting that differs is another recipe."""
    assert _changed(change).fingerprint != parse_recipe(_raw()).fingerprint


def test_recipes_are_frozen() -> None:
    """Settings do not change once they were checked."""
    with pytest.raises(FrozenInstanceError):
        parse_recipe(_raw()).build.seed = 3  # type: ignore[misc]  # the test is that it is refused


def test_order_of_choosing() -> None:
    """Stages stand in the order of training and choose in the order of ``choose``."""

    def later_first(raw: dict[str, Any]) -> None:
        raw["stages"][0] |= {"choose": 2, "repeat_from": ["second"]}
        raw["stages"][1] |= {"choose": 1, "repeat_from": []}

    recipe = _changed(later_first)
    assert [stage.name for stage in recipe.stages] == ["first", "second"]
    assert [stage.name for stage in recipe.choosing_order] == ["second", "first"]


def test_pool_sql() -> None:
    """The first pool that matches wins, NULL matches nothing, and the last pool takes the rest."""
    recipe = parse_recipe(_raw())
    declared = ", ".join(
        f"CAST(NULL AS {kind}) AS {name}" for name, kind in SELECTION_COLUMNS.items() if name != "domain"
    )
    rows = duckdb.sql(
        f"SELECT {recipe.pool_sql} FROM (SELECT unnest(['code', 'web', 'math', NULL]) AS domain, {declared})"
    ).fetchall()
    assert [row[0] for row in rows] == ["reasoning", "general", "reasoning", "general"]


_WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda raw: raw.pop("format"), "recipe: expected the key 'format', it is missing"),
    (lambda raw: raw.update(format=2), "format: expected 1, found 2"),
    (lambda raw: raw.update(format=True), "format: expected 1, found True"),
    (lambda raw: raw.pop("name"), "recipe: expected the key 'name', it is missing"),
    (lambda raw: raw.update(name="a/b"), "name: expected a name of a-z"),
    (lambda raw: raw.update(ruls={}), "recipe: unknown key 'ruls'; did you mean 'rules'?"),
    (lambda raw: raw.update(path="lake"), "recipe: unknown key 'path'"),
    (lambda raw: raw.update(ingest=3), "ingest: expected a table, found 3"),
    (
        lambda raw: raw.update(ingest={"max_record_byte": 3}),
        "ingest: unknown key 'max_record_byte'; did you mean 'max_record_bytes'?",
    ),
    (lambda raw: raw.update(ingest={"max_nesting": 0}), "ingest: max_nesting: expected a whole number from 1 to 250"),
    (lambda raw: raw.update(ingest={"max_nesting": 2.5}), "ingest: max_nesting: expected a whole number"),
    (lambda raw: raw.update(ingest={"max_nesting": True}), "ingest: max_nesting: expected a whole number"),
    (lambda raw: raw.update(ingest={"max_expansion_ratio": 0}), "ingest: max_expansion_ratio: expected a whole number"),
    (lambda raw: raw.update(language={"model": "lid176"}), "language: model: expected one of lid.176, found 'lid176'"),
    (lambda raw: raw.update(spans={"operators": "pii"}), "spans: operators: expected a list of strings"),
    (lambda raw: raw.update(spans={"operators": ["emails"] * 2}), "spans: operators: expected no entry twice"),
    (
        lambda raw: raw.update(spans={"operators": ["email"]}),
        "spans: operators: expected one of c4_lines, emails, noise_lines, policy_lines, refinedweb_lines, found 'email'; did you mean 'emails'?",
    ),
    (lambda raw: raw.update(spans={"personal": ["email"]}), "spans: personal: expected a table"),
    (lambda raw: raw.update(spans={"personal": {"mail": "mask"}}), "spans: personal: expected one of email, "),
    (
        lambda raw: raw.update(spans={"personal": {"email": "hide"}}),
        "spans: personal.email: expected one of keep, mask, drop, found 'hide'",
    ),
    (lambda raw: raw.update(spans={"secrets": {"pin": "mask"}}), "spans: secrets: expected one of "),
    (
        lambda raw: raw.update(deduplicate={"min_similarity": 1.1}),
        "deduplicate: min_similarity: expected a number from 0 to 1",
    ),
    (
        lambda raw: raw.update(deduplicate={"numbers": "kept"}),
        "deduplicate: numbers: expected one of keep, fold, found 'kept'; did you mean 'keep'?",
    ),
    (
        lambda raw: raw.update(deduplicate={"numbers": {"maths": "keep"}}),
        "deduplicate: numbers: expected one of prose, code, math, dense, default, found 'maths'",
    ),
    (
        lambda raw: raw.update(deduplicate={"numbers": {"math": True}}),
        "deduplicate: numbers.math: expected one of keep, fold, found True",
    ),
    (
        lambda raw: raw.update(deduplicate={"numbers": 1}),
        "deduplicate: numbers: expected keep, fold or a table of them by kind of text, found 1",
    ),
    (
        lambda raw: raw.update(deduplicate={"min_similarity": float("nan")}),
        "deduplicate: min_similarity: expected a number",
    ),
    (lambda raw: raw.update(vocabulary={"name": ""}), "vocabulary: name: expected a string that is not empty"),
    (
        lambda raw: raw.update(rules={"sets": ["gophr"]}),
        "rules.sets: unknown rule set 'gophr'; did you mean 'gopher'?",
    ),
    (
        lambda raw: raw.update(rules={"limits": {"gopher_min_word": 3}}),
        "unknown limit 'gopher_min_word'; did you mean 'gopher_min_words'?",
    ),
    (lambda raw: raw.update(rules={"limits": 3}), "rules: limits: expected a table"),
    (
        lambda raw: raw.update(build={"formats": ["npz"]}),
        "build: formats: expected one of megatron, npy, dolma, parquet, found 'npz'",
    ),
    (
        lambda raw: raw.update(build={"formats": []}),
        "build: formats: expected at least one of megatron, npy, dolma, parquet",
    ),
    (lambda raw: raw.update(build={"seed": -1}), "build: seed: expected a whole number from 0"),
    (lambda raw: raw.update(build={"shard_tokens": 4095}), "shard_tokens: expected at least the longest context, 4096"),
    (lambda raw: raw.update(pools=[]), "pools: expected at least one table [[pools]]"),
    (lambda raw: raw["pools"].pop(), 'pools: expected the last pool to take the rest with where = "TRUE"'),
    (lambda raw: raw["pools"].insert(0, raw["pools"][0]), "pools: the name 'reasoning' is given twice"),
    (lambda raw: raw["pools"][0].update(name="a'b"), "pools[0] (a'b): name: expected a name"),
    (lambda raw: raw["pools"][0].pop("where"), "pools[0] (reasoning): expected the key 'where', it is missing"),
    (lambda raw: raw["pools"][0].update(wher="x"), "pools[0] (reasoning): unknown key 'wher'; did you mean 'where'?"),
    (
        lambda raw: raw["pools"][0].update(where="domian = 'code'"),
        "pools (reasoning): where: unknown column 'domian' in \"domian = 'code'\"; did you mean 'domain'?",
    ),
    (
        lambda raw: raw["pools"][0].update(where="domain = 'code"),
        "pools (reasoning): where: expected an SQL expression",
    ),
    (lambda raw: raw["pools"][0].update(where="quality"), "expected an expression that is true or false"),
    (lambda raw: raw["pools"][0].update(where="TRUE; DROP TABLE x"), "expected an SQL expression"),
    (lambda raw: raw["pools"][0].update(where="(SELECT TRUE)"), "may not use subquery"),
    (lambda raw: raw["pools"][0].update(where="random() > 0.5"), "may not call random()"),
    (lambda raw: raw.update(stages=[]), "stages: expected at least one table [[stages]]"),
    (lambda raw: raw["stages"][1].update(name="first"), "stages: the name 'first' is given twice"),
    (lambda raw: raw["stages"][0].pop("context"), "stages[0] (first): expected the key 'context', it is missing"),
    (lambda raw: raw["stages"][0].update(contxt=1), "stages[0] (first): unknown key 'contxt'; did you mean 'context'?"),
    (lambda raw: raw["stages"][0].pop("budget"), "stages[0] (first): budget: expected one of"),
    (lambda raw: raw["stages"][0].update(budget_tokens=3), "stages[0] (first): budget: expected one of"),
    (lambda raw: raw["stages"][0].update(budget="40"), 'budget: expected a percentage above 0 such as "40 %"'),
    (lambda raw: raw["stages"][0].update(budget="0 %"), 'budget: expected a percentage above 0 such as "40 %"'),
    (lambda raw: raw["stages"][0].update(budget=0.4), "budget: expected a percentage"),
    (lambda raw: raw["stages"][1].update(budget_tokens=0), "budget_tokens: expected a whole number from 1"),
    (lambda raw: raw["stages"][0].update(order_by="knowledge"), "order_by: expected one of quality, knowledge_density"),
    (lambda raw: raw["stages"][0].update(where="rank > 3"), "stages (first): where: unknown column 'rank'"),
    (
        lambda raw: raw["stages"][0].update(packing="bestfit"),
        "packing: expected one of best_fit, concatenate, first_fit",
    ),
    (lambda raw: raw["stages"][0].update(max_copies=0), "max_copies: expected a whole number from 1"),
    (lambda raw: raw["stages"][0].update(on_shortfall="ignore"), "on_shortfall: expected one of report, error"),
    (lambda raw: raw["stages"][0].update(choose=1), "choose: expected it in every stage or in none"),
    (lambda raw: [stage.update(choose=1) for stage in raw["stages"]], "choose: expected a different number in each"),
    (
        lambda raw: raw["stages"][0].update(shares={"general": 0.7, "reasoning": 0.31}),
        "stages[0] (first): shares: expected shares that sum to 1, found 1.01",
    ),
    (lambda raw: raw["stages"][0].update(shares={}), "shares: expected shares that sum to 1, found 0"),
    (lambda raw: raw["stages"][0].update(shares={"general": 1.5}), "shares: expected a share from 0 to 1"),
    (lambda raw: raw["stages"][0].update(shares={"general": "1"}), "shares: expected a share from 0 to 1"),
    (
        lambda raw: raw["stages"][0].update(shares={"genral": 1}),
        "stages (first): shares: unknown pool 'genral'; did you mean 'general'?",
    ),
    (lambda raw: raw["stages"][0].update(languages={"en": 0.9}), "languages: expected shares that sum to 1, found 0.9"),
    (lambda raw: raw["stages"][0].update(languages={"en": 0.9, "fr": 0.2}), "languages: expected shares that sum to 1"),
    (
        lambda raw: raw["stages"][0].update(languages={"en": 0.5, "en+fr": 0.5}),
        "languages: 'en' has more than one share",
    ),
    (
        lambda raw: raw["stages"][0].update(languages={"en": 0.5, "xx": 0.5}),
        "languages: expected the tag of a language such as 'pt', found 'xx'; did you mean 'xh'?",
    ),
    (lambda raw: raw["stages"][0].update(languages={"EN": 1}), "found 'EN'; did you mean 'en'?"),
    (
        lambda raw: raw["stages"][0].update(languages={"general": {"en+english": 1}}),
        "languages.general: expected the tag of a language such as 'pt', found 'english'; did you mean 'en'?",
    ),
    (
        lambda raw: raw["stages"][0].update(domains={"general": {"maths": 0.5, "*": 0.5}}),
        "domains.general: unknown domain 'maths'; did you mean 'math'?",
    ),
    (lambda raw: raw["stages"][0].update(shortfall_to=["general/xx"]), "shortfall_to: expected the tag of a language"),
    (lambda raw: raw.update(contamination={"sets": ["../x"]}), "contamination: sets: expected '*' or the name"),
    (lambda raw: raw.update(contamination={"sets": ["/etc/x"]}), "contamination: sets: expected '*' or the name"),
    (lambda raw: raw.update(contamination={"sets": [".hidden"]}), "contamination: sets: expected '*' or the name"),
    (
        lambda raw: raw["pools"][0].update(where="language IN (3)"),
        "pools (reasoning): where: 'language IN (3)' fails on some values of its columns: Conversion Error",
    ),
    (lambda raw: raw["stages"][0].update(where="language > 3"), "stages (first): where: 'language > 3' does not fit"),
    (lambda raw: raw["stages"][0].update(languages={"en+*": 1}), "languages: expected a name, names joined by + or *"),
    (lambda raw: raw["stages"][0].update(languages={"en+": 1}), "languages: expected a name, names joined by + or *"),
    (
        lambda raw: raw["stages"][0].update(languages={"en": 0.5, "general": {"*": 1}}),
        "languages: expected shares for all pools or one table of shares a pool",
    ),
    (
        lambda raw: raw["stages"][0].update(languages={"genral": {"*": 1}}),
        "languages: no share for the pool 'genral'; did you mean 'general'?",
    ),
    (
        lambda raw: raw["stages"][0].update(domains={"general": {"x": 2}}),
        "domains.general: expected a share from 0 to 1",
    ),
    (
        lambda raw: raw["stages"][0].update(shortfall_to=["general"]),
        "shortfall_to: expected cells such as 'general/en'",
    ),
    (
        lambda raw: raw["stages"][0].update(shortfall_to=["genral/*"]),
        "stages (first): shortfall_to: unknown pool 'genral' in 'genral/*'; did you mean 'general'?",
    ),
    (lambda raw: raw["stages"][0].update(repeat_from=["second"]), "repeat_from: expected a stage that chooses earlier"),
    (lambda raw: raw["stages"][1].update(repeat_from=["frst"]), "found 'frst'; did you mean 'first'?"),
]


@pytest.mark.parametrize("change, message", _WRONG, ids=[message[:60] for _, message in _WRONG])
def test_wrong_recipe(change: Callable[[dict[str, Any]], object], message: str) -> None:
    """An unknown key or a value out of range is an error that names table, key, what was found and the nearest known name."""
    with pytest.raises(RecipeError, match=re.escape(message)):
        _changed(change)


def test_wrong_file(tmp_path: Path) -> None:
    """A file that is missing, no TOML, no UTF-8 or wrong is an error that names it."""
    path = tmp_path / "recipe.toml"
    with pytest.raises(RecipeError, match=r"recipe\.toml: expected a recipe, the file cannot be read: No such file"):
        load_recipe(path)
    for content in (b"format = ", b"\xff\xfe", b"a = 1\na = 2\n"):
        path.write_bytes(content)
        with pytest.raises(RecipeError, match=r"recipe\.toml: expected TOML in UTF-8"):
            load_recipe(path)
    path.write_text("format = 1\n")
    with pytest.raises(RecipeError, match=r"recipe\.toml: recipe: expected the key 'name'"):
        load_recipe(path)
    path.write_text(_MINIMAL)
    assert load_recipe(path) == parse_recipe(_raw())
    assert load_recipe(str(path)).fingerprint == parse_recipe(_raw()).fingerprint


_MIDDLE = ["mid-training-a", "mid-training-b"]


@pytest.mark.parametrize("name", ["ling-flash-2", "demo"])
def test_shipped_recipes(name: str) -> None:
    """The shipped recipes load, carry their file's name and have the published stages, contexts and shares; demo has mid-training in one."""
    recipe = load_recipe(_RECIPES / f"{name}.toml")
    whole = name == "ling-flash-2"
    assert recipe.name == name
    assert [stage.name for stage in recipe.stages] == [
        "knowledge",
        "reasoning",
        *(_MIDDLE if whole else ["mid-training"]),
    ]
    assert [stage.context for stage in recipe.stages] == [4096, 4096, *[32768] * (2 if whole else 1)]
    assert [stage.shares["general"] for stage in recipe.stages] == [0.68, 0.54, *([0.54] if whole else []), 0.55]
    assert [stage.order_by for stage in recipe.stages] == [
        "knowledge_density",
        "reasoning_density",
        *(["reasoning_density"] if whole else []),
        "chain_of_thought",
    ]
    assert {stage.packing for stage in recipe.stages[:2]} == {"concatenate"}
    assert {(stage.packing, stage.full_sequences) for stage in recipe.stages[2:]} == {("best_fit", 0.2)}
    assert list(recipe.choosing_order) == list(reversed(recipe.stages))
    assert all(stage.shortfall_to for stage in recipe.stages)
    assert recipe.rules.sets == (("default", "decontaminate") if whole else ("default",))


def test_published_proportions() -> None:
    """The budgets of ling-flash-2 are 10T, 10T, 150B and 600B of 40T, with 4 % of other languages in each stage and pool."""
    stages = load_recipe(_RECIPES / "ling-flash-2.toml").stages
    assert [stage.budget_share for stage in stages] == [
        Fraction(tokens, 40_000) for tokens in (10_000, 10_000, 150, 600)
    ]
    for stage in stages:
        assert {pool: quota["*"] for pool, quota in stage.languages.items()} == {"general": 0.04, "reasoning": 0.04}


@pytest.mark.parametrize(
    ("row", "stages"),
    [
        ({}, {"knowledge", "reasoning", *_MIDDLE}),
        ({"quality": 20000}, {"knowledge"}),
        ({"quality": 10000}, set()),
        ({"domain": "selling"}, set()),
        ({"domain": "selling", "quality": 60000, "knowledge_density": 60000}, set()),
        ({"domain": "machine-made", "quality": 20000, "knowledge_density": 60000}, set()),
        ({"domain": "discussion"}, set()),
        ({"domain": "discussion", "knowledge_density": 40000}, {"knowledge"}),
        ({"domain": "discussion", "reasoning_density": 40000}, {"reasoning", *_MIDDLE}),
        ({"domain": "code", "quality": 8192}, {"knowledge", "reasoning", *_MIDDLE}),
        ({"domain": "code", "quality": 8191}, set()),
        ({"domain": "math", "quality": 8192, "contamination_overlap": 0.3}, {"knowledge"}),
        ({"quality": None}, set()),
    ],
)
def test_what_the_published_stages_leave_out(row: dict[str, Any], stages: set[str]) -> None:
    """Poor text, advertising, what machines made, forums that neither inform nor reason, and for later stages more of each."""
    recipe = load_recipe(_RECIPES / "ling-flash-2.toml")
    document = {"domain": "informational", "quality": 40000, "knowledge_density": 0, "reasoning_density": 0}
    document |= {"contamination_overlap": 0.0} | row
    with predicate_connection() as connection:
        listed = ", ".join(f"{'NULL' if value is None else repr(value)} AS {name}" for name, value in document.items())
        met = {
            stage.name
            for stage in recipe.stages
            if connection.execute(f"SELECT ({stage.where}) IS TRUE FROM (SELECT {listed})").fetchone() == (True,)
        }
    assert met == stages


def test_a_stage_by_itself() -> None:
    """A stage checks itself when made in Python, and leaves the caller's tables alone."""
    quota = {"en": 1}
    given = copy.deepcopy(quota)
    stage = Stage(
        name="s", context=8, order_by="quality", shares={"general": 1}, budget="7.5%", languages={"general": quota}
    )
    assert quota == given
    assert stage.budget == "7.5 %"
    assert str(stage.budget_share) == "3/40"
    with pytest.raises(RecipeError, match="context"):
        Stage(name="s", context=1, order_by="quality", shares={"general": 1}, budget="7.5 %")


def test_documented_recipe() -> None:
    """The example of the reference is a recipe as it stands, and its table of defaults names every key that there is."""
    reference = (_RECIPES.parent / "docs" / "reference" / "recipe.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", reference, re.DOTALL)
    assert example is not None
    literals = parse_recipe(tomllib.loads(example[1])).literals
    for section in ("ingest", "language", "spans", "deduplicate", "vocabulary", "rules", "build"):
        for key in literals[section]:
            assert f"`{section}.{key}`" in reference
    for key in Stage.__dataclass_fields__:
        assert f"| `{key}` |" in reference


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pools = " + "[" * 10_000, "nested more than 64 deep"),
        ("pools = " + "{a=" * 5000, "nested more than 64 deep"),
        ("format = " + "9" * 5000, "digits"),
        ("a" + ".a" * 30_000 + " = 1", "a key of more than 64 parts"),
        ("[" + "a." * 3000 + "a]", "a key of more than 64 parts"),
        ("name = '" + "x" * (1 << 20) + "'", "more than 1,048,576 bytes"),
        ("name = 'a'\nname = 'b'", "Cannot overwrite a value"),
        ("format = 1\nname = 7", "expected the key"),
        ("format = 1\nname = 'x'\nstages = []\npools = [" + "1," * 100_000 + "]", "expected at least one table"),
    ],
)
def test_hostile_files_are_told_in_one_line(text: str, fault: str, tmp_path: Path) -> None:
    """Depth, digits, length: whatever a file holds, the error is one line that names the file and the fault, and comes at once."""
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=re.escape(fault)) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) <= 500


@pytest.mark.parametrize(
    "budget", ["9" * 6000 + " %", "40." + "0" * 6000 + "%", "0." + "0" * 20 + "1 %", "\u0664\u0660 %"]
)
def test_percentages_of_endless_digits(budget: str) -> None:
    """They are refused before they are made numbers, in a short line."""
    with pytest.raises(RecipeError, match="budget: expected a percentage above 0") as caught:
        _changed(lambda raw: raw["stages"][0].update(budget=budget))
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    "line",
    [
        *("[build]\nseed", "[ingest]\nmax_record_bytes", "[deduplicate]\nmin_similarity", "[vocabulary]\nname"),
        "[rules.limits]\ngopher_min_words",
    ],
)
def test_integers_of_thousands_of_digits(tmp_path: Path, line: str) -> None:
    """No key of a recipe can hold one; the message names the key and does not write the number out."""
    path = tmp_path / "recipe.toml"
    path.write_text(f"{_MINIMAL}\n{line} = 0x{9000 * 'f'}\n")
    with pytest.raises(
        RecipeError, match=f"64 bits, found one of 36,000 bits at the key '{line.rsplit(maxsplit=1)[-1]}'"
    ):
        load_recipe(path)


def test_what_becomes_of_personal_data_is_spelled_out() -> None:
    """A table of types has the defaults of those that it leaves out; without one nothing is looked for, and the literals are as they were."""
    raw = parse_recipe(_raw()).literals
    assert set(raw["spans"]) == {"operators"}
    raw["spans"]["personal"] = {"phone": "keep"}
    recipe = parse_recipe(raw)
    assert recipe.literals["spans"]["personal"] == {**PERSONAL_TYPES, "phone": "keep"}
    assert parse_recipe(recipe.literals) == recipe
    assert recipe.spans.policy["personal:phone"] == "keep"
