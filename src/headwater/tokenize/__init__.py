"""Vocabulary, encoder, packing and shard formats: pure functions over NumPy and Arrow."""
