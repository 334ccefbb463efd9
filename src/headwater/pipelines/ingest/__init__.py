"""Ingest: raw files to samples, each record kept or refused with a reason."""
