"""The heads of score models: from signals to margins, and what each input had to do with one.

An input is ``x = clip((transform(times * signal / max(per, 1)) - center) / scale, -limit, limit)``, with the center and scale of the text's language
where the model has one. An input with ``prior_words`` is then multiplied by ``words / (words + prior_words)``, words being ``gopher_words``. A linear
head adds up, in the order of the inputs, the words last: ``margin = bias + sum of weight * x``. Trees add up the values of the leaves that ``x``
leads to, going low where it is at most the node's number, tree by tree.

Everything is float64, one operation at a time in a fixed order: NumPy's elementwise operations and square root round as IEEE 754 says, ln comes
from ``text.exact_math``, so a margin has the same bits on every CPU and in every batch.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.scores.languages import Languages, encode_languages, of_languages
from headwater.filters.scores.model import Input, ScoreModel
from headwater.filters.scores.trees import Node
from headwater.filters.signals.columns import SIGNALS
from headwater.filters.text.compile import kernel
from headwater.filters.text.exact_math import compute_log1p

__all__ = ["WORDS", "contributions", "input_names", "input_values", "margins"]

Values = npt.NDArray[np.float64]

WORDS: Final = "wording"
"""How the input that comes from the text itself is called."""


@kernel
def _log1p_all(values: Values) -> None:
    """Replace each value, 0 or more, by ln(1 + value)."""
    for at in range(values.size):
        values[at] = compute_log1p(values[at])


def input_values(
    model: ScoreModel,
    signals: Mapping[str, Values],
    languages: Sequence[str | None] | Languages,
    words: Values | None = None,
    known: dict[Input, Values] | None = None,
) -> Values:
    """Return the inputs of a model, float64 [inputs, n], the words' last; NaN where a signal is.

    Args:
        signals: name → float64 [n], those of ``model.signals`` at least.
        languages: of the n texts.
        words: log odds of the words, float64 [n]; NaN where a text has none that the model knows, which counts as the center.
        known: transformed signals of the same batch that other models have left, and where this one leaves its own.
    """
    coded = encode_languages(languages)
    n = len(coded)
    found = np.empty((len(model.inputs) + (model.words is not None), n), np.float64)
    priors = sorted({each.prior_words for each in model.inputs if each.prior_words})
    believed = {prior: signals["gopher_words"] / (signals["gopher_words"] + prior) for prior in priors}
    for number, each in enumerate(model.inputs):
        x = _transformed(each, signals, known)
        center = _of(model.centers, number, each.center, coded)
        scale = _of(model.scales, number, each.scale, coded)
        np.clip((x - center) / scale, -each.limit, each.limit, out=found[number])
        if each.prior_words:
            found[number] *= believed[each.prior_words]
    if model.words is not None:
        odds = np.full(n, np.nan) if words is None else words
        x = np.clip((odds - model.words.center) / model.words.scale, -model.words.limit, model.words.limit)
        found[-1] = np.where(np.isnan(odds), 0.0, x)
    return found


def _of(rows: Mapping[str, tuple[float, ...]], number: int, other: float, languages: Languages) -> Values | float:
    """Return an input's number for each text's language; where no language has one of its own, the one number."""
    if not rows:
        return other
    own = {name: rows[name][number] for name in languages.names if name is not None and name in rows}
    return of_languages(own, other, languages)


def _transformed(each: Input, signals: Mapping[str, Values], known: dict[Input, Values] | None) -> Values:
    key = Input(signal=each.signal, per=each.per, times=each.times, transform=each.transform)
    if known is not None and key in known:
        return known[key]
    x = _transform(each, signals)
    if known is not None:
        known[key] = x
    return x


def _transform(each: Input, signals: Mapping[str, Values]) -> Values:
    x = each.times * signals[each.signal]
    if each.per is not None:
        x = x / np.maximum(signals[each.per], 1.0)
    if each.transform == "sqrt":
        x = np.sqrt(np.maximum(x, 0.0))
    elif each.transform == "log1p":
        x = np.maximum(x, 0.0)  # of a missing signal it stays NaN
        _log1p_all(x)
    return x


def margins(model: ScoreModel, inputs: Values) -> Values:
    """Return the margin of each class, float64 [classes, n].

    Args:
        inputs: from ``input_values``.
    """
    found = np.empty((len(model.classes), inputs.shape[1]), np.float64)
    for number, bias in enumerate(model.biases):
        total = np.full(inputs.shape[1], bias)
        if model.kind == "linear":
            for weight, x in zip(weights_of(model, number), inputs, strict=True):
                total += weight * x
        else:
            _walk(*_flat(model.trees[number]), inputs, total)
        found[number] = total
    return found


def weights_of(model: ScoreModel, number: int) -> tuple[float, ...]:
    """Return the weights of one class of a linear head, the words' last."""
    own = () if model.words is None else (model.words.weight[number],)
    return (*model.weights[number], *own)


