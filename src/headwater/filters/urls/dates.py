"""When documents were collected, as far as the dates that records give can be read: one number to order captures by."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["UNKNOWN", "capture_times"]

UNKNOWN: Final = np.iinfo(np.int64).min
"""Time of a record whose date is missing or cannot be read: before every other."""
_LONGEST: Final = 64
_ISO: Final = re.compile(
    r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:[Tt ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([Zz]|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?)?",
    re.ASCII,
)
_DIGITS: Final = re.compile(r"\d{4}(\d{2}){0,5}", re.ASCII)
_SECONDS: Final = re.compile(r"\d{9,10}(?:\.\d{1,9})?", re.ASCII)
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)


def capture_times(dates: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """Return microseconds since 1970 in UTC, int64 [n]; ``UNKNOWN`` for what is no date.

    Read are ISO 8601 and WARC-Date (a part that lacks is the first: a day is its midnight; no zone is UTC), fourteen digits or fewer pairs of
    them (but ten) as web archives write, dates of HTTP and mail (RFC 9110, RFC 5322), and seconds or milliseconds since 1970.

    >>> capture_times(["2024-05-06T07:08:09Z", "20240506070809", "Mon, 06 May 2024 07:08:09 GMT", "1714979289"]).tolist()
    [1714979289000000, 1714979289000000, 1714979289000000, 1714979289000000]
    >>> capture_times(["2024-05-06", "yesterday", None]).tolist()[0], bool(capture_times(["yesterday"])[0] == UNKNOWN)
    (1714953600000000, True)
    """
    known: dict[str | None, int] = {None: UNKNOWN}
    for date in dates:
        if date not in known:
            known[date] = _time(str(date).strip())
    return np.array([known[date] for date in dates], np.int64)


def _time(date: str) -> int:
    if not date or len(date) > _LONGEST:
        return UNKNOWN
    try:
        found = _read(date)
    except (ValueError, OverflowError, TypeError):  # no such day, a year beyond all calendars
        return UNKNOWN
    if found is None:
        return UNKNOWN
    if found.tzinfo is None:
        found = found.replace(tzinfo=datetime.UTC)
    return (found - _EPOCH) // _MICROSECOND


def _read(date: str) -> datetime.datetime | None:
    if _SECONDS.fullmatch(date):
        return _EPOCH + datetime.timedelta(seconds=float(date))
    if len(date) == 13 and date.isdecimal():
        return _EPOCH + datetime.timedelta(milliseconds=int(date))
    if _DIGITS.fullmatch(date):
        parts = [int(date[:4]), *(int(date[place : place + 2]) for place in range(4, len(date), 2))]
        return _utc(*parts, *(1, 1, 1, 0, 0, 0)[len(parts) :])
    found = _ISO.fullmatch(date)
    if found is None:
        return parsedate_to_datetime(date)
    *named, fraction, zone = found.groups()
    given = [int(part) if part else 0 for part in named]
    whole = _utc(given[0], given[1] or int(named[1] is None), given[2] or int(named[2] is None), *given[3:])
    whole += datetime.timedelta(microseconds=int((fraction or "").ljust(6, "0")[:6]))
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        away = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        whole += away if zone[0] == "-" else -away
    return whole


def _utc(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime.datetime:
    """Return a time in UTC; a leap second is the second before it."""
    return datetime.datetime(year, month, day, hour, minute, 59 if second == 60 else second, tzinfo=datetime.UTC)
