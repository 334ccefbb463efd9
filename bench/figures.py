"""The type of what benchmarks print."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Figures"]

Figures: TypeAlias = dict[str, Any]  # Any: numbers, sentences and further figures, as the report prints them in JSON
