"""A small map of two bits for each beginning of an entry: does any entry go on from here, does one end here.

A walk along characters with a running hash asks it at each step and stops at the first beginning of nothing: mostly after two
characters. It may say yes by chance, never no: who is told that an entry ends looks it up.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import inlined

__all__ = ["ENDS", "GOES_ON", "N_NODE_BYTES", "look_at_node", "mark_node"]

GOES_ON: Final = 1
ENDS: Final = 2

_BITS: Final = 16
N_NODE_BYTES: Final = 1 << (_BITS - 2)


@inlined
def look_at_node(nodes: npt.NDArray[np.uint8], spread: np.uint64) -> int:
    """Return the bits GOES_ON and ENDS of the characters whose running hash has this spread (one more step with 0)."""
    place = spread >> np.uint64(64 - _BITS)
    return int(nodes[place >> np.uint64(2)] >> np.uint8(2 * (place & np.uint64(3)))) & 3


@inlined
def mark_node(nodes: npt.NDArray[np.uint8], spread: np.uint64, ends: bool) -> None:
    """Note that an entry goes on, or ends, with the characters of this spread."""
    place = spread >> np.uint64(64 - _BITS)
    bits = GOES_ON | (ENDS if ends else 0)
    nodes[place >> np.uint64(2)] |= np.uint8(bits << (2 * (place & np.uint64(3))))
