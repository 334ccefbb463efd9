"""The types of all Python here, checked as one of the tests: it takes minutes on one processor, beside which the other tests run."""

from __future__ import annotations

import os
import subprocess

import pytest

from conftest import REPOSITORY


@pytest.mark.slow
def test_types_agree() -> None:
    """`make types`, which is mypy in strict mode on every folder of Python, finds nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "types"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
