"""Scores: range, missing signals, and the order of plain cases."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from headwater.errors import UsageError
from headwater.filters.scores.names import DOMAIN, DOMAINS, SCORES
from headwater.filters.scores.score import score
from headwater.filters.scores.shipped import shipped_scorer
from headwater.filters.signals.kinds import KIND_SIGNALS
from headwater.filters.signals.measure import SIGNALS, measure_signals

PROSE = (
    "The history of the river is long, and the people who lived along it have told many stories about its floods. "
    "In 1862 the water rose eleven metres above the usual level, which destroyed most of the bridges of the county. "
    "Engineers of that time had to choose between rebuilding the old stone arches and constructing iron trusses. "
    "They decided, after months of debate with the council, to combine both materials, and that choice still holds.\n"
    "Today the embankment is a park. Visitors walk from the museum to the harbour and read about the great flood.\n"
)
CODE = (
    "import os\n\nclass Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, x):\n"
    "        self.items.append(x)\n\n    def pop(self):\n        if not self.items:\n            return None\n"
    "        return self.items.pop()\n\n    def size(self):\n        return len(self.items)\n"
)
STEPS = (
    "1. First we compute the cost of the apples: 3 * 4 = 12 dollars.\n"
    "2. Then we add the cost of the pears, so 12 + 5 = 17 dollars in all.\n"
    "3. Since she pays with a note of 20, her change is 20 - 17 = 3 dollars.\n"
    "4. Therefore the answer is 3 because nothing else was bought that day.\n"
)
LATEX = (
    "Let $f \\colon X \\to Y$ be a morphism. Then $\\mathcal{F} \\otimes \\mathcal{G}$ is flat, since $\\phi$ is.\n" * 2
)
COLUMNS = (*SCORES, DOMAIN)
JUNK = "click here click here click here\n" * 30


def scores_of(*texts: str, language: str = "en") -> list[dict[str, Any]]:
    """Scores of a few texts in one language."""
    languages = pa.array([language] * len(texts))
    rows: list[dict[str, object]] = score(measure_signals(pa.array(texts), languages), languages).to_pylist()
    return rows


def test_columns() -> None:
    """Four scores as int32 and the domain as string, one row a text; no text, no rows."""
    languages = pa.array([], pa.string())
    batch = score(measure_signals(pa.array([], pa.string()), languages), languages)
    assert batch.schema == pa.schema([*((name, pa.int32()) for name in SCORES), ("domain", pa.string())])
    assert batch.num_rows == 0


@pytest.mark.parametrize(
    ("text", "domain"),
    [("", "general"), (PROSE, "narrative"), (CODE, "code"), (STEPS, "math"), (LATEX, "math")],
)
def test_domain(text: str, domain: str) -> None:
    """Plain cases fall into the domain of their kind; empty text is general."""
    assert scores_of(text)[0]["domain"] == domain
    assert domain in DOMAINS


def test_order_of_plain_cases() -> None:
    """Prose is better than repeated junk; proofs and steps reason more than prose; only steps are a chain of thought."""
    prose, code, steps, latex, junk = scores_of(PROSE, CODE, STEPS, LATEX.splitlines()[0], JUNK)
    assert prose["quality"] > 2 * junk["quality"]
    assert prose["knowledge_density"] > 2 * junk["knowledge_density"]
    assert (
        min(steps["reasoning_density"], code["reasoning_density"], latex["reasoning_density"])
        > prose["reasoning_density"]
    )
    assert steps["chain_of_thought"] > 20_000
    assert max(row["chain_of_thought"] for row in (prose, code, latex, junk)) < 3_000


def test_empty_text_scores_little() -> None:
    """Nothing has little quality, knowledge, reasoning or thought: less than a fifth of what there can be."""
    assert max(scores_of("")[0][name] for name in SCORES) < 65_535 // 5


@pytest.mark.parametrize("value", [0.0, 1.0, 1e9])
def test_scores_stay_in_range(value: float) -> None:
    """Whatever the signals, a score is from 0 to 65535."""
    columns = [pa.array([kind.to_pandas_dtype()(value)], kind) for kind in SIGNALS.values()]
    batch = score(pa.RecordBatch.from_arrays(columns, names=list(SIGNALS)), pa.array(["en"]))
    assert all(0 <= batch[name].to_pylist()[0] <= 65535 for name in SCORES)


@pytest.mark.parametrize("hole", [None, math.nan])
def test_missing_signal_gives_null(hole: float | None) -> None:
    """A null or NaN signal gives null in that row and those columns whose models read it, and leaves all others alone."""
    languages = pa.array(["en", "en"])
    batch = measure_signals(pa.array([PROSE, PROSE]), languages)
    whole = scores_of(PROSE)[0]
    read = {column: set(shipped_scorer(column).model.signals) for column in COLUMNS}
    read["domain"] |= set(KIND_SIGNALS)
    for name, kind in SIGNALS.items():
        if not pa.types.is_floating(kind):
            continue
        column = pa.array([hole, batch[name][1].as_py()], kind, from_pandas=False)
        broken = batch.set_column(batch.schema.get_field_index(name), name, column)
        first, second = score(broken, languages).to_pylist()
        assert first == {each: None if name in read[each] else whole[each] for each in COLUMNS}, name
        assert second == whole


def test_language_without_list_is_not_punished() -> None:
    """A language without lists is judged by what needs none, and comes out much the same."""
    unknown, english = scores_of(PROSE, language="und")[0], scores_of(PROSE)[0]
    assert 0.8 * english["quality"] < unknown["quality"] < 1.2 * english["quality"]


def test_wrong_arguments() -> None:
    """A batch without all signals, or with other languages than rows, is refused by name."""
    languages = pa.array(["en"])
    batch = measure_signals(pa.array([PROSE]), languages)
    with pytest.raises(UsageError, match="hw_urls"):
        score(batch.drop_columns(["hw_urls"]), languages)
    with pytest.raises(UsageError, match="one language a row"):
        score(batch, pa.array(["en", "de"]))
