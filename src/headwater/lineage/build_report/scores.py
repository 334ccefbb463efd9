"""The distribution of a stage's score: what it chose beside all that was there."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from headwater.lineage.build_report.sums import ScoreSums
from headwater.plain import JsonObject, Row

__all__ = ["score_distribution"]

_POINTS: Final[dict[str, Fraction]] = {
    name: Fraction(percent, 100)
    for name, percent in (
        ("lowest", 0),
        ("p10", 10),
        ("p25", 25),
        ("median", 50),
        ("p75", 75),
        ("p90", 90),
        ("highest", 100),
    )
}
_BINS: Final = 16


def score_distribution(scores: Sequence[ScoreSums]) -> JsonObject:
    """Return quantiles of the samples' scores and their numbers in sixteen equal bins.

    Args:
        scores: ascending.

    Returns:
        ``chosen`` and ``there``: lowest, p10, p25, median, p75, p90 and highest, each the score of a sample, or None where there is none;
        ``bins`` [from, to, documents, documents_there].

    >>> found = score_distribution([ScoreSums(score=5, documents_there=3, documents=0), ScoreSums(score=9, documents_there=1, documents=1)])
    >>> found["there"]["median"], found["there"]["highest"], found["chosen"]["lowest"]
    (5, 9, 9)
    """
    width = 65536 // _BINS
    bins: list[Row] = [
        {"from": number * width, "to": (number + 1) * width - 1, "documents": 0, "documents_there": 0}
        for number in range(_BINS)
    ]
    for each in scores:
        place = bins[min(max(each.score, 0) // width, _BINS - 1)]
        place["documents"] += each.documents
        place["documents_there"] += each.documents_there
    return {
        "chosen": _quantiles([(each.score, each.documents) for each in scores]),
        "there": _quantiles([(each.score, each.documents_there) for each in scores]),
        "bins": bins,
    }


def _quantiles(counted: Sequence[tuple[int, int]]) -> dict[str, int | None]:
    """Return the scores at the points: the smallest score that at least that share of the samples does not exceed."""
    total = sum(number for _, number in counted)
    found: dict[str, int | None] = dict.fromkeys(_POINTS)
    if not total:
        return found
    for name, point in _POINTS.items():
        wanted, before = max(1, -(-point * total // 1)), 0
        for score, number in counted:
            before += number
            if before >= wanted:
                found[name] = score
                break
    return found
