"""The one version number: what the package's metadata, ``headwater --version`` and the record of every run say."""

from __future__ import annotations

from typing import Final

__all__ = ["__version__"]

__version__: Final = "0.1.0"
