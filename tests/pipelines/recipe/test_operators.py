"""A recipe on a lake: what its steps are identified by, what a changed setting reaches, and what is missing told first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from small_lake import SmallLake, small_recipe

from headwater.errors import RecipeError, UsageError
from headwater.filters.contamination.items import Item
from headwater.filters.duplicates import minhash
from headwater.filters.language import identify as language
from headwater.filters.language import names, shipped_models
from headwater.filters.signals import measure as signals
from headwater.lineage.evaluation_sets import store_set
from headwater.pipelines.recipe import operators
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.operators import ANNOTATED, Resolved, resolve
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.pipelines.run import run
from headwater.warehouse.snapshot import open_snapshot

pytestmark = pytest.mark.slow

_ITEM = Item(name="1", question="What is asked here?", answers=("this",), known=True)
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def any_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the name of a vocabulary be its identity, so that none is read."""
    monkeypatch.setattr(operators, "find_vocabulary", lambda _, name: SimpleNamespace(fingerprint=f"of {name}"))


def _fingerprints(resolved: Resolved) -> dict[str, str]:
    return {family: resolved.operator(family) for family in resolved.operators}


def _reached(lake: Path, change: Change, start: Recipe) -> set[str]:
    """Return the families whose fingerprint a change of the recipe changes, appearing and disappearing ones included."""
    raw = start.literals
    change(raw)
    before, after = (_fingerprints(resolve(each, str(lake))) for each in (start, parse_recipe(raw)))
    return {family for family in before | after if before.get(family) != after.get(family)}


@pytest.mark.usefixtures("any_vocabulary")
@pytest.mark.parametrize(
    ("change", "reached"),
    [
        (lambda raw: raw["rules"].update(limits={"gopher_min_words": 49}), {"verdicts"}),
        (lambda raw: raw["deduplicate"].update(min_similarity=0.8), {"duplicates", "verdicts"}),
        (lambda raw: raw["deduplicate"].update(alarm_source_loss=0.4), set()),
        (lambda raw: raw["deduplicate"].update(numbers="keep"), {"minhash", "duplicates", "verdicts"}),
        (lambda raw: raw["deduplicate"].update(numbers={"math": "fold"}), {"minhash", "duplicates", "verdicts"}),
        (lambda raw: raw["deduplicate"].update(numbers={"math": "keep"}), set()),
        (lambda raw: raw["spans"].update(operators=["emails"]), {"spans", "tokens", "verdicts"}),
        (lambda raw: raw["spans"].update(personal={}), {"spans", "tokens", "verdicts"}),
        (lambda raw: raw["spans"].update(secrets={}), {"spans", "tokens", "verdicts"}),
        (lambda raw: raw["vocabulary"].update(name="mine"), {"tokens", "verdicts"}),
        (lambda raw: raw["contamination"].update(ngram_words=12), {"contamination", "verdicts"}),
        (lambda raw: raw["contamination"].update(least_overlap=0.2), {"contamination", "verdicts"}),
        (lambda raw: raw["contamination"].update(answer_words=50), {"contamination", "verdicts"}),
        (lambda raw: raw["contamination"].update(sets=["one"]), {"contamination", "verdicts"}),
        (lambda raw: raw["contamination"].update(sets=[]), {"contamination", "verdicts"}),
        (lambda raw: raw["contamination"].update(sets=["one", "two"]), set()),
        (lambda raw: raw["ingest"].update(max_nesting=65), set()),
        (lambda raw: raw["build"].update(seed=1), set()),
        (lambda raw: raw["stages"][0].update(budget="10 %"), set()),
        (lambda raw: raw.update(name="other"), set()),
    ],
)
def test_a_changed_setting_reaches_what_depends_on_it(tmp_path: Path, change: Change, reached: set[str]) -> None:
    """Only the families that the setting has a say in, directly or through another, are made again."""
    store_set(str(tmp_path), "one", [_ITEM])
    store_set(str(tmp_path), "two", [_ITEM])
    assert _reached(tmp_path, change, small_recipe()) == reached


@pytest.mark.usefixtures("any_vocabulary")
@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        ((language, "VERSION"), {"language", "signals", "scores", "minhash", "duplicates", "verdicts"}),
        ((signals, "VERSION"), {"signals", "scores", "minhash", "duplicates", "verdicts"}),
        ((minhash, "VERSION"), {"minhash", "duplicates", "verdicts"}),
        ((operators, "DEDUPLICATE_VERSION"), {"duplicates", "verdicts"}),
        ((operators, "DECIDE_VERSION"), {"verdicts"}),
    ],
)
def test_a_new_version_reaches_what_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: tuple[Any, str], reached: set[str]
) -> None:
    """An operator that changed, and all that read its columns, are made again."""
    recipe = find_recipe("demo")
    before = _fingerprints(resolve(recipe, str(tmp_path)))
    monkeypatch.setattr(*changed, 99)
    after = _fingerprints(resolve(recipe, str(tmp_path)))
    assert {family for family in before if before[family] != after[family]} == reached


