"""Words: one cut of a text for every signal and rule that counts them."""
