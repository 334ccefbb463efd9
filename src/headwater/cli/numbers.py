"""Numbers on the command line: ASCII digits alone, and a refusal that shows a few of them.

Click takes whatever ``int`` and ``float`` take: underscores, the digits of every script, ``nan``; and repeats in full what it refuses.
"""

from __future__ import annotations

from typing import Final

import click

from headwater.errors import one_line
from headwater.untrusted import parse_decimal

__all__ = ["DECIMAL", "WHOLE", "DecimalRange", "WholeRange"]

_SHOWN: Final = 60
_WHOLE: Final = "a whole number"


def _check(
    kind: click.ParamType,
    value: object,
    expected: str,
    parameter: click.Parameter | None,
    context: click.Context | None,
) -> None:
    """Refuse a text that is no number in plain digits; a default is a number already."""
    if not isinstance(value, str):
        return
    try:
        number = parse_decimal(value)
    except ValueError:
        number = None
    if number is None or (expected == _WHOLE and not value.strip().lstrip("+-").isdigit()):
        kind.fail(f"expected {expected} in plain digits, found {one_line(repr(value), _SHOWN)}", parameter, context)


class _Whole(click.types.IntParamType):
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        _check(self, value, _WHOLE, param, ctx)
        return int(super().convert(value, param, ctx))


class _Decimal(click.types.FloatParamType):
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        _check(self, value, "a number", param, ctx)
        return float(super().convert(value, param, ctx))


class WholeRange(click.IntRange):
    """A whole number within bounds."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or refuse the text."""
        _check(self, value, _WHOLE, param, ctx)
        return int(super().convert(value, param, ctx))


class DecimalRange(click.FloatRange):
    """A number within bounds, with a fraction or without."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or refuse the text."""
        _check(self, value, "a number", param, ctx)
        return float(super().convert(value, param, ctx))


DECIMAL: Final = _Decimal()
"""Any number, with a fraction or without."""
WHOLE: Final = _Whole()
"""Any whole number."""
