"""Checks: what holds of a lake and its builds, down to the bytes."""
