"""Build: tokens of the chosen samples, packed into shards; their repair and export."""
