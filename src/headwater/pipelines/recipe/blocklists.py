"""The section of a recipe that names block lists, and the rule that each becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headwater.errors import RecipeError
from headwater.filters.blocklists.read import KINDS
from headwater.filters.rules.rule import LimitSetting
from headwater.pipelines.recipe.checks import check_one_of, check_text

__all__ = ["BlockListSettings"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockListSettings:
    """A block list.

    Attributes:
        name: samples on it carry the reason ``blocklist_<name>``.
        kind: ``domains``, ``urls`` or ``words``.
        sha256: of the file's content: what identifies the list.
        file: where the file is; no part of the recipe's identity, and not needed once the lake has the list.
        limit: of a list of words: most hits of a text to keep, a number or a table by language with ``default``.
        share: of a list of words: most hits besides, as a share of the text's words, alike; None: the limit alone decides.
    """

    name: str
    kind: str
    sha256: str
    file: str | None = field(default=None, compare=False)
    limit: LimitSetting = 0
    share: LimitSetting | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(str(self.name)):
            raise RecipeError(f"name: expected a name of a-z, 0-9 and _ that starts with a letter, found {self.name!r}")
        check_one_of("kind", self.kind, KINDS)
        if not _SHA256.fullmatch(str(self.sha256)):
            raise RecipeError(f"sha256: expected 64 hexadecimal digits, found {self.sha256!r}")
        if self.file is not None:
            check_text("file", self.file)
        for key in ("limit", "share"):
            value = getattr(self, key)
            if self.kind != "words" and value != (0 if key == "limit" else None):
                raise RecipeError(f"{key}: expected it of a list of words only, found it of {self.kind}")
            if isinstance(value, Mapping) and "default" not in value:
                raise RecipeError(f"{key}: expected a default beside the limits of languages, it is missing")
        if isinstance(self.share, int) and not isinstance(self.share, bool):
            object.__setattr__(self, "share", float(self.share))

    @property
    def literals(self) -> dict[str, object]:
        """What identifies it and its rule."""
        known: dict[str, object] = {"name": self.name, "kind": self.kind, "sha256": self.sha256}
        if self.kind == "words":
            known |= {"limit": _plain(self.limit)} | ({} if self.share is None else {"share": _plain(self.share)})
        return known

    @property
    def rule(self) -> dict[str, object]:
        """The rule, as a file of a rule set has it."""
        hits = f"coalesce(listed['{self.name}'], 0)"
        passes, limits = f"{hits} = 0", {}
        if self.kind == "words":
            passes, limits = f"{hits} <= {{limit}}", {"limit": self.limit}
            if self.share is not None:
                passes += f" OR {hits} <= {{share}} * gopher_words"
                limits["share"] = self.share
        return {
            "name": f"blocklist_{self.name}",
            "passes": passes,
            "limits": limits,
            "source": f"the recipe's block list of {self.kind}",
            "description": "",
        }


def _plain(setting: LimitSetting) -> object:
    return dict(setting) if isinstance(setting, Mapping) else setting
