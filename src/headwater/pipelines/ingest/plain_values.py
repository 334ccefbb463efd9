"""Values of Arrow columns as plain Python values that JSON can hold, whatever their type and however extreme.

A value that Python's own type cannot hold comes as text: a date beyond the years 1 to 9999 as ISO 8601 writes it (``+10000-01-01``), a time
of day beyond a day or a duration beyond 10^9 days with its number and unit. A string that is no UTF-8 comes with its faulty bytes replaced,
as ``Replaced``. Nothing raises because of a value, so one bad cell costs neither its row nor its file.

Dates, times, timestamps and durations that Python holds come as its own objects, with microseconds at most; decimals as text; binary
values as text where they are UTF-8, else as hexadecimal; maps as lists of pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.pipelines.ingest.json_lines import Replaced

__all__ = ["Quantity", "plain_rows", "plain_values"]


class Quantity(str):
    """A time of day, a duration or an interval as text: neither a name nor a date, so it fills no column but ``meta``."""

    __slots__ = ()


_A_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_TEMPORAL: Final = (
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
    pa.types.is_duration,
    pa.types.is_interval,
)
_DAY_S: Final = 86_400
_FAULTS: Final = (pa.ArrowException, OverflowError, ValueError, LookupError, OSError)
"""What pyarrow raises for values that Python cannot hold, and for time zones that it cannot find (OSError: the zone names a folder)."""


def plain_rows(batch: pa.RecordBatch, max_nesting: int) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """Return a dict a row, and the columns that hold ``Replaced`` strings; of columns of one name the second is called ``name_2``, and so on.

    >>> plain_rows(pa.record_batch({"a": [1, None], "b": [["x"], []]}), 64)
    ([{'a': 1, 'b': ['x']}, {'a': None, 'b': []}], ())
    """
    if batch.num_columns == 0:
        return [{} for _ in range(batch.num_rows)], ()
    names = _unique(batch.schema.names)
    columns: list[list[Any]] = []  # Any: see plain_values
    broken: list[str] = []
    for name, column in zip(names, batch.columns, strict=True):
        replaced: list[int] = []
        columns.append(plain_values(column, max_nesting, replaced, 2))
        broken += [name] if replaced else []
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)], tuple(broken)


def plain_values(
    array: pa.Array, max_nesting: int, replaced: list[int] | None = None, level: int = 1
) -> list[Any]:  # Any: whatever the column holds
    """Return the values of an array; None for null.

    Args:
        max_nesting: deepest level of a list or object that is read; one that lies deeper comes empty, and so is still seen to be too deep.
        replaced: gets an entry where strings are ``Replaced``: how many of them.
        level: of the array's own values.
    """
    replaced = [] if replaced is None else replaced
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        # The extension types of Arrow itself have values of their own; of any other its storage is what can be known.
        if isinstance(kind, pa.Bool8Type):
            return _to_python(array)
        if isinstance(kind, pa.UuidType):
            return [None if value is None else str(value) for value in _to_python(array)]
        return plain_values(array.storage, max_nesting, replaced, level)
    if pa.types.is_dictionary(kind):
        values = plain_values(array.dictionary, max_nesting, replaced, level)
        return [None if index is None else values[index] for index in _to_python(array.indices)]
    if pa.types.is_run_end_encoded(kind):
        return plain_values(pc.run_end_decode(array), max_nesting, replaced, level)
    if pa.types.is_nested(kind):
        if level > max_nesting:
            return [None if null else [] for null in _nulls(array)]
        return _nested(array, max_nesting, replaced, level)
    return _leaves(array, replaced)


def _to_python(array: pa.Array) -> list[Any]:  # Any: see plain_values
    values: list[Any] = array.to_pylist()  # Any: see plain_values
    return values


def _nulls(array: pa.Array) -> list[Any]:  # Any: booleans, as pyarrow gives them
    return _to_python(array.is_null())


def _unique(names: Sequence[str]) -> list[str]:
    keys: list[str] = []
    for name in names:
        key, number = name, 1
        while key in keys:
            number += 1
            key = f"{name}_{number}"
        keys.append(key)
    return keys


def _nested(array: pa.Array, max_nesting: int, replaced: list[int], level: int) -> list[Any]:  # Any: see plain_values
    kind = array.type
    if pa.types.is_struct(kind):
        columns = [
            plain_values(array.field(number), max_nesting, replaced, level + 1) for number in range(kind.num_fields)
        ]
        names = _unique([kind.field(number).name for number in range(kind.num_fields)])
        rows = zip(*columns, strict=True) if columns else [()] * len(array)
        return [
            None if null else dict(zip(names, row, strict=True)) for null, row in zip(_nulls(array), rows, strict=True)
        ]
    if pa.types.is_union(kind):
        # No Parquet file holds one: no need to be fast.
        return [plain_values(pa.repeat(scalar.value, 1), max_nesting, replaced, level)[0] for scalar in array]
    begins, ends = _bounds(array)
    first, last = int(min(begins, default=0)), int(max(ends, default=0))
    if pa.types.is_map(kind):
        pairs = zip(
            plain_values(array.keys.slice(first, last - first), max_nesting, replaced, level + 2),
            plain_values(array.items.slice(first, last - first), max_nesting, replaced, level + 2),
            strict=True,
        )
        items: list[Any] = [list(pair) for pair in pairs]  # Any: see plain_values
    else:
        items = plain_values(array.values.slice(first, last - first), max_nesting, replaced, level + 1)
    return [
        None if null else items[begin - first : end - first]
        for null, begin, end in zip(_nulls(array), begins, ends, strict=True)
    ]


def _bounds(array: pa.Array) -> tuple[list[int], list[int]]:
    """Return where each list begins and ends among its array's ``values``; a null list is empty."""
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        begins = (np.arange(len(array)) + array.offset) * size
        ends = begins + size
    else:
        offsets = array.offsets.to_numpy()
        if pa.types.is_list_view(array.type) or pa.types.is_large_list_view(array.type):
            begins, ends = offsets, offsets + array.sizes.to_numpy()
        else:
            begins, ends = offsets[:-1], offsets[1:]
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    begins, ends = begins[: len(array)], ends[: len(array)]
    some = int(begins[valid][0]) if valid.any() else 0
    return np.where(valid, begins, some).tolist(), np.where(valid, ends, some).tolist()


