"""How the shipped heads of knowledge density, quality and genre are fitted, the same for what ships and for what is judged by language held out.

Settings were chosen by training on Swedish and judging French and the other way round (``bench.score_card``), none by what the cards report of
opensource.guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.score_fit import fit_classes, fit_score
from bench.score_inputs import (
    ENOUGH_WORDS,
    FEATURES,
    INPUTS,
    PRIOR_WORDS,
    Measured,
    deviations,
    of_kind,
    own,
    ratios,
    usual,
    values,
)

__all__ = [
    "CLASSES",
    "KINDS",
    "USED_BY_KINDS",
    "Head",
    "Scaling",
    "fit_genre",
    "fit_kinds",
    "fit_knowledge",
    "fit_quality",
    "make_scaling",
    "margins",
    "register_shares",
]

Matrix = npt.NDArray[np.float64]

CLASSES = ("IN", "NA", "OP", "HI", "ID", "IP", "LY", "SP")
KINDS = ("encyclopedia", "reference", "book")
USED_BY_KINDS = 20
"""Texts with fewer words are of no genre."""
RIDGE = 100.0
STABLE = 300.0
"""Weight of how much translations differ."""
RARE = 0.5
"""Documents of a register count by its number to the power of minus this."""
BROKEN = {"knowledge": 0.1, "quality": 0.4}
"""How much empty and repeated texts count in the second steps, in units of the registers' number."""
POEMS = 20.0
"""How much the classical poems count together, in documents."""
OFFSETS = {"IN": -0.2, "NA": 0.2, "OP": 0.0, "HI": 0.0, "ID": -0.2, "IP": -0.2, "LY": 0.0, "SP": 0.7}
"""Added to the biases of genres: best mean F1 of the six frequent registers, French from Swedish and the other way round; of spoken, half of what
was best for French."""
TRANSLATED = ("course-edgeai", "course-azd", "gnome-help")
WEB = {"lines": 1.5, "main": 0.75, "rest": 0.45, "full": 0.3, "registers": 4.0}
"""Of the second fit of quality: how much each set counts together, in units of the registers' number."""
USEFUL_PAGES = ("article", "documentation", "forum")

