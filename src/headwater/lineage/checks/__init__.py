"""Checks: what must be true of a lake and its builds, down to the bytes."""
