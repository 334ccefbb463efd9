"""How stores are asked: a section of a recipe that is no part of its identity, as paths and cores are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from headwater.errors import RecipeError, UsageError
from headwater.warehouse.storage import check_settings, use_storage

__all__ = ["StorageSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    """Settings of object stores.

    Attributes:
        options: name → value, as ``--storage`` takes them; what the command line gives counts before them, and they before the environment.
    """

    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, raw: object) -> Self:
        """Return the settings of a table ``[storage]``.

        Raises:
            RecipeError: no table of texts, an unknown name, or a secret that stands there itself.
        """
        if not isinstance(raw, Mapping):
            raise RecipeError("storage: expected a table")
        for name, value in raw.items():
            if not isinstance(value, str) or not value:
                raise RecipeError(f"storage: {name}: expected a text in quotes, found {type(value).__name__}")
        try:
            check_settings(raw)
        except UsageError as error:
            raise RecipeError(f"storage: {error}") from None
        return cls(options=dict(raw))

    def use(self) -> None:
        """Let this process use them.

        Raises:
            UsageError: a file that one of them names cannot be read.
        """
        use_storage(self.options, of_recipe=True)
