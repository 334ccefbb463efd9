"""Near duplicates: normalised text, shingles, MinHash signatures and bands, agreement and winners."""
