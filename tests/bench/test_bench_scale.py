"""The benchmark of a driver's work runs on a small lake; its figures are never a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY


@pytest.mark.slow
def test_the_parts_of_a_driver(tmp_path: Path) -> None:
    """A lake of 130 fragments is planned, asked and committed to, and kept where it was told to be."""
    lake = tmp_path / "lake"
    command = [sys.executable, "-m", "bench.scale", "--fragments", "130", "--request-ms", "1", "--lake", str(lake)]
    command += ["--parts", "plan,known,commit"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    report = json.loads(done.stdout)
    assert report["plan"]["tasks"] * report["plan"]["most_fragments_a_task"] >= 130
    assert report["known"]["first"]["requests"] >= 100
    assert report["known"]["second"]["requests"] == report["known"]["third"]["requests"] == 0
    assert report["commit"]["files"] == report["commit"]["units"] * 7
    assert (lake / "samples" / "_delta_log").is_dir()
