"""Values as the views show them: rows by name and in order, bytes and times as text, URLs without credentials."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.urls.hosts import CREDENTIALS
from headwater.plain import Row

__all__ = ["in_order", "plain", "plain_rows", "urls_shown"]


def plain_rows(table: pa.Table, *, raw: bool = False) -> list[Row]:
    """Return the rows of a table by name; bytes become hexadecimal, times ISO 8601, unless ``raw``."""
    found: list[Row] = table.to_pylist(maps_as_pydicts="lossy")
    return found if raw else [{name: plain(value) for name, value in row.items()} for row in found]


def plain(value: object) -> object:
    """Return a value that can be printed as JSON: bytes as hexadecimal, times as ISO 8601, inside lists and structs too."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def in_order(rows: list[Row], names: Sequence[str]) -> list[Row]:
    """Return rows by their values, column by column, nulls last, as ``ORDER BY ALL`` gives them; lists and structs do not count."""

    def key(row: Row) -> tuple[tuple[bool, object], ...]:
        values = (row[name] for name in names)
        return tuple(
            (value is None, 0 if value is None or isinstance(value, list | dict) else value) for value in values
        )

    return sorted(rows, key=key)


def urls_shown(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return URLs as the views show them."""
    if not pc.any(pc.match_substring(column, "@"), min_count=0).as_py():
        return column
    return pc.replace_substring_regex(column, CREDENTIALS, r"\1", max_replacements=1)
