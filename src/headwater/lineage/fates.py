"""What became of samples: kept or why not, chosen by which stage of which build, placed where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater.plain import JsonObject, Row

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["PLACE_COLUMNS", "fate_of", "fate_words"]

PLACE_COLUMNS = ("build", "stage", "shard", "sequence", "token_begin", "token_end", "sample_token_begin", "copy")


def fate_of(lookup: Lookup, sample: int) -> JsonObject:
    """Return what became of a sample: ``sample_id``, ``source``, ``uri``, ``kept``, ``first_reason``, ``stages`` and ``placements``."""
    content = lookup.row("content", sample, ["source", "uri"]) or {"source": None, "uri": None}
    verdict = lookup.row("verdicts", sample, ["kept", "first_reason"]) or {"kept": None, "first_reason": None}
    return {
        "sample_id": sample,
        **content,
        **verdict,
        "stages": lookup.rows("stages", [sample], ["build", "stage", "copies"]),
        "placements": lookup.rows("placements", [sample], PLACE_COLUMNS),
    }


def fate_words(fate: JsonObject) -> str:
    """Return the same in words.

    >>> fate_words({"kept": True, "stages": [{"build": "b", "stage": "s", "copies": 1}], "placements": []})
    'kept; b: chosen by s, not placed yet'
    """
    if fate["kept"] is None:
        return "not decided"
    if not fate["kept"]:
        return f"rejected: {fate['first_reason']}"
    parts = ["kept"]
    for row in fate["stages"]:
        if row["stage"] is None:
            parts.append(f"{row['build']}: chosen by no stage")
            continue
        copies = "" if row["copies"] == 1 else f" ({row['copies']} copies)"
        parts.append(f"{row['build']}: chosen by {row['stage']}{copies}, {_where(row, fate['placements'])}")
    return "; ".join(parts)


def _where(row: Row, placements: Sequence[Row]) -> str:
    shards = sorted(
        {place["shard"] for place in placements if (place["build"], place["stage"]) == (row["build"], row["stage"])}
    )
    if not shards:
        return "not placed yet"
    return f"in shard{'s' if len(shards) > 1 else ''} {', '.join(map(str, shards))}"
