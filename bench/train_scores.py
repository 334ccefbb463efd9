"""Train the shipped models of quality, knowledge density and genre: ``src/headwater/filters/data/scores/{quality,knowledge_density,domain}.json``.

    python -m bench.train_scores ../shared OUT

The same inputs give the same files, byte by byte, on one machine; weights are rounded to four places, so that another BLAS seldom shows. What the
models are trained on is said in their cards and in ``bench.score_documents``; nothing of it is copied but numbers. ``bench.score_card`` prints
how good they are, each language held out.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.score_documents import (
    LANGUAGES,
    broken,
    guide,
    lines,
    pages,
    parallel,
    poems,
    registers,
    sentences,
    texts_of_kinds,
)
from bench.score_fit import fit_score
from bench.score_heads import (
    CLASSES,
    KINDS,
    USED_BY_KINDS,
    Head,
    fit_genre,
    fit_kinds,
    fit_knowledge,
    fit_quality,
    make_scaling,
    margins,
    register_shares,
)
from bench.score_inputs import ENOUGH_WORDS, Measured, inputs_of, measure
from headwater.filters.scores.model import ScoreModel
from headwater.filters.scores.model_file import model_bytes

BASE = ("sv", "fr")
SMALLEST = 0.01
"""Inputs whose weights are all below this are left out."""
SLOPE = {"knowledge_density": 0.8, "quality": 0.7}
"""Of the calibration: below that of Platt on languages held out, so that translations score alike."""
ALIKE = 0.8
"""How much of the difference between translations a language's calibration takes away; the rest is left to chance."""
ANCHORS = {"course-edgeai": 0.4, "course-azd": 0.3, "gnome-help": 0.3}
GENRES = {
    "IN": "informational",
    "NA": "narrative",
    "OP": "opinion",
    "HI": "how-to",
    "ID": "discussion",
    "IP": "selling",
    "LY": "lyrical",
    "SP": "spoken",
}
KIND_BIAS = -1.0
KIND_SHARE = 0.6

Matrix = npt.NDArray[np.float64]


def read_sets(shared: Path) -> dict[str, Measured]:
    """Return every set that training or the card uses, measured by the kernels; a minute."""
    found = {
        "registers": measure(registers(shared)),
        "course-edgeai": measure(parallel(shared, "course-edgeai")),
        "course-azd": measure(parallel(shared, "course-azd")),
        "gnome-help": measure(parallel(shared, "gnome-help", every=4)),
        "sentences": measure(sentences(shared)),
        "guide": measure(guide(shared)),
        "poems": measure(poems(shared)),
        "kinds": measure(texts_of_kinds(shared)),
        "lines": measure(lines(shared)),
        "broken": measure(broken(shared)),
    }
    web = pages(shared)
    for source in ("main", "full", "rest"):
        found[source] = measure([each for each in web if each.source == source])
    return found


def language_shifts(sets: Mapping[str, Measured], head: Head) -> dict[str, float]:
    """Return language → by how much more than in the base languages its margins are on translated pages, mean over pages."""
    found: dict[str, float] = {}
    total: dict[str, float] = {}
    for source, part in ANCHORS.items():
        measured = sets[source]
        margin = margins(head, measured)[:, 0]
        table: dict[str, dict[str, float]] = {}
        for each, value in zip(measured.documents, margin, strict=True):
            table.setdefault(each.language, {})[each.key] = float(value)
        for language, mine in table.items():
            shared_keys = sorted(set(mine).intersection(*(table.get(base, {}) for base in BASE)))
            if len(shared_keys) < 10:
                continue
            other = np.mean([[table[base][key] for key in shared_keys] for base in BASE])
            difference = float(np.mean([mine[key] for key in shared_keys]) - other)
            found[language] = found.get(language, 0.0) + part * difference
            total[language] = total.get(language, 0.0) + part
    return {language: found[language] / total[language] for language in sorted(found)}


def held_out_bias(sets: Mapping[str, Measured], name: str) -> float:
    """Return the bias by which margins of languages held out are log odds, both kinds of document counting the same."""
    registers_ = sets["registers"]
    margin, truth, weight = [], [], []
    for train, judge in (BASE, BASE[::-1]):
        scaling = make_scaling(sets, (train,), name)
        head = (fit_knowledge if name == "knowledge_density" else fit_quality)(sets, (train,), scaling)
        judged = registers_.where(registers_.languages == judge)
        share = register_shares(judged)
        yes = share[:, CLASSES.index("IN")] if name == "knowledge_density" else 1.0 - share[:, CLASSES.index("IP")]
        margin.append(margins(head, judged)[:, 0])
        truth.append(yes)
        weight.append(np.where(yes > 0.5, 0.5 / (yes > 0.5).mean(), 0.5 / (yes <= 0.5).mean()) / len(yes))
    x = np.concatenate(margin)
    _, bias = fit_score(
        np.zeros((len(x), 1)),
        np.concatenate(truth),
        1000.0 * np.concatenate(weight),
        penalty=np.eye(1),
        offset=SLOPE[name] * x,
    )
    return bias


