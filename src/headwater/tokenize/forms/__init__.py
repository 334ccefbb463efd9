"""Vocabularies by name, in the forms of others, and looked at."""
