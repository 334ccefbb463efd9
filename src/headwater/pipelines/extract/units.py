"""What one commit of new content holds together: fragments, and the shared files of which their rows go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headwater.lineage.runs import Unit
from headwater.pipelines.extract.dependents import Cut, dependent_paths
from headwater.pipelines.extract.task import Done
from headwater.warehouse.fragments import FileEntry
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.snapshot import Snapshot

__all__ = ["Stands", "units_of"]


@dataclass(kw_only=True, slots=True)
class Stands:
    """Whether what hangs on some fragments is what a commit was planned with: a step may have made something of the old texts meanwhile.

    Attributes:
        paths: fragment → the files that hold rows made from its texts.
        seen: version of the table → the same then.
    """

    paths: Mapping[int, frozenset[str]]
    seen: dict[int, Mapping[int, frozenset[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Snapshot, located: Mapping[int, FragmentFiles]) -> Stands:
        """Return what hangs on the fragments now."""
        return cls(paths=dependent_paths(snapshot, list(located)))

    def hold(self, now: Snapshot, unit: Unit) -> bool:
        """Return whether nothing new hangs on the fragments of a unit whose texts are replaced, which its tags name."""
        if now.version not in self.seen:
            self.seen = {now.version: dependent_paths(now, list(self.paths))}
        return all(self.seen[now.version][int(tag)] == self.paths[int(tag)] for tag in unit.tags)


def units_of(
    located: Mapping[int, FragmentFiles], done: Sequence[Done], written: Sequence[tuple[Cut, FileEntry | None]]
) -> list[Unit]:
    """Return units that can be committed apart: fragments that share a file that is cut are one.

    Args:
        located: fragment → the files that were read.
        done: what was written of each fragment.
        written: files that are cut, with what was written in their place.
    """
    group = {each.fragment: each.fragment for each in done}

    def root(fragment: int) -> int:
        while group[fragment] != fragment:
            group[fragment] = group[group[fragment]]
            fragment = group[fragment]
        return fragment

    for cut, _ in written:
        first, *others = sorted(cut.gone)
        for other in others:
            group[root(other)] = root(first)
    of: dict[int, list[Done]] = {}
    for each in done:
        of.setdefault(root(each.fragment), []).append(each)
    units = []
    for number, members in of.items():
        mine = [(cut, entry) for cut, entry in written if root(min(cut.gone)) == number]
        units.append(
            Unit(
                adds=[*(entry for each in members for entry in each.entries), *(entry for _, entry in mine if entry)],
                removes=[
                    *(
                        path
                        for each in members
                        for path in located[each.fragment].paths(entry.family for entry in each.entries)
                    ),
                    *(cut.path for cut, _ in mine),
                ],
                counts=_counts(members),
                tags=frozenset(str(each.fragment) for each in members if each.changed),
            )
        )
    return units


def _counts(members: Sequence[Done]) -> dict[str, int]:
    counts = {"fragments": len(members)}
    for each in members:
        own = {"pages": each.pages, "changed": each.changed, "kept": each.kept}
        own |= {f"extractor:{name}": n for name, n in each.chosen.items()}
        for name, value in own.items():
            counts[name] = counts.get(name, 0) + value
    return counts
