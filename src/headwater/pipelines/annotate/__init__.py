"""Annotate: every operator that reads text, in one pass over it."""
