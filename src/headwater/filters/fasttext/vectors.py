r"""What the fastText kernels do with several bytes or numbers in one instruction: tokens, keys, hashes, products.

Numba has no vectors and no 128-bit product, so they are asked for by type in the compiler's own language, and the compiler cuts them to
what the CPU has. All is done in integers: the results are those of plain loops, whatever the CPU. Nothing checks a bound: the caller
sees to it that all that is read and written is there.

>>> data = np.frombuffer(b"two words, and what follows them in the text", np.uint8)
>>> key = np.zeros(4, np.uint64)
>>> make_key(data, 4, find_white(data, 4), key, 0)
>>> key.tobytes()[:8], count_bits(0b1011), high_product(1 << 63, 6)
(b'words,\x00\x00', 3, 3)
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

__all__ = [
    "LANES",
    "PIECE",
    "copy_8",
    "copy_piece",
    "count_bits",
    "fetch_line",
    "find_white",
    "hash_lanes",
    "high_product",
    "is_key",
    "make_key",
]

_Intrinsic: TypeAlias = (
    "tuple[Signature, Callable[[BaseContext, ir.IRBuilder, Signature, Sequence[ir.Value]], ir.Value]]"
)
"""What an intrinsic returns: the types it takes and gives, and what writes its instructions."""

PIECE: Final = 32
"""Bytes that ``find_white`` looks at; a key has one less, so that one of zeros always follows."""
LANES: Final = 16
"""Places that ``hash_lanes`` begins at."""

_BYTE, _INT, _LONG, _WIDE = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.IntType(128)
_BYTES, _MASK = ir.VectorType(_BYTE, PIECE), ir.VectorType(ir.IntType(1), PIECE)
_inlined = njit(cache=True, nogil=True, forceinline=True)
_FNV_BASIS: Final = 2166136261
_FNV_PRIME: Final = 16777619


def _place(
    context: BaseContext,
    builder: ir.IRBuilder,
    signature: Signature,
    arguments: Sequence[ir.Value],
    array: int,
    at: ir.Value,
    kind: ir.Type,
) -> ir.Value:
    """A pointer to ``kind`` at element ``at`` of the argument numbered ``array``."""
    data = context.make_array(signature.args[array])(context, builder, arguments[array]).data
    return builder.bitcast(builder.gep(data, [at]), kind.as_pointer())


def _splat(kind: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


@intrinsic
def _find_white(typingctx: object, data: types.Type, at: types.Type) -> _Intrinsic:
    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        piece = builder.load(_place(context, builder, signature, arguments, 0, arguments[1], _BYTES), align=1)
        white = builder.or_(
            builder.icmp_unsigned("==", piece, _splat(_BYTES, 32)),
            builder.icmp_unsigned("==", piece, _splat(_BYTES, 0)),
        )
        control = builder.icmp_unsigned("<", builder.sub(piece, _splat(_BYTES, 9)), _splat(_BYTES, 5))
        marks = builder.zext(builder.bitcast(builder.or_(white, control), ir.IntType(PIECE)), _LONG)
        return builder.cttz(builder.or_(marks, ir.Constant(_LONG, 1 << PIECE)), cgutils.true_bit)

    return types.int64(data, types.int64), generate


@_inlined
def find_white(data: npt.NDArray[np.uint8], at: int) -> int:
    """Where in ``data[at : at + 32]`` the first white space of fastText stands, 32 for none."""
    return _find_white(data, at)


@intrinsic
def _copy_piece(typingctx: object, data: types.Type, at: types.Type, target: types.Type, to: types.Type) -> _Intrinsic:
    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        piece = builder.load(_place(context, builder, signature, arguments, 0, arguments[1], _BYTES), align=1)
        builder.store(piece, _place(context, builder, signature, arguments, 2, arguments[3], _BYTES), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, target, types.int64), generate


@_inlined
def copy_piece(data: npt.NDArray[np.uint8], at: int, target: npt.NDArray[np.uint8], to: int) -> None:
    """Copies ``data[at : at + 32]`` to ``target[to : to + 32]``."""
    _copy_piece(data, at, target, to)


@intrinsic
def _make_key(
    typingctx: object, data: types.Type, at: types.Type, length: types.Type, keys: types.Type, to: types.Type
) -> _Intrinsic:
    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        piece = builder.load(_place(context, builder, signature, arguments, 0, arguments[1], _BYTES), align=1)
        undefined = ir.Constant(_BYTES, ir.Undefined)
        first = builder.insert_element(undefined, builder.trunc(arguments[2], _BYTE), ir.Constant(_INT, 0))
        lengths = builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT, PIECE), [0] * PIECE))
        inside = builder.icmp_unsigned("<", ir.Constant(_BYTES, list(range(PIECE))), lengths)
        kept = builder.select(inside, piece, _splat(_BYTES, 0))
        builder.store(kept, _place(context, builder, signature, arguments, 3, arguments[4], _BYTES), align=8)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.int64, keys, types.int64), generate


@_inlined
def make_key(data: npt.NDArray[np.uint8], at: int, length: int, keys: npt.NDArray[np.uint64], to: int) -> None:
    """Fills ``keys[to : to + 4]``, uint64, with ``data[at : at + length]``, at most 31 bytes, and zeros; 32 bytes are read."""
    _make_key(data, at, length, keys, to)


@intrinsic
def _fetch_line(typingctx: object, table: types.Type, at: types.Type) -> _Intrinsic:
    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        place = _place(context, builder, signature, arguments, 0, arguments[1], _BYTE)
        kind = ir.FunctionType(ir.VoidType(), [place.type, _INT, _INT, _INT])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(fetch, [place, _INT(0), _INT(3), _INT(1)])  # to read, into the nearest cache, data
        return context.get_dummy_value()

    return types.void(table, types.int64), generate


@_inlined
def fetch_line(table: npt.NDArray[np.uint64], at: int) -> None:
    """Asks for the cache line of ``table[at]``, without waiting for it."""
    _fetch_line(table, at)


@intrinsic
def _is_key(typingctx: object, table: types.Type, at: types.Type, keys: types.Type, asked_at: types.Type) -> _Intrinsic:
    words = ir.VectorType(_LONG, 4)

    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        kept = builder.load(_place(context, builder, signature, arguments, 0, arguments[1], words), align=8)
        asked = builder.load(_place(context, builder, signature, arguments, 2, arguments[3], words), align=8)
        wide = ir.IntType(256)
        return builder.icmp_unsigned("==", builder.bitcast(builder.xor(kept, asked), wide), ir.Constant(wide, 0))

    return types.boolean(table, types.int64, keys, types.int64), generate


@_inlined
def is_key(table: npt.NDArray[np.uint64], at: int, keys: npt.NDArray[np.uint64], asked_at: int) -> bool:
    """Whether ``table[at : at + 4]`` is ``keys[asked_at : asked_at + 4]``."""
    return bool(_is_key(table, at, keys, asked_at))


@intrinsic
def _copy_8(typingctx: object, source: types.Type, at: types.Type, target: types.Type, to: types.Type) -> _Intrinsic:
    ints = ir.VectorType(_INT, 8)

    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        value = builder.load(_place(context, builder, signature, arguments, 0, arguments[1], ints), align=4)
        builder.store(value, _place(context, builder, signature, arguments, 2, arguments[3], ints), align=4)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), generate


@_inlined
def copy_8(source: npt.NDArray[np.int32], at: int, target: npt.NDArray[np.int32], to: int) -> None:
    """Copies ``source[at : at + 8]`` to ``target[to : to + 8]``, int32 both."""
    _copy_8(source, at, target, to)


@intrinsic
def _hash_lanes(
    typingctx: object,
    word: types.Type,
    at: types.Type,
    n_steps: types.Type,
    hashes: types.Type,
    to: types.Type,
    stride: types.Type,
) -> _Intrinsic:
    lanes, piece = ir.VectorType(_INT, LANES), ir.VectorType(_BYTE, LANES)

    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        state = cgutils.alloca_once(builder, lanes)
        builder.store(_splat(lanes, _FNV_BASIS), state)
        with cgutils.for_range(builder, arguments[2], intp=_LONG) as loop:
            at = builder.add(arguments[1], loop.index)
            read = builder.load(_place(context, builder, signature, arguments, 0, at, piece), align=1)
            mixed = builder.xor(builder.load(state), builder.sext(read, lanes))
            mixed = builder.mul(mixed, _splat(lanes, _FNV_PRIME))
            builder.store(mixed, state)
            to = builder.add(arguments[4], builder.mul(loop.index, arguments[5]))
            builder.store(mixed, _place(context, builder, signature, arguments, 3, to, lanes), align=4)
        return context.get_dummy_value()

    return types.void(word, types.int64, types.int64, hashes, types.int64, types.int64), generate


@_inlined
def hash_lanes(
    word: npt.NDArray[np.uint8], at: int, n_steps: int, hashes: npt.NDArray[np.uint32], to: int, stride: int
) -> None:
    """Fills ``hashes[to + stride * k + i]`` with fastText's hash of ``word[at + i : at + i + k + 1]``, for k < n_steps and i < 16.

    Cost: a load, an exclusive or, a product and a store of a vector for each k.
    """
    _hash_lanes(word, at, n_steps, hashes, to, stride)


@intrinsic
def _high_product(typingctx: object, a: types.Type, b: types.Type) -> _Intrinsic:
    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        product = builder.mul(*(builder.zext(argument, _WIDE) for argument in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(_WIDE, 64)), _LONG)

    return types.uint64(types.uint64, types.uint64), generate


@_inlined
def high_product(a: np.uint64, b: np.uint64) -> np.uint64:
    """``a * b // 2**64``."""
    return _high_product(a, b)


@intrinsic
def _count_bits(typingctx: object, number: types.Type) -> _Intrinsic:
    def generate(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@_inlined
def count_bits(number: np.uint64) -> np.uint64:
    """How many bits of ``number`` are set."""
    return _count_bits(number)
