"""Lakes with a selection, made of rows of numbers without Spark, for tests of the report of a build."""

from __future__ import annotations

from collections.abc import Sequence

from what_if_lake import BUILD, OPERATOR, Row, content_hash, family_table

from headwater.fingerprint import canonical_json
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import fragment_mask, sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.snapshot import open_snapshot

_FAMILIES = ("content", "language", "scores", "tokens", "verdicts")


def rank_of(score: int, number: int) -> int:
    """Return the rank of the sample with a number: the first 63 bits of inverted score and content hash."""
    return int.from_bytes((65535 - score).to_bytes(2, "big") + content_hash(number)[:6], "big") >> 1


def select_run(recipe: Row, *, ended: bool = True, step: str = "select", version: int = 0, **record: str) -> Row:
    """Return the row of a run for the build; ``record``: what it says besides of what it ran."""
    return {
        "step": step,
        "run_id": f"run-{step}",
        "recipe": canonical_json(recipe),
        "operators": canonical_json({"stages": {"build": BUILD} | record}),
        "counts": "{}",
        "code_version": "",
        "input_version": version,
        "started": 0,
        "ended": 1 if ended else None,
    }


def make_report_lake(lake: str, documents: Sequence[Row], runs: Sequence[Row], *, fragments: int = 2) -> list[int]:
    """Write a lake and return the samples' ids in the order of ``documents``.

    Args:
        documents: columns of any aligned family by name, and ``placed``: the rows of family ``stages``; without any a document has none.
    """
    snapshot = create_lake(lake)
    size = -(-len(documents) // fragments)
    parts = [list(range(at * size, min(len(documents), (at + 1) * size))) for at in range(fragments)]
    ids = [number for at, part in enumerate(parts) for number in sample_ids(at, 0, len(part)).tolist()]
    full = [
        {
            "content_hash": content_hash(number),
            "origin": number,
            "kept": True,
            "run_id": "run",
            "sample_id": ids[number],
        }
        | document
        for number, document in enumerate(documents)
    ]
    entries = [
        write_family(
            snapshot.uri, family, "one", at, 1, OPERATOR, [family_table(family, [full[number] for number in part])]
        )
        for family in _FAMILIES
        for at, part in enumerate(parts)
    ]
    base, mask = fragment_mask(range(fragments))
    groups = [
        family_table(
            "stages",
            [full[number] | {"build": BUILD} | row for number in part for row in full[number].get("placed", [])],
        )
        for part in parts
    ]
    entries.append(write_family(snapshot.uri, "stages", BUILD, base, mask, OPERATOR, groups))
    entries.append(write_family(snapshot.uri, "runs", "runs", 0, 0, OPERATOR, [family_table("runs", runs)]))
    commit(snapshot, adds=entries, wave=("test", 1), lake=lake)
    return ids


def replace_scores(lake: str, documents: Sequence[Row]) -> None:
    """Write other scores for all documents, as annotate would by another model."""
    snapshot = open_snapshot(lake)
    live = snapshot.live("scores")
    adds, start = [], 0
    for base, rows in sorted(zip(live["base"].to_pylist(), live["rows"].to_pylist(), strict=True)):
        ids = sample_ids(base, 0, rows).tolist()
        table = [
            {"sample_id": at, "run_id": "again"} | document
            for at, document in zip(ids, documents[start:], strict=False)
        ]
        adds.append(write_family(snapshot.uri, "scores", "one", base, 1, "f" * 32, [family_table("scores", table)]))
        start += rows
    commit(snapshot, adds=adds, removes=live["path"].to_pylist(), wave=("test", 2), lake=lake)
