"""The heads of score models: from signals to margins, and what each input had to do with one.

An input is ``x = clip((transform(times * signal / max(per, 1)) - center) / scale, -limit, limit)``, with the center and scale of the text's language
where the model has one. A linear head adds up, in the order of the inputs, the words last: ``margin = bias + sum of weight * x``. Trees add up
the values of the leaves that ``x`` leads to, going low where it is at most the node's number, tree by tree.

Everything is float64, one operation at a time in a fixed order: NumPy's elementwise operations and square root round as IEEE 754 says, ln comes
from ``text.exact_math``, so a margin has the same bits on every CPU and in every batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.scores.model import Input, Node, ScoreModel
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
    model: ScoreModel, signals: Mapping[str, Values], languages: Sequence[str | None], words: Values | None = None
) -> Values:
    """Return the inputs of a model, float64 [inputs, n], the words' last; NaN where a signal is.

    Args:
        signals: name → float64 [n], those of ``model.signals`` at least.
        languages: of the n texts.
        words: log odds of the words, float64 [n]; NaN where a text has none that the model knows, which counts as the center.
    """
    n = len(languages)
    found = np.empty((len(model.inputs) + (model.words is not None), n), np.float64)
    groups = {
        language: np.flatnonzero([each == language for each in languages]) for language in _named(model, languages)
    }
    for number, each in enumerate(model.inputs):
        x = _transformed(each, signals)
        center, scale = np.full(n, each.center), np.full(n, each.scale)
        for language, rows in groups.items():
            if language in model.centers:
                center[rows] = model.centers[language][number]
            if language in model.scales:
                scale[rows] = model.scales[language][number]
        found[number] = np.clip((x - center) / scale, -each.limit, each.limit)
    if model.words is not None:
        odds = np.full(n, np.nan) if words is None else words
        x = np.clip((odds - model.words.center) / model.words.scale, -model.words.limit, model.words.limit)
        found[-1] = np.where(np.isnan(odds), 0.0, x)
    return found


def _named(model: ScoreModel, languages: Sequence[str | None]) -> list[str]:
    """Return the languages among the texts that have centers or scales of their own."""
    return sorted({each for each in languages if each is not None and (each in model.centers or each in model.scales)})


def _transformed(each: Input, signals: Mapping[str, Values]) -> Values:
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
                total = total + weight * x
        else:
            for tree in model.trees[number]:
                total = total + _walk(tree, inputs)
        found[number] = total
    return found


def weights_of(model: ScoreModel, number: int) -> tuple[float, ...]:
    """Return the weights of one class of a linear head, the words' last."""
    own = () if model.words is None else (model.words.weight[number],)
    return (*model.weights[number], *own)


def _walk(tree: Sequence[Node], inputs: Values) -> Values:
    """Return the value of the leaf that each text comes to, float64 [n]: all texts go a level down at a time."""
    at = np.array([node.at for node in tree])
    number = np.array([node.input for node in tree])
    low, high = (np.array([getattr(node, way) for node in tree]) for way in ("low", "high"))
    value = np.array([node.value for node in tree])
    texts = np.arange(inputs.shape[1])
    place = np.zeros(inputs.shape[1], np.int64)
    while True:
        going = number[place] >= 0
        if not going.any():
            return value[place]
        mine = place[going]
        x = inputs[number[mine], texts[going]]
        place[going] = np.where(x <= at[mine], low[mine], high[mine])


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
    """Return what people call each input: the signal's name without its source and unit, the words' last.

    >>> from headwater.filters.scores.model import Input, ScoreModel
    >>> inputs = (Input(signal="hw_long_words_fraction"), Input(signal="hw_step_markers", per="c4_lines"))
    >>> input_names(ScoreModel(name="x", kind="linear", classes=("score",), inputs=inputs, biases=(0.0,)))
    ['long words', 'step markers per lines']
    """
    found = [_plain(each.signal) + (f" per {_plain(each.per)}" if each.per else "") for each in model.inputs]
    return found if model.words is None else [*found, WORDS]


def _plain(signal: str) -> str:
    name = signal.partition("_")[2].removeprefix("cue_")
    for unit in ("_per_kword", "_per_kb", "_chars_fraction", "_fraction", "_ratio"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")