@pytest.mark.usefixtures("any_vocabulary")
def test_another_policy_looks_for_nothing_again(tmp_path: Path) -> None:
    """What becomes of personal data has a say in token counts, and so in verdicts that may read them; the spans stay."""
    raw = find_recipe("demo").literals
    raw["spans"]["personal"] = {}
    start = parse_recipe(raw)
    change: Change = lambda raw: raw["spans"]["personal"].update(phone="keep")  # noqa: E731 - as the tables above have them
    assert _reached(tmp_path, change, start) == {"tokens", "verdicts"}
    assert _reached(tmp_path, lambda raw: raw["spans"]["personal"].update(phone="mask"), start) == set()
    assert resolve(start, str(tmp_path)).reads["spans"] == ("language",)
    assert resolve(find_recipe("demo"), str(tmp_path)).reads["spans"] == ()


@pytest.mark.usefixtures("any_vocabulary")
def test_contamination_is_a_family_where_sets_are_named(tmp_path: Path) -> None:
    """Without a set nothing is looked for, whatever the lake holds; the content of a set counts, not its place."""
    stored = store_set(str(tmp_path / "a"), "one", [_ITEM])
    store_set(str(tmp_path / "b"), "one", [_ITEM])
    assert resolve(find_recipe("demo"), str(tmp_path / "a")).annotated == ANNOTATED
    named = [resolve(small_recipe(), str(tmp_path / lake)) for lake in ("a", "b")]
    assert named[0].annotated == (*ANNOTATED, "contamination")
    assert named[0].sets == (stored,)
    assert _fingerprints(named[0]) == _fingerprints(named[1])
    assert set(named[0].fingerprints) == set(named[0].annotated)


@pytest.mark.usefixtures("any_vocabulary")
@pytest.mark.parametrize(("similarity", "least"), [(0.0, 0), (0.75, 84), (0.7501, 85), (0.1, 12), (1.0, 112)])
def test_min_agreement_is_exact(tmp_path: Path, similarity: float, least: int) -> None:
    """Of 112 values at least the share as it was written, rounded up."""
    raw = find_recipe("demo").literals
    raw["deduplicate"]["min_similarity"] = similarity
    assert resolve(parse_recipe(raw), str(tmp_path)).min_agreement == least


@pytest.mark.usefixtures("any_vocabulary")
def test_the_named_language_model_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's model names the classifier, for its fingerprint and in the tasks that read texts."""
    read: list[str] = []

    def digests(name: str) -> tuple[str, str, str]:
        read.append(name)
        return name, "own", "relatives"

    monkeypatch.setattr(shipped_models, "model_digests", digests)
    monkeypatch.setattr("headwater.pipelines.recipe.sections.MODELS", {**names.MODELS, "lid.other": "other.ftz"})
    assert _reached(tmp_path, lambda raw: raw["language"].update(model="lid.other"), find_recipe("demo")) == {
        "language",
        "signals",
        "scores",
        "minhash",
        "duplicates",
        "verdicts",
    }
    assert read == ["lid.176", "lid.other"]


def _resolving(recipe: Recipe, lake: str) -> None:
    resolve(recipe, lake)


def _running(recipe: Recipe, lake: str) -> None:
    run(cast("Any", None), lake, recipe, [__file__])


@pytest.mark.parametrize("use", [_resolving, _running])
@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda raw: raw["contamination"].update(sets=["gsm9k"]),
            RecipeError,
            "contamination.sets: expected the evaluation set 'gsm9k' in .*, found none of that name",
        ),
        (
            lambda raw: raw["vocabulary"].update(name="headwater-156"),
            UsageError,
            "vocabulary 'headwater-156': .*did you mean 'headwater-156k'",
        ),
    ],
)
def test_what_the_lake_lacks_is_told_before_anything_is_written(
    tmp_path: Path, use: Callable[[Recipe, str], None], change: Change, kind: type[Exception], message: str
) -> None:
    """A missing evaluation set or vocabulary is refused when the recipe is resolved, and by the whole job before ingest; no lake is made."""
    raw = small_recipe().literals
    raw["contamination"]["sets"] = []
    change(raw)
    with pytest.raises(kind, match=message):
        use(parse_recipe(raw), str(tmp_path / "lake"))
    assert not (tmp_path / "lake").exists()


@pytest.mark.spark
def test_the_stored_files_carry_these_fingerprints(finished_lake: SmallLake) -> None:
    """Every live file of a family that the recipe fills is stored under the operator that ``resolve`` gives."""
    lake = str(finished_lake.folder)
    resolved = resolve(small_recipe(), lake)
    snapshot = open_snapshot(lake)
    for family in (*resolved.annotated, "duplicates", "verdicts"):
        assert len(snapshot.covered(family))
        assert len(snapshot.missing(family, resolved.operator(family))) == 0, family
    changed = small_recipe().literals
    changed["rules"]["limits"] = {"gopher_min_words": 49}
    other = resolve(parse_recipe(changed), lake)
    assert len(snapshot.missing("verdicts", other.operator("verdicts"))) == len(snapshot.covered("content"))
