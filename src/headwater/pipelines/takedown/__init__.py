"""Takedown: samples go from every family and every build, the same text is refused later, and a report says what was done."""
