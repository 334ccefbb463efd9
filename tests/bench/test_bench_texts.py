"""The benchmarks that read texts of their own: what is repeated, counted and normalised, never how long it takes."""

from __future__ import annotations

import random
import sys

import pyarrow as pa
import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))  # pytest may be started from elsewhere

from bench.language_forms import FORMS, in_forms, recalls
from bench.number_duplicates import CHOICES, removed
from bench.worst_texts import OPERATIONS, TEXTS, make_text, measure

from headwater.filters.language.identify import load_model

_WORDS = [a + b + c for a in "bdfgkl" for b in "aeiou" for c in ("m", "rt", "ns")]


def _scored(texts: list[str], domain: str) -> tuple[pa.LargeStringArray, pa.RecordBatch]:
    scores = pa.record_batch(
        {"domain": pa.array([domain] * len(texts)), "quality": pa.array(range(len(texts)), pa.int32())}
    )
    return pa.array(texts, pa.large_string()), scores


def _pages(numbers: int) -> list[str]:
    """Ten texts of 90 words that differ in some numbers, far enough apart to stand in five shingles each."""
    draw = random.Random(1)
    words = [draw.choice(_WORDS) for _ in range(90)]
    pages = []
    for page in range(10):
        text = list(words)
        for place in range(numbers):
            text[4 + 7 * place] = str(100 + 10 * place + page)
        pages.append(" ".join(text))
    return pages


@pytest.mark.parametrize(
    ("numbers", "domain", "gone"),
    [
        (5, "general", {"fold": 9, "keep": 0, "by kind": 9, "default": 9}),
        (5, "math", {"fold": 9, "keep": 0, "by kind": 0, "default": 0}),
        (12, "general", {"fold": 9, "keep": 0, "by kind": 9, "default": 0}),
        (1, "math", {"fold": 9, "keep": 9, "by kind": 9, "default": 9}),
    ],
)
def test_what_each_choice_removes(numbers: int, domain: str, gone: dict[str, int]) -> None:
    """Through bands, pairs and elections: numbers in 25 of 86 shingles are folded in prose, in 60 nowhere, and in five they make no difference."""
    array, scores = _scored(_pages(numbers), domain)
    assert {name: removed(array, scores, choice) for name, choice in CHOICES.items()} == gone
    assert removed(array, scores, CHOICES["fold"], 112) == 0


def test_short_and_empty_texts_are_compared_whole() -> None:
    """Texts without bands are removed by equal normalised text alone; texts without any are each their own."""
    array, scores = _scored(["Two and 2!", "two and 2", "two and 3", "...", "!!!"], "general")
    assert {removed(array, scores, choice) for choice in CHOICES.values()} == {1}


@pytest.mark.parametrize("name", TEXTS)
def test_expensive_texts_have_their_size(name: str) -> None:
    """Nearly as many bytes as asked for, and whole characters."""
    assert 0.7 < len(make_text(name, 12_000).encode()) / 12_000 <= 1


def test_every_operation_is_measured() -> None:
    """Each operator gives both figures of each text."""
    found = measure(list(OPERATIONS), ["addresses"], 20_000)
    assert set(found["addresses"]) == set(OPERATIONS)
    assert all(cost > 0 and growth > 0 for cost, growth in found["addresses"].values())


def test_forms_of_a_text() -> None:
    """Four forms, and a share for each."""
    texts = ["비가 그쳤기 때문에 아이들은 걸어서 집으로 돌아갔다.", "Ｋｏｒｅａｎ"]
    forms = in_forms(texts)
    assert list(forms) == list(FORMS)
    assert len({array.to_pylist()[0] for array in forms.values()}) == 2
    assert forms["NFKC"].to_pylist()[1] == "Korean"
    assert recalls(texts[:1], "ko", load_model()) == [1.0] * 4