@functools.lru_cache(maxsize=64)
def _flat(
    trees: tuple[tuple[Node, ...], ...],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Values]:
    """Return trees as arrays: where each begins int64 [trees], and of every node input, low and high int64 [nodes, 3], at and value [nodes, 2]."""
    begins = np.cumsum([0, *(len(tree) for tree in trees)])[:-1].astype(np.int64)
    ways = [(node.input, node.low, node.high) for tree in trees for node in tree]
    numbers = [(node.at, node.value) for tree in trees for node in tree]
    return begins, np.array(ways, np.int64).reshape(-1, 3), np.array(numbers, np.float64).reshape(-1, 2)


@kernel
def _walk(
    begins: npt.NDArray[np.int64], ways: npt.NDArray[np.int64], numbers: Values, inputs: Values, totals: Values
) -> None:
    """Add to each text's total the value of the leaf that it comes to in each tree, tree by tree."""
    for text in range(totals.size):
        total = totals[text]
        for begin in begins:
            node = begin
            while ways[node, 0] >= 0:
                node = begin + (ways[node, 1] if inputs[ways[node, 0], text] <= numbers[node, 0] else ways[node, 2])
            total += numbers[node, 1]
        totals[text] = total


def contributions(model: ScoreModel, inputs: Values, number: int = 0) -> Values:
    """Return what each input of one text moved the margin of one class by, float64 [inputs].

    Of a linear head, weight times input: against a text that is the center in all. Of trees, how the mean value changed on the way at each
    node that asks about the input. Of classes, against the mean of all classes.

    Args:
        inputs: float64 [inputs, 1].
        number: of the class.
    """
    moved = np.array([_contributions(model, inputs[:, 0], each) for each in range(len(model.classes))])
    return moved[number] if model.is_score else moved[number] - moved.mean(axis=0)


def _contributions(model: ScoreModel, x: Values, number: int) -> Values:
    if model.kind == "linear":
        return np.array(weights_of(model, number)) * x
    moved = np.zeros(len(x))
    for tree in model.trees[number]:
        node = tree[0]
        while node.input >= 0:
            follows = tree[node.low if x[node.input] <= node.at else node.high]
            moved[node.input] += follows.value - node.value
            node = follows
    return moved


def input_names(model: ScoreModel) -> list[str]:
    """Return what people call each input: the signal's name without its source and unit where no other is called so, the words' last.

    >>> inputs = (Input(signal="hw_long_words_fraction"), Input(signal="hw_step_markers", per="c4_lines"))
    >>> input_names(ScoreModel(name="x", kind="linear", classes=("score",), inputs=inputs, biases=(0.0,)))
    ['long words', 'step markers per lines (c4)']
    """
    names = _plain_names()
    found = [names[each.signal] + (f" per {names[each.per]}" if each.per else "") for each in model.inputs]
    return found if model.words is None else [*found, WORDS]


@functools.cache
def _plain_names() -> dict[str, str]:
    """Return a plain name for each signal: no two signals share one."""
    short, longer = {name: _without_unit(name) for name in SIGNALS}, {name: _spaced(name) for name in SIGNALS}
    shorts, longers = Counter(short.values()), Counter(longer.values())
    found = {}
    for name in SIGNALS:
        plain = short[name] if shorts[short[name]] == 1 else longer[name]
        found[name] = plain if longers[longer[name]] == 1 else f"{short[name]} ({name.partition('_')[0]})"
    return found


def _without_unit(signal: str) -> str:
    name = signal
    for unit in ("_per_kword", "_per_kb", "_fraction", "_ratio"):
        name = name.removesuffix(unit)
    return _spaced(name)


def _spaced(signal: str) -> str:
    return signal.partition("_")[2].removeprefix("cue_").replace("_", " ")