def score_model(sets: Mapping[str, Measured], name: str, card: Mapping[str, object]) -> ScoreModel:
    """Return the model of knowledge density or quality."""
    scaling = make_scaling(sets, BASE, name)
    head = (fit_knowledge if name == "knowledge_density" else fit_quality)(sets, BASE, scaling)
    slope, bias = SLOPE[name], held_out_bias(sets, name)
    calibration = {"*": (slope, round(bias, 4))}
    for language, shift in language_shifts(sets, head).items():
        calibration[language] = (slope, round(bias - ALIKE * slope * shift, 4))
    return _model(name, ("score",), head, card, calibration=calibration)


def genre_model(sets: Mapping[str, Measured], card: Mapping[str, object]) -> ScoreModel:
    """Return the model of genres, with the kinds of informational text that are answered where it is sure."""
    scaling = make_scaling(sets, BASE, "domain")
    head, kinds = fit_genre(sets, BASE, scaling), fit_kinds(sets, BASE, scaling)
    informational = CLASSES.index("IN")
    weights = np.concatenate([head.weights, head.weights[informational] + kinds.weights])
    biases = np.concatenate([head.biases, head.biases[informational] + kinds.biases + KIND_BIAS])
    whole = Head(scaling=scaling, weights=weights, biases=biases)
    classes = (*(GENRES[each] for each in CLASSES), *KINDS)
    parents = dict.fromkeys(KINDS, (GENRES["IN"], KIND_SHARE))
    return _model("domain", classes, whole, card, parents=parents, languages=LANGUAGES, least_words=USED_BY_KINDS)


def _model(name: str, classes: tuple[str, ...], head: Head, card: Mapping[str, object], **more: object) -> ScoreModel:
    used = np.flatnonzero(np.abs(head.weights).max(axis=0) >= SMALLEST)
    weights = head.weights[:, used].round(4)
    made = inputs_of(_short(head.scaling.center), _short(head.scaling.scale), head.scaling.prior)
    inputs = [made[n] for n in used]
    centers, scales = {}, {}
    for language in LANGUAGES:
        center, scale = head.scaling.of_language(language)
        centers[language] = tuple(_short(center[used]).tolist())
        scales[language] = tuple(_short(scale[used]).tolist())
    rows = [tuple(row.tolist()) for row in weights]
    if head.enough:
        inputs.append(ENOUGH_WORDS)
        rows = [(*row, round(head.enough, 4)) for row in rows]
        centers = {language: (*row, ENOUGH_WORDS.center) for language, row in centers.items()}
        scales = {language: (*row, ENOUGH_WORDS.scale) for language, row in scales.items()}
    return ScoreModel(
        name=name,
        kind="linear",
        classes=classes,
        inputs=tuple(inputs),
        biases=tuple(head.biases.round(4).tolist()),
        weights=tuple(rows),
        centers=centers,
        scales=scales,
        card=card,
        **more,  # type: ignore[arg-type] # calibration, or what a model of classes has
    )


def _short(values: Matrix) -> Matrix:
    """Six significant digits, so that a file is readable and no smaller difference shows."""
    return np.array([float(f"{value:.6g}") for value in values])


CARDS: dict[str, dict[str, object]] = {
    "knowledge_density": {
        "about": "informational web documents (CORE: IN) against all others",
        "data": "SvCORE and FrCORE (TurkuNLP); parallel course pages and help pages for scales and calibration",
        "licence": "numbers fitted to CC-BY-SA-4.0 texts; holds none of them",
        "settings": "logistic, ridge 100, translations 300; prior of 60 words",
    },
    "quality": {
        "about": "ordinary web documents against selling, and main text against what surrounds it",
        "data": "SvCORE and FrCORE; lines marked as text or noise (TurkuNLP); WCXB pages; parallel pages as for knowledge density",
        "licence": "numbers fitted to CC-BY-SA-4.0 and CC-BY-4.0 texts; holds none of them",
        "settings": "logistic in two steps, ridge 100, translations 300",
    },
    "domain": {
        "about": "registers of CORE; encyclopedia, reference and book as kinds of informational text",
        "data": "SvCORE and FrCORE; poems of Hafez, classical Chinese poems; Wikipedia, manual pages, LibreOffice help, Debian books",
        "licence": "numbers fitted to CC-BY-SA-4.0, GFDL, GPL, MPL and MIT texts; holds none of them",
        "settings": "softmax, ridge 100, translations 100, rare registers by the root of their number",
    },
}


def train(shared: Path) -> dict[str, bytes]:
    """Return name → bytes of each model's file."""
    sets = read_sets(shared)
    models = [score_model(sets, name, CARDS[name]) for name in ("knowledge_density", "quality")]
    models.append(genre_model(sets, CARDS["domain"]))
    return {each.name: model_bytes(each) for each in models}


def main() -> None:
    """Write the files and print their hashes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of test material")
    parser.add_argument("out", type=Path, help="the folder that takes the files")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, data in train(arguments.shared).items():
        (arguments.out / f"{name}.json").write_bytes(data)
        print(name, len(data), hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
