"""Block lists: domains, URLs and words that stand in files, and which samples are or have them."""
