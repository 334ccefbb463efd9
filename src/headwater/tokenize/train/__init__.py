"""Training and extending byte-level BPE."""
