"""What a vocabulary is, and its file forms of our own and of the library tokenizers."""
