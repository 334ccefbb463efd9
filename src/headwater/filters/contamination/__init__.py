"""Contamination: evaluation items found in texts."""
