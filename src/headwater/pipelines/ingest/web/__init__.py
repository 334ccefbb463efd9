"""The web: pages in their containers, read in a process of their own."""
