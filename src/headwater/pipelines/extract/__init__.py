"""Extract: texts of web pages by extractors that came after ingest, and whose text a sample has."""
