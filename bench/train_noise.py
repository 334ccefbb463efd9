"""Train the model of line noise: ``src/headwater/filters/data/noise.json``.

    python -m bench.train_noise LINES OUT

LINES is ``line_noise/de_en_es_fi_sv.jsonl.zst`` of ``../shared``: documents as lists of lines that people marked as text or
noise. scikit-learn must be installed (1.9.1 made the shipped file). The same lines, release and seed give the same bytes.

Gradient boosted trees of three questions over the whole numbers of `headwater.filters.noise.features`, of a line and its
neighbours. Weights: a line's is the square root of its document's lines, inverted, and so for its language, so that neither a
long list nor Swedish, with half of the documents, decides; documents that hold the
same lines count as one and never stand on both sides of a split. Every line is learned a second time, lighter, as if its script
had no capitals: what is learned must serve Arabic and Chinese too.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.ensemble import GradientBoostingClassifier

from bench.records import read_records
from headwater.filters.noise.features import FEATURES
from headwater.filters.noise.judge import NOTHING, measure_noise_features
from headwater.fingerprint import canonical_json

NEAR: Final = ("size", "closing", "opening", "capital_words", "digits", "symbols", "words")
"""What is asked of the two nearest lines on each side; of the third its size alone."""
INPUTS: Final = (
    *((name, 0) for name in FEATURES),
    *((name, line) for line in (-2, -1, 1, 2) for name in NEAR),
    ("size", -3),
    ("size", 3),
)
"""(number of a line, line after the judged one)."""
SETTINGS: Final[dict[str, Any]] = {  # Any: scikit-learn's own types
    "n_estimators": 150, "learning_rate": 0.1, "max_depth": 3, "min_samples_leaf": 60, "max_features": 0.4, "subsample": 0.7, "random_state": 1,
}  # fmt: skip
CASELESS_WEIGHT: Final = 0.3
_MILLION: Final = 1_000_000
_ALWAYS: Final = ("size", 0, _MILLION)
"""A question that is always answered alike, where a tree asks fewer than three."""
_SHARED_LINES: Final = 5
_SHARED_SHARE: Final = 0.3
_COMMON: Final = 12
_LONG: Final = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """All lines, in the order of the documents.

    Attributes:
        numbers: int32 (lines, 19).
        counts: int64 (documents,), lines of each.
        text: bool (lines,), what people said.
        language: str (documents,).
        group: int64 (documents,), equal for documents that share lines.
    """

    numbers: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]
    text: npt.NDArray[np.bool_]
    language: npt.NDArray[np.str_]
    group: npt.NDArray[np.int64]

    def by_line(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:  # Any: values of any type
        """Return what each document has, for each of its lines."""
        return np.repeat(values, self.counts)


def read_lines(path: Path) -> Lines:
    """Return the marked lines of a file and what the kernel measures of them."""
    documents = list(read_records(path))
    numbers = [measure_noise_features("\n".join(document["text"])) for document in documents]
    counts = np.array([len(document["text"]) for document in documents])
    if [len(rows) for rows in numbers] != counts.tolist():
        raise SystemExit(f"{path}: expected no blank lines and no newlines inside lines")
    return Lines(
        numbers=np.vstack(numbers),
        counts=counts,
        text=np.array([label == "1" for document in documents for label in document["labels"]]),
        language=np.array([document["lang"] for document in documents]),
        group=_find_groups([document["text"] for document in documents]),
    )


def _find_groups(documents: list[list[str]]) -> npt.NDArray[np.int64]:
    """Return a number for each document, the same for those that share five long lines or a third of them."""
    contents = [
        {line for line in map(str.strip, lines) if len(line) > _LONG} or set(map(str.strip, lines))
        for lines in documents
    ]
    holders: dict[str, list[int]] = {}
    for number, lines in enumerate(contents):
        for line in lines:
            holders.setdefault(line, []).append(number)
    shared = Counter(
        (first, second)
        for numbers in holders.values()
        if len(numbers) < _COMMON
        for at, second in enumerate(numbers)
        for first in numbers[:at]
    )
    parents = list(range(len(documents)))

    def root(number: int) -> int:
        while parents[number] != number:
            number = parents[number]
        return number

    for (first, second), count in sorted(shared.items()):
        least = min(len(contents[first]), len(contents[second]))
        if count >= _SHARED_LINES or count >= _SHARED_SHARE * least:
            parents[root(second)] = root(first)
    return np.array([root(number) for number in range(len(documents))])


def without_case(numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the numbers as they would be if no letter had a case."""
    changed = numbers.copy()
    place = {name: at for at, name in enumerate(FEATURES)}
    lettered = numbers[:, place["words"]] - numbers[:, place["number_words"]]
    changed[:, place["uppers"]] = 0
    changed[:, place["capital_words"]] = np.where(lettered > 0, 0, -1)
    changed[:, place["lower_words"]] = lettered
    opening = numbers[:, place["opening"]]
    changed[:, place["opening"]] = np.where((opening == 4) | (opening == 5), 6, opening)
    return changed


