"""Heads, calibration and classes: equal to the plain arithmetic that the contract of the file states, and to themselves in any batch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_models import genre_model, length_model, tree_model

from headwater.errors import UsageError
from headwater.filters.scores.calibration import choose_classes, class_shares, probabilities, stored
from headwater.filters.scores.heads import contributions, input_names, input_values, margins
from headwater.filters.scores.model import Input, ScoreModel
from headwater.filters.scores.model_file import model_bytes
from headwater.filters.scores.score import check_model, score, shipped_models, signals_read
from headwater.filters.scores.shipped import Scorer, make_scorer
from headwater.filters.signals.columns import SIGNALS
from headwater.filters.signals.measure import measure_signals
from headwater.filters.text.exact_math import compute_log1p

TEXTS = [
    "The constitution establishes fundamental principles of administration and jurisdiction in every province.",
    "We go to the sea. It is so big! We swim and we eat and we go to bed at ten.",
    "First we add 2 + 3 = 5. Then 5 * 4 = 20, so the sum is 20.",
    "",
]


def _signals(texts: list[str]) -> dict[str, Any]:
    batch = measure_signals(pa.array(texts, pa.large_string()), pa.array(["en"] * len(texts)))
    return {name: batch[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in SIGNALS}


def _reference(model: ScoreModel, row: dict[str, float], language: str) -> tuple[list[float], list[float]]:
    """Return inputs and margins of one text in plain Python."""
    inputs = []
    for number, each in enumerate(model.inputs):
        x = each.times * row[each.signal]
        if each.per is not None:
            x /= max(row[each.per], 1.0)
        if each.transform == "sqrt":
            x = math.sqrt(max(x, 0.0))
        if each.transform == "log1p":
            x = math.log1p(max(x, 0.0))
        center = model.centers[language][number] if language in model.centers else each.center
        scale = model.scales[language][number] if language in model.scales else each.scale
        x = min(max((x - center) / scale, -each.limit), each.limit)
        inputs.append(x * (row["gopher_words"] / (row["gopher_words"] + each.prior_words)) if each.prior_words else x)
    found = []
    for number, start in enumerate(model.biases):
        bias = start
        if model.kind == "linear":
            found.append(bias + sum(w * x for w, x in zip(model.weights[number], inputs, strict=True)))
            continue
        for tree in model.trees[number]:
            node = tree[0]
            while node.input >= 0:
                node = tree[node.low if inputs[node.input] <= node.at else node.high]
            bias += node.value
        found.append(bias)
    return inputs, found


def _drawn(model: ScoreModel, prior: float = 60.0) -> ScoreModel:
    """The model with inputs, all but the first, that are drawn to the center in short texts."""
    first, *others = model.inputs
    return replace(model, inputs=(first, *(replace(each, prior_words=prior) for each in others)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: length_model("x"),
        lambda: tree_model("x"),
        genre_model,
        lambda: _drawn(length_model("x")),
        lambda: _drawn(tree_model("x")),
    ],
)
def test_heads_equal_plain_arithmetic(make: Any) -> None:
    """Inputs and margins are those of the formula, with centers and scales of a language where it has them."""
    model = make()
    n = len(model.inputs)
    model = make_scorer(None, model_bytes(model), None, "x.json").model
    values = _signals(TEXTS)
    named = ScoreModel(
        **{name: getattr(model, name) for name in ScoreModel.__slots__ if name not in ("centers", "scales")},
        centers={"fr": (0.3,) * n},
        scales={"fr": (2.0,) * n},
    )
    for language in ("en", "fr"):
        inputs = input_values(named, values, [language] * len(TEXTS))
        found = margins(named, inputs)
        for at in range(len(TEXTS)):
            wanted = _reference(named, {name: float(column[at]) for name, column in values.items()}, language)
            assert inputs[:, at].tolist() == pytest.approx(wanted[0], abs=1e-12)
            assert found[:, at].tolist() == pytest.approx(wanted[1], abs=1e-12)


def test_short_texts_are_drawn_to_the_center() -> None:
    """With a prior of 60 words an input counts half at 60 words and nothing in an empty text; without one its bits stay, as its file's do."""
    model, words = _drawn(length_model("x")), np.array([0.0, 20.0, 60.0, 180.0])
    values = {name: np.full(4, 0.3) for name in model.signals} | {"gopher_words": words}
    plain, drawn = (input_values(each, values, ["en"] * 4)[1] for each in (length_model("x"), model))
    assert drawn.tolist() == (plain * (words / (words + 60.0))).tolist()
    assert contributions(model, input_values(model, values, ["en"] * 4)[:, 2:3])[1] == pytest.approx(0.25)
    assert b"prior_words" not in model_bytes(length_model("x"))
    assert make_scorer(None, model_bytes(model), None, "x.json").model.inputs == model.inputs


def test_a_batch_changes_no_bit() -> None:
    """Texts alone, in another order and together score the same to the last bit, in every language."""
    languages = ["en", "de", "fr", "de"]
    models = _own_models()
    whole = score(measure_signals(pa.array(TEXTS), pa.array(languages)), pa.array(languages), models).to_pylist()
    for at, (text, language) in enumerate(zip(TEXTS, languages, strict=True)):
        alone = pa.array([language])
        assert score(measure_signals(pa.array([text]), alone), alone, models).to_pylist() == [whole[at]]


def _own_models() -> dict[str, Scorer]:
    made = [length_model("legal"), tree_model("trees"), genre_model()]
    named = {each.name: make_scorer(None, model_bytes(each), None, each.name) for each in made}
    return shipped_models() | named


@given(st.floats(0, 1e300))
def test_log1p_is_exact_math(x: float) -> None:
    """ln(1 + x) is that of the C library to 1e-14, relative beyond 1."""
    wanted = math.log1p(x)
    assert abs(compute_log1p(x) - wanted) <= 1e-14 * max(1.0, wanted)


