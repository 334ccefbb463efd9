"""Train the models behind the columns ``reasoning_density`` and ``chain_of_thought``.

    python -m bench.train_reasoning CORPUS --out src/headwater/filters/data/scores

CORPUS holds the corpus of docs/cards/reasoning-density.md. Samples are those of ``bench.reasoning_samples`` and the texts of
``reasoning_texts.toml`` in the 15 languages of TRAINED; the others, and ``reasoning_held_out.toml``, are for ``bench.reasoning_card``.
Boosted trees of few leaves, each input bound to its way (``bench.reasoning_features``), so that no source's style can turn one round.
Sources and groups weigh alike, positives as much as negatives. The same corpus gives the same files (one thread; scikit-learn 1.5 to 1.9).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from bench.reasoning_features import (
    FEATURES,
    LANGUAGES,
    as_written,
    language_shifts,
    measure,
    parallel_pages,
    transformed,
)
from bench.reasoning_samples import CHAIN, REASONING, Sample, corpus_samples, own_samples
from headwater.filters.scores.model import Input, ScoreModel
from headwater.filters.scores.model_file import model_bytes
from headwater.filters.scores.trees import Node

__all__ = ["GROUPS", "SETTINGS", "TRAINED", "fit_trees", "labels_of", "make_model", "sample_weights"]

TRAINED: Final = frozenset(("en", "de", "fr", "es", "pt", "sv", "pl", "ru", "tr", "zh", "ko", "ar", "hi", "id", "fi"))
"""Languages whose texts of ``reasoning_texts.toml`` are learnt from; those of the other 15 are reported on."""
GROUPS: Final[dict[str, Mapping[str, int | None]]] = {"reasoning_density": REASONING, "chain_of_thought": CHAIN}
SETTINGS: Final[dict[str, Any]] = {  # Any: arguments of scikit-learn
    "max_iter": 80,
    "max_leaf_nodes": 8,
    "learning_rate": 0.1,
    "min_samples_leaf": 40,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
}
SEED: Final = 0
OWN_TEXTS: Final = Path(__file__).parent / "reasoning_texts.toml"
_LIMIT: Final = 4.0
_ABOUT: Final = {
    "reasoning_density": "the text reasons: solutions, proofs, arguments, explanations why; with mathematics or without",
    "chain_of_thought": "the text solves a problem step by step",
}

Values = npt.NDArray[np.float64]


def labels_of(samples: Sequence[Sample], groups: Mapping[str, int | None]) -> Values:
    """Return 1, 0 or NaN (neither) a sample."""
    return np.array([np.nan if (label := groups.get(each.group, 0)) is None else label for each in samples], np.float64)


def sample_weights(samples: Sequence[Sample], labels: Values) -> Values:
    """Return weights by which both labels weigh alike, and within a label every source and group."""
    keys = np.array([f"{each.source}/{each.group}" for each in samples])
    weights = np.zeros(len(samples))
    for label in (0.0, 1.0):
        kinds = sorted(set(keys[labels == label].tolist()))
        for kind in kinds:
            weights[keys == kind] = 1 / len(kinds) / (keys == kind).sum()
    return weights * len(samples) / 2


def fit_trees(inputs: Values, labels: Values, weights: Values) -> HistGradientBoostingClassifier:
    """Return the trees fitted to inputs, float64 [n, features]."""
    ways = [way for _, _, _, way, _ in FEATURES]
    trees = HistGradientBoostingClassifier(monotonic_cst=ways, **SETTINGS)
    return trees.fit(inputs, labels, sample_weight=weights)


def make_model(
    name: str, fitted: HistGradientBoostingClassifier, center: Values, scale: Values, shifts: Mapping[str, Values]
) -> ScoreModel:
    """Return the model of a file from fitted trees and what their inputs were centred and scaled by."""
    inputs = tuple(
        Input(
            signal=signal, per=per, transform=transform, center=float(center[at]), scale=float(scale[at]), limit=_LIMIT
        )
        for at, (signal, per, transform, _, _) in enumerate(FEATURES)
    )
    trees = tuple(_nodes(rows[0].nodes) for rows in fitted._predictors)
    return ScoreModel(
        name=name,
        kind="trees",
        classes=("score",),
        inputs=inputs,
        centers={language: tuple((center + shift).tolist()) for language, shift in sorted(shifts.items())},
        trees=(trees,),
        biases=(float(fitted._baseline_prediction.ravel()[0]),),
        calibration={"*": (1.0, 0.0)},
        card={
            "about": _ABOUT[name],
            "data": "docs/cards/" + name.replace("_", "-") + ".md",
            "licence": "trained on texts under MIT, GFDL, GPL, CC-BY-SA, CC-BY, MPL-2.0, PSF-2.0, CC0; no text is in the file",
            "settings": f"80 trees of 8 leaves, rate 0.1, monotone; seed {SEED}",
            "trained": "bench/train_reasoning.py",
        },
    )


def _nodes(rows: npt.NDArray[np.void]) -> tuple[Node, ...]:
    """Return a tree's nodes; a leaf's value is what it adds, another's the mean of the leaves below it by samples."""
    means = np.zeros(len(rows))
    for at in range(len(rows) - 1, -1, -1):  # children come after their parent
        row = rows[at]
        if row["is_leaf"]:
            means[at] = row["value"]
        else:
            low, high = rows[row["left"]], rows[row["right"]]
            total = float(low["count"]) + float(high["count"])
            means[at] = (means[row["left"]] * float(low["count"]) + means[row["right"]] * float(high["count"])) / total
    return tuple(
        Node(input=-1, at=0.0, low=0, high=0, value=float(means[at]))
        if row["is_leaf"]
        else Node(
            input=int(row["feature_idx"]),
            at=float(row["num_threshold"]),
            low=int(row["left"]),
            high=int(row["right"]),
            value=float(means[at]),
        )
        for at, row in enumerate(rows)
    )


def main() -> None:
    """Train both models and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    samples = as_written(corpus_samples(options.corpus, SEED))
    samples += [each for each in own_samples(OWN_TEXTS) if each.language in TRAINED]
    pages = parallel_pages(options.corpus)
    shifts = language_shifts(pages, transformed(measure(pages)))
    moved = np.array([shifts.get(each.language, np.zeros(len(FEATURES))) for each in samples])
    values = transformed(measure(samples)) - moved
    center, scale = values.mean(axis=0), values.std(axis=0)
    inputs = np.clip((values - center) / scale, -_LIMIT, _LIMIT)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, groups in GROUPS.items():
        labels = labels_of(samples, groups)
        known = ~np.isnan(labels)
        chosen = [each for each, keep in zip(samples, known.tolist(), strict=True) if keep]
        fitted = fit_trees(inputs[known], labels[known], sample_weights(chosen, labels[known]))
        (options.out / f"{name}.json").write_bytes(model_bytes(make_model(name, fitted, center, scale, shifts)))


if __name__ == "__main__":
    assert set(TRAINED) < set(LANGUAGES)
    main()
