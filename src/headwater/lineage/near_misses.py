"""How far a sample was from another verdict: of each rule the value, the limit for its language and the distance, in numbers and in words.

Whether a rule passed is not computed again: its reasons say so. What is computed is the distance, from the rule as the run that decided recorded it,
and only where the rule compares numbers: ``gopher_words >= 50``, joined by AND and OR. Of another rule there is no distance.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from headwater.filters.scores.names import MOST_SCORE, SCORES
from headwater.filters.signals.columns import COLUMNS
from headwater.filters.signals.definitions import COUNT
from headwater.plain import JsonObject, ValuesByName

__all__ = ["Distance", "distance", "limit_for", "nearest_rules", "rule_outcomes", "rule_words"]

_NOUNS: Final = {
    **{signal.name: signal.unit for signal in COLUMNS if signal.kind == COUNT and signal.unit.isalpha()},
    "n_tokens": "tokens",
    "text_bytes": "bytes",
}
"""Column → what it counts, in the plural."""
_COMPARED: Final[dict[type[ast.cmpop], tuple[str, str]]] = {
    ast.GtE: (">=", "<"),
    ast.Gt: (">", "<="),
    ast.LtE: ("<=", ">"),
    ast.Lt: ("<", ">="),
}
"""Comparison → how it is written where it holds, and where it does not."""
_SUMS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CALLS: Final[dict[str, Callable[..., float]]] = {"least": min, "greatest": max, "abs": abs}
_WORDS: Final = (("AND", "and"), ("OR", "or"), ("NOT", "not"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Distance:
    """One comparison of numbers in a rule.

    Attributes:
        measured: what stands at its left, as in the rule, and ``value``, what it is of the sample.
        holds: whether it does: then ``by`` is how much less (or more) of the value it would still bear, else how much it lacks.
        sign: of the comparison between value and limit as it is: ``<`` where ``>=`` does not hold.
        share: ``by`` as a share of the limit, or of 1 where that is smaller than a millionth.
    """

    measured: str
    value: float
    sign: str
    limit: float
    by: float
    holds: bool

    @property
    def share(self) -> float:
        """How far it is, to compare rules by."""
        return self.by / (abs(self.limit) if abs(self.limit) > 1e-6 else 1.0)

    def plain(self) -> JsonObject:
        """Return it as plain data."""
        return {
            "measured": self.measured,
            "value": self.value,
            "sign": self.sign,
            "limit": self.limit,
            "by": self.by,
            "holds": self.holds,
        }


def limit_for(limit: ValuesByName, language: str | None) -> float | int | None:
    """Return a limit of a rule for a language: its own, or the default.

    >>> limit_for({"default": 50, "de": 40}, "de"), limit_for({"default": 50}, "fr")
    (40, 50)
    """
    found = limit.get(language or "", limit.get("default"))
    return found if isinstance(found, int | float) else None


def distance(predicate: str, values: ValuesByName) -> Distance | None:
    """Return the comparison that decides a predicate: of AND the one with the least room, of OR the one with most.

    Args:
        predicate: SQL as rules have it, its limits filled in by name among ``values``.
        values: column or limit → value of the sample.

    Returns:
        None where it compares no numbers, or reads a value that is missing.

    >>> distance("gopher_words >= {limit}", {"gopher_words": 48, "limit": 50}).plain()
    {'measured': 'gopher_words', 'value': 48, 'sign': '<', 'limit': 50, 'by': 2, 'holds': False}
    """
    written = re.sub(r"\{(\w+)\}", r"\1", predicate).replace("<>", "!=")
    written = re.sub(r"(?<![<>=!])=(?!=)", "==", written)
    for sql, python in _WORDS:
        written = re.sub(rf"\b{sql}\b", python, written, flags=re.IGNORECASE)
    try:
        tree = ast.parse(written, mode="eval").body
        return _distance(tree, values)
    except (SyntaxError, RecursionError, _Unreadable, ArithmeticError, ValueError):
        return None


class _Unreadable(Exception):  # noqa: N818 - not an error of anybody: the rule is only not understood here
    """A part of a predicate that is no comparison of numbers."""


def _distance(node: ast.expr, values: ValuesByName) -> Distance | None:
    if isinstance(node, ast.BoolOp):
        return _of_several(node, values)
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in _COMPARED:
        raise _Unreadable
    left, right = _number(node.left, values), _number(node.comparators[0], values)
    where_so, where_not = _COMPARED[type(node.ops[0])]
    room = left - right if where_so in (">=", ">") else right - left
    holds = room > 0 or (room == 0 and where_so in (">=", "<="))
    return Distance(
        measured=ast.unparse(node.left),
        value=left,
        sign=where_so if holds else where_not,
        limit=right,
        by=abs(room),
        holds=holds,
    )


def _of_several(node: ast.BoolOp, values: ValuesByName) -> Distance | None:
    """Return the comparison that decides AND or OR; None where one of texts does."""
    every = isinstance(node.op, ast.And)
    parts: list[Distance] = []
    for value in node.values:
        plain = _text_comparison(value, values)
        if plain is None:
            found = _distance(value, values)
            parts += [] if found is None else [found]
        elif plain != every:
            return None
    signed = sorted(parts, key=lambda part: part.share if part.holds else -part.share)
    return (signed[0] if every else signed[-1]) if signed else None


def _text_comparison(node: ast.expr, values: ValuesByName) -> bool | None:
    """Return whether a column is, or is not, a text, as a part of a rule says; None for any other part."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return None
    left, right = node.left, node.comparators[0]
    if not (isinstance(left, ast.Name) and isinstance(right, ast.Constant) and isinstance(right.value, str)):
        return None
    return (values.get(left.id) == right.value) == isinstance(node.ops[0], ast.Eq)


