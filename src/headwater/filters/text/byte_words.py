"""Eight bytes at a time: unaligned loads of a byte array, and where in them the first byte of a kind stands.

Numba has no unaligned load, so three instructions of LLVM are named here and nowhere else. Nothing is lost: kernels that
use them give what a walk byte by byte gives. Cost: one load and some five operations for eight bytes.

>>> data = np.frombuffer(b"seven bytes and more", np.uint8)
>>> hex(load_word(data, 0)), first_marked(first_space_or_wide(load_word(data, 0)))
('0x736576656e206279', 5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numba.core.base import BaseContext
    from numba.core.typing.templates import Signature

__all__ = ["first_marked", "first_space_or_wide", "highest_bit", "load_word"]

_Intrinsic: TypeAlias = (
    "tuple[Signature, Callable[[BaseContext, ir.IRBuilder, Signature, Sequence[ir.Value]], ir.Value]]"
)
"""What an intrinsic returns: the types it takes and gives, and what writes its instructions."""

_HIGHS: Final = np.uint64(0x8080808080808080)
_SPACES: Final = np.uint64(0x2020202020202020)


@intrinsic
def _load_word(context: object, data: types.Type, at: types.Type) -> _Intrinsic:
    """Load `data[at : at + 8]` as a big-endian uint64."""

    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        pointer = builder.bitcast(place, ir.IntType(64).as_pointer())
        word = builder.load(pointer)
        word.align = 1
        return builder.bswap(word)

    return types.uint64(data, types.intp), generate


@intrinsic
def _leading_zeros(context: object, word: types.Type) -> _Intrinsic:
    """Count the zero bits before the first set one; 64 of zero."""

    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        return builder.ctlz(arguments[0], cgutils.false_bit)

    return types.uint64(types.uint64), generate


@njit(cache=True, nogil=True, inline="always")
def load_word(data: npt.NDArray[np.uint8], at: int) -> np.uint64:
    """Return `data[at : at + 8]` (uint8) as a big-endian uint64; the caller sees to it that the 8 bytes are there."""
    return _load_word(data, at)


@njit(cache=True, nogil=True, inline="always")
def first_space_or_wide(word: np.uint64) -> np.uint64:
    """Return a word whose highest set bit lies in the first byte of `word` that is a space or 0xE0 and above; 0 if none is.

    Bytes of 0xE0 and above begin characters of three and four bytes. (Bits after the first may be wrong, as a borrow runs on.)
    """
    mixed = word ^ _SPACES
    # Exact in every byte, unlike the usual trick, whose borrow would run towards the bytes that come first here.
    spaces = ~(((mixed & ~_HIGHS) + ~_HIGHS) | mixed) & _HIGHS
    return spaces | (word & (word << np.uint64(1)) & (word << np.uint64(2)) & _HIGHS)


@njit(cache=True, nogil=True, inline="always")
def first_marked(marks: np.uint64) -> np.int64:
    """Return the place, 0 to 7, of the byte with the highest set bit; 8 if no bit is set."""
    return np.int64(_leading_zeros(marks) >> np.uint64(3))


@njit(cache=True, nogil=True, inline="always")
def highest_bit(word: np.uint64) -> np.int64:
    """Return the place of the highest set bit, 0 for the lowest; -1 if no bit is set.

    >>> highest_bit(np.uint64(0b1010)), highest_bit(np.uint64(0))
    (3, -1)
    """
    return np.int64(63) - np.int64(_leading_zeros(word))
