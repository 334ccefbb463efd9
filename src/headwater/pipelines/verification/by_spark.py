"""What verify reads most of, by Spark's tasks: the hashes of files, of texts and of shards, a piece at a time.

The driver holds the pieces' places and what is wrong; the bytes are read in the tasks. Everything else is checked by the driver, as without Spark.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from headwater.errors import CorruptLakeError, HeadwaterError, StoreError
from headwater.lineage.checks.found import Found
from headwater.lineage.checks.lake import Check, verify
from headwater.lineage.checks.pieces import Piece, check_piece
from headwater.lineage.checks.scope import EVERYTHING, Scope
from headwater.pipelines.spark.aligned import TASKS_PER_SLOT

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

__all__ = ["verify_by_spark"]

_AT_ONCE: Final = 1 << 16
"""Pieces that are sent to the tasks at once: the driver holds no more of them."""
_Answer = tuple[Found, str | None]
"""What a piece's check returned, and why it could not be made."""


def verify_by_spark(
    spark: SparkSession,
    lake: str,
    build: str | None = None,
    version: int | None = None,
    *,
    scope: Scope = EVERYTHING,
) -> list[Check]:
    """Return the result of every check, as ``verify`` does; files, texts and shards are read by tasks."""
    return verify(lake, build, version, each=partial(_in_tasks, spark.sparkContext), scope=scope)


def _in_tasks(context: SparkContext, pieces: Iterable[Piece]) -> Iterator[Found]:
    """Yield what each piece's check returns, in their order.

    Raises:
        CorruptLakeError: a piece cannot be read; the first one's message.
    """
    waiting: list[bytes] = []
    for piece in pieces:
        waiting.append(pickle.dumps(piece))
        if len(waiting) == _AT_ONCE:
            yield from _answers(context, waiting)
            waiting = []
    yield from _answers(context, waiting)


def _answers(context: SparkContext, pieces: list[bytes]) -> Iterator[Found]:
    if not pieces:
        return
    slices = max(1, min(len(pieces), TASKS_PER_SLOT * int(context.defaultParallelism)))
    # Neighbours are files of one family, of one size: dealt out in turn, tasks take equally long.
    dealt = [pieces[at::slices] for at in range(slices)]
    found = context.parallelize(dealt, slices).map(_check_all).collect()
    for place in range(len(pieces)):
        answer, failure = found[place % slices][place // slices]
        if failure is not None:
            raise CorruptLakeError(failure)
        yield answer


def _check_all(pieces: list[bytes]) -> list[_Answer]:
    return [_check(pickle.loads(piece)) for piece in pieces]  # noqa: S301 - written by this driver a moment ago


def _check(piece: Piece) -> _Answer:
    try:
        return check_piece(piece), None
    except StoreError:
        raise
    except HeadwaterError as error:
        return (0, []), str(error)
