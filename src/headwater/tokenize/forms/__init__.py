"""Vocabularies loaded by name, read and written in the forms of other libraries, and inspected."""