def make_inputs(numbers: npt.NDArray[np.int32], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the columns of INPUTS, float32 (lines, inputs)."""
    ends = np.repeat(np.cumsum(counts), counts)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    at = np.arange(len(numbers))
    columns = []
    for name, line in INPUTS:
        there = (at + line >= begins) & (at + line < ends)
        values = numbers[np.where(there, at + line, 0), FEATURES.index(name)]
        columns.append(np.where(there, values, NOTHING))
    return np.column_stack(columns).astype(np.float32)


def weigh(lines: Lines) -> npt.NDArray[np.float64]:
    """Return each line's weight."""
    group = lines.by_line(lines.group)
    weights = 1.0 / np.sqrt(np.bincount(group)[group])
    language = lines.by_line(lines.language)
    for name in np.unique(lines.language):
        mine = language == name
        weights[mine] /= np.sqrt(weights[mine].sum())
    return weights / weights.mean()


def fit(lines: Lines, chosen: npt.NDArray[np.bool_]) -> GradientBoostingClassifier:
    """Return a model of the chosen lines."""
    inputs = make_inputs(lines.numbers, lines.counts)[chosen]
    caseless = make_inputs(without_case(lines.numbers), lines.counts)[chosen]
    weights, text = weigh(lines)[chosen], lines.text[chosen]
    return GradientBoostingClassifier(**SETTINGS).fit(
        np.vstack([inputs, caseless]),
        np.concatenate([text, text]),
        sample_weight=np.concatenate([weights, CASELESS_WEIGHT * weights]),
    )


def model_content(model: GradientBoostingClassifier, card: dict[str, str]) -> bytes:
    """Return the model's file."""
    share = float(model.init_.class_prior_[1])
    content = {
        "format": 1,
        "bias": round(_MILLION * float(np.log(share / (1 - share)))),
        "trees": [_full_tree(stage[0].tree_, float(model.learning_rate)) for stage in model.estimators_],
        "card": card,
    }
    return (canonical_json(content) + "\n").encode()


def _full_tree(
    tree: Any, rate: float
) -> dict[str, list[Any]]:  # Any: scikit-learn's compiled tree; questions and values
    ask: list[tuple[str, int, int]] = []
    level = [0]
    for _ in range(SETTINGS["max_depth"]):
        below = []
        for node in level:
            low, high = int(tree.children_left[node]), int(tree.children_right[node])
            name, line = INPUTS[tree.feature[node]] if low >= 0 else _ALWAYS[:2]
            at = int(np.floor(tree.threshold[node])) if low >= 0 else _ALWAYS[2]  # all numbers are whole
            ask.append((name, line, at))
            below += [low, high] if low >= 0 else [node, node]
        level = below
    return {"ask": ask, "values": [round(_MILLION * rate * float(tree.value[node, 0, 0])) for node in level]}


def main() -> None:
    """Train on all lines and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    lines = read_lines(arguments.lines)
    card = {
        "about": "Log odds that a line is text, not noise",
        "data": f"TurkuNLP text-quality annotations (Laippala et al. 2022): {len(lines.counts)} documents, {len(lines.text)} lines, de en es fi sv",
        "licence": "trained on annotations that come without a licence of their own; see docs/cards/line-noise.md",
        "settings": f"scikit-learn {sklearn.__version__}, {canonical_json(SETTINGS)}, caseless {CASELESS_WEIGHT}",
    }
    data = model_content(fit(lines, np.ones(len(lines.text), bool)), card)
    arguments.out.write_bytes(data)
    print(f"{arguments.out}: {len(data)} bytes")


if __name__ == "__main__":
    main()
