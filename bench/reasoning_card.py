"""What the models of reasoning reach, as JSON: the figures of docs/cards/reasoning-density.md and chain-of-thought.md.

    python -m bench.reasoning_card CORPUS BENCHMARKS [--held-out] > figures.json

BENCHMARKS holds GSM8K test and AIME, which no model was trained on. ``--held-out`` trains each model anew without one source at a time
(some minutes). AUC is that of a pair drawn at random; prose is that of ``bench.reasoning_samples``, in all languages.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from bench.reasoning_features import FEATURES, as_written, language_shifts, measure, parallel_pages, transformed
from bench.reasoning_samples import Sample, corpus_samples, own_samples
from bench.records import read_records
from bench.train_reasoning import GROUPS, OWN_TEXTS, SEED, TRAINED, fit_trees, labels_of, sample_weights
from headwater.filters.scores.calibration import probabilities
from headwater.filters.scores.heads import input_values, margins
from headwater.filters.scores.shipped import shipped_scorer
from headwater.pipelines.scoring.figures import auc, rank_correlation

HELD_OUT_TEXTS: Final = Path(__file__).parent / "reasoning_held_out.toml"
_MATHEMATICS: Final = ("worked-math", "competition-math", "stacks-project")
_BANDS: Final = ((0, 60), (60, 150), (150, 400), (400, 1 << 30))

Values = npt.NDArray[np.float64]


def _benchmarks(folder: Path) -> list[Sample]:
    found = []
    for name, worked, question in (
        ("gsm8k_test", "answer", "question"),
        ("aime24", "solution", "problem"),
        ("aime25", "solution", "problem"),
    ):
        for number, row in enumerate(read_records(folder / f"{name}.jsonl.zst", missing_ok=True)):
            asked = row.get(question) or row["question"]
            way = re.sub(r"<<.*?>>", "", row.get(worked) or "")
            found.append(Sample(id=f"{name}/{number}", language="en", source=name, group="statement", text=asked))
            if len(way) > 100:
                text = f"{asked}\n\n{way}" if name == "gsm8k_test" else way
                found.append(Sample(id=f"{name}/{number}", language="en", source=name, group="worked", text=text))
    return found


def _scores(name: str, samples: Sequence[Sample], signals: dict[str, Values]) -> Values:
    """Return the shipped model's score of each sample, 0 to 1."""
    model = shipped_scorer(name).model
    languages = [each.language for each in samples]
    return probabilities(model, margins(model, input_values(model, signals, languages))[0], languages)


def _auc(positive: Values, negative: Values) -> float | None:
    labels = np.arange(len(positive) + len(negative)) < len(positive)
    return _short(auc(np.concatenate([positive, negative]), labels))


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _by_group(samples: Sequence[Sample], score: Values, labels: Values) -> dict[str, object]:
    """Return AUC of the positives of each source against prose, against the hard negatives together and by group, and within bands of length."""
    group, source = np.array([each.group for each in samples]), np.array([each.source for each in samples])
    words = np.array([len(each.text) / 5 for each in samples])
    positive, prose = labels == 1, group == "prose"
    hard = (labels == 0) & ~prose
    return {
        "positives against prose": {
            name: _auc(score[positive & (source == name)], score[prose])
            for name in sorted(set(source[positive].tolist()))
        },
        "positives against hard negatives": _auc(score[positive], score[hard]),
        "by hard negative": {
            name: _auc(score[positive], score[hard & (group == name)]) for name in sorted(set(group[hard].tolist()))
        },
        "within its own source": {
            name: _auc(score[positive & (source == name)], score[(labels == 0) & (source == name)])
            for name in _MATHEMATICS
        },
        "within bands of length": {
            f"{low} to {high} times 5 chars": _auc(score[positive & band], score[(labels == 0) & band])
            for low, high in _BANDS
            if (band := (words >= low) & (words < high)).any()
        },
        "rank correlation with length": _short(rank_correlation(score, words)),
        "length alone": _auc(words[positive], words[labels == 0]),
        "median score": {
            name: round(float(np.median(score[group == name])), 3) for name in sorted(set(group.tolist()))
        },
    }


