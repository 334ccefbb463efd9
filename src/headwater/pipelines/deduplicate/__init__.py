"""Deduplicate: clusters of exact and near duplicates."""
