"""Hostile files for every parser, made from a seed: see ``__main__`` for running them by hand."""
