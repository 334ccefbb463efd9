"""Scores: quality, knowledge density, reasoning density, chain of thought and domain."""
