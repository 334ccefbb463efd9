"""Train a score model on labelled documents and judge it by what it never saw.

Each fold of each way to hold out (``folds``) gets a head of its own, fitted to the rest, and its words' model where one is asked for; the answers on
what was held out make the report and the calibration. The model that is written is then fitted to all documents. Nothing is chosen by these
answers but the calibration's numbers: which inputs, which kind and how strong are what the caller said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import UsageError
from headwater.extras import needing_extras
from headwater.filters.scores.calibration import choose_classes, class_shares, probabilities
from headwater.filters.scores.heads import input_values, margins
from headwater.filters.scores.model import ANY, ScoreModel, Words
from headwater.filters.scores.model_file import model_bytes, parse_model
from headwater.filters.scores.names import DOMAIN, DOMAINS
from headwater.pipelines.scoring.calibrate import calibrate
from headwater.pipelines.scoring.examples import Examples
from headwater.pipelines.scoring.fit import LINEAR, fit_head
from headwater.pipelines.scoring.folds import Folds, halves, plan_folds
from headwater.pipelines.scoring.inputs import fitted_inputs, shortened
from headwater.pipelines.scoring.report import class_figures, describe_examples, score_figures
from headwater.pipelines.scoring.words import WordSettings, describe_words, held_out_odds, odds_of, train_words
from headwater.plain import JsonObject
from headwater.version import __version__

__all__ = ["TrainSettings", "Trained", "train_model"]

_FAR: Final = 11.0
"""Log odds of the words are cut off here before they are centred."""

_ALL: Final = "all but those that grow with the text"
"""What a card says of signals that nobody chose."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSettings:
    """What a training is told.

    Attributes:
        name: of the model.
        kind: of ``fit``.
        signals: inputs; None for the usual ones.
        words: how a model of the words is trained; None for none.
        strength: see ``fit.fit_head``.
        cut: share of the documents above the cut at which precision is told.
        held_out: False to train although nothing can be held out; the card tells it.
        about: what the score is for, and ``licence``, on which terms the examples came: for the card.
    """

    name: str
    kind: str = LINEAR
    signals: tuple[str, ...] | None = None
    words: WordSettings | None = None
    strength: float = 0.1
    cut: float = 0.2
    seed: int = 0
    held_out: bool = True
    about: str = ""
    licence: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What a training made.

    Attributes:
        data: the model's file.
        words_data: the fastText model's; None without one.
        report: figures of each way to hold out, by its name.
    """

    model: ScoreModel
    data: bytes = field(repr=False)
    words_data: bytes | None = field(repr=False)
    report: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fitted:
    model: ScoreModel
    words_data: bytes | None


def train_model(examples: Examples, settings: TrainSettings) -> Trained:
    """Return a model of labelled documents with its report; the same documents and settings give the same bytes.

    Raises:
        UsageError: nothing can be held out and ``held_out`` is True; settings that do not go together.
        MissingPackageError: the extra ``train`` is not installed.
    """
    _check(examples, settings)
    with needing_extras():
        plans = _plans(examples, settings)
        figures: JsonObject = {}
        calibration: dict[str, tuple[float, float]] = {ANY: (1.0, 0.0)}
        for number, plan in enumerate(plans):
            margin = _held_out(examples, settings, plan)
            if examples.is_score:
                found = calibrate(margin[0], examples.targets, examples.languages)
                calibration = found if number == 0 else calibration
                # A language that was held out has no numbers of its own: it is judged by those of all.
                alone = {ANY: found[ANY]} if plan.name == "language" else found
                figures[plan.name] = score_figures(examples, _scores(margin[0], alone, examples), settings.cut)
            else:
                figures[plan.name] = _class_figures(examples, margin)
            figures[plan.name]["folds"] = [
                {"fold": at, "holds": ", ".join(group)} for at, group in enumerate(plan.groups)
            ]
        fitted = _fit(examples, settings, np.ones(len(examples.ids), np.bool_))
        if examples.is_score and not plans:
            inside = margins(fitted.model, _inputs(fitted, examples, settings))[0]
            calibration = calibrate(inside, examples.targets, examples.languages)
    report = _report(examples, settings, figures)
    model = dataclasses.replace(
        fitted.model, calibration=calibration if examples.is_score else {}, card=_card(settings, report)
    )
    data = model_bytes(model)
    return Trained(model=parse_model(data, settings.name), data=data, words_data=fitted.words_data, report=report)


def _check(examples: Examples, settings: TrainSettings) -> None:
    if examples.is_score == (settings.name == DOMAIN):
        wanted = (
            "names of genres" if settings.name == DOMAIN else f"numbers; names of classes are for the model {DOMAIN}"
        )
        raise UsageError(f"{settings.name}: expected labels that are {wanted}, found others")
    if not examples.is_score and (strange := sorted(set(examples.classes) - set(DOMAINS))):
        raise UsageError(f"labels: expected domains among {', '.join(DOMAINS)}, found {', '.join(strange)}")
    if settings.words is not None and not examples.is_score:
        raise UsageError("--words: expected labels that are numbers, found names of classes; leave it out")


def _plans(examples: Examples, settings: TrainSettings) -> list[Folds]:
    try:
        return plan_folds(examples)
    except UsageError:
        if settings.held_out:
            raise
        return []


def _held_out(examples: Examples, settings: TrainSettings, plan: Folds) -> _Floats:
    """Return the margin of each class for every document, by a head that its fold had no part in, [classes, n]."""
    found = np.zeros((len(examples.classes), len(examples.ids)))
    for fold in range(len(plan.groups)):
        held = plan.fold == fold
        fitted = _fit(examples, settings, ~held)
        found[:, held] = margins(fitted.model, _inputs(fitted, _part(examples, held), settings))
    return found


def _fit(examples: Examples, settings: TrainSettings, chosen: npt.NDArray[np.bool_]) -> _Fitted:
    """Return a head fitted to the chosen documents; it knows their words by models that did not see them."""
    part = _part(examples, chosen)
    inputs = fitted_inputs(part, settings.signals)
    words, words_data, odds = None, None, None
    if settings.words is not None:
        groups = part.languages if len(set(part.languages.tolist())) > 1 else part.sources
        second = halves(groups.tolist(), settings.seed)
        odds = held_out_odds(part.texts, part.positive, second, settings.name, settings.words)
        words_data = train_words(part.texts.to_pylist(), part.positive, settings.words)
        words = _scaled(describe_words(words_data, settings.name, settings.words), odds)
    bare = ScoreModel(
        name=settings.name, kind=settings.kind, classes=part.classes, inputs=inputs, biases=(), words=words
    )
    x = input_values(bare, part.signals, part.languages.tolist(), odds)
    model = fit_head(
        settings.name,
        settings.kind,
        part.classes,
        inputs,
        words,
        x,
        part.targets,
        part.languages,
        strength=settings.strength,
        seed=settings.seed,
    )
    return _Fitted(model=model, words_data=words_data)


def _scaled(words: Words, odds: _Floats) -> Words:
    known = np.clip(odds[~np.isnan(odds)], -_FAR, _FAR)
    if len(known) == 0 or float(known.std()) == 0.0:
        return words
    return dataclasses.replace(words, center=shortened(float(known.mean())), scale=shortened(float(known.std())))


def _inputs(fitted: _Fitted, examples: Examples, settings: TrainSettings) -> _Floats:
    odds = None
    if fitted.words_data is not None and settings.words is not None:
        odds = odds_of(fitted.words_data, examples.texts, settings.name, settings.words)
    return input_values(fitted.model, examples.signals, examples.languages.tolist(), odds)


def _part(examples: Examples, chosen: npt.NDArray[np.bool_]) -> Examples:
    """Return some of the documents."""
    return dataclasses.replace(
        examples,
        targets=examples.targets[chosen],
        texts=examples.texts.filter(pa.array(chosen)),
        languages=examples.languages[chosen],
        sources=examples.sources[chosen],
        ids=[each for each, mine in zip(examples.ids, chosen.tolist(), strict=True) if mine],
        signals={name: values[chosen] for name, values in examples.signals.items()},
    )


def _scores(margin: _Floats, calibration: dict[str, tuple[float, float]], examples: Examples) -> _Floats:
    bare = ScoreModel(name="x", kind=LINEAR, classes=examples.classes, inputs=(), biases=(), calibration=calibration)
    return probabilities(bare, margin, examples.languages.tolist())


def _class_figures(examples: Examples, margin: _Floats) -> JsonObject:
    bare = ScoreModel(name=DOMAIN, kind=LINEAR, classes=examples.classes, inputs=(), biases=())
    languages: Sequence[str | None] = examples.languages.tolist()
    shares = class_shares(bare, margin, languages)
    best = choose_classes(bare, shares, languages, None)
    return class_figures(examples, [examples.classes[at] for at in best.tolist()], shares.max(axis=0))


def _report(examples: Examples, settings: TrainSettings, figures: JsonObject) -> JsonObject:
    told = dataclasses.asdict(settings)
    return {
        "name": settings.name,
        "examples": describe_examples(examples),
        "held_out": figures
        or "nothing could be held out: no figure says how the model does on text that it did not see",
        "settings": {key: value for key, value in told.items() if key not in ("name", "about", "licence")},
    }


def _card(settings: TrainSettings, report: JsonObject) -> JsonObject:
    """Return what the model's file says of itself, without figures."""
    packages = {"headwater": __version__, "scikit-learn": version("scikit-learn")}
    if settings.words is not None:
        packages["fasttext-community"] = version("fasttext-community")
    told = report["settings"] | {"signals": _ALL if settings.signals is None else list(settings.signals)}
    return {
        "about": settings.about,
        "data": report["examples"],
        "licence": settings.licence or "not said: ask whoever labelled the examples before the model is given away",
        "settings": told,
        "trained": packages,
    }
