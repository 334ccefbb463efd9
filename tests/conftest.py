"""Fixtures that every test may use: the real corpus, when it lies beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("HEADWATER_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus"))


DEMO_TEXT = Path(__file__).resolve().parents[1] / "src" / "headwater" / "demo"


@pytest.fixture(scope="session")
def real_text_files() -> list[Path]:
    """JSON Lines files of real text: the corpus where it lies beside the repository, else the text that the package ships."""
    return sorted(CORPUS.glob("*/*.jsonl.zst")) or sorted(DEMO_TEXT.glob("**/*.jsonl"))
