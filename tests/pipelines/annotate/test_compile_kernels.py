"""`compile_kernels` compiles every kernel that the shipped recipes use."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from conftest import REPOSITORY

_NOT_COMPILED = {
    "headwater.filters.blocklists.words._count": "only for recipes with a block list of words, of which none ships",
    "headwater.filters.blocklists.words._enter": "the same",
    "headwater.filters.fasttext.predict._fill_distributions": "only benchmarks and tests ask for all labels of a text",
    "headwater.filters.noise.judge._measure_all": "only training and tests ask for the numbers of a line",
    "headwater.tokenize.forms.rank_merges.find_rank_merges": "only to import a vocabulary of tiktoken's form",
    "headwater.tokenize.shards.xxh64._hash": "only for the shard format mds, which no shipped recipe writes",
}
"""Kernels that compile at their first use, and why that is early enough."""

_LIST = """
import importlib, json, pkgutil, sys
import headwater
from numba.core.registry import CPUDispatcher
from headwater.pipelines.annotate.compile_kernels import compile_kernels

names = [module.name for module in pkgutil.walk_packages(headwater.__path__, "headwater.")]
modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]

def name_of(kernel):
    return f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}"

def callees(kernel):
    seen = kernel.py_func.__globals__
    return [seen[name] for name in kernel.py_func.__code__.co_names if isinstance(seen.get(name), CPUDispatcher)]

kernels = {name_of(value): value for module in modules for value in vars(module).values() if isinstance(value, CPUDispatcher)}
compile_kernels()
# A kernel that Numba read from its cache does not compile what it calls: that is in it.
def reached(waiting):
    found = set()
    while waiting:
        kernel = waiting.pop()
        if name_of(kernel) not in found:
            found.add(name_of(kernel))
            waiting += callees(kernel)
    return found

missing = set(kernels) - reached([kernel for kernel in kernels.values() if kernel.signatures])
excused = reached([kernels[name] for name in sys.argv[1:] if name in kernels])
print(json.dumps([sorted(kernels), sorted(missing), sorted(excused)]))
"""


@pytest.mark.slow
def test_every_kernel_is_compiled() -> None:
    """After it no kernel of the package is without a compiled form, but for those named above and what only they call."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", _LIST, *_NOT_COMPILED],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    kernels, missing, excused = json.loads(ran.stdout.splitlines()[-1])
    assert len(kernels) > 200
    assert set(_NOT_COMPILED) <= set(kernels), "a kernel named above is gone"
    assert set(missing) - set(excused) == {"headwater.filters.fasttext.tree.fill_leaves"} & set(missing)
    assert set(_NOT_COMPILED) <= set(missing), "a kernel named above is compiled"
