"""Packing documents into sequences."""
