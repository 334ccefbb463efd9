"""The shipped models of reasoning: what they say of texts written for them, in languages and of contents that they were not trained on."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headwater.filters.scores.score import score
from headwater.filters.scores.shipped import shipped_scorer
from headwater.filters.signals.measure import measure_signals

_WORKED = {
    "en": "There are 4 boxes with 12 pens each, so we have 4 * 12 = 48 pens. 15 are given away, therefore 48 - 15 = 33 pens are left.",
    "nl": "Er zijn 4 dozen met elk 12 pennen, dus we hebben 4 * 12 = 48 pennen. Er gaan er 15 weg, daarom blijven 48 - 15 = 33 pennen over.",
    "vi": "Có 4 hộp, mỗi hộp 12 bút, vậy ta có 4 * 12 = 48 bút. Cho đi 15 bút, do đó còn lại 48 - 15 = 33 bút.",
}
_ARGUMENT = (
    "The lamp does not light. If the bulb were broken, the second lamp on the same wire would still work, but it does not. "
    "Therefore the fault is in the wire or in the fuse, and since the fuse is new, it must be the wire."
)
_OTHERS = {
    "key": "1. 42\n2. 17\n3. 9.5\n4. x = 3\n5. 128\n6. 77\n7. 0.25\n8. 64\n9. 12\n10. 31",
    "table": "\n".join(f"7 × {n} = {7 * n}" for n in range(1, 13)),
    "statement": "A shop sells pens at 2 euros and books at 9 euros. On Monday it sold 14 pens and 6 books. How much did it take?",
    "news": "The bridge was opened on Monday by the minister. It is 420 metres long and cost 35 million euros.",
}


def _scores(texts: list[str], languages: list[str], name: str) -> list[float]:
    tags = pa.array(languages)
    found = score(measure_signals(pa.array(texts), tags), tags)[name].to_pylist()
    return [each / 65535 for each in found]


def test_models_ship() -> None:
    """Both are trained models with a card, of trees, that read no text; a center is there for every language but English."""
    for name in ("reasoning_density", "chain_of_thought"):
        model = shipped_scorer(name).model
        assert model.kind == "trees"
        assert model.words is None
        assert set(model.card) >= {"about", "data", "licence", "settings", "trained"}
        assert len(model.centers) == 29


@pytest.mark.parametrize("name", ["reasoning_density", "chain_of_thought"])
def test_worked_solutions_stand_above_what_looks_alike(name: str) -> None:
    """In each language above answer keys, tables, problems without solutions and news, with room between."""
    worked = _scores(list(_WORKED.values()), list(_WORKED), name)
    others = _scores(list(_OTHERS.values()), ["en"] * len(_OTHERS), name)
    assert min(worked) > 0.5 > max(others)


def test_an_argument_reasons_but_is_no_chain_of_thought() -> None:
    """Reasoning without mathematics counts as reasoning, not as a worked solution."""
    assert _scores([_ARGUMENT], ["en"], "reasoning_density")[0] > 0.5
    assert _scores([_ARGUMENT], ["en"], "chain_of_thought")[0] < 0.5
