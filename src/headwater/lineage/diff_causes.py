"""Why a sample's outcome is another one on the other side: the step, and what of it changed.

The first difference on the way through the job counts: whether the sample is there, its text, its verdict, then the selection.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Bools, Int64s
from headwater.lineage.diff_sides import ABSENT, UNDECIDED, Rows
from headwater.lineage.rule_outcomes import CLUSTER_DECIDES
from headwater.warehouse.parquet import read_aligned

__all__ = ["Cause", "causes_of", "score_differences", "text_differences"]

Cause = tuple[str, str]
"""Step and what changed."""
_SCORES: Final = ("quality", "knowledge_density", "reasoning_density", "chain_of_thought", "domain")


def _same_file(a: Rows, b: Rows, family: str) -> bool:
    """Return whether both sides read a family of the fragment from one file."""
    return a.where is not None and b.where is not None and a.where.files.get(family) == b.where.files.get(family)


def _differing(uris: tuple[str, str], a: Rows, b: Rows, family: str, columns: tuple[str, ...], n: int) -> Bools:
    found = np.zeros(n, np.bool_)
    if a.where is None or b.where is None or family not in a.where.files or family not in b.where.files:
        return found
    if _same_file(a, b, family):
        return found
    left, right = (
        pa.concat_tables(read_aligned(uri, side, {family: list(columns)})).combine_chunks()
        for uri, side in zip(uris, (a.where, b.where), strict=True)
    )
    both = min(left.num_rows, right.num_rows)
    for name in columns:
        same = pc.fill_null(pc.equal(left[name][:both], right[name][:both]), False).to_numpy()
        nulls = left[name][:both].is_null().to_numpy() & right[name][:both].is_null().to_numpy()
        found[:both] |= ~(same | nulls)
    return found


def text_differences(uris: tuple[str, str], a: Rows, b: Rows, n: int) -> Bools:
    """Return which samples of a fragment have another text on the other side, bool [n]."""
    return _differing(uris, a, b, "content", ("content_hash",), n)


def score_differences(uris: tuple[str, str], a: Rows, b: Rows, n: int) -> Bools:
    """Return which samples have another score or domain, bool [n]."""
    return _differing(uris, a, b, "scores", _SCORES, n)


def causes_of(uris: tuple[str, str], a: Rows, b: Rows, changed: Int64s) -> list[Cause]:
    """Return the cause of each sample whose outcome changed.

    Args:
        uris: of the tables of the two sides.
        changed: rows of the fragment.
    """
    if len(changed) == 0:
        return []
    n = len(a.outcome)
    texts, scores = text_differences(uris, a, b, n), score_differences(uris, a, b, n)
    before, after = (side.verdict.take(pa.array(changed)).to_pylist() for side in (a, b))
    same_rules = a.rule_sets == b.rule_sets
    found = []
    for row, left, right in zip(changed.tolist(), before, after, strict=True):
        if ABSENT in (left, right):
            found.append(("ingest", "came" if left == ABSENT else "went"))
        elif texts[row]:
            found.append(("extract", "text"))
        elif UNDECIDED in (left, right):
            found.append(("decide", "decided" if left == UNDECIDED else "no longer decided"))
        elif left != right:
            found.append(_of_verdict(a, b, row, left, right, same_rules=same_rules))
        elif a.language[row] != b.language[row]:
            found.append(("annotate", "language"))
        elif scores[row]:
            found.append(("annotate", "score"))
        elif a.n_tokens[row] != b.n_tokens[row]:
            found.append(("annotate", "tokens"))
        else:
            found.append(("select", "cut"))
    return found


def _of_verdict(a: Rows, b: Rows, row: int, left: str, right: str, *, same_rules: bool) -> Cause:
    """Return why the verdict is another one."""
    rules = [
        told
        for told, side in ((right, b), (left, a))
        if told not in ("kept", CLUSTER_DECIDES) and side.duplicate_of[row] < 0
    ]
    if not rules:
        return "deduplicate", "duplicate winner"
    if a.language[row] != b.language[row]:
        return "annotate", "language"
    return ("annotate" if same_rules else "decide"), f"rule {rules[0]}"
