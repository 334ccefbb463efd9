"""Text as bytes: kernels' settings, Arrow's buffers, characters, runs of letters and their hashes."""
