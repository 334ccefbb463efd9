"""Text that ships with the package, and the demo that builds a lake from it: ``python -m headwater.demo``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["TEXT_FOLDERS"]

TEXT_FOLDERS = [str(Path(__file__).parent / name) for name in ("web", "reasoning", "noise", "crawl")]
"""Folders of JSON Lines, and of a WARC: prose in 30 languages; mathematics, code and reasoning; planted faults; a crawl. README.md beside them says more."""
