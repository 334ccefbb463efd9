"""The arms: how much each wants a document. The order by falling wish is the order in which an arm takes documents until its budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.ablation.documents import Document, hash_fraction
from bench.ablation.old_formulas import old_scores
from bench.ablation.tokens import Ids
from headwater.filters.scores.score import score, shipped_models
from headwater.filters.signals.measure import measure_signals

__all__ = ["ARMS", "SCORES", "Choice", "choose", "models_read", "wishes"]

SCORES: Final = ("knowledge_density", "quality", "reasoning_density")
ARMS: Final = (
    "random",
    *(f"new_{name}" for name in SCORES),
    *(f"old_{name}" for name in SCORES),
    "datatrove",
    "longest",
)
"""`longest` is a control: what a score would give that looked at nothing but the length."""

_Wishes = npt.NDArray[np.float64]
_BATCH: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What an arm took.

    Attributes:
        places: of the documents, in the order in which a model reads them: by hash, whatever the arm.
        n_tokens: of each; the one across the limit is cut there.
    """

    places: list[int]
    n_tokens: list[int]


def models_read() -> dict[str, str]:
    """Return for each score the SHA-256 of the model that ships for it."""
    shipped = shipped_models()
    return {name: shipped[name].model.sha256 for name in SCORES}


def wishes(
    documents: Sequence[Document], language: str, kept: Sequence[bool] | None
) -> dict[str, Callable[[int], _Wishes]]:
    """Return for each arm a function from a seed to what it would rather have (higher) and what it never takes (NaN).

    Args:
        documents: n of them.
        language: of all.
        kept: what datatrove's filters say, one a document; None leaves the arm out.
    """
    new, old = _score(documents, language)
    sizes = np.array([document.n_bytes for document in documents], np.float64)

    def at_random(seed: int) -> _Wishes:
        return np.array([hash_fraction(f"order {seed}", document.key) for document in documents])

    found: dict[str, Callable[[int], _Wishes]] = {"random": at_random}
    for name in SCORES:
        found[f"new_{name}"] = _constant(new[name])
    for name in SCORES:
        found[f"old_{name}"] = _constant(old[name])
    if kept is not None:
        passes = np.array(kept, np.bool_)
        found["datatrove"] = lambda seed: np.where(passes, at_random(seed), np.nan)
    return found | {"longest": _constant(sizes)}


def choose(
    wish: _Wishes, documents: Sequence[Document], ids: Sequence[Ids], members: Sequence[int], budget: int, seed: int
) -> Choice:
    """Return the documents of `members` that are wanted most, until they have `budget` tokens with one for the end of each; ties by key."""
    ranked = sorted(
        (place for place in members if not np.isnan(wish[place])),
        key=lambda place: (-wish[place], documents[place].key),
    )
    taken: list[tuple[int, int]] = []
    left = budget
    for place in ranked:
        if left <= 0:
            break
        n_tokens = min(len(ids[place]) + 1, left)
        taken.append((place, n_tokens))
        left -= n_tokens
    taken.sort(key=lambda item: hash_fraction(f"reading {seed}", documents[item[0]].key))
    return Choice(places=[place for place, _ in taken], n_tokens=[n_tokens for _, n_tokens in taken])


def _constant(values: _Wishes) -> Callable[[int], _Wishes]:
    return lambda _: values


def _score(documents: Sequence[Document], language: str) -> tuple[Mapping[str, _Wishes], Mapping[str, _Wishes]]:
    """Scores of the checked-out code, and of the old formulas; NaN where a document has none."""
    new: dict[str, list[_Wishes]] = {name: [] for name in SCORES}
    old: dict[str, list[_Wishes]] = {name: [] for name in SCORES}
    shipped = shipped_models()
    models = {name: shipped[name] for name in SCORES}
    for begin in range(0, len(documents), _BATCH):
        texts = pa.array([document.text for document in documents[begin : begin + _BATCH]], pa.large_string())
        languages = pa.array([language] * len(texts))
        signals = measure_signals(texts, languages)
        scored, by_formula = score(signals, languages, models, texts), old_scores(signals)
        for name in SCORES:
            new[name].append(scored[name].cast(pa.float64()).to_numpy(zero_copy_only=False))
            old[name].append(by_formula[name])
    return _joined(new), _joined(old)


def _joined(parts: Mapping[str, list[_Wishes]]) -> dict[str, _Wishes]:
    return {name: np.concatenate(values) for name, values in parts.items()}
