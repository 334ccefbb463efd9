"""What a what-if question changes: names as users write them, values, and the rules that result.

A limit is named by its rule, as reasons are (``gopher_min_words``), or with the first part set off (``gopher.min_words``); a language
behind another dot names the limit of this language only (``gopher.min_words.de``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from headwater.errors import UsageError, one_line
from headwater.filters.language.names import TAGS
from headwater.filters.rules.predicates import nearest
from headwater.filters.rules.rule import MOST_LIMIT, LimitSetting, Number
from headwater.filters.rules.rule_set import RuleSet, change_rules
from headwater.untrusted import parse_decimal

__all__ = ["MOST_VALUES", "Changes", "apply", "find_limit", "find_rule", "parse_number", "parse_values"]

MOST_VALUES: Final = 1000
"""Most values of one sweep."""
_SHOWN: Final = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Changes of rules; names are users'.

    Attributes:
        limits: (limit, value) in the order given: a number, or a table of languages and ``default`` that changes only these.
        exempt: rule → the domains that it does not apply to, instead of its own.
        without: rules left out.
    """

    limits: tuple[tuple[str, LimitSetting], ...] = ()
    exempt: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without: tuple[str, ...] = ()


def _plain(name: str) -> str:
    return name.strip().replace(".", "_").replace("-", "_")


def _limit_names(rule_set: RuleSet) -> list[str]:
    """Return the names of limits as recipes give them."""
    return [
        rule.name if limit.name == "limit" else f"{rule.name}.{limit.name}"
        for rule in rule_set.rules
        for limit in rule.limits
    ]


def find_limit(name: str, rule_set: RuleSet) -> tuple[str, str | None]:
    """Return a limit's name as recipes give it, and the language where one is named.

    Raises:
        UsageError: no such limit; the nearest known one is named.
    """
    known = {_plain(limit): limit for limit in _limit_names(rule_set)}
    if (plain := _plain(name)) in known:
        return known[plain], None
    head, dot, language = name.strip().rpartition(".")
    if dot and _plain(head) in known:  # whether it is a language, the rules say
        return known[_plain(head)], language
    if plain in {rule.name for rule in rule_set.rules}:
        raise UsageError(f"rule {plain!r} has no limit to set; leave it out with --without {plain}")
    ending = f".{language}" if dot and language in TAGS else ""
    near = nearest(_plain(head if ending else name), known.values())
    raise UsageError(f"unknown rule {name!r}; {near}")


def find_rule(name: str, rule_set: RuleSet) -> str:
    """Return a rule's name.

    Raises:
        UsageError: no such rule; the nearest known one is named.
    """
    known = [rule.name for rule in rule_set.rules]
    if (plain := _plain(name)) not in known:
        raise UsageError(f"unknown rule {name!r}; {nearest(plain, known)}")
    return plain


def parse_number(text: str) -> Number:
    """Return a limit's value.

    Raises:
        UsageError: no finite number.

    >>> parse_number("30"), parse_number("0.25")
    (30, 0.25)
    """
    try:
        number = parse_decimal(text)
    except ValueError:
        number = Decimal("NaN")
    if (
        not number.is_finite() or number.copy_abs() > MOST_LIMIT
    ):  # before int(), which would write a billion digits of 1e1000000000
        raise UsageError(
            f"expected a finite number of at most {MOST_LIMIT:g}, in plain digits, found {one_line(repr(text), _SHOWN)}"
        )
    return int(number) if number == number.to_integral_value() and "." not in text else float(number)


def parse_values(text: str) -> list[Number]:
    """Return the values of a sweep, ascending: ``first:last:step``, or a list with commas; the last is one of them if a step hits it.

    Raises:
        UsageError: no such values, or more than ``MOST_VALUES``.

    >>> parse_values("10:50:20"), parse_values("0.1:0.3:0.1"), parse_values("30,5")
    ([10, 30, 50], [0.1, 0.2, 0.3], [5, 30])
    """
    parts = text.split(":")
    if len(parts) == 1:
        values = sorted({parse_number(item) for item in text.split(",")})
    elif len(parts) == 3:
        # Decimals: 0.1 + 0.1 + 0.1 is 0.3, as the user would write it.
        numbers = [parse_number(part) for part in parts]
        first, last, step = (Decimal(str(number)) for number in numbers)
        if step <= 0 or last < first:
            raise UsageError(
                f"expected first:last:step with a step above 0 and last not below first, found {one_line(repr(text), _SHOWN)}"
            )
        if (last - first) / step >= MOST_VALUES:
            raise UsageError(
                f"expected at most {MOST_VALUES} values, found more in {one_line(repr(text), _SHOWN)}; take a larger step"
            )
        count = int((last - first) // step) + 1
        whole = all(isinstance(number, int) for number in numbers)
        values = [int(first + step * at) if whole else float(first + step * at) for at in range(count)]
    else:
        raise UsageError(f"expected first:last:step or values with commas, found {one_line(repr(text), _SHOWN)}")
    if len(values) > MOST_VALUES:
        raise UsageError(f"expected at most {MOST_VALUES} values, found {len(values)}")
    return values


def apply(changes: Changes, rule_set: RuleSet) -> RuleSet:
    """Return the rules with the changes, one after the other.

    Raises:
        UsageError: an unknown rule, limit or domain, or a value that is no finite number.
    """
    changed = rule_set
    for name, setting in changes.limits:
        key, language = find_limit(name, changed)
        if language is not None and isinstance(setting, Mapping):
            raise UsageError(f"expected a number for {name}, found a table")
        wanted: LimitSetting = setting if isinstance(setting, Mapping) or language is None else {language: setting}
        changed = change_rules(changed, {key: wanted})
    exempt = {find_rule(name, changed): tuple(domains) for name, domains in changes.exempt.items()}
    without = [find_rule(name, changed) for name in changes.without]
    return change_rules(changed, exempt=exempt, without=list(dict.fromkeys(without))) if exempt or without else changed
