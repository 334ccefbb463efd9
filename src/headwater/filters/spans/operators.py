"""The operators that mark spans: pure data, so that reading a recipe loads no kernel."""

from __future__ import annotations

from typing import Final

__all__ = ["OPERATORS"]

OPERATORS: Final[dict[str, int]] = {
    "c4_lines": 1,
    "emails": 1,
    "noise_lines": 1,
    "policy_lines": 1,
    "refinedweb_lines": 1,
}
"""Name of each operator to its version, raised with any change that alters a stored span."""
