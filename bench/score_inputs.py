"""The inputs of the shipped heads: which signals, in which form, and what is usual of them in each language.

A rate is read twice, as it is and as its square root: the first tells a text that is full of something, the second one that has any of it. What is
usual comes from the documents that train a head. How much oftener the words of a list are met in a language than in those (lists are not equally
complete, languages not equally wordy) comes from parallel documents and from web sentences, as the logarithm of a ratio that is drawn to 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.score_documents import LANGUAGES, Document
from headwater.filters.scores.model import Input
from headwater.filters.signals.cue_categories import CATEGORIES
from headwater.filters.signals.measure import measure_signals

__all__ = [
    "BELIEVED",
    "ENOUGH_WORDS",
    "FEATURES",
    "INPUTS",
    "LIMIT",
    "PRIOR_WORDS",
    "Feature",
    "Measured",
    "deviations",
    "inputs_of",
    "measure",
    "of_kind",
    "own",
    "priors",
    "ratios",
    "usual",
    "values",
]

Matrix = npt.NDArray[np.float64]

PARTS = {"course-edgeai": 0.10, "course-azd": 0.05, "gnome-help": 0.15, "sentences": 0.34}
"""How much the ratio that each source shows counts: least squares of French against Swedish, rounded; they add up to less than 1."""
LEAST = 0.3
"""Added to rates before they are compared, hits per 1000 words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """A number that heads read.

    Attributes:
        signal, per, times: as in a model's file.
        kind: ``cue`` (rate of a list of words), ``mark`` (rate that no language changes), ``style`` (a measure that differs by language), ``line``
            (of lines; CORE's documents have none, so that only web pages can teach it).
    """

    signal: str
    kind: str
    per: str | None = None
    times: float = 1.0


_MARKS = (
    "exclamations commas quotes brackets colons semicolons dashes ellipses currency percents numbers years names pictures emails"
).split()

_LINES = (
    "fineweb_short_lines_fraction",
    "fineweb_punct_lines_fraction",
    "fineweb_newlines_per_word",
    "c4_short_lines_fraction",
    "c4_removed_chars_fraction",
    "refinedweb_one_word_lines_fraction",
    "refinedweb_uppercase_lines_fraction",
    "refinedweb_numeric_lines_fraction",
    "refinedweb_removed_words_fraction",
    "rpv2_words_per_line",
    "gopher_dup_lines_chars_fraction",
    "gopher_bullet_lines_fraction",
    "gopher_ellipsis_lines_fraction",
    "gopher_alpha_words_fraction",
    "hw_noise_lines_fraction",
    "hw_noise_chars_fraction",
    "gopher_stop_words",
)

FEATURES: tuple[Feature, ...] = (
    *(Feature(signal=f"hw_cue_{name}_per_kword", kind="cue") for name in CATEGORIES),
    *(
        Feature(signal=f"hw_{name}_per_kword", kind="style" if name in ("commas", "names") else "mark")
        for name in _MARKS
    ),
    Feature(signal="hw_question_marks", per="gopher_words", times=1000.0, kind="mark"),
    Feature(signal="hw_urls", per="gopher_words", times=1000.0, kind="mark"),
    Feature(signal="c4_citation_marks", per="gopher_words", times=1000.0, kind="mark"),
    Feature(signal="hw_sentence_words", kind="style"),
    Feature(signal="hw_sentence_words_deviation", kind="style"),
    Feature(signal="hw_common_words_fraction", kind="style"),
    Feature(signal="hw_rare_words_fraction", kind="style"),
    Feature(signal="hw_stop_words_fraction", kind="style"),
    Feature(signal="hw_distinct_words_fraction", kind="style"),
    Feature(signal="gopher_mean_word_length", kind="style"),
    Feature(signal="hw_long_words_fraction", kind="style"),
    Feature(signal="hw_digit_fraction", kind="mark"),
    Feature(signal="hw_letter_fraction", kind="style"),
    Feature(signal="rpv2_all_caps_words_fraction", kind="mark"),
    Feature(signal="rpv2_uppercase_letter_fraction", kind="style"),
    Feature(signal="gopher_top_2gram_chars_fraction", kind="mark"),
    Feature(signal="gopher_dup_5gram_chars_fraction", kind="mark"),
    Feature(signal="gopher_dup_10gram_chars_fraction", kind="mark"),
    *(Feature(signal=name, kind="line") for name in _LINES),
)
"""In the order of the columns of ``Measured.features``."""

