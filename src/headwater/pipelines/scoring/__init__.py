"""Scoring: models trained on labelled text and judged by what they never saw."""
