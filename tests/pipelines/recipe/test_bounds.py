"""A bound of a setting stands in one place: what a recipe accepts, every step accepts, and what one refuses is refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from headwater.errors import RecipeError, UsageError
from headwater.filters.rules.rule_set import load_rules
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.fields import FieldPlacer
from headwater.pipelines.ingest.records import Record, parse_line
from headwater.pipelines.ingest.refusals import Refusal
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.sections import ContaminationSettings, IngestSettings, RuleSettings
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.recipe.vocabulary import VocabularyTraining
from headwater.pipelines.run import run
from headwater.tokenize.train.learner import TokenRules
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

_NO_SPARK = cast("Any", None)  # what is refused is refused before Spark is asked for anything


def _accepts(make: Callable[..., object], **settings: Any) -> bool:
    try:
        make(**settings)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [("max_nesting", 1, 250), ("max_record_bytes", 1, 2**30), ("max_expansion_ratio", 1, 2**31 - 1)],
)
def test_ingest_reads_by_every_limit_that_a_recipe_may_set(key: str, least: int, most: int) -> None:
    """Just inside, at and just outside both bounds the recipe and the reader of records say the same, and name key, range and value."""
    for value, fits in (
        (least - 1, False),
        (least, True),
        (least + 1, True),
        (most - 1, True),
        (most, True),
        (most + 1, False),
    ):
        assert _accepts(IngestSettings, **{key: value}) is fits
        assert _accepts(Limits, **{key: value}) is fits
    for kind in (IngestSettings, Limits):
        with pytest.raises(
            RecipeError, match=f"^{key}: expected a whole number from {least} to {most}, found {most + 1}$"
        ):
            kind(**{key: most + 1})  # type: ignore[arg-type]  # a section has keys of other types too


@pytest.mark.parametrize(("levels", "kept"), [(249, True), (250, True), (251, False)])
def test_the_deepest_record_that_a_recipe_may_allow_is_read(levels: int, kept: bool) -> None:
    """The record is one level; at the bound it becomes canonical JSON, and one level more is refused for its depth."""
    nested = b"[" * (levels - 1) + b"]" * (levels - 1)
    found = parse_line(0, b'{"text": "a", "b": ' + nested + b"}", FieldPlacer(250), 250)
    meta = '{"b":' + nested.decode() + "}"
    assert found == (Record(0, "a", (None, None, None, None, meta)) if kept else Refusal(0, "too_deep"))


@pytest.mark.parametrize(("key", "most"), [("min_sources", 3), ("min_documents", 50)])
def test_training_counts_as_many_as_a_recipe_may_require(key: str, most: int) -> None:
    """The recipe's bound is what counts of pieces hold."""
    for value, fits in ((0, False), (1, True), (most - 1, True), (most, True), (most + 1, False)):
        assert _accepts(VocabularyTraining, **{key: value}) is fits
        assert _accepts(TokenRules, **{key: value}) is fits


@pytest.mark.parametrize(
    ("weight", "fits"),
    [
        (0.0009, False),
        (1 / 1024, True),
        (0.001, True),
        (999.9, True),
        (1000, True),
        (1000.1, False),
        (float("nan"), False),
    ],
)
def test_a_weight_is_never_rounded_to_nothing(weight: float, fits: bool) -> None:
    """Training rounds weights to 1/1024: one below that would leave its language out without a word."""
    assert _accepts(VocabularyTraining, weights={"de": weight}) is fits


@pytest.mark.parametrize(
    ("limit", "fits"),
    [
        (3.4028234e38, True),
        (float(np.finfo(np.float32).max), True),
        (3.41e38, False),
        (-3.41e38, False),
        pytest.param(10**400, False, id="400 digits"),
        (float("inf"), False),
    ],
)
def test_a_limit_of_a_rule_fits_the_type_of_the_signals(limit: float, fits: bool) -> None:
    """Limits are compared as 32-bit floats: what none can hold is refused in the recipe, not by the query in a task."""
    assert _accepts(RuleSettings, sets=("gopher",), limits={"gopher_max_hash_ratio": limit}) is fits
    if not fits:
        with pytest.raises(RecipeError, match="gopher_max_hash_ratio: expected a .*number.*, found"):
            load_rules(["gopher"], {"gopher_max_hash_ratio": limit})


@pytest.mark.parametrize(("buckets", "fits"), [(0, False), (1, True), (3, False), (65_536, True), (131_072, False)])
def test_buckets(buckets: int, fits: bool) -> None:
    """A power of two from 1 to what five digits can number."""
    shares = {"general": 1.0}
    made: dict[str, Any] = {"name": "s", "context": 8, "order_by": "quality", "shares": shares, "budget": "7 %"}
    assert _accepts(Stage, **made, buckets=buckets) is fits


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({"ngram_words": 4}, False),
        ({"ngram_words": 5}, True),
        ({"ngram_words": 64}, True),
        ({"ngram_words": 65}, False),
        ({"least_overlap": 0.0099}, False),
        ({"least_overlap": 0.01}, True),
        ({"least_overlap": 1}, True),
        ({"least_overlap": 1.01}, False),
        ({"answer_words": 0}, False),
        ({"answer_words": 10_000}, True),
        ({"answer_words": 10_001}, False),
    ],
)
def test_contamination_settings(settings: dict[str, Any], fits: bool) -> None:
    """Each bound of the search for evaluation items, at it and just outside."""
    assert _accepts(ContaminationSettings, **settings) is fits


@pytest.mark.parametrize("given", [{"batch": "a/b"}, {"name": "../x"}, {"scale": "2"}])
def test_run_refuses_what_it_cannot_use_before_it_makes_a_lake(tmp_path: Path, given: dict[str, Any]) -> None:
    """A batch or build that cannot be a folder's name, and a share above 1, are not found out after hours of work."""
    with pytest.raises(UsageError, match="expected a n"):
        run(_NO_SPARK, str(tmp_path / "lake"), find_recipe("demo"), [str(tmp_path)], **given)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": "a/b"}, "expected a name of letters"),
        ({"fragment_bytes": 0}, "fragment_bytes: expected a whole number from 1"),
        ({"fragment_bytes": 2**40 + 1}, "fragment_bytes: expected a whole number from 1"),
        ({"inputs": ["nowhere-at-all"]}, "no input at nowhere-at-all"),
    ],
)
def test_ingest_refuses_what_it_cannot_use_before_it_reads(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    """The lake stays at its version, without a run."""
    lake = str(tmp_path / "lake")
    version = create_lake(lake).version
    inputs = [str(tmp_path), *given.pop("inputs", [])]
    with pytest.raises(UsageError, match=message):
        ingest(_NO_SPARK, lake, find_recipe("demo"), inputs, **given)
    assert open_snapshot(lake).version == version
