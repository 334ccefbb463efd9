"""Numbers on the command line: ASCII digits alone, and a refusal that shows a few of them.

Click takes whatever ``int`` and ``float`` take: underscores, the digits of every script, ``nan``; and repeats in full what it refuses.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import click

from headwater.errors import one_line

__all__ = ["DECIMAL", "WHOLE", "DecimalRange", "WholeRange"]

_SHOWN: Final = 60


def _check(value: object, context: click.Context | None, parameter: click.Parameter | None, *, whole: bool) -> None:
    """Refuse a text that is no number in plain digits; a default is a number already."""
    if not isinstance(value, str):
        return
    from headwater.untrusted import parse_decimal

    try:
        parse_decimal(value)
        is_number = not whole or value.strip().lstrip("+-").isdigit()
    except ValueError:
        is_number = False
    if not is_number:
        expected = "a whole number" if whole else "a number"
        found = one_line(repr(value), _SHOWN)
        raise click.BadParameter(f"expected {expected} in plain digits, found {found}", context, parameter)


class _PlainDigits:
    """Before a type of click's: its numbers in plain digits alone."""

    whole: ClassVar[bool]

    def convert(
        self,
        value: Any,  # Any: a text, or a default
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # Any: the number of the type beside
        """Return the number, or refuse the text."""
        _check(value, ctx, param, whole=self.whole)
        return super().convert(value, param, ctx)  # type: ignore[misc]  # of the type beside


class _Whole(_PlainDigits, click.types.IntParamType):
    whole = True


class _Decimal(_PlainDigits, click.types.FloatParamType):
    whole = False


class WholeRange(_PlainDigits, click.IntRange):
    """A whole number within bounds."""

    whole = True


class DecimalRange(_PlainDigits, click.FloatRange):
    """A number within bounds, with a fraction or without."""

    whole = False


DECIMAL: Final = _Decimal()
"""Any number, with a fraction or without."""
WHOLE: Final = _Whole()
"""Any whole number."""
