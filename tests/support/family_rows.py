"""Rows of any family, made up from its schema, for tests of the warehouse."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from headwater.warehouse.fragments import FileEntry, fragment_mask, sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import FAMILIES, arrow_schema

OPERATOR = "0123456789abcdef" * 2
CANARY = "canary-7f3a"
"""Stands in every string of every row; nothing but data pages may hold it."""


def _value(kind: pa.DataType, number: int) -> Any:
    if pa.types.is_boolean(kind):
        return number % 2 == 0
    if pa.types.is_integer(kind):
        return number
    if pa.types.is_floating(kind):
        return number / 2
    if pa.types.is_string(kind):
        return f"{CANARY} {number}"
    if pa.types.is_binary(kind):
        return f"{CANARY} {number}".encode()
    if pa.types.is_map(kind):
        return [(_value(kind.key_type, number), _value(kind.item_type, number))]
    if pa.types.is_struct(kind):
        return {part.name: _value(part.type, number) for part in kind}
    if pa.types.is_list(kind):
        return [_value(kind.value_type, number)]
    return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def make_rows(family: str, fragment: int, n: int, first: int = 0) -> pa.Table:
    """Return `n` rows of a family for one fragment; values are numbered from `first`."""
    schema = arrow_schema(family)
    columns = {field.name: [_value(field.type, first + row) for row in range(n)] for field in schema}
    if FAMILIES[family].by_sample:
        columns["sample_id"] = sample_ids(fragment, 0, n).tolist()
    return pa.table(columns, schema=schema)


def write(
    uri: str,
    family: str,
    fragments: Sequence[int],
    rows: int | Sequence[int] = 3,
    *,
    batch: str = "b",
    operator: str = OPERATOR,
    first: int = 0,
) -> FileEntry:
    """Write one file of a family, a row group a fragment, and return its description."""
    counts = [rows] * len(fragments) if isinstance(rows, int) else list(rows)
    if FAMILIES[family].by_sample:
        base, mask = fragment_mask(fragments)
    else:
        base, mask = 0, 0
    groups = [make_rows(family, fragment, n, first) for fragment, n in zip(fragments, counts, strict=True)]
    return write_family(uri, family, batch, base, mask, operator, groups)
