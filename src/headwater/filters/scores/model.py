"""A score model: what turns signals, and the words of a text, into a score or a genre.

What the numbers mean is said in ``heads`` and ``calibration``; the file that holds a model, in ``model_file``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headwater.filters.scores.trees import Node

__all__ = ["ANY", "KINDS", "TRANSFORMS", "Input", "ScoreModel", "Words"]

ANY: Final = "*"
"""Stands for every language that a table does not name."""
TRANSFORMS: Final = ("none", "sqrt", "log1p")
KINDS: Final = ("linear", "trees")


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One number that a head reads: ``clip((transform(times * signal / max(per, 1)) - center) / scale, -limit, limit)``.

    With ``prior_words`` it is drawn to the center in short texts, whose rates are extreme by chance: times ``words / (words + prior_words)``.

    Attributes:
        signal: a column of family ``signals``.
        per: another that it is divided by; None for none.
        transform: of ``TRANSFORMS``; of what is below 0 the latter two take 0.
        center: what counts as nothing unusual, where ``ScoreModel.centers`` does not name the language.
        prior_words: at so many words (``gopher_words``) an input counts half of what it says; 0 for an input that length changes nothing of.
    """

    signal: str
    per: str | None = None
    times: float = 1.0
    transform: str = "none"
    center: float = 0.0
    scale: float = 1.0
    limit: float = 4.0
    prior_words: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """One more input, the last: the log odds that a fastText model gives a label, ``clip((log odds - center) / scale, -limit, limit)``.

    Attributes:
        file: the fastText model's name, beside the model's own.
        sha256: of it.
        label: without regard to a leading ``__label__``.
        bytes: how much of a text is read, from its beginning, cut at a character.
        weight: of a linear head, a class; trees name the input by its number, which is how many other inputs there are.
    """

    file: str
    sha256: str
    label: str
    bytes: int = 4096
    center: float = 0.0
    scale: float = 1.0
    limit: float = 4.0
    weight: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreModel:
    """A model, checked.

    Attributes:
        name: of the score that it was made for.
        kind: ``linear``, or ``trees``.
        classes: ``("score",)``, or the names of genres.
        inputs: in the order of the sums.
        centers: language → a center an input.
        scales: likewise.
        weights: of a linear head, a class and input.
        biases: a class.
        trees: of trees, class → tree → node; the first is the root.
        words: None for a model that reads no text.
        calibration: of a score: language or ``*`` → (a, b), the score is sigmoid(a * margin + b).
        offsets: of classes: language or ``*`` → what is added to each margin.
        parents: class → (the class that it is a kind of, least share at which it is answered itself).
        languages: of classes: those that it can tell; of others the answer is ``general``. None for any.
        least_words: of classes: texts with fewer words (``gopher_words``) are ``general``.
        least_share: of classes: where none has so much, the answer is ``general``.
        card: what it was made of and how, for people: plain values.
        sha256: of the file.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    inputs: tuple[Input, ...]
    biases: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...] = ()
    trees: tuple[tuple[tuple[Node, ...], ...], ...] = ()
    centers: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    scales: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    words: Words | None = None
    calibration: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    offsets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    parents: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    languages: tuple[str, ...] | None = None
    least_words: int = 0
    least_share: float = 0.0
    card: Mapping[str, object] = field(default_factory=dict)
    sha256: str = ""

    @property
    def is_score(self) -> bool:
        """Whether it gives a number; otherwise it gives one of its classes."""
        return self.classes == ("score",)

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that it reads, each once."""
        named = [name for each in self.inputs for name in (each.signal, each.per) if name is not None]
        counts_words = self.least_words or any(each.prior_words for each in self.inputs)
        return tuple(dict.fromkeys([*named, "gopher_words"] if counts_words else named))
