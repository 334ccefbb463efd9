"""Signals: what is measured of a text, one column a signal, in one pass."""
