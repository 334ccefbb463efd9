"""What is made from a fragment's text, and goes when the text is another one.

A file of a narrow family covers up to 64 fragments: it is written again without those whose text was replaced, row groups of the others as they are.
Clusters of duplicates are the whole lake's: without one of its texts a cluster may fall apart, or have another name. So all clusters go, and all
verdicts, which name winners by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.warehouse.fragments import FileEntry, fragment_mask, fragments_of, parse_name
from headwater.warehouse.parquet import file_own_scores, read_file, write_family
from headwater.warehouse.snapshot import Snapshot

__all__ = ["DEPENDENT", "OF_ALL", "Cut", "cuts", "dependent_paths", "of_all_paths", "write_cut"]

DEPENDENT: Final = ("language", "signals", "scores", "minhash", "spans", "contamination", "tokens", "blocklists")
"""Families of which a fragment's rows are made from its texts, directly or through another."""
OF_ALL: Final = ("duplicates", "recaptures", "verdicts")
"""Families of which a row is made from texts of other fragments too: of captures of one time the hash of the text decides which is the newest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A live file of which some fragments go.

    Attributes:
        gone: fragments whose rows go.
        stays: the others that it covers; none: the file goes as a whole.
    """

    table: str
    path: str
    gone: frozenset[int]
    stays: tuple[int, ...]


def dependent_paths(snapshot: Snapshot, fragments: Sequence[int]) -> dict[int, frozenset[str]]:
    """Return for each fragment the live files that hold rows made from its texts."""
    numbers = np.array(sorted(fragments), np.int64)
    families = (*DEPENDENT, *OF_ALL)
    return {where.fragment: frozenset(where.paths(families)) for where in snapshot.locate(numbers, families)}


def of_all_paths(snapshot: Snapshot, fragments: npt.NDArray[np.int64]) -> list[str]:
    """Return the files of clusters and verdicts that are not right without the texts of some fragments: all, or none where these have none."""
    if not any(len(np.intersect1d(fragments, snapshot.covered(family))) for family in OF_ALL):
        return []
    return [path for family in OF_ALL for path in snapshot.paths(family)]


def cuts(snapshot: Snapshot, fragments: Sequence[int]) -> list[Cut]:
    """Return the files of ``DEPENDENT`` that cover some fragments, by path."""
    numbers = np.array(sorted(fragments), np.int64)
    gone = set(numbers.tolist())
    paths = sorted({path for where in snapshot.locate(numbers, DEPENDENT) for path in where.paths(DEPENDENT)})
    found = []
    for path in paths:
        name = parse_name(path)
        covered = fragments_of(name.base, name.mask)
        found.append(
            Cut(
                table=snapshot.uri,
                path=path,
                gone=frozenset(covered) & gone,
                stays=tuple(number for number in covered if number not in gone),
            )
        )
    return found


def write_cut(cut: Cut) -> FileEntry | None:
    """Write a file again without the fragments that go, and return its description; None where none stays. Runs in a Spark task."""
    if not cut.stays:
        return None
    name = parse_name(cut.path)
    base, mask = fragment_mask(cut.stays)
    own = file_own_scores(cut.table, cut.path) if name.family == "scores" else ()
    return write_family(cut.table, name.family, name.batch, base, mask, name.operator, _groups(cut), own)


def _groups(cut: Cut) -> Iterator[pa.Table]:
    """Yield the row groups that stay: a file has one for each fragment that it covers, ascending."""
    name = parse_name(cut.path)
    for fragment, rows in zip(fragments_of(name.base, name.mask), read_file(cut.table, cut.path), strict=True):
        if fragment not in cut.gone:
            yield rows
