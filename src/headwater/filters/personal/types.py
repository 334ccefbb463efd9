"""Types of personal data and secrets, with what becomes of each where a recipe says nothing: pure data, so that reading a recipe loads no kernel."""

from __future__ import annotations

from typing import Final

__all__ = ["ACTIONS", "CONFIDENCES", "HIGH", "LOW", "MEDIUM", "PERSONAL", "PERSONAL_TYPES", "SECRET", "SECRET_TYPES"]

PERSONAL: Final = "personal:"
SECRET: Final = "secret:"  # noqa: S105 - the beginning of an operator's name
"""Before the type in column ``operator`` of family ``spans``."""

ACTIONS: Final = ("keep", "mask", "drop")
"""``keep``: found and counted, and the text stays as it is; ``mask``: ``filters.spans.find.MASK`` in its place; ``drop``: left out."""

HIGH: Final = "high"
MEDIUM: Final = "medium"
LOW: Final = "low"
CONFIDENCES: Final = (HIGH, MEDIUM, LOW)
"""``high``: a checksum or a structure that chance passes less than once in a thousand, or a weaker one beside a word that names it. ``medium``: the
form and a weaker test, or a word that names it and the form alone. ``low``: the form alone."""

PERSONAL_TYPES: Final[dict[str, str]] = {
    "email": "mask",
    "email_obfuscated": "keep",
    "ip": "mask",
    "phone": "mask",
    "iban": "mask",
    "card": "mask",
    "national_id": "mask",
}
"""Type of personal data → the action where the recipe names none."""

SECRET_TYPES: Final[dict[str, str]] = {
    "private_key": "mask",
    "api_key": "mask",
    "password": "mask",
}
"""Type of secret → the action where the recipe names none."""
