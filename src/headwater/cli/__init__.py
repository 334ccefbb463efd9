"""The command line: one module a group of commands, their options and how answers are printed."""

from headwater.cli.root import main

__all__ = ["main"]
