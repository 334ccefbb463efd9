"""Spans: bytes of a text that a build leaves out or masks."""
