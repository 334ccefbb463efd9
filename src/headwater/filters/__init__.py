"""Measures and rules over text: pure functions, Arrow in and Arrow out."""
