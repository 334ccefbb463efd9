"""Rules that hold for every compiled function: short, and what it costs or returns is said."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numba.core.registry import CPUDispatcher

from headwater import filters, tokenize

_MOST_LINES = 150
_HEAD = "from headwater.filters.text.compile import inlined, kernel\n\n"


def modules_of(package: ModuleType) -> list[ModuleType]:
    """Every module of a package."""
    return [
        importlib.import_module(found.name) for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]


def kernels_of(module: ModuleType) -> list[Any]:
    """The functions that a module defines and Numba compiles."""
    found = [value for value in vars(module).values() if isinstance(value, CPUDispatcher)]
    return [kernel for kernel in found if kernel.py_func.__module__ == module.__name__]


def faults(module: ModuleType) -> list[str]:
    """Return what is wrong with the compiled functions of a module."""
    found = []
    for kernel in kernels_of(module):
        name, lines = kernel.py_func.__name__, len(inspect.getsourcelines(kernel.py_func)[0])
        if lines > _MOST_LINES:
            found.append(f"{name} has {lines} lines, at most {_MOST_LINES}")
        if not name.startswith("_") and not kernel.py_func.__doc__:
            found.append(f"{name} has no docstring")
    return found


@pytest.mark.parametrize("package", [filters, tokenize], ids=lambda package: package.__name__)
def test_kernels_are_short_and_described(package: ModuleType) -> None:
    """No compiled function is longer than 150 lines, and each public one has a docstring."""
    assert [fault for module in modules_of(package) for fault in faults(module)] == []
    assert sum(len(kernels_of(module)) for module in modules_of(package)) > 50


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("@kernel\ndef f():\n    pass\n", ["f has no docstring"]),
        ("@inlined\ndef f():\n    '''One.'''\n", []),
        ("@kernel\ndef _f():\n    pass\n", []),
        ("@kernel\ndef _f():\n" + "    pass\n" * 148, []),
        ("@kernel\ndef _f():\n" + "    pass\n" * 149, ["_f has 151 lines, at most 150"]),
        ("def f():\n    pass\n", []),
    ],
)
def test_a_fault_is_seen(text: str, wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just inside and just outside the limit, with and without docstring; functions that are not compiled are free."""
    name = tmp_path.name  # of its own: Python keeps modules
    (tmp_path / f"{name}.py").write_text(_HEAD + text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert faults(importlib.import_module(name)) == wrong
