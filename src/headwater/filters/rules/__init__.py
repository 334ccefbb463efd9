"""Rules: SQL over signals and scores, and verdicts by them."""
