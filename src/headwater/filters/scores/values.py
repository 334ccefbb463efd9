"""Checks of the values in a score model's file: each raises ValueError that says the key, what was expected and what was found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from headwater.errors import one_line
from headwater.filters.signals.columns import SIGNALS

__all__ = [
    "LARGEST",
    "check_known",
    "check_list",
    "check_number",
    "check_numbers",
    "check_signal",
    "check_table",
    "check_text",
    "check_whole",
]

LARGEST: Final = 1e9
"""Of a number without bounds of its own: sums and products of some thousand of them are finite."""


def check_table(value: Any, where: str) -> Mapping[str, Any]:  # Any: whatever a file holds; it is checked here
    """Return an object of JSON."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected an object, found {_shown(value)}")
    return value


def check_known(table: Mapping[str, object], known: set[str], where: str) -> None:
    """Do nothing where a table has no key but those that are known."""
    if strange := sorted(set(table) - known):
        raise ValueError(f"{where}: unknown key {strange[0]!r}; known: {', '.join(sorted(known))}")


def check_list(value: object, where: str, least: int, most: int) -> Sequence[Any]:  # Any: see `check_table`
    """Return a list of ``least`` to ``most`` values."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        found = f"one of {len(value)}" if isinstance(value, list) else _shown(value)
        raise ValueError(
            f"{where}: expected a list of {least if least == most else f'{least} to {most}'}, found {found}"
        )
    return value


def check_numbers(
    value: object, where: str, n: int, least: float = -LARGEST, most: float = LARGEST
) -> tuple[float, ...]:
    """Return a list of ``n`` numbers within bounds."""
    return tuple(check_number(each, where, least, most) for each in check_list(value, where, n, n))


def check_number(value: object, where: str, least: float = -LARGEST, most: float = LARGEST) -> float:
    """Return a number within bounds, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{where}: expected a number from {least:g} to {most:g}, found {_shown(value)}")
    return float(value)


def check_whole(value: object, where: str, least: int, most: int) -> int:
    """Return a whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{where}: expected a whole number from {least} to {most}, found {_shown(value)}")
    return value


def check_text(value: object, pattern: re.Pattern[str], where: str) -> str:
    """Return a text that fits a pattern."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{where}: expected {pattern.pattern}, found {_shown(value)}")
    return value


def check_signal(value: object, where: str) -> str:
    """Return the name of a signal."""
    if not isinstance(value, str) or value not in SIGNALS:
        raise ValueError(f"{where}: expected a signal of this release, found {_shown(value)}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "an integer beyond 64 bits"
    return one_line(repr(value), 100) if not isinstance(value, list | Mapping) else f"a {type(value).__name__}"
