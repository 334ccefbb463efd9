"""Language and script of a document, mixed ones included."""
