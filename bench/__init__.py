"""Benchmarks of Headwater against itself and its peers: ``python -m bench`` prints one JSON object (docs/benchmarks.md)."""