LIMIT = 4.0
ENOUGH_WORDS = Input(signal="gopher_words", transform="log1p", center=2.0, scale=1.0, limit=2.0)
"""From none to about fifty words; more than that change nothing."""
INPUTS: tuple[tuple[Feature, str], ...] = tuple(
    (each, transform) for transform in ("none", "sqrt") for each in FEATURES
)
"""Feature and transform of each input."""
PRIOR_WORDS = 60.0
"""At so many words an input of the kinds of ``BELIEVED`` counts half of what it says: rates of short texts are extreme by chance."""
BELIEVED = ("cue", "mark", "style")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Documents and their features, float64 [n, features]."""

    documents: tuple[Document, ...]
    features: Matrix
    words: Matrix

    def where(self, chosen: npt.NDArray[np.bool_]) -> Measured:
        """Return those that are chosen."""
        documents = tuple(each for each, yes in zip(self.documents, chosen, strict=True) if yes)
        return Measured(documents=documents, features=self.features[chosen], words=self.words[chosen])

    @property
    def languages(self) -> npt.NDArray[np.str_]:
        """The language of each."""
        return np.array([each.language for each in self.documents])


def measure(documents: Sequence[Document]) -> Measured:
    """Return the features of documents, measured by the kernels."""
    rows = []
    words = []
    for at in range(0, len(documents), 1000):
        part = documents[at : at + 1000]
        batch = measure_signals(pa.array([each.text for each in part]), pa.array([each.language for each in part]))
        column = {
            name: batch[name].to_numpy(zero_copy_only=False).astype(np.float64)
            for name in {n for each in FEATURES for n in (each.signal, each.per, "gopher_words") if n}
        }
        rows.append(
            np.stack(
                [
                    each.times * column[each.signal] / (np.maximum(column[each.per], 1.0) if each.per else 1.0)
                    for each in FEATURES
                ],
                axis=1,
            )
        )
        words.append(column["gopher_words"])
    return Measured(documents=tuple(documents), features=np.concatenate(rows), words=np.concatenate(words))


def ratios(sets: Mapping[str, Measured], base: Sequence[str]) -> dict[str, Matrix]:
    """Return language → by what each feature is larger in it than in ``base``, [features]; 0 where the language has no such thing (capitals)."""
    scaled = np.array([each.kind in ("cue", "style") for each in FEATURES])
    found = {}
    for language in LANGUAGES:
        total = np.zeros(len(FEATURES))
        for source, part in PARTS.items():
            logs = [_log_ratio(sets[source], language, other) for other in base if other != language]
            if logs and (language not in base or len(base) > 1):
                total += part * np.mean(logs, axis=0) * (len(logs) / len(base))
        found[language] = np.where(scaled, np.exp(total), 1.0)
        absent = np.max([_mean(sets[source], language, None) for source in PARTS], axis=0) <= 1e-9
        found[language] = np.where(absent & np.array([each.kind == "style" for each in FEATURES]), 0.0, found[language])
    return found


def _log_ratio(measured: Measured, language: str, other: str) -> Matrix:
    keys = [{each.key for each in measured.documents if each.language == name} for name in (language, other)]
    both = keys[0] & keys[1]
    if not both:
        return np.zeros(len(FEATURES))
    one, two = (_mean(measured, name, both) for name in (language, other))
    add = np.array([LEAST if each.signal.endswith("_per_kword") or each.per else 1e-3 for each in FEATURES])
    ratio: Matrix = np.clip(np.log((one + add) / (two + add)), -2.0, 2.0)
    return ratio


def _mean(measured: Measured, language: str, keys: set[str] | None) -> Matrix:
    chosen = np.array([d.language == language and (keys is None or d.key in keys) for d in measured.documents])
    if not chosen.any():
        return np.zeros(len(FEATURES))
    mean: Matrix = measured.features[chosen].mean(axis=0)
    return mean


def _transformed(features: Matrix) -> Matrix:
    return np.hstack([features, np.sqrt(np.maximum(features, 0.0))])


def _factors(ratio: Matrix) -> Matrix:
    return np.concatenate([ratio, np.sqrt(ratio)])


def usual(measured: Measured, ratio: Mapping[str, Matrix]) -> tuple[Matrix, Matrix]:
    """Return center and scale of each input, [inputs]: mean and deviation over documents, each language brought to the base, all alike."""
    x = np.empty((len(measured.documents), len(INPUTS)))
    languages = measured.languages
    weight = np.empty(len(languages))
    for language in sorted(set(languages)):
        mine = languages == language
        factor = _factors(ratio[language])
        x[mine] = _transformed(measured.features[mine]) / np.where(factor > 0.0, factor, 1.0)
        weight[mine] = 1.0 / mine.sum()
    weight /= weight.sum()
    center = weight @ x
    scale = np.sqrt(weight @ (x - center) ** 2)
    return center, np.where(scale > 1e-6, scale, 1.0)


def values(
    measured: Measured, ratio: Mapping[str, Matrix], center: Matrix, scale: Matrix, limit: float = LIMIT
) -> Matrix:
    """Return the inputs of documents as a head reads them, [n, inputs]."""
    found = np.empty((len(measured.documents), len(INPUTS)))
    languages = measured.languages
    for language in sorted(set(languages)):
        mine = languages == language
        factor = _factors(ratio[language])
        own_center, own_scale = own(center, scale, factor)
        found[mine] = np.clip((_transformed(measured.features[mine]) - own_center) / own_scale, -limit, limit)
    prior = priors()
    return found * np.where(prior > 0.0, measured.words[:, None] / (measured.words[:, None] + np.maximum(prior, 1.0)), 1.0)


def priors() -> Matrix:
    """Return ``prior_words`` of each input, [inputs]."""
    return np.where(of_kind(*BELIEVED), PRIOR_WORDS, 0.0)


def own(center: Matrix, scale: Matrix, factor: Matrix) -> tuple[Matrix, Matrix]:
    """Return center and scale of a language; an input that it has not stays at the center."""
    return center * factor, np.where(factor > 0.0, scale * factor, 1e6)


def inputs_of(center: Matrix, scale: Matrix) -> tuple[Input, ...]:
    """Return the inputs as a model's file has them."""
    prior = priors()
    return tuple(
        Input(
            signal=each.signal,
            per=each.per,
            times=each.times,
            transform=transform,
            center=float(center[n]),
            scale=float(scale[n]),
            limit=LIMIT,
            prior_words=float(prior[n]),
        )
        for n, (each, transform) in enumerate(INPUTS)
    )


def of_kind(*kinds: str) -> npt.NDArray[np.bool_]:
    """Return which inputs are of some kinds, [inputs]."""
    return np.array([each.kind in kinds for each, _ in INPUTS])


def deviations(measured: Measured, x: Matrix) -> Matrix:
    """Return how much the inputs of translations vary, [inputs, inputs]: mean square of what is left of a document less its language and its page.

    Args:
        x: inputs of the documents, [n, inputs].
    """
    languages = measured.languages
    keys = np.array([each.key for each in measured.documents])
    left = x.copy()
    for language in sorted(set(languages)):
        left[languages == language] -= left[languages == language].mean(axis=0)
    rows = []
    for key in sorted(set(keys)):
        mine = left[keys == key]
        if len(mine) > 3:
            rows.append(mine - mine.mean(axis=0))
    stacked = np.concatenate(rows)
    square: Matrix = stacked.T @ stacked / len(stacked)
    return square
