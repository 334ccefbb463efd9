"""Training or extending a vocabulary on samples of a lake."""
