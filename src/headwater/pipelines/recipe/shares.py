"""Tables of shares, exact: a share is the decimal that was written, so that ten shares of 0.1 are 1."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from headwater.errors import RecipeError
from headwater.pipelines.recipe.checks import check_table

__all__ = ["check_total", "exact", "read_quota", "read_shares", "sum_exactly"]


def exact(share: float) -> Fraction:
    """Return the share as the decimal that was written: 0.1 is a tenth, not the double next to it.

    >>> exact(0.1) + exact(0.2) == exact(0.3)
    True
    """
    return Fraction(repr(share))


def sum_exactly(shares: Iterable[float]) -> Fraction:
    """Return the sum of shares, each as it was written."""
    return sum((exact(share) for share in shares), Fraction(0))


def read_shares(key: str, value: object) -> dict[str, float]:
    """Return a table of shares as floats, so that 1 and 1.0 are one setting.

    Raises:
        RecipeError: no table, or a share that is no number from 0 to 1.
    """
    shares: dict[str, float] = {}
    for name, share in check_table(key, value).items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise RecipeError(f"{key}: expected a share from 0 to 1 for {name!r}, found {share!r}")
        shares[name] = float(share)
    return shares


def check_total(key: str, shares: Iterable[float]) -> None:
    """Raise RecipeError unless the shares sum to exactly 1."""
    total = sum_exactly(shares)
    if total != 1:
        raise RecipeError(f"{key}: expected shares that sum to 1, found {float(total):g}; * takes a rest")


def read_quota(key: str, quota: object) -> dict[str, float]:
    """Return the shares as floats; an error unless each is 0 to 1, they sum to exactly 1 and no member is named twice."""
    shares = read_shares(key, quota)
    members: list[str] = []
    for group in shares:
        members += group.split("+")
        if "" in members or ("*" in group and group != "*"):
            raise RecipeError(f"{key}: expected a name, names joined by + or *, found {group!r}")
    for member in members:
        if members.count(member) > 1:
            raise RecipeError(f"{key}: {member!r} has more than one share")
    check_total(key, shares.values())
    return shares
