"""What docs/cards/line-noise.md says of the model of line noise, as JSON.

    python -m bench.noise_card LINES CORPUS

LINES as for ``bench.train_noise``. Three ways to split: each language judged by a model of the other four; documents held out in
five parts, all languages seen; and the shipped model on the lines that it was trained on. F1 of the class text, of noise, and
their mean, by language, with the mean over languages; beside them a rule of one line: text ends as a sentence does, or has 60
chars. `caseless`: the same lines as if their letters had no case. `by_document`: the mean over documents of the share of lines
that are judged rightly.

CORPUS is ``corpus`` of ``../shared``: of three sources that are parallel in many languages, the share of chars that is called
noise by language, which should be much the same.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.records import read_records
from bench.train_noise import INPUTS, Lines, fit, make_inputs, read_lines, without_case
from headwater.filters.noise.features import FEATURES
from headwater.filters.noise.judge import QUESTIONS
from headwater.filters.signals.measure import measure_signals

PARTS = 5
PARALLEL = ("course-edgeai", "debian-books", "opensource-guide")
MOST_DOCUMENTS = 60


def f1(text: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> float:
    """Return the F1 of a class that is True."""
    both = int(np.count_nonzero(text & found))
    return 2 * both / max(int(np.count_nonzero(text) + np.count_nonzero(found)), 1)


def figures(lines: Lines, found: npt.NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Return F1 of text, of noise and their mean, by language and over languages."""
    language = lines.by_line(lines.language)
    table: dict[str, dict[str, float]] = {}
    for name in sorted(set(lines.language.tolist())):
        mine = language == name
        text, noise = f1(lines.text[mine], found[mine]), f1(~lines.text[mine], ~found[mine])
        table[name] = {"text": text, "noise": noise, "mean": (text + noise) / 2}
    kinds = ("text", "noise", "mean")
    table["macro"] = {kind: float(np.mean([row[kind] for row in table.values()])) for kind in kinds}
    right = np.bincount(lines.by_line(np.arange(len(lines.counts))), found == lines.text) / lines.counts
    table["by_document"] = {"right": float(right.mean())}
    return {name: {kind: round(value, 4) for kind, value in row.items()} for name, row in table.items()}


def splits(lines: Lines, way: str) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield the lines that are judged, each once; the others are learned from."""
    if way == "languages":
        language = lines.by_line(lines.language)
        for name in sorted(set(lines.language.tolist())):
            yield language == name
        return
    groups = np.unique(lines.group)
    np.random.default_rng(0).shuffle(groups)
    for part in range(PARTS):
        yield np.isin(lines.by_line(lines.group), groups[part::PARTS])


def held_out(lines: Lines, way: str) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Return the figures of lines that the model did not see, as they are and without case."""
    inputs = make_inputs(lines.numbers, lines.counts)
    caseless = make_inputs(without_case(lines.numbers), lines.counts)
    found, found_caseless = np.zeros(len(lines.text), bool), np.zeros(len(lines.text), bool)
    for judged in splits(lines, way):
        model = fit(lines, ~judged)
        found[judged] = model.predict(inputs[judged])
        found_caseless[judged] = model.predict(caseless[judged])
    return figures(lines, found), figures(lines, found_caseless)


def shipped(lines: Lines) -> npt.NDArray[np.bool_]:
    """Return which lines the shipped model takes for text; kernels say the same, as tests show."""
    model = json.loads((files("headwater.filters") / "data" / "noise.json").read_bytes())
    inputs = make_inputs(lines.numbers, lines.counts)
    margins = np.full(len(lines.text), model["bias"])
    for tree in model["trees"]:
        places = np.array([INPUTS.index((name, line)) for name, line, _ in tree["ask"]])
        cuts = np.array([at for _, _, at in tree["ask"]])
        question = np.zeros(len(margins), np.int64)
        for _ in range(3):
            lower = inputs[np.arange(len(margins)), places[question]] <= cuts[question]
            question = 2 * question + np.where(lower, 1, 2)
        margins += np.array(tree["values"])[question - QUESTIONS]
    return margins >= 0


def parallel_shares(folder: Path) -> dict[str, float]:
    """Return the share of the chars of each language's first documents that is called noise."""
    shares = {}
    for path in sorted(folder.glob("*.jsonl.zst")):
        language = path.name.partition(".")[0]
        documents = islice(read_records(path), MOST_DOCUMENTS)
        texts = pa.array([document["text"] for document in documents], pa.large_string())
        signals = measure_signals(texts, pa.array([language] * len(texts)))
        chars, noise = (signals[name].to_numpy() for name in ("hw_chars", "hw_noise_chars_fraction"))
        shares[language] = round(float((chars * noise).sum() / chars.sum()), 3)
    return shares


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines", type=Path)
    parser.add_argument("corpus", type=Path)
    arguments = parser.parse_args()
    lines = read_lines(arguments.lines)
    place = {name: at for at, name in enumerate(FEATURES)}
    sentence = (lines.numbers[:, place["closing"]] == 5) | (lines.numbers[:, place["size"]] >= 60)
    by_language, by_language_caseless = held_out(lines, "languages")
    by_document, by_document_caseless = held_out(lines, "documents")
    report = {
        "documents": len(lines.counts),
        "groups": len(np.unique(lines.group)),
        "lines": len(lines.text),
        "one_rule": figures(lines, sentence),
        "language_held_out": by_language,
        "language_held_out_caseless": by_language_caseless,
        "documents_held_out": by_document,
        "documents_held_out_caseless": by_document_caseless,
        "shipped_on_its_own_lines": figures(lines, shipped(lines)),
        "noise_chars_of_parallel_text": {source: parallel_shares(arguments.corpus / source) for source in PARALLEL},
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
