"""The decorator of kernels that walk arrays and allocate nothing: `kernel`.

Numba counts references to arrays, atomically, also where a compiled function hands an array to a small helper: some 13 ns
a call, more than all the work on a character. A function that makes no arrays needs no counts, so they are switched off
(three times as fast for `cut_tokens`); one that would allocate does not compile. The switch is an internal option of
Numba (`_nrt`, in 0.68), so this is the one place that names it. No fastmath: stored bits may not depend on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

__all__ = ["inlined", "kernel"]

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(function: _Function) -> _Function:
    """Return `function` compiled at its first call, cached on disk, without the GIL and without reference counts."""
    return cast(_Function, njit(cache=True, nogil=True, _nrt=False)(function))


def inlined(function: _Function) -> _Function:
    """Return `function` as `kernel` does, to be compiled into each caller instead of called.

    For helpers that take many arrays: a call copies seven words an array, some 50 ns for all of a text's `Pieces`.
    """
    return cast(_Function, njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function))
