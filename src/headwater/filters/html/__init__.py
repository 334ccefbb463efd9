"""Web pages: their tree as arrays, the blocks of text in it, and text or Markdown written from the blocks chosen."""
