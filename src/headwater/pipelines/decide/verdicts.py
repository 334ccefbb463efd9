"""Verdicts: the rows of a fragment from its evaluated rules and its duplicates, and what they count."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import ReconciliationError
from headwater.pipelines.decide.contamination_columns import CONTAMINATION_COLUMNS
from headwater.warehouse.columns import find_rows, nullable_rows, repeat_text

__all__ = ["EXACT", "NEAR", "TAKEN_DOWN", "reconcile", "verdict_rows", "wiped_sources", "with_taken_down"]

EXACT: Final = "exact_duplicate"
NEAR: Final = "near_duplicate"
TAKEN_DOWN: Final = "taken_down"


def verdict_rows(
    zipped: pa.Table, evaluated: pa.Table, losers: pa.Table, rule_set: str
) -> tuple[pa.Table, dict[str, int]]:
    """Return the verdicts of a fragment and its counts: samples, kept, first reasons, and per source what was lost.

    Args:
        zipped: sample_id (ascending), source and the columns of contamination.
        evaluated: reasons and first_reason of each row by the rules.
        losers: sample_id, duplicate_of, similarity and same_text of its samples that lost an election.
        rule_set: fingerprint of the rules.
    """
    n = zipped.num_rows
    index = find_rows(zipped["sample_id"].to_numpy(), losers["sample_id"].to_numpy())
    take = nullable_rows(index)
    same = losers["same_text"].combine_chunks().take(take)
    duplicate = pc.if_else(same, EXACT, NEAR)
    reasons = evaluated["reasons"].to_pylist()
    for row in np.flatnonzero(index >= 0).tolist():
        reasons[row] = [*reasons[row], duplicate[row].as_py()]
    first = pc.coalesce(evaluated["first_reason"].combine_chunks(), duplicate)
    kept = pc.is_null(first)
    table = pa.table(
        {
            "sample_id": zipped["sample_id"],
            "kept": kept,
            "reasons": pa.array(reasons, pa.list_(pa.string())),
            "first_reason": first,
            "rule_set": repeat_text(rule_set, n),
            "duplicate_of": losers["duplicate_of"].combine_chunks().take(take),
            "similarity": losers["similarity"].combine_chunks().take(take),
            **{name: zipped[name] for name in CONTAMINATION_COLUMNS},
        }
    )
    counts = {"samples": n, "kept": int(pc.sum(kept).as_py() or 0)}
    for item in pc.value_counts(first.drop_null()).to_pylist():
        counts[f"reason:{item['values']}"] = item["counts"]
    source = pc.fill_null(zipped["source"].combine_chunks(), "(none)")
    for item in pc.value_counts(source).to_pylist():
        counts[f"source:{item['values']}"] = item["counts"]
    for item in pc.value_counts(source.filter(pc.is_valid(duplicate))).to_pylist():
        counts[f"duplicates:{item['values']}"] = item["counts"]
    return table, counts


def with_taken_down(evaluated: pa.Table, taken: npt.NDArray[np.bool_]) -> pa.Table:
    """Return evaluated rules with a reason before all others for some rows: they were taken down, or have the text of what was.

    >>> with_taken_down(pa.table({"reasons": [["short"], []], "first_reason": ["short", None]}), np.array([True, False])).to_pylist()
    [{'reasons': ['taken_down', 'short'], 'first_reason': 'taken_down'}, {'reasons': [], 'first_reason': None}]
    """
    if not taken.any():
        return evaluated
    reasons = [
        [TAKEN_DOWN, *fired] if gone else fired
        for fired, gone in zip(evaluated["reasons"].to_pylist(), taken.tolist(), strict=True)
    ]
    first = pc.if_else(pa.array(taken), TAKEN_DOWN, evaluated["first_reason"].combine_chunks())
    at = {name: evaluated.column_names.index(name) for name in ("reasons", "first_reason")}
    table = evaluated.set_column(at["reasons"], "reasons", pa.array(reasons, pa.list_(pa.string())))
    return table.set_column(at["first_reason"], "first_reason", first)


def reconcile(counts: dict[str, int]) -> None:
    """Check that samples in are those kept and those rejected, each by its first reason.

    Raises:
        ReconciliationError: they are not: a fault of Headwater.
    """
    rejected = sum(value for name, value in counts.items() if name.startswith("reason:"))
    if counts["samples"] != counts["kept"] + rejected:
        raise ReconciliationError(
            f"decide: expected {counts['samples']} samples to be kept or rejected, found {counts['kept']} kept and {rejected} rejected"
        )


def wiped_sources(counts: dict[str, int], alarm: float) -> dict[str, float]:
    """Return the sources that lost more than ``alarm`` of their samples to duplicates → the share lost."""
    shares = {
        name.removeprefix("source:"): counts.get(f"duplicates:{name.removeprefix('source:')}", 0) / total
        for name, total in counts.items()
        if name.startswith("source:") and total
    }
    return {source: share for source, share in sorted(shares.items()) if share > alarm}
