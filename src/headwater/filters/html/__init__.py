"""Web pages: their character encoding, their nodes and blocks, which blocks are the main text, and that text."""