def _by_language(
    samples: Sequence[Sample], score: Values, labels: Values, languages: Sequence[str]
) -> dict[str, object]:
    language, group = np.array([each.language for each in samples]), np.array([each.group for each in samples])
    among = np.isin(language, languages)
    own = {
        each: [
            _auc(score[at & (labels == 1)], score[at & (labels == 0)]),
            round(float(np.median(score[at & (labels == 1)])), 3),
        ]
        for each in languages
        if (at := language == each).any()
    }
    return {
        "AUC and median of positives": own,
        "all together": _auc(score[among & (labels == 1)], score[among & (labels == 0)]),
        "by group": {
            name: _auc(score[among & (labels == 1) & (group == name)], score[among & (labels == 0)])
            for name in sorted(set(group[labels == 1].tolist()))
        },
        "share of positives at 0.5": round(float((score[among & (labels == 1)] >= 0.5).mean()), 3),
        "share of negatives at 0.5": round(float((score[among & (labels == 0)] >= 0.5).mean()), 3),
    }


def _parallel(pages: Sequence[Sample], score: Values) -> dict[str, object]:
    """Return language → median gap to English and rank correlation with it."""
    language = np.array([page.language for page in pages])
    english = {page.id: at for at, page in enumerate(pages) if page.language == "en"}
    original = np.array([english[page.id] for page in pages])
    found: dict[str, object] = {}
    for each in sorted(set(language.tolist()) - {"en"}):
        at = np.flatnonzero(language == each)
        gap = float(np.median(np.abs(score[at] - score[original[at]])))
        found[each] = [round(gap, 4), _short(rank_correlation(score[at], score[original[at]]))]
    return found


def _without_source(samples: list[Sample], values: Values, groups: dict[str, int | None]) -> dict[str, object]:
    """Return source → AUC of its positives against prose and against its own negatives, of a model trained without it."""
    labels = labels_of(samples, groups)
    source, group = np.array([each.source for each in samples]), np.array([each.group for each in samples])
    kept = ~np.isnan(labels)
    found: dict[str, object] = {}
    for name in _MATHEMATICS:
        mine = source == name
        if not (labels[mine] == 1).any():
            continue
        at = np.flatnonzero(kept & ~mine)
        fitted = fit_trees(values[at], labels[at], sample_weights([samples[i] for i in at], labels[at]))
        margin = fitted.decision_function(values)
        positive = mine & (labels == 1)
        found[name] = [
            _auc(margin[positive], margin[group == "prose"]),
            _auc(margin[positive], margin[mine & (labels == 0)]),
        ]
    return found


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("--held-out", action="store_true")
    options = parser.parse_args()
    samples, fresh = (as_written(corpus_samples(options.corpus, seed)) for seed in (SEED, SEED + 1))
    own, other = own_samples(OWN_TEXTS), own_samples(HELD_OUT_TEXTS)
    asked, pages = _benchmarks(options.benchmarks), parallel_pages(options.corpus)
    sets = {"fresh": fresh, "own": own, "held out": other, "benchmarks": asked, "pages": pages}
    signals = {name: measure(each) for name, each in sets.items()}
    reported = sorted({each.language for each in own} - TRAINED)
    report: dict[str, object] = {"texts": {name: len(each) for name, each in sets.items()}}
    for name, groups in GROUPS.items():
        scores = {key: _scores(name, each, signals[key]) for key, each in sets.items()}
        labels = {key: labels_of(each, groups) for key, each in sets.items()}
        source = np.array([each.source for each in asked])
        prose = np.array([each.group == "prose" for each in fresh])
        figures: dict[str, object] = {
            "corpus, cut anew": _by_group(fresh, scores["fresh"], labels["fresh"]),
            "own texts, languages trained on": _by_language(own, scores["own"], labels["own"], sorted(TRAINED)),
            "own texts, languages not seen": _by_language(own, scores["own"], labels["own"], reported),
            "other texts": _by_language(
                other, scores["held out"], labels["held out"], sorted({each.language for each in other})
            ),
            "benchmarks": {
                each: [
                    _auc(scores["benchmarks"][(source == each) & (labels["benchmarks"] == 1)], against)
                    for against in (
                        scores["fresh"][prose],
                        scores["benchmarks"][(source == each) & (labels["benchmarks"] == 0)],
                    )
                ]
                for each in sorted(set(source.tolist()))
            },
            "translations": _parallel(pages, scores["pages"]),
        }
        if options.held_out:
            everything = samples + [each for each in own if each.language in TRAINED]
            shifts = language_shifts(pages, transformed(signals["pages"]))
            moved = np.array([shifts.get(each.language, np.zeros(len(FEATURES))) for each in everything])
            values = transformed(measure(everything)) - moved
            values = np.clip((values - values.mean(axis=0)) / values.std(axis=0), -4.0, 4.0)
            figures["trained without the source"] = _without_source(everything, values, dict(groups))
        report[name] = figures
    print(json.dumps(report, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
