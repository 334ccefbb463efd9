"""The decorator of kernels that walk arrays and allocate nothing: `kernel`.

Numba counts references to arrays, atomically, also where a compiled function hands an array to a small helper: some 13 ns
a call, more than all the work on a character. A function that makes no arrays needs no counts, so they are switched off
(three times as fast for `cut_tokens`); one that would allocate does not compile. The switch is an internal option of
Numba (`_nrt`, in 0.68), so this is the one place that names it. No fastmath: stored bits may not depend on the CPU.

Two things that Numba compiles beside a function are left out, for nobody uses them. For C it makes a second way in. And it
makes a form of the function for each constant that another compiled function gives it, `put(out, state, 32)` beside
`put(out, state, 10)`, and for a variable's first value before it sees that others follow; here all integers share one form,
and LLVM still puts the constant into what it inlines. Without them the kernels of a page compile in less than two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.types import unliteral  # type: ignore[attr-defined]  # types are made at import

__all__ = ["inlined", "kernel", "plain"]

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(function: _Function) -> _Function:
    """Return `function` compiled at its first call, cached on disk, without the GIL and without reference counts."""
    return cast(_Function, _one_form(njit(cache=True, nogil=True, _nrt=False, no_cfunc_wrapper=True)(function)))


def inlined(function: _Function) -> _Function:
    """Return `function` as `kernel` does, to be compiled into each caller instead of called.

    For helpers that take many arrays: a call copies seven words an array, some 50 ns for all of a text's `Pieces`.
    """
    compiled = njit(cache=True, nogil=True, _nrt=False, no_cfunc_wrapper=True, forceinline=True)(function)
    return cast(_Function, _one_form(compiled))


def plain(function: _Function) -> _Function:
    """Return a compiled function as Python runs it: for tables made at import.

    The first call of any compiled function loads Numba's back end, 0.3 s in every process, of which most never call another.
    """
    return cast(_Function, getattr(function, "py_func", function))


def _one_form(compiled: Any) -> Any:  # Any: Numba's dispatchers have no types
    """Return a compiled function that takes a constant as any other value of its type."""
    template = compiled.get_call_template
    compiled.get_call_template = lambda args, kws: template(
        [unliteral(each) for each in args], {name: unliteral(each) for name, each in kws.items()}
    )
    return compiled
