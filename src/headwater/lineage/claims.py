"""Which fragments the units of a wave may still write: what is live in a version of the table, and what earlier units of the wave took."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.warehouse.commit import coverage_scope
from headwater.warehouse.fragments import FileEntry, fragments_of, parse_name
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot

__all__ = ["Claims"]

_Scope = tuple[str, str | None, str | None]
"""Family, batch and operator within which a number may be covered once; see ``coverage_scope``."""


class Claims:
    """What units have claimed of one version of the table; a unit's claim is granted whole or not at all.

    A claim is refused when a file that the unit replaces is not live, or is replaced by an earlier unit, and when a fragment that it writes is
    covered by a file that it does not replace, or written by an earlier unit: so of two units that write the same, one holds.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._replaced: set[str] = set()
        self._covered: dict[_Scope, set[int]] = {}
        self._written: dict[_Scope, set[int]] = {}

    def grant(self, adds: Sequence[FileEntry], removes: Sequence[str]) -> bool:
        """Return whether a unit with these files can be committed beside the units granted before, and note its claim if so."""
        if not self._snapshot.holds(removes) or not self._replaced.isdisjoint(removes):
            return False
        freed = _fragments_by_family(removes)
        wanted = [(coverage_scope(add), set(fragments_of(add.base, add.mask))) for add in adds if _is_covering(add)]
        for scope, fragments in wanted:
            taken = self._taken(scope) & fragments
            if not taken <= freed.get(scope[0], set()) or not self._written.get(scope, set()).isdisjoint(fragments):
                return False
        self._replaced.update(removes)
        for scope, fragments in wanted:
            self._written.setdefault(scope, set()).update(fragments)
        return True

    def _taken(self, scope: _Scope) -> set[int]:
        """Return the numbers that live files of a scope cover."""
        if scope not in self._covered:
            family, batch, operator = scope
            self._covered[scope] = set(self._snapshot.covered(family, operator=operator, batch=batch).tolist())
        return self._covered[scope]


def _is_covering(add: FileEntry) -> bool:
    return FAMILIES[add.family].by_sample


def _fragments_by_family(paths: Sequence[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for path in paths:
        name = parse_name(path)
        found.setdefault(name.family, set()).update(fragments_of(name.base, name.mask))
    return found