def _number(node: ast.expr, values: ValuesByName) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.Name):
        found = values.get(node.id)
        if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
            return found
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, values)
    if isinstance(node, ast.BinOp) and type(node.op) in _SUMS:
        return _SUMS[type(node.op)](_number(node.left, values), _number(node.right, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS and not node.keywords:
        return _CALLS[node.func.id](*(_number(argument, values) for argument in node.args))
    raise _Unreadable


def rule_outcomes(rules: Sequence[ValuesByName], values: ValuesByName, reasons: Sequence[str]) -> list[JsonObject]:
    """Return for each rule of a verdict what it asked of a sample and what came out, in the rules' order.

    Args:
        rules: as the run that decided recorded them: name, passes, limits, exempt_domains.
        values: column → value of the sample, of all families.
        reasons: of its verdict.

    Returns:
        ``rule``, ``passes_when``, ``limits`` for its language, ``values`` that it read, ``outcome`` (passed, failed, exempt or missing), and where
        it compares numbers ``distance`` and a sentence, ``words``.
    """
    domain, language = values.get("domain"), values.get("language")
    missing = {reason.removeprefix("missing:") for reason in reasons if reason.startswith("missing:")}
    told: list[JsonObject] = []
    for rule in rules:
        read = [name for name in dict.fromkeys(re.findall(r"[a-z_][a-z0-9_]*", str(rule["passes"]))) if name in values]
        limits = {name: limit_for(limit, language) for name, limit in rule["limits"].items()}
        as_compared = {name: _as_stored(limit) for name, limit in limits.items()}
        outcome = "passed"
        if rule["name"] in reasons:
            outcome = "failed"
        elif domain in rule.get("exempt_domains", ()):
            outcome = "exempt"
        elif missing & set(re.findall(r"\w+", str(rule["passes"]))):
            outcome = "missing"
        entry: JsonObject = {
            "rule": rule["name"],
            "passes_when": rule["passes"],
            "limits": limits,
            "values": {name: values[name] for name in read},
            "outcome": outcome,
        }
        found = distance(str(rule["passes"]), {**values, **as_compared}) if outcome in ("passed", "failed") else None
        if found is not None and found.holds == (outcome == "passed"):
            entry["distance"] = found.plain()
            entry["words"] = rule_words(found)
        told.append(entry)
    return told


def _as_stored(limit: float | None) -> float | None:
    """Return a limit as rules compare it: a fraction in 32 bits, the type of the signals."""
    return struct.unpack("f", struct.pack("f", limit))[0] if isinstance(limit, float) else limit


def nearest_rules(outcomes: Sequence[ValuesByName], n: int) -> list[ValuesByName]:
    """Return the rules that a sample passed with the least room, as a share of the limit; those that it passed as far as can be are none.

    A count of 0 under a limit of 0 has no room and is as far as can be: most samples have it.
    """

    def share(entry: ValuesByName) -> float:
        return Distance(**entry["distance"]).share

    passed = [each for each in outcomes if each["outcome"] == "passed" and "distance" in each]
    near = [each for each in passed if not each["distance"]["limit"] == each["distance"]["value"] == 0]
    return sorted(near, key=share)[:n]


def rule_words(found: Distance) -> str:
    """Return a distance in words, the noun of a count and fractions as people read them.

    >>> rule_words(Distance(measured="gopher_words", value=48, sign="<", limit=50, by=2, holds=False))
    'by 2 words: 48 < 50'
    >>> rule_words(Distance(measured="quality", value=38470, sign="<", limit=39321, by=851, holds=False))
    'by 0.013: 0.587 < 0.600'
    """
    of = 1.0 if found.measured not in SCORES else float(MOST_SCORE)
    by, value, limit = (number if of == 1.0 else number / of for number in (found.by, found.value, found.limit))
    noun = _NOUNS.get(found.measured)
    unit = "" if noun is None else f" {noun.removesuffix('s') if by == 1 else noun}"
    places = 0 if all(float(number).is_integer() for number in (by, value, limit)) else _places(by)
    shown = [f"{number:,.{places}f}" for number in (by, value, limit)]
    return f"by {shown[0]}{unit}: {shown[1]} {found.sign} {shown[2]}"


def _places(by: float) -> int:
    """Return how many digits after the point show a distance with two that count, at least 3 and at most 7."""
    return 3 if by == 0 else min(7, max(3, 1 - math.floor(math.log10(by))))
