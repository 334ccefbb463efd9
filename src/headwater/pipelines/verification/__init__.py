"""Checks of a large lake, a file or fragment a task."""
