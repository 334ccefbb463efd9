"""What becomes of a span: the action that it carries, or the one that the recipe gives its type; and where spans overlap.

Personal data and secrets are stored as found, whatever the recipe does with them; their action is null there. The recipe gives it, when spans are
applied: a changed policy changes token counts and shards, and nothing is looked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.personal.types import PERSONAL, PERSONAL_TYPES, SECRET, SECRET_TYPES

__all__ = ["DEFAULT_POLICY", "Policy", "decide_actions", "policy_of", "union_of_spans"]

Policy = Mapping[str, str]
"""Operator of a span without an action of its own → keep, mask or drop."""

DEFAULT_POLICY: Final[Policy] = {
    **{PERSONAL + name: action for name, action in PERSONAL_TYPES.items()},
    **{SECRET + name: action for name, action in SECRET_TYPES.items()},
}
_KEEP: Final = "keep"
_DROP: Final = "drop"


def policy_of(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the policy of a recipe's table ``[spans]``; what it does not name has its default.

    >>> policy_of({"operators": [], "personal": {"phone": "keep"}})["personal:phone"]
    'keep'
    """
    policy = dict(DEFAULT_POLICY)
    for prefix, name in ((PERSONAL, "personal"), (SECRET, "secrets")):
        table = settings.get(name)
        if isinstance(table, Mapping):
            policy |= {f"{prefix}{kind}": str(action) for kind, action in table.items()}
    return policy


def decide_actions(spans: pa.Table, policy: Policy) -> pa.Table:
    """Return the spans that are to be applied, each with its action, as ``apply_spans`` wants them: sorted and without overlap.

    Of overlapping spans: what any drops is dropped; masks that share bytes are one mask; a mask that a drop cuts stays beside it.

    Args:
        spans: sample_id (ascending), operator, span_begin, span_end, action.
        policy: actions of those whose action is null.

    Raises:
        UsageError: a span without an action whose operator the policy does not name.
    """
    if spans["action"].null_count == 0:
        return spans
    operators = spans["operator"].combine_chunks()
    names = pa.array(list(policy), pa.string())
    decided = pa.array(list(policy.values()), pa.string()).take(pc.index_in(operators, names))
    actions = pc.coalesce(spans["action"].combine_chunks(), decided)
    if actions.null_count:
        unknown = operators.filter(pc.is_null(actions))[0].as_py()
        raise UsageError(
            f"spans: expected an action for every operator, found none for {unknown!r}: a newer release found it"
        )
    table = spans.set_column(spans.column_names.index("action"), "action", actions)
    table = table.filter(pc.not_equal(actions, _KEEP))
    return _without_overlap(table)


def _without_overlap(table: pa.Table) -> pa.Table:
    ids = table["sample_id"].to_numpy()
    places = np.unique(ids)
    rows = np.searchsorted(places, ids)
    begins, ends = table["span_begin"].to_numpy(), table["span_end"].to_numpy()
    drop = pc.equal(table["action"], _DROP).to_numpy(zero_copy_only=False)
    settled = union_of_spans(rows, begins, ends, drop)
    return pa.table(
        {
            "sample_id": pa.array(places[settled[:, 0]], table["sample_id"].type),
            "span_begin": pa.array(settled[:, 1]),
            "span_end": pa.array(settled[:, 2]),
            "action": pa.array(np.where(settled[:, 3] == 1, _DROP, "mask"), pa.string()),
        }
    )


def union_of_spans(
    rows: npt.NDArray[np.int64],
    begins: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    drop: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Return int64 [n, 4]: row, begin, end and 1 for a drop, 0 for a mask, sorted and without overlap; neighbours stay apart.

    >>> union_of_spans(*map(np.array, ([0, 0, 0], [0, 3, 4], [4, 9, 6], [False, True, False]))).tolist()
    [[0, 0, 3, 0], [0, 3, 9, 1]]
    """
    dropped = _merge(rows[drop], begins[drop], ends[drop])
    masked = _merge(rows[~drop], begins[~drop], ends[~drop])
    pieces: list[tuple[int, int, int, int]] = [(*span, 1) for span in dropped]
    at = 0
    for row, begin, end in masked:
        while at < len(dropped) and (dropped[at][0], dropped[at][2]) <= (row, begin):
            at += 1
        here, rest = at, begin
        while here < len(dropped) and dropped[here][0] == row and dropped[here][1] < end:
            if dropped[here][1] > rest:
                pieces.append((row, rest, dropped[here][1], 0))
            rest = max(rest, dropped[here][2])
            here += 1
        if rest < end:
            pieces.append((row, rest, end, 0))
    return np.array(sorted(pieces), np.int64).reshape(-1, 4)


def _merge(
    rows: npt.NDArray[np.int64], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> list[tuple[int, int, int]]:
    """Return row, begin and end of the unions of spans that share bytes, sorted."""
    merged: list[tuple[int, int, int]] = []
    for row, begin, end in sorted(zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True)):
        if merged and merged[-1][0] == row and begin < merged[-1][2]:
            merged[-1] = (row, merged[-1][1], max(end, merged[-1][2]))
        else:
            merged.append((row, begin, end))
    return merged
