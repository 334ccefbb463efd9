"""A lake that is sound, on a store that is not: no question calls it damaged, and none gives half an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest
from real_text import ALL
from small_lake import SmallLake
from stores.fixtures import Store
from stores.proxy import Fault

from headwater import Lake
from headwater.errors import StorageError
from headwater.lineage.checks.lake import verify

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_MOMENTS: Final = 40 if ALL else 4


def _verified(lake: str) -> object:
    checks = verify(lake)
    assert [check for check in checks if not check.passed] == []
    return [(check.name, check.count) for check in checks]


def _rows(lake: str) -> object:
    connection = Lake(lake).duckdb()
    return connection.sql("SELECT sample_id, text, kept, reasons FROM samples ORDER BY sample_id").fetchall()


def _read(lake: str) -> object:
    stage = Lake(lake).stage("small", "knowledge")
    return stage.gather(np.arange(len(stage)))[0].tolist()


QUESTIONS: Final[dict[str, Callable[[str], object]]] = {
    "verify": _verified,
    "sql": _rows,
    "reader": _read,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_takes_an_outage_for_damage(
    name: str, finished_lake: SmallLake, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 5 % of errors and cut bodies a question gives its answer; where the store fails for good from some request on, an error of the store."""
    ask = QUESTIONS[name]
    lake = store.upload(finished_lake.folder, "lake")
    expected = ask(str(finished_lake.folder))
    store.proxy.forget()
    assert ask(lake) == expected
    asked = sum(store.proxy.counts().values())
    store.proxy.reset(seed=5)
    monkeypatch.setenv("HEADWATER_RETRY_TIMEOUT", "10s")  # of a thousand requests some fail several times
    busy = [
        Fault(kind="error", status=503, share=0.05),
        Fault(kind="cut", share=0.05),
        Fault(kind="refuse", share=0.02),
    ]
    store.proxy.use(*busy)
    assert ask(lake) == expected
    assert sum(fault.struck for fault in busy) > 0
    monkeypatch.setenv("HEADWATER_RETRY_TIMEOUT", "1s")
    for moment in range(_MOMENTS):
        rule = Fault(kind="error", status=503, after=moment * asked // _MOMENTS)
        store.proxy.use(rule)
        with pytest.raises(StorageError) as said:
            ask(lake)
        assert rule.struck
        assert "nothing stored is damaged" in str(said.value)
    store.proxy.use()
    assert ask(lake) == expected
