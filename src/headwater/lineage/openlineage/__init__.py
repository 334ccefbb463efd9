"""OpenLineage events of every step: what ran, over which versions of which datasets, with which result."""
