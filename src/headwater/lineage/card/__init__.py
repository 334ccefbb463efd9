"""The data card of a build: what it holds, where that comes from, what was left out and why."""