def _leaves(array: pa.Array, replaced: list[int]) -> list[Any]:  # Any: see plain_values
    kind = array.type
    if pa.types.is_null(kind):
        return [None] * len(array)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _to_python(array)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        try:
            return _to_python(array)
        except UnicodeDecodeError:
            values = [None if value is None else _decode(value) for value in _to_python(array.cast(pa.large_binary()))]
            replaced.append(sum(type(value) is Replaced for value in values))
            return values
    if pa.types.is_decimal(kind):
        return [None if value is None else str(value) for value in _to_python(array)]
    if any(test(kind) for test in _TEMPORAL):
        return _temporal(array)
    return [_text_or_hex(value) for value in _to_python(array)]


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Replaced(value.decode(errors="replace"))


def _text_or_hex(value: object) -> object:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _temporal(array: pa.Array) -> list[Any]:  # Any: dates, times and text
    kind = array.type
    if pa.types.is_interval(kind):
        return [None if value is None else _interval_text(*value) for value in _to_python(array)]
    whole = array
    if not pa.types.is_date(kind) and kind.unit == "ns":
        # Python has no nanoseconds.
        array = _in_microseconds(array)
    numbers = _to_python(_integers(whole))
    text = _text_of(whole.type)
    if pa.types.is_time(kind):
        day = _DAY_S * _A_SECOND[kind.unit]
        inside = [number is None or 0 <= number < day for number in numbers]  # pyarrow takes others modulo a day
        if all(inside):
            return _to_python(array)
        kept = array.filter(pa.array(inside))
        values = iter(_to_python(kept))
        return [next(values) if held else text(number) for held, number in zip(inside, numbers, strict=True)]
    try:
        return _to_python(array)
    except _FAULTS:
        return [_one(array, row, number, text) for row, number in enumerate(numbers)]


def _in_microseconds(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_timestamp(kind):
        try:
            return array.cast(pa.timestamp("us", kind.tz), safe=False)
        except _FAULTS:
            return array  # a zone that cannot be named
    return array.cast(pa.time64("us") if pa.types.is_time(kind) else pa.duration("us"), safe=False)


def _one(array: pa.Array, row: int, number: int | None, text: Callable[[int], str]) -> object:
    if number is None:
        return None
    try:
        return _to_python(array.slice(row, 1))[0]
    except _FAULTS:
        return text(number)


def _integers(array: pa.Array) -> pa.Array:
    return array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())


def _text_of(kind: pa.DataType) -> Callable[[int], str]:
    """Return the function that writes a value of a temporal type, given as the integer that Arrow stores."""
    if pa.types.is_date32(kind):
        return _date_text
    if pa.types.is_date64(kind):
        return lambda number: _date_text(number // (_DAY_S * 1000))
    second = _A_SECOND[kind.unit]
    if pa.types.is_timestamp(kind):
        zone = "+00:00" if _has_zone(kind) else ""
        return lambda number: _timestamp_text(number, second, zone)
    return lambda number: Quantity(f"{number} {kind.unit}")


def _has_zone(kind: pa.TimestampType) -> bool:
    try:
        return kind.tz is not None
    except UnicodeDecodeError:
        return True  # a zone whose name is no UTF-8


def _date_text(days: int) -> str:
    """Return a day since 1970 in ISO 8601, with a sign beyond the years 0 to 9999; the proleptic Gregorian calendar.

    >>> _date_text(0), _date_text(2932897), _date_text(-719529)
    ('1970-01-01', '+10000-01-01', '-0001-12-31')
    """
    # The calendar repeats every 400 years: shifted into years that NumPy and everyone else agree on.
    eras, rest = divmod(days, 146_097)
    year, _, month_and_day = str(np.datetime64(rest, "D")).partition("-")
    number = int(year) + 400 * eras
    return f"{number:04d}-{month_and_day}" if 0 <= number <= 9999 else f"{number:+05d}-{month_and_day}"


def _timestamp_text(number: int, a_second: int, zone: str) -> str:
    seconds, part = divmod(number, a_second)
    days, second = divmod(seconds, _DAY_S)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    fraction = f".{part * (1_000_000 // min(a_second, 1_000_000)):06d}"[:7] if part and a_second <= 1_000_000 else ""
    return f"{_date_text(days)}T{clock}{fraction}{zone}"


def _interval_text(months: int, days: int, nanoseconds: int) -> str:
    """Return an interval as ISO 8601 writes a duration.

    >>> _interval_text(14, 3, 1_500_000_000)
    'P14M3DT1.500000000S'
    """
    sign = "-" if nanoseconds < 0 else ""
    return Quantity(f"P{months}M{days}DT{sign}{abs(nanoseconds) // 10**9}.{abs(nanoseconds) % 10**9:09d}S")