_REPETITION = (
    "gopher_top_2gram_chars_fraction",
    "gopher_dup_5gram_chars_fraction",
    "gopher_dup_10gram_chars_fraction",
)
_STRUCTURE = (
    "hw_digit_fraction",
    "hw_letter_fraction",
    "hw_commas_per_kword",
    "hw_sentence_words",
    "hw_sentence_words_deviation",
    "hw_common_words_fraction",
    "hw_stop_words_fraction",
    "rpv2_uppercase_letter_fraction",
    "hw_names_per_kword",
    "hw_colons_per_kword",
    "hw_pictures_per_kword",
    "hw_numbers_per_kword",
    "hw_cue_site_per_kword",
    "hw_cue_references_per_kword",
    "hw_cue_calendar_per_kword",
)
_KNOWN = {
    "LY": {
        "hw_cue_emotion_per_kword": 1.0, "hw_long_words_fraction": -0.6, "hw_numbers_per_kword": -0.4, "hw_sentence_words": 0.5,
        "gopher_dup_5gram_chars_fraction": 0.5, "hw_cue_first_person_per_kword": 0.3, "hw_cue_second_person_per_kword": 0.3,
        "hw_cue_business_per_kword": -0.3, "hw_cue_selling_per_kword": -0.3, "hw_cue_administration_per_kword": -0.2,
        "hw_cue_generic_per_kword": -0.3, "hw_years_per_kword": -0.2, "hw_cue_site_per_kword": -0.2, "hw_brackets_per_kword": -0.2,
        "hw_cue_religion_per_kword": 0.1, "hw_cue_calendar_per_kword": -0.2, "hw_cue_contact_per_kword": -0.2,
        "hw_cue_technology_per_kword": -0.2,
    },
    "SP": {
        "hw_question_marks": 0.6, "hw_cue_first_person_per_kword": 0.5, "hw_cue_opinion_per_kword": 0.4, "hw_cue_we_per_kword": 0.4,
        "hw_common_words_fraction": 0.4, "hw_cue_attitude_per_kword": 0.2, "hw_cue_chat_per_kword": 0.1, "hw_cue_inference_per_kword": 0.15,
        "hw_cue_contrast_per_kword": 0.1, "hw_brackets_per_kword": -0.2, "hw_cue_imperative_per_kword": -0.2,
        "hw_cue_selling_per_kword": -0.3, "hw_cue_contact_per_kword": -0.2, "hw_urls": -0.2, "hw_sentence_words": -0.1,
        "hw_cue_forum_per_kword": -0.1, "hw_exclamations_per_kword": -0.1, "hw_cue_past_tense_per_kword": 0.1, "hw_cue_speech_per_kword": 0.2,
    },
}  # fmt: skip
"""What is known of the two registers that have a dozen documents: their weights are drawn to these, half for each transform."""
_KNOWN_PART = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """What is usual: center and scale of each input, [inputs], and language → by what its features are larger, [features].

    Attributes:
        prior: at so many words inputs count half.
    """

    center: Matrix
    scale: Matrix
    ratio: Mapping[str, Matrix]
    prior: float

    def read(self, measured: Measured) -> Matrix:
        """Return the inputs of documents, [n, inputs]."""
        return values(measured, self.ratio, self.center, self.scale, prior=self.prior)

    def of_language(self, language: str) -> tuple[Matrix, Matrix]:
        """Return center and scale of a language."""
        factor = np.concatenate([self.ratio[language], np.sqrt(self.ratio[language])])
        return own(self.center, self.scale, factor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Weights [classes, inputs] and biases [classes]; ``enough`` is the weight of ``ENOUGH_WORDS`` where a head reads that too."""

    scaling: Scaling
    weights: Matrix
    biases: Matrix
    enough: float = 0.0


def make_scaling(sets: Mapping[str, Measured], base: Sequence[str], name: str) -> Scaling:
    """Return what is usual in the registers of some languages, and of lines in web pages, for the model of a name."""
    ratio = ratios(sets, base)
    registers = sets["registers"]
    center, scale = usual(registers.where(np.isin(registers.languages, base)), ratio)
    if "full" in sets:
        line = of_kind("line")
        of_pages = usual(sets["full"], {"en": np.ones(len(FEATURES))})
        center, scale = np.where(line, of_pages[0], center), np.where(line, of_pages[1], scale)
    return Scaling(center=center, scale=scale, ratio=ratio, prior=PRIOR_WORDS[name])


def register_shares(measured: Measured) -> Matrix:
    """Return how much each document is of each of ``CLASSES``, [n, classes]: hybrids half and half."""
    found = np.zeros((len(measured.documents), len(CLASSES)))
    for n, each in enumerate(measured.documents):
        for label in each.labels:
            found[n, CLASSES.index(label)] = 1.0 / len(each.labels)
    return found


def _penalty(sets: Mapping[str, Measured], scaling: Scaling, ridge: float = RIDGE, stable: float = STABLE) -> Matrix:
    found = ridge * np.eye(len(INPUTS))
    for source in TRANSLATED:
        found += stable / len(TRANSLATED) * deviations(sets[source], scaling.read(sets[source]))
    return found


def _of(registers: Measured, base: Sequence[str]) -> tuple[Measured, Matrix]:
    """Return the registers of some languages, and weights by which each language counts the same."""
    mine = registers.where(np.isin(registers.languages, base))
    languages = mine.languages
    weight = np.empty(len(languages))
    for language in base:
        weight[languages == language] = len(registers.documents) / 2 / len(base) / max((languages == language).sum(), 1)
    return mine, weight


def fit_knowledge(sets: Mapping[str, Measured], base: Sequence[str], scaling: Scaling) -> Head:
    """Return the head of knowledge density: informational documents against all others."""
    mine, weight = _of(sets["registers"], base)
    keep = ~of_kind("line")
    share = register_shares(mine)[:, CLASSES.index("IN")]
    penalty = _penalty(sets, scaling)
    w, b = fit_score(scaling.read(mine) * keep, share, weight, penalty=penalty)
    second = of_kind("line") | _repetition()
    empty = sets["broken"]
    parts = [(mine, share, 1.0), (empty, np.zeros(len(empty.documents)), BROKEN["knowledge"])]
    return _two_steps(scaling, (w * keep, b), second, parts, penalty)


def _repetition() -> npt.NDArray[np.bool_]:
    """Return which inputs tell much repetition: as they are, since a little of it is usual, [inputs]."""
    return np.array([each.signal in _REPETITION and transform == "none" for each, transform in INPUTS])


def _two_steps(
    scaling: Scaling,
    first: tuple[Matrix, float],
    second: npt.NDArray[np.bool_],
    parts: Sequence[tuple[Measured, Matrix, float]],
    penalty: Matrix,
) -> Head:
    """Return a head whose first step stays as it is, and which some inputs and ``ENOUGH_WORDS`` then fit to more documents.

    Args:
        first: weights and bias of the first step.
        second: which inputs may change.
        parts: documents, what the score should be of each, how much they count together in units of the first part's number.
        penalty: as for ``fit_score``.
    """
    n = len(parts[0][0].documents)
    wider = np.diag([*np.diag(penalty), RIDGE / 10.0])
    wider[:-1, :-1] = penalty
    read = [scaling.read(measured) for measured, _, _ in parts]
    x = [np.hstack([r * second, _enough(part[0])[:, None]]) for r, part in zip(read, parts, strict=True)]
    weights = [np.full(len(target), part * n / len(target)) for _, target, part in parts]
    more, more_bias = fit_score(
        np.concatenate(x),
        np.concatenate([target for _, target, _ in parts]),
        np.concatenate(weights),
        penalty=wider,
        offset=np.concatenate(read) @ first[0] + first[1],
    )
    total = first[0] + more[:-1] * second
    return Head(
        scaling=scaling, weights=total[None, :], biases=np.array([first[1] + more_bias]), enough=float(more[-1])
    )


def fit_quality(
    sets: Mapping[str, Measured],
    base: Sequence[str],
    scaling: Scaling,
    *,
    without: Sequence[str] = (),
    half: bool = False,
) -> Head:
    """Return the head of quality: first ordinary registers against selling, then, that being fixed, text against what surrounds it on web pages.

    Args:
        without: languages whose marked lines are held out.
        half: whether only every other web page is used.
    """
    mine, weight = _of(sets["registers"], base)
    keep = ~of_kind("line")
    share = 1.0 - register_shares(mine)[:, CLASSES.index("IP")]
    penalty = _penalty(sets, scaling)
    first, bias = fit_score(scaling.read(mine) * keep, share, weight, penalty=penalty)
    second = of_kind("line") | _repetition() | np.array([each.signal in _STRUCTURE for each, _ in INPUTS])
    parts = [(mine, share, WEB["registers"])]
    lines = sets["lines"]
    lines = lines.where(~np.isin(lines.languages, without))
    parts.append((lines, np.clip((np.array([d.share for d in lines.documents]) - 0.2) / 0.7, 0.0, 1.0), WEB["lines"]))
    for source in ("main", "rest", "full"):
        found = sets[source]
        if half:
            found = found.where(np.array([int(each.key, 36) % 2 == 0 for each in found.documents]))
        useful = np.array([each.labels[0] in USEFUL_PAGES for each in found.documents])
        target = (
            np.where(useful, 1.0, 0.35)
            if source == "main"
            else np.full(len(useful), {"rest": 0.0, "full": 0.5}[source])
        )
        parts.append((found, target, WEB[source]))
    empty = sets["broken"]
    parts.append((empty, np.zeros(len(empty.documents)), BROKEN["quality"]))
    return _two_steps(scaling, (first * keep, bias), second, parts, penalty)


def _enough(measured: Measured) -> Matrix:
    x: Matrix = np.clip(np.log1p(measured.words) - ENOUGH_WORDS.center, -ENOUGH_WORDS.limit, ENOUGH_WORDS.limit)
    return x


def fit_genre(sets: Mapping[str, Measured], base: Sequence[str], scaling: Scaling) -> Head:
    """Return the head of the eight registers."""
    mine, weight = _of(sets["registers"], base)
    keep = ~of_kind("line")
    share = register_shares(mine)
    weight = weight * (share * (share.sum(axis=0) + 1.0) ** -RARE).sum(axis=1)
    weight *= len(weight) / weight.sum()
    poems = sets["poems"]
    more = np.tile(np.array([each == "LY" for each in CLASSES], np.float64), (len(poems.documents), 1))
    x = np.concatenate([scaling.read(mine), scaling.read(poems)]) * keep
    weight = np.concatenate([weight, np.full(len(more), POEMS / len(more))])
    prior = np.zeros((len(CLASSES), len(INPUTS)))
    for name, known in _KNOWN.items():
        for n, (each, _) in enumerate(INPUTS):
            prior[CLASSES.index(name), n] = _KNOWN_PART / 2.0 * known.get(each.signal, 0.0)
    w, b = fit_classes(
        x,
        np.concatenate([share, more]),
        weight,
        penalty=_penalty(sets, scaling, stable=STABLE / 3.0),
        prior=prior * keep,
    )
    return Head(scaling=scaling, weights=w * keep, biases=b + np.array([OFFSETS[each] for each in CLASSES]))


def margins(head: Head, measured: Measured) -> Matrix:
    """Return the margin of each document and class, [n, classes]."""
    found: Matrix = head.scaling.read(measured) @ head.weights.T + head.biases
    return found + head.enough * _enough(measured)[:, None]


def fit_kinds(sets: Mapping[str, Measured], base: Sequence[str], scaling: Scaling) -> Head:
    """Return a logistic head for each of ``KINDS``: documents of that kind against registers and the other kinds, each language the same.

    Wikipedia's own pages among the registers, known by its link to edit, count as encyclopedia.
    """
    mine, weight = _of(sets["registers"], base)
    kinds = sets["kinds"]
    label = np.array([each.labels[0] for each in kinds.documents])
    wiki = np.array(["wikitext" in each.text or "modifier le code" in each.text for each in mine.documents])
    keep = ~of_kind("line")
    x = np.concatenate([scaling.read(mine), scaling.read(kinds)]) * keep
    n = len(mine.documents)
    weights, biases = [], []
    for name in KINDS:
        yes = np.concatenate([wiki & (name == "encyclopedia"), label == name])
        each = np.concatenate([weight, np.ones(len(label))])
        each[n:] *= np.where(yes[n:], 0.3 * n / max(yes[n:].sum(), 1), 0.2 * n / max((~yes[n:]).sum(), 1))
        w, b = fit_score(x, yes.astype(np.float64), each, penalty=_penalty(sets, scaling, stable=STABLE / 3.0))
        weights.append(w * keep)
        biases.append(b)
    return Head(scaling=scaling, weights=np.array(weights), biases=np.array(biases))
