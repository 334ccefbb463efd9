"""Text as bytes: how kernels are compiled, characters, runs of letters and their hashes, exp and log without a library."""
