"""The domains that the formulas tell apart; pure data, so that reading a recipe loads no formula."""

from __future__ import annotations

from typing import Final

__all__ = ["DOMAINS"]

DOMAINS: Final = ("general", "code", "math", "dialogue")
"""Every value that column ``domain`` can have."""