def test_calibration_by_language() -> None:
    """A language has its own numbers, another those of all; NaN stays, and is stored as nothing."""
    model = length_model("x")
    found = probabilities(model, np.array([0.0, 0.0, np.nan, 1000.0]), ["en", "de", "en", None])
    assert found[:2].tolist() == [0.5, pytest.approx(1 / (1 + math.exp(-0.5)), abs=1e-15)]
    assert np.isnan(found[2])
    assert stored(found).tolist() == [32768, round(65535 * found[1]), 0, 65535]


def test_contributions_add_up() -> None:
    """Of a linear head they are the margin without its bias; of trees the way from the root's mean to the leaf."""
    values = _signals(TEXTS[:1])
    linear, trees = length_model("x"), tree_model("x")
    for model, start in (
        (linear, linear.biases[0]),
        (trees, trees.biases[0] + sum(tree[0].value for tree in trees.trees[0])),
    ):
        inputs = input_values(model, values, ["en"])
        assert start + contributions(model, inputs).sum() == pytest.approx(margins(model, inputs)[0, 0], abs=1e-12)
    genres = genre_model()
    inputs = input_values(genres, values, ["en"])
    moved = [contributions(genres, inputs, number)[0] for number in range(3)]
    assert sum(moved) == pytest.approx(0.0, abs=1e-12)
    assert input_names(linear) == ["words", "long words", "equations per words"]


def test_no_two_signals_are_called_the_same() -> None:
    """Signals of two sets that measure alike, and counts beside shares, have plain names that differ."""
    inputs = tuple(Input(signal=name) for name in SIGNALS)
    names = input_names(ScoreModel(name="x", kind="linear", classes=("score",), inputs=inputs, biases=(0.0,)))
    assert len(set(names)) == len(SIGNALS)
    called = dict(zip(SIGNALS, names, strict=True))
    assert called["hw_stop_words_fraction"] == "stop words fraction"
    assert called["c4_lines"] == "lines (c4)"


def test_classes() -> None:
    """A kind of another class is answered where it is sure; short texts and other languages are general; offsets move a language."""
    model = genre_model()
    shares = np.array([[0.5, 0.2, 0.45], [0.1, 0.7, 0.0], [0.4, 0.1, 0.55]])
    words = np.full(3, 50.0)
    assert choose_classes(model, shares, ["en"] * 3, words).tolist() == [0, 1, 2]
    assert choose_classes(model, shares, ["en", "fr", None], np.array([4.0, 50.0, 50.0])).tolist() == [-1, -1, -1]
    moved = ScoreModel(
        name="domain",
        kind="linear",
        classes=("a", "b"),
        inputs=(),
        biases=(0.0, 0.0),
        offsets={"fr": (0.0, math.log(3.0))},
    )
    found = class_shares(moved, np.zeros((2, 2)), ["fr", "en"])
    assert found[:, 0].tolist() == pytest.approx([0.25, 0.75])
    assert found[:, 1].tolist() == pytest.approx([0.5, 0.5])


def test_domain_by_model() -> None:
    """Code and mathematics are told by signals, the rest by the model of genres."""
    batch = measure_signals(pa.array(TEXTS), pa.array(["en"] * 4))
    assert score(batch, pa.array(["en"] * 4), _own_models())["domain"].to_pylist() == [
        "encyclopedia",
        "narrative",
        "math",
        "general",
    ]


@pytest.mark.parametrize("hole", [None, math.nan])
@pytest.mark.parametrize("kind", ["legal", "trees", "domain"])
def test_a_missing_signal_gives_null_where_it_is_read(kind: str, hole: float | None) -> None:
    """A row without a signal has no score of the models that read it, and those of all others."""
    models = {name: scorer for name, scorer in _own_models().items() if name in ("legal", "trees", "domain")}
    batch = measure_signals(pa.array(TEXTS[:2]), pa.array(["en"] * 2))
    name = "hw_equations" if kind == "legal" else "hw_long_words_fraction"
    column = pa.array([hole, 1.0], pa.float64(), from_pandas=False)
    broken = batch.set_column(batch.schema.get_field_index(name), name, column)
    first, second = score(broken, pa.array(["en"] * 2), models).to_pylist()
    assert first[kind] is None
    assert second[kind] is not None
    if kind != "legal":
        assert first["legal"] is None


def test_only_what_is_read_must_be_there() -> None:
    """Signals that no model reads may be missing from the batch, others are named."""
    models = {"legal": _own_models()["legal"]}
    assert signals_read(models) == ("gopher_words", "hw_equations", "hw_long_words_fraction")
    batch = measure_signals(pa.array(TEXTS), pa.array(["en"] * 4)).select(signals_read(models))
    assert score(batch, pa.array(["en"] * 4), models).num_rows == 4
    with pytest.raises(UsageError, match="the batch lacks hw_equations"):
        score(batch.drop_columns(["hw_equations"]), pa.array(["en"] * 4), models)


def test_models_fit_their_columns() -> None:
    """Only domain is filled by classes, and those are domains."""
    models = _own_models()
    check_model("domain", models["domain"])
    check_model("own", models["legal"])
    with pytest.raises(UsageError, match="own: expected a model of one score, found domain"):
        check_model("own", models["domain"])
    strange = ScoreModel(
        name="domain",
        kind="linear",
        classes=("web", "book"),
        inputs=(Input(signal="hw_urls"),),
        weights=((1.0,), (0.0,)),
        biases=(0.0, 0.0),
    )
    with pytest.raises(UsageError, match="domain: expected classes among .*, found web"):
        check_model("domain", make_scorer(None, model_bytes(strange), None, "x"))
