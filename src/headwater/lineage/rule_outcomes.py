"""What a recipe's rules make of the signals that a lake has, by the SQL that ``decide`` runs; nothing is written.

Rules are exact. Duplicates are followed as far as recorded verdicts reach: a sample stays a duplicate as long as its winner passes the rules, and a
kept one that passes stays kept. Whom else a cluster would keep is told as ``passes, its cluster decides``: signatures are not compared again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.arrays import Int64s
from headwater.filters.rules.rule_set import RuleSet, evaluate
from headwater.lineage.language_tokens import code_names
from headwater.warehouse.columns import family_columns
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.parquet import FragmentFiles, read_aligned
from headwater.warehouse.snapshot import Snapshot

__all__ = ["CLUSTER_DECIDES", "RuleOutcomes"]

CLUSTER_DECIDES: Final = "passes, its cluster decides"
_KEPT: Final = "kept"
_ROW: Final = (1 << ROW_BITS) - 1


class RuleOutcomes:
    """The first reason of every sample under some rules: 2 bytes a sample.

    Args:
        snapshot: whose signals are read.
        rules: of a recipe.
    """

    def __init__(self, snapshot: Snapshot, rules: RuleSet) -> None:
        self.fingerprint = rules.fingerprint
        columns = family_columns(rules.columns, rules.own_scores)
        self.families = tuple(columns)
        self._names: dict[str, int] = {_KEPT: 0}
        self._codes: dict[int, npt.NDArray[np.uint16]] = {}
        self._snapshot = snapshot
        for where in self._ready(columns):
            tables = read_aligned(snapshot.uri, where, columns or {"content": []})
            parts = [code_names(evaluate(table, rules)["first_reason"], self._names, _KEPT) for table in tables]
            self._codes[where.fragment] = np.concatenate(parts).astype(np.uint16)

    def _ready(self, columns: dict[str, list[str]]) -> Iterator[FragmentFiles]:
        fragments = self._snapshot.covered("content")
        for family in columns:
            fragments = np.intersect1d(fragments, self._snapshot.covered(family))
        return self._snapshot.locate(fragments, list(columns))

    def verdicts(self, where: FragmentFiles, recorded: pa.Array, duplicate_of: Int64s) -> tuple[pa.Array, Int64s]:
        """Return a fragment's verdicts under the rules, and the winners that duplicates go on to name; recorded ones where signals are lacking.

        A verdict is a first reason, ``kept`` or ``CLUSTER_DECIDES``.

        Args:
            recorded: first reason, ``kept`` or ``undecided`` of each sample.
            duplicate_of: the winner that it was recorded to repeat, -1 for none.
        """
        codes = self._codes.get(where.fragment)
        if codes is None:
            return recorded, duplicate_of
        told = pa.array(list(self._names), pa.string()).take(pa.array(codes))
        passes = codes == 0
        verdict = told.to_numpy(zero_copy_only=False)
        before = recorded.to_numpy(zero_copy_only=False)
        duplicate = duplicate_of >= 0
        stays = passes & duplicate & self._pass(duplicate_of)
        verdict[stays] = before[stays]
        clustered = self._in_clusters(where)
        open_ = passes & clustered & ~stays & (before != _KEPT)
        verdict[open_] = CLUSTER_DECIDES
        return pa.array(verdict, pa.string()), np.where(stays, duplicate_of, -1)

    def _pass(self, samples: Int64s) -> npt.NDArray[np.bool_]:
        """Return which samples pass the rules; False of those that are none."""
        found = np.zeros(len(samples), np.bool_)
        for fragment in np.unique(samples[samples >= 0] >> ROW_BITS).tolist():
            if fragment in self._codes:
                mine = np.flatnonzero(samples >> ROW_BITS == fragment)
                found[mine] = self._codes[fragment][samples[mine] & _ROW] == 0
        return found

    def _in_clusters(self, where: FragmentFiles) -> npt.NDArray[np.bool_]:
        if "duplicates" not in where.files:
            return np.zeros(len(self._codes[where.fragment]), np.bool_)
        (table,) = read_aligned(self._snapshot.uri, where, {"duplicates": ["cluster_id"]})
        found: npt.NDArray[np.bool_] = table["cluster_id"].is_valid().to_numpy()
        return found
