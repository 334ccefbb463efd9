"""Lists of sample ids that people hand in: a file of them, ids of a program; each must be of the lake."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from headwater.errors import StorageError, UsageError
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.snapshot import Snapshot

__all__ = ["known_samples", "read_samples"]

_Ints = npt.NDArray[np.int64]
_MOST = (1 << 63) - 1


def read_samples(given: str | Sequence[int]) -> _Ints:
    """Return the ids of a list, each once, ascending.

    Args:
        given: ids, or the name of a file with one a line (``-`` is standard input): a number, or a JSON object with ``sample_id``, as
            ``find --output jsonl`` writes them. Empty lines count for nothing.

    Raises:
        UsageError: a line holds neither, or there is none.
        StorageError: the file cannot be read.
    """
    if isinstance(given, str):
        where = "standard input" if given == "-" else given
        numbers = np.fromiter(_numbers(_lines(given), where), np.int64)
    else:
        where = "the list"
        numbers = np.fromiter(
            (_checked(number, f"at {place} of the list") for place, number in enumerate(given)), np.int64
        )
    if not len(numbers):
        raise UsageError(f"expected ids of samples in {where}, found none")
    return np.unique(numbers)


def _lines(name: str) -> Iterator[bytes]:
    if name == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as file:
            yield from file
    except OSError as error:
        raise StorageError(f"cannot read the list of samples {name}: {error.strerror or error}") from error


def _numbers(lines: Iterable[bytes], where: str) -> Iterator[int]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        place = f"on line {number} of {where}"
        if text.isdigit():
            yield _checked(int(text), place)
            continue
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        yield _checked(found.get("sample_id") if isinstance(found, dict) else None, place)


def _checked(value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value <= _MOST:
        raise UsageError(f"expected a sample_id, or a JSON object that has one, {place}, found something else")
    return int(value)


def known_samples(snapshot: Snapshot, samples: _Ints) -> npt.NDArray[np.bool_]:
    """Return which ids are of samples of a version, bool [n]; the log alone is read.

    Args:
        samples: ascending int64 [n].
    """
    files = snapshot.live("content")
    fragments, rows = files["base"].to_numpy(), files["rows"].to_numpy()
    if not len(fragments):
        return np.zeros(len(samples), np.bool_)
    at = np.minimum(np.searchsorted(fragments, samples >> ROW_BITS), len(fragments) - 1)
    known: npt.NDArray[np.bool_] = (fragments[at] == samples >> ROW_BITS) & (samples & ((1 << ROW_BITS) - 1) < rows[at])
    return known
