"""The sum of chosen rows of a matrix in float32, in a fixed order, sixteen or eight columns at a time in vector registers.

Numba's compiler keeps scalars apart that stand side by side, so the vector is asked for by its type in the compiler's own language. Each
column is added up by itself and in the order given: the result is that of plain loops, bit for bit, whatever vectors the CPU has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from headwater.filters.text.compile import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numba.core.base import BaseContext
    from numba.core.typing.templates import Signature

__all__ = ["add_rows"]

_Intrinsic: TypeAlias = (
    "tuple[Signature, Callable[[BaseContext, ir.IRBuilder, Signature, Sequence[ir.Value]], ir.Value]]"
)
"""What an intrinsic returns: the types it takes and gives, and what writes its instructions."""


def _make_adder(
    width: int,
) -> Callable[[npt.NDArray[np.float32], npt.NDArray[np.int32], int, int, npt.NDArray[np.float32]], None]:
    """A function for kernels that adds ``rows[found[i], column:column + width]`` for all i < n to ``sums[column:column + width]``."""

    @intrinsic
    def add_columns(
        typingctx: object, rows: types.Type, found: types.Type, n: types.Type, column: types.Type, sums: types.Type
    ) -> _Intrinsic:
        def generate(
            context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
        ) -> ir.Value:
            rows_, found_, sums_ = (
                context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1, 4)
            )
            long = ir.IntType(64)
            vector = ir.VectorType(ir.FloatType(), width)
            stride = cgutils.unpack_tuple(builder, rows_.shape, 2)[1]
            column_ = builder.sext(arguments[3], long) if arguments[3].type.width < 64 else arguments[3]
            place = builder.bitcast(builder.gep(sums_.data, [column_]), vector.as_pointer())
            total = cgutils.alloca_once(builder, vector)
            builder.store(builder.load(place, align=4), total)
            with cgutils.for_range(builder, arguments[2], intp=long) as loop:
                row = builder.sext(builder.load(builder.gep(found_.data, [loop.index])), long)
                at = builder.gep(rows_.data, [builder.add(builder.mul(row, stride), column_)])
                value = builder.load(builder.bitcast(at, vector.as_pointer()), align=4)
                builder.store(builder.fadd(builder.load(total), value), total)
            builder.store(builder.load(total), place, align=4)
            return context.get_dummy_value()

        return types.void(rows, found, types.int64, types.int64, sums), generate

    return add_columns


_add_8 = _make_adder(8)
_add_16 = _make_adder(16)


@kernel
def add_rows(
    rows: npt.NDArray[np.float32], found: npt.NDArray[np.int32], n_found: int, sums: npt.NDArray[np.float32]
) -> None:
    """Adds ``rows[found[:n_found]]`` to ``sums`` in that order; all are C-contiguous, the columns a multiple of 8.

    Cost: one load and one addition of a vector for each 16 columns of each row.
    """
    columns = len(sums)
    for column in range(0, columns - 8, 16):
        _add_16(rows, found, n_found, column, sums)
    if columns % 16:
        _add_8(rows, found, n_found, columns - 8, sums)
