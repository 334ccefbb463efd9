"""Runs, fingerprints and the questions people ask of a lake."""
