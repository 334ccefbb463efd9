"""What a vocabulary is, and its form as a `tokenizer.json`."""
