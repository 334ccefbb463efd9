"""What a check returns."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["Found"]

Found: TypeAlias = tuple[int, list[str]]
"""On how many things a check was tried, and what was found wrong."""
