"""Shard files: manifest, boundaries, one module a format."""
