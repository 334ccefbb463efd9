"""Fixtures that every test may use: the real corpus, when it lies beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("HEADWATER_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of the real text in 30 languages."""
    if not CORPUS.is_dir():
        pytest.fail(f"the corpus was expected at {CORPUS}; set HEADWATER_CORPUS to where it lies")
    return CORPUS
