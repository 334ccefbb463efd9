"""One rule, and the limits in it: one number for all languages, and others for some."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Final, TypeAlias

from headwater.errors import RecipeError
from headwater.filters.language.names import TAGS, nearest_tag

__all__ = ["MOST_LIMIT", "Limit", "LimitSetting", "Number", "Rule"]

Number: TypeAlias = int | float
LimitSetting: TypeAlias = Number | Mapping[str, Number]

MOST_LIMIT: Final = 3.4028234663852886e38
"""Largest number of 32 bits: a limit is compared with signals as a FLOAT, see ``Limit.sql``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A number in a rule: ``default``, and other values for some languages."""

    name: str
    default: Number
    by_language: Mapping[str, Number]

    def changed(self, setting: LimitSetting, where: str) -> Limit:
        """Return the limit with ``setting``: a number holds for every language, a table changes those that it names.

        Raises:
            RecipeError: not a finite number that a 32-bit float can hold, or a key that is neither ``default`` nor a language.
        """
        if not isinstance(setting, Mapping):
            return replace(self, default=self._number(setting, where), by_language={})
        for language in setting:
            if language != "default" and language not in TAGS:
                meant = f"; did you mean {near!r}?" if (near := nearest_tag(language)) else ""
                raise RecipeError(
                    f"{where}: expected 'default' or the tag of a language such as 'pt', found {language!r}{meant}"
                )
        values = {language: self._number(value, f"{where}.{language}") for language, value in setting.items()}
        default = values.pop("default", self.default)
        return replace(self, default=default, by_language={**self.by_language, **values})

    def sql(self) -> str:
        """Return the limit as SQL over the column ``language``.

        A fraction is cast to FLOAT, the type of the signals: 0.1 as a double is less than 0.1 as a float, and a sample
        exactly at the limit would fail.
        """
        cases = "".join(
            f" WHEN '{language}' THEN {_literal(value)}" for language, value in sorted(self.by_language.items())
        )
        return f"(CASE language{cases} ELSE {_literal(self.default)} END)" if cases else _literal(self.default)

    def _number(self, value: object, where: str) -> Number:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -inf < value < inf:
            raise RecipeError(f"{where}: expected a finite number, found {value!r}")
        if abs(value) > MOST_LIMIT:
            raise RecipeError(
                f"{where}: expected a number that a 32-bit float can hold, at most {MOST_LIMIT:g}, found more"
            )
        return float(value) if isinstance(self.default, float) else value


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule; its name is the reason that a rejected sample carries.

    Attributes:
        passes: SQL that is true for a sample to keep, with ``{name}`` where a limit stands.
        columns: what it reads, ``language`` and ``domain`` included where limits or exemptions need them.
    """

    name: str
    passes: str
    limits: tuple[Limit, ...]
    source: str
    description: str
    exempt_domains: tuple[str, ...]
    columns: tuple[str, ...]

    def predicate(self) -> str:
        """Return ``passes`` with its limits filled in."""
        filled = {limit.name: limit.sql() for limit in self.limits}
        return re.sub(r"\{(\w+)\}", lambda match: filled[match[1]], self.passes)


def _literal(value: Number) -> str:
    return f"CAST({value!r} AS FLOAT)" if isinstance(value, float) else str(value)
