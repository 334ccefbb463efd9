"""Why a kept sample is in a stage or in none: the codes of family ``stages``, and the sentence that people read.

The codes are data and stay as they are; the sentence is made of them at the end and never read back.
"""

from __future__ import annotations

from typing import Final

from headwater.plain import ValuesByName

__all__ = [
    "BEYOND_CUT",
    "BEYOND_SHARE",
    "FOR_FULL_SEQUENCES",
    "NO_TOKENS",
    "WHERE_NOT_MET",
    "WITHIN_CUT",
    "WITHIN_SHARE",
    "reason_sentence",
]

WITHIN_CUT: Final = "within_cut"
FOR_FULL_SEQUENCES: Final = "for_full_sequences"
"""It lies beyond the cut, and is in because it fills a sequence of a stage that asks for such."""
WITHIN_SHARE: Final = "within_share"
"""Of a proxy: among the documents of the base's cell that the scale's share takes."""
BEYOND_CUT: Final = "beyond_cut"
BEYOND_SHARE: Final = "beyond_share"
WHERE_NOT_MET: Final = "where_not_met"
NO_TOKENS: Final = "no_tokens"
"""Spans left nothing of it."""


def reason_sentence(row: ValuesByName, scaled: tuple[str, str] | None = None) -> str:
    """Return why a sample is in or out, in words.

    Args:
        row: of family ``stages``: stage, pool, cell_language, cell_domain, reason and refusals.
        scaled: of a proxy: its scale and the name of its base.

    >>> cell = {"pool": "reasoning", "cell_language": "en", "cell_domain": "*"}
    >>> reason_sentence({"stage": "mid-training", **cell, "reason": "within_cut", "refusals": None})
    'in mid-training: within the cut of reasoning/en/*'
    >>> refusals = [
    ...     {"stage": "mid-training", "reason": "beyond_cut", "domain": "code"},
    ...     {"stage": "knowledge", "reason": "where_not_met", "domain": None},
    ... ]
    >>> reason_sentence({"stage": None, **cell, "reason": "beyond_cut", "refusals": refusals})
    'out: mid-training: after the cut of reasoning/en/code; knowledge: does not meet where'
    """
    end = "" if scaled is None else f", scale {scaled[0]} of {scaled[1]}"
    cell = f"{row['pool']}/{row['cell_language']}/"
    if row["stage"] is not None:
        long = " for full sequences" if row["reason"] == FOR_FULL_SEQUENCES else ""
        return f"in {row['stage']}: within the cut of {cell}{row['cell_domain']}{long}{end}"
    if row["reason"] == NO_TOKENS:
        return "out: no tokens"
    parts = [
        f"{refusal['stage']}: does not meet where"
        if refusal["reason"] == WHERE_NOT_MET
        else f"{refusal['stage']}: after the cut of {cell}{refusal['domain']}"
        for refusal in row["refusals"]
    ]
    return f"out: {'; '.join(parts)}{end}"
