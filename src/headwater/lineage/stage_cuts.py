"""How far a sample was from being in a stage or out of it: its score beside the cut of the cell in which it competed.

A selection records its cuts with its counts. Those of earlier releases did not: their cuts are found in family ``stages``, where of a cell the
samples with most copies end at the cut.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from headwater.filters.scores.names import MOST_SCORE
from headwater.lineage.past_runs import PastRun
from headwater.lineage.reasons import BEYOND_CUT, WITHIN_CUT
from headwater.plain import JsonObject, ValuesByName
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = ["cuts_of", "stage_distances"]

_RANK_BITS: Final = 47
"""Of a rank of 63 bits, those below the inverted score."""
_COLUMNS: Final = ("stage", "pool", "cell_language", "cell_domain", "copies", "rank", "reason", "refusals")


def cuts_of(snapshot: Snapshot, build: str, run: PastRun | None) -> Mapping[str, int]:
    """Return ``STAGE:POOL/LANGUAGE/DOMAIN`` → the lowest score, 0 to 65535, of the samples within the cut, for cells that were not taken whole.

    Args:
        run: the selection that chose the build; None where its record is not there.
    """
    if run is not None and "cuts" in run.counts:
        return {key.removeprefix("cut:"): int(cut) for key, cut in run.counts.items() if key.startswith("cut:")}
    return _found_cuts(snapshot.uri, tuple(snapshot.paths("stages", batch=build)))


@functools.lru_cache(maxsize=4)
def _found_cuts(table_uri: str, paths: tuple[str, ...]) -> Mapping[str, int]:
    """Return the cuts of a build's rows: a scan of its narrow columns, kept in this process."""
    lowest: dict[str, dict[int, int]] = {}
    beyond: set[str] = set()
    for path in paths:
        for table in read_file(table_uri, path, _COLUMNS):
            for row in table.to_pylist():
                cell = f"{row['pool']}/{row['cell_language']}"
                if row["reason"] == WITHIN_CUT:
                    held = lowest.setdefault(f"{row['stage']}:{cell}/{row['cell_domain']}", {})
                    score = MOST_SCORE - (row["rank"] >> _RANK_BITS)
                    held[row["copies"]] = min(score, held.get(row["copies"], score))
                for refusal in row["refusals"] or ():
                    if refusal["reason"] == BEYOND_CUT:
                        beyond.add(f"{refusal['stage']}:{cell}/{refusal['domain']}")
    return {key: held[max(held)] for key, held in lowest.items() if key in beyond or len(held) > 1}


def stage_distances(
    row: ValuesByName, scores: ValuesByName, run: PastRun | None, cuts: Mapping[str, int]
) -> list[JsonObject]:
    """Return how far a sample was from the cut of the stage that took it, or of each that did not, in the order of choosing.

    Args:
        row: of family ``stages``.
        scores: its row of family ``scores``, by which those that no stage took are measured.
        run: the selection, whose recipe says by which score a stage chooses.
        cuts: those of ``cuts_of``.

    Returns:
        ``stage``, ``order_by``, ``score``, ``cut`` (0 to 65535), ``by``, ``holds`` and ``words``; nothing of a stage whose condition was not met, of
        a cell that was taken whole, or where the scores are no longer those that were chosen by.
    """
    asked = {} if run is None else {str(stage["name"]): str(stage["order_by"]) for stage in run.recipe["stages"]}
    cell = f"{row['pool']}/{row['cell_language']}"
    entries: list[tuple[str, str, int | None, bool]]
    if row["stage"] is not None:
        if row["reason"] != WITHIN_CUT:
            return []
        score_then = MOST_SCORE - (int(row["rank"]) >> _RANK_BITS)
        entries = [(str(row["stage"]), str(row["cell_domain"]), score_then, True)]
    else:
        entries = [
            (str(refusal["stage"]), str(refusal["domain"]), scores.get(asked.get(str(refusal["stage"]), "")), False)
            for refusal in row["refusals"] or ()
            if refusal["reason"] == BEYOND_CUT
        ]
    told: list[JsonObject] = []
    for stage, domain, score, holds in entries:
        cut = cuts.get(f"{stage}:{cell}/{domain}")
        if cut is None or score is None or (score < cut if holds else score > cut):
            continue
        told.append(
            {
                "stage": stage,
                "order_by": asked.get(stage),
                "score": score,
                "cut": cut,
                "by": abs(score - cut),
                "holds": holds,
                "words": _words(stage, score, cut, holds),
            }
        )
    return told


def _words(stage: str, score: int, cut: int, holds: bool) -> str:
    """Return a distance from a cut in words.

    >>> _words("knowledge", 38470, 39321, False)
    'missed knowledge by 0.013: 0.587 < 0.600'
    """
    by, value, limit = abs(score - cut) / MOST_SCORE, score / MOST_SCORE, cut / MOST_SCORE
    places = 3 if by >= 0.001 or score == cut else 5
    told = f"by {by:.{places}f}: {value:.{places}f} {'>=' if holds else '<'} {limit:.{places}f}"
    if score == cut and not holds:
        return f"missed {stage} by its place among equals: {value:.3f} is the cut"
    return f"in {stage} {told}" if holds else f"missed {stage} {told}"
