"""A call of DuckDB that heeds no interrupt, or takes memory within one value, ends the process where its owner wants that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import duckdb
import pytest

from headwater.errors import LimitError
from headwater.lineage import sql_watch
from headwater.lineage.sql_watch import Watch


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose interrupt reaches nothing, since the calls here are none of DuckDB's."""
    with duckdb.connect() as opened:
        yield opened


def _deaf(given_up: list[BaseException]) -> tuple[Callable[[], bool], Callable[[BaseException], None]]:
    """Return a call that ends only when it is given up."""
    ended = threading.Event()

    def give_up(reason: BaseException) -> None:
        given_up.append(reason)
        ended.set()

    return lambda: ended.wait(60), give_up


def test_a_call_that_heeds_no_interrupt_is_given_up(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time and the time for an interrupt to have its effect, with the message of the limit."""
    monkeypatch.setattr(sql_watch, "_GRACE_S", 0.5)
    given_up: list[BaseException] = []
    call, give_up = _deaf(given_up)
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"stopped after 0\.2 s"):
        Watch(0.2, 1 << 30, give_up).over(connection, call)
    assert 0.7 <= time.monotonic() - begin < 20
    assert [type(reason) for reason in given_up[:1]] == [LimitError]


def test_a_call_that_ends_in_its_grace_is_not_given_up(connection: duckdb.DuckDBPyConnection) -> None:
    """An interrupt that has its effect is enough."""
    given_up: list[BaseException] = []
    with pytest.raises(LimitError, match="stopped after"):
        Watch(0.1, 1 << 30, given_up.append).over(connection, lambda: time.sleep(0.6))
    assert given_up == []


def test_memory_beyond_all_measure_is_given_up(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process as a whole is looked at while the call goes on."""
    used = iter([10**8, 2 * 10**8])
    monkeypatch.setattr(sql_watch, "_resident", lambda: next(used, 10**10))
    given_up: list[BaseException] = []
    call, give_up = _deaf(given_up)
    Watch(None, 1 << 30, give_up).over(connection, call)
    assert "far more than 1,073,741,824 bytes of memory" in str(given_up[0])
    assert sql_watch._GRACE_BYTES < 10**9


def test_the_memory_of_this_process_is_known() -> None:
    """Where the system tells it, it grows with what is taken."""
    before = sql_watch._resident()
    held = b"x" * 200_000_000
    assert before == 0 or sql_watch._resident() - before > 150_000_000
    assert len(held) == 200_000_000


def test_answers_and_errors_pass_through(connection: duckdb.DuckDBPyConnection) -> None:
    """What the call gives or raises is the caller's."""
    watch = Watch(60, 1 << 30, None)
    assert watch.over(connection, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        watch.over(connection, lambda: 1 // 0)
