"""Text made to be expensive: signals and spans of it are defined, equal the reference, and cost linear time and memory."""

from __future__ import annotations

import resource
import time

import numpy as np
import pyarrow as pa
import pytest
from signal_reference import reference_signals

from headwater.filters.signals.measure import SIGNALS, measure_signals
from headwater.filters.spans.find import OPERATORS, find_spans

HOSTILE = {
    "one letter": "a",
    "combining marks": "\u0301",
    "emoji with joiners": "👩\u200d👩\u200d👧\u200d👦🏽❤\ufe0f",
    "no spaces": "thequickbrownfox",
    "no spaces, Han": "東京都",
    "no spaces, Thai": "ภาษาไทย",
    "only newlines": "\n",
    "blank lines": " \n\t\n",
    "bidirectional controls": "\u202eabc\u202c \u2067דג\u2069 ",
    "mixed scripts": "aб東ก\u0915한a1 ",
    "capitals": "AÉЖ ",
    "numbers": "1,234.5 ",
    "openings of citations": "[",
    "half phrases": "privacy javascrip use cookie mskivaps ",
    "policy lines": "use cookies\n",
    "counters": "3 likes\n",
    "sentences of one letter": "a.",
    "words of one letter": "a ",
    "words": "ab cd ",
    "symbols": "@",
    "braces": "{",
    "first letters of phrases": "k",
    "javascript": "javascript\n",
    "lorem ipsum": "lorem ipsum ",
    "addresses": "a@b.co ",
    "beginnings of addresses": "a@",
    "unfinished addresses": "a@b.",
    "every token new": "",
}


def text_of(name: str, size: int) -> str:
    """About `size` bytes of one hostile thing."""
    unit = HOSTILE[name]
    if not unit:
        return " ".join(f"{number:x}" for number in range(size // 6))
    return unit * (size // len(unit.encode()))


def seconds_of(text: str) -> float:
    """Processor time of the signals and all spans of a text, the least of three runs."""
    texts, languages = pa.array([text], pa.large_string()), pa.array(["en"])
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        measure_signals(texts, languages)
        find_spans(texts, sorted(OPERATORS))
        least = min(least, time.process_time() - started)
    return least


@pytest.mark.parametrize("name", HOSTILE)
def test_results_equal_reference(name: str) -> None:
    """A few thousand bytes of each have the signals of the plain reference, bit by bit."""
    text = text_of(name, 3000)
    row = measure_signals(pa.array([text]), pa.array(["en"])).to_pylist()[0]
    for column, value in reference_signals(text, "en").items():
        wanted = np.float32(value) if pa.types.is_floating(SIGNALS[column]) else value
        assert row[column] == wanted, column


@pytest.mark.parametrize("name", HOSTILE)
def test_results_of_a_megabyte_are_defined(name: str) -> None:
    """A megabyte of each has finite signals, fractions of lines, words and chars between 0 and 1, and sorted spans."""
    texts = pa.array([text_of(name, 1_000_000)])
    row = measure_signals(texts, pa.array(["en"])).to_pylist()[0]
    assert all(np.isfinite(value) and value >= 0 for value in row.values())
    top = ("gopher_top_", "rpv2_top_")  # overlapping n-grams may count more chars than there are
    fractions = {name: value for name, value in row.items() if name.endswith("_fraction") and not name.startswith(top)}
    assert max(fractions.values()) <= 1
    spans = find_spans(texts, sorted(OPERATORS))
    begins, ends = spans["span_begin"].to_numpy(), spans["span_end"].to_numpy()
    assert np.all(begins < ends)
    assert np.all(ends[:-1] <= begins[1:])


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear(name: str) -> None:
    """Eight times the text takes less than 32 times as long: quadratic work would take 64 times."""
    seconds_of("warm up")
    assert seconds_of(text_of(name, 800_000)) < 32 * max(seconds_of(text_of(name, 100_000)), 0.001)


def test_memory_of_sixteen_mebibytes_is_bounded() -> None:
    """16 MiB of one letter take little beside the text: scratch is touched only as far as tokens and lines need it."""
    texts = pa.array(["a" * (16 << 20)], pa.large_string())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row = measure_signals(texts, pa.array(["en"])).to_pylist()[0]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (row["gopher_words"], row["c4_longest_word"]) == (1, 16 << 20)
    assert after - before < 100_000  # kilobytes


@pytest.mark.slow
def test_sixteen_mebibytes_of_lines() -> None:
    """16 MiB in which every other byte is a line are measured: the most lines that a text may have."""
    row = measure_signals(pa.array(["a\n" * (8 << 20)], pa.large_string()), pa.array(["en"])).to_pylist()[0]
    assert (row["c4_lines"], row["rpv2_lines"], row["gopher_words"]) == (8 << 20, 8 << 20, 8 << 20)
    assert row["c4_removed_lines_fraction"] == row["refinedweb_removed_words_fraction"] == 1
    assert row["rpv2_unigram_entropy"] == 0
