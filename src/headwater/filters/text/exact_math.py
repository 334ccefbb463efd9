"""exp and log with the same bits on every CPU.

Both are made of IEEE additions, multiplications and divisions alone, in a fixed order: the C library's differ in the last bit
between CPUs, since it picks a version with or without fused multiplication.

>>> compute_exp(0.0), compute_log(1.0), round(compute_exp(1.0), 12)
(1.0, 0.0, 2.718281828459)
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import inlined

__all__ = ["LN_2", "compute_exp", "compute_log", "compute_log1p"]

LN_2: Final = 0.6931471805599453
_LOG2_E: Final = 1.4426950408889634
_LN_2_HIGH: Final = 0.693147180369123816490  # ln 2 in two parts: n times the first is exact for small n
_LN_2_LOW: Final = 1.90821492927058770002e-10
_SQRT_HALF: Final = 0.7071067811865476
_EXP_LIMIT: Final = 87.0
_POWERS_OF_TWO: Final[npt.NDArray[np.float64]] = np.ldexp(1.0, np.arange(-128, 129))
_INVERSE_FACTORIALS: Final[npt.NDArray[np.float64]] = np.array(
    [1.0 / float(np.prod(np.arange(1.0, n + 1.0))) for n in range(14)]
)
_RECIPROCALS: Final[npt.NDArray[np.float64]] = np.array(
    [0.0, *(1.0 / n for n in range(1, 24))]
)  # a division takes ten times as long


@inlined
def compute_exp(x: float) -> float:
    """Return e**x to 1e-15 for |x| <= 87, beyond which it is cut off: ``2**n * p(r)``, Taylor's series of degree 13, |r| <= ln 2 / 2."""
    x = min(max(x, -_EXP_LIMIT), _EXP_LIMIT)
    n = np.int64(np.floor(x * _LOG2_E + 0.5))
    r = (x - n * _LN_2_HIGH) - n * _LN_2_LOW
    total = _INVERSE_FACTORIALS[13]
    for power in range(12, -1, -1):
        total = total * r + _INVERSE_FACTORIALS[power]
    return float(total * _POWERS_OF_TWO[n + 128])


@inlined
def compute_log(x: float) -> float:
    """Return ln x to 1e-15 for 1e-6 < x < 1.41: ``n ln 2 + 2 artanh((m - 1) / (m + 1))`` with m in [sqrt(1/2), sqrt 2)."""
    n = 0
    while x < _SQRT_HALF:
        x *= 2.0
        n -= 1
    s = (x - 1.0) / (x + 1.0)
    square = s * s
    total = 0.0
    for power in range(23, 0, -2):
        total = total * square + _RECIPROCALS[power]
    return n * LN_2 + 2.0 * s * total


@inlined
def compute_log1p(x: float) -> float:
    """Return ln(1 + x) for x >= 0 to 1e-15, absolute: 1 + x is halved into the range of ``compute_log``; beyond 1e300 x counts as that.

    >>> compute_log1p(0.0), round(compute_log1p(999.0), 12)
    (0.0, 6.907755278982)
    """
    m = 1.0 + min(max(x, 0.0), 1e300)
    n = 0
    while m >= 1.4:
        m *= 0.5
        n += 1
    return n * LN_2 + compute_log(m)
