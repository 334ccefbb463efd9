"""Headwater: from a lake of raw documents to token shards, with the lineage of every token."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
