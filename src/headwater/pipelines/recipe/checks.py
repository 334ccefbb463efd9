"""Checks of the values in a recipe: each raises RecipeError with what was expected and found, the key first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from headwater.errors import RecipeError
from headwater.filters.rules.predicates import check_predicate, nearest
from headwater.filters.scores.names import DOMAINS
from headwater.warehouse.schema import table_schema

__all__ = [
    "check_domain",
    "check_flag",
    "check_format",
    "check_name",
    "check_number",
    "check_one_of",
    "check_own_score",
    "check_table",
    "check_text",
    "check_texts",
    "check_whole",
]

_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def check_table(key: str, value: object) -> Mapping[str, object]:
    """Return a table, or raise RecipeError."""
    if not isinstance(value, Mapping):
        raise RecipeError(f"{key}: expected a table, found {value!r}")
    return value


def check_whole(key: str, value: object, minimum: int, maximum: int) -> None:
    """Raise RecipeError unless the value is a whole number within both limits."""
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        raise RecipeError(f"{key}: expected a whole number from {minimum} to {maximum}, found {value!r}")


def check_number(section: object, key: str, minimum: float, maximum: float) -> None:
    """Check the number and store it as a float, so that 1 and 1.0 are one setting."""
    value = getattr(section, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
        raise RecipeError(f"{key}: expected a number from {minimum:g} to {maximum:g}, found {value!r}")
    object.__setattr__(section, key, float(value))


def check_flag(key: str, value: object) -> None:
    """Raise RecipeError unless the value is true or false."""
    if not isinstance(value, bool):
        raise RecipeError(f"{key}: expected true or false, found {value!r}")


def check_domain(key: str, name: str) -> None:
    """Raise RecipeError unless some document can have that domain; the message names the nearest one."""
    if name not in DOMAINS:
        raise RecipeError(f"{key}: unknown domain {name!r}; {nearest(name, DOMAINS)}")


def check_own_score(key: str, name: object) -> None:
    """Raise RecipeError unless ``name`` can be a column of a team's own in family ``scores``, and stand in SQL without quoting."""
    if not isinstance(name, str) or not _COLUMN.fullmatch(name):
        raise RecipeError(f"{key}: expected a name of a-z, 0-9 and _ that starts with a letter, found {name!r}")
    if name in table_schema().names:
        raise RecipeError(f"{key}: expected a name that no column of a lake has, found {name!r}; choose another")
    try:
        check_predicate(f"{name} >= 0", {name: "INTEGER"}, key)
    except RecipeError:
        raise RecipeError(f"{key}: expected a name that is no word of SQL, found {name!r}; choose another") from None


def check_format(value: object, known: int) -> None:
    """Raise RecipeError unless a file's version is the one that is known, a whole number."""
    if type(value) is not int or value != known:
        raise RecipeError(f"format: expected {known}, found {value!r}")


def check_text(key: str, value: object) -> None:
    """Raise RecipeError unless the value is a string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise RecipeError(f"{key}: expected a string that is not empty, found {value!r}")


def check_name(key: str, value: object) -> None:
    """Raise RecipeError unless ``value`` can name a folder and stand in SQL without quoting."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise RecipeError(f"{key}: expected a name of a-z, 0-9, _ and - that starts with a letter, found {value!r}")


def check_texts(key: str, value: object) -> int:
    """Check a tuple of different strings; return how many there are."""
    if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
        raise RecipeError(f"{key}: expected a list of strings, found {value!r}")
    if len(set(value)) != len(value):
        raise RecipeError(f"{key}: expected no entry twice, found {list(value)!r}")
    return len(value)


def check_one_of(key: str, value: object, known: Sequence[str]) -> None:
    """Raise RecipeError, naming the nearest known value, unless the value is known."""
    if value not in known:
        raise RecipeError(f"{key}: expected one of {', '.join(known)}, found {value!r}; {nearest(str(value), known)}")
