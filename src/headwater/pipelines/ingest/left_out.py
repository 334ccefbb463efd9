"""What a search of input folders leaves out by rule: hidden and temporary names, what is no file, and whatever lies below a lake."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from headwater.pipelines.ingest.opening import uri_of_path

__all__ = ["RULES", "LeftOut", "rule_of_name"]

RULES: Final[dict[str, str]] = {
    "hidden": "hidden, or marks of other programs (they begin with . or _)",
    "lake": "of a lake, and what lies below one is never input",
    "special": "neither a file nor a folder",
    "temporary": "temporary, or copies that an editor left",
}
"""Rule → what it leaves out."""

_TEMPORARY: Final = re.compile(
    r"(?:~|\.(?:tmp|temp|crc|swp|part|partial|crdownload|inprogress|_COPYING_))$|^#.*#$", re.IGNORECASE | re.DOTALL
)


def rule_of_name(name: str, *, is_folder: bool = False) -> str | None:
    """Return the rule by which a file or folder of some name is left out of a search, or None.

    No folder is temporary by its name: ``corpus.part`` may well be a part of a corpus.

    >>> [rule_of_name(name) for name in ("_SUCCESS", ".a.crc", "x.jsonl~", "x.jsonl.tmp", "x.jsonl")]
    ['hidden', 'hidden', 'temporary', 'temporary', None]
    """
    if name.startswith((".", "_")):
        return "hidden"
    return "temporary" if not is_folder and _TEMPORARY.search(name) else None


@dataclass(kw_only=True, slots=True)
class LeftOut:
    """What one listing left out.

    Attributes:
        counts: rule → how many files and folders; a folder counts once, whatever it holds.
        examples: rule → the first of them.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, rule: str, path: str) -> None:
        """Note that ``path`` was left out."""
        self.counts[rule] = self.counts.get(rule, 0) + 1
        self.examples.setdefault(rule, uri_of_path(path))
