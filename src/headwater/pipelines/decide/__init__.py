"""Decide: a verdict for every sample, by rules and by cluster."""
