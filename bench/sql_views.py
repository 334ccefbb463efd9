"""Processor time of questions in SQL: connecting, and some statements, each as the first one of a connection and as the second.

    python -m bench.sql_views LAKE [STATEMENT]...

Milliseconds of all threads of this process, without starting Python; the memory at the end is the most that it held.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import TypeVar

from headwater.lineage.views import connect_for_users

__all__ = ["main"]

_STATEMENTS = [
    "SELECT count(*) FROM samples",
    "SELECT language, count(*) FROM samples GROUP BY ALL",
    "SELECT language, count(*) FROM samples WHERE kept GROUP BY ALL",
    "SELECT uri FROM samples WHERE sample_id = 16777219",
    "SELECT count(*) FROM content WHERE batch = 'none'",
]
_Answer = TypeVar("_Answer")


def _timed(name: str, call: Callable[[], _Answer]) -> _Answer:
    begin = time.process_time()
    answer = call()
    print(f"{1000 * (time.process_time() - begin):10.1f} ms  {name}")
    return answer


def main() -> None:
    """Ask, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake")
    parser.add_argument("statement", nargs="*", default=_STATEMENTS)
    given = parser.parse_args()
    connection = _timed("connect", lambda: connect_for_users(given.lake))
    for statement in given.statement:
        for turn in ("first", "second"):
            _timed(f"{turn}: {statement}", lambda statement=statement: connection.execute(statement).fetchall())  # type: ignore[misc] # one type
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.0f} MiB at most")


if __name__ == "__main__":
    main()
