"""Runs a program with the libraries that load shards: they live in environments of their own, so that Headwater's has no torch.

`scripts/setup.sh dev` makes both environments; what they do not hold themselves comes from `.venv`, Headwater included.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY

__all__ = ["run_with_loaders"]

_TIMEOUT_S = 300
_SHOWN_CHARACTERS = 6000


def run_with_loaders(program: Path, *arguments: str, environment: str = "loaders") -> Any:
    """Return what a program printed as JSON on its last line of output; fail the test when it fails.

    Args:
        program: a Python file.
        arguments: of its command line.
        environment: ``loaders`` (torch, megatron-core, litdata) or ``mds`` (mosaicml-streaming, torch).
    """
    python = REPOSITORY / f".venv-{environment}" / "bin" / "python"
    if not python.exists():
        pytest.fail(f"expected the environment .venv-{environment}, found none; run scripts/setup.sh dev")
    # Nothing here needs a graphics card or a network, and none is looked for.
    variables = os.environ | {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(python), "-W", "ignore", str(program), *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        pytest.fail(f"{program.name} ended with {done.returncode}:\n{done.stderr[-_SHOWN_CHARACTERS:]}")
    return json.loads(done.stdout.splitlines()[-1])
