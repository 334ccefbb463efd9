<<<<<<< HEAD
"""Web pages: their character encoding, their nodes and blocks, which blocks are the main text, and that text."""
=======
"""Web pages: their tree as arrays, the blocks of text in it, and text or Markdown written from the blocks chosen."""
>>>>>>> cc872157f08160b666e8add79e86836c6a8a38ea
