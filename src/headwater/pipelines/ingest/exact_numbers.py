"""Numbers of JSON that no 64-bit integer and no double holds, kept as they are written.

An id of 24 digits is an integer to whoever wrote it; as a double it is the id of its neighbours too.
"""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["Number", "exact_float", "exact_int"]

_DOUBLE_DIGITS: Final = 17
"""Significant digits after which two decimal numbers may be one double (IEEE 754, section 5.12.2)."""
_MANTISSA: Final = re.compile(r"[0-9.]+")


class Number:
    """A number as JSON writes it; two are equal if they are written alike."""

    __slots__ = ("written",)

    def __init__(self, written: str) -> None:
        self.written = written

    def __eq__(self, other: object) -> bool:
        """Return whether ``other`` is written alike."""
        return isinstance(other, Number) and self.written == other.written

    def __hash__(self) -> int:
        """Return the hash of what is written."""
        return hash(self.written)

    def __repr__(self) -> str:
        """Return how it is made."""
        return f"Number({self.written!r})"

    def __str__(self) -> str:
        """Return what is written."""
        return self.written


def exact_int(written: str) -> int | Number:
    """Return an integer of 64 bits, signed or not, as such, any other as it is written.

    >>> exact_int("18446744073709551615"), exact_int("18446744073709551616")
    (18446744073709551615, Number('18446744073709551616'))
    """
    if len(written) <= 20 and -(1 << 63) <= (value := int(written)) < 1 << 64:
        return value
    return Number(written)


def exact_float(written: str) -> float | Number:
    """Return a number with a fraction or an exponent as a double, unless other numbers would be the same double.

    >>> exact_float("0.1"), exact_float("0.10000000000000000001"), exact_float("1e400"), exact_float("1e-400")
    (0.1, Number('0.10000000000000000001'), Number('1e400'), Number('1e-400'))
    """
    mantissa = _MANTISSA.search(written)
    digits = mantissa[0].replace(".", "").strip("0") if mantissa else ""
    value = float(written)
    if len(digits) > _DOUBLE_DIGITS or not math.isfinite(value) or (value == 0 and digits):
        return Number(written)
    return value
