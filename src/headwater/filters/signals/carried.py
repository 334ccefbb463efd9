"""Numbers that a text works out and goes on with: what stands after an equals sign and is taken up again.

"18 + 35 = 53. Then 53 − 3 = 50" carries 53. Worked solutions do that in every language and script; tables, answer keys and
formula sheets state results and leave them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.signals.repetition import Numbering
from headwater.filters.text.characters import DIGIT
from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import WORD, Pieces

__all__ = ["count_carried_numbers"]

_EQUALS: Final = 0x3D
_BETWEEN: Final = np.array([chr(point) in "$+-({\\*~" for point in range(128)])  # may stand between = and its number


@kernel
def count_carried_numbers(
    classes: npt.NDArray[np.uint8], pieces: Pieces, room: Numbering, n_distinct: int, equations: int
) -> int:
    """Return how many numbers are the same as one that stood after an = earlier, and do not stand after an = themselves.

    Numbers are words that begin with a digit, compared as written. `room` holds the numbering of the tokens; its `places` are
    used up. Cost: nothing for a text without `equations`, else a step a token.
    """
    if equations == 0:
        return 0
    kinds, points, sizes, numbers, results = pieces.kinds, pieces.points, pieces.sizes, room.numbers, room.places
    results[:n_distinct] = 0
    carried = 0
    open_result = False
    for i in range(pieces.totals[0]):
        token = np.uint64(i)
        point = points[token]
        if kinds[token] & WORD:
            if classes[point] == DIGIT:
                number = np.uint64(numbers[token])
                if open_result:
                    results[number] = 1
                else:
                    carried += results[number]
            open_result = False
        elif point == _EQUALS:
            open_result = sizes[token] == 1
        elif open_result:
            open_result = point == 0x2212 or (point < 128 and _BETWEEN[point])  # the minus sign of mathematics
    return carried
