"""Type names for plain data: rows, JSON and other values by name, whose keys are known only where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["JsonObject", "Row", "ValuesByName"]

JsonObject: TypeAlias = dict[str, Any]  # Any: JSON and TOML nest texts, numbers, lists and objects by name
Row: TypeAlias = dict[str, Any]  # Any: a cell is of its column's type, and the query or the file names the columns
ValuesByName: TypeAlias = Mapping[str, Any]  # Any: either of the above where it is only read
