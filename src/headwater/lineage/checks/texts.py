"""Verify, the part about texts of extractors: each is the one that was hashed, and content has the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from headwater.fingerprint import fingerprint
from headwater.hashes import content_hashes
from headwater.lineage.builds import LakeView
from headwater.lineage.checks.found import Found
from headwater.lineage.past_runs import read_runs
from headwater.warehouse.fragments import operator_digits
from headwater.warehouse.parquet import read_aligned, read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = ["texts_chosen"]


def texts_chosen(lake: LakeView) -> Found:
    """Every text of an extractor has its hash and its length, and content has the text of the extractor that captures name."""
    snapshot = lake.snapshot
    faults: list[str] = []
    count = 0
    for path in snapshot.paths("texts"):
        for table in read_file(snapshot.uri, path, ["sample_id", "text", "text_bytes", "text_hash"]):
            count += table.num_rows
            faults += _wrong_hashes(table)
    choices = _choices(snapshot)
    captures = snapshot.live("captures")
    chosen_by = dict(zip(captures["base"].to_pylist(), captures["operator"].to_pylist(), strict=True))
    stored = {
        operator: snapshot.paths_by_fragment("texts", operator)
        for made in choices.values()
        for operator in made.values()
    }
    for where in lake.located():
        made = choices.get(chosen_by.get(where.fragment, ""), {})
        hashes: dict[tuple[int, str], bytes] = {}
        for name, operator in made.items():
            place = stored[operator].get(where.fragment)
            for table in () if place is None else read_file(snapshot.uri, place, ["sample_id", "text_hash"]):
                pairs = zip(*(table[column].to_pylist() for column in ("sample_id", "text_hash")), strict=True)
                hashes |= {(sample, name): digest for sample, digest in pairs if digest is not None}
        if not hashes:
            continue
        columns = {"content": ["content_hash"], "captures": ["extractor"]}
        for table in read_aligned(snapshot.uri, where, columns):
            names = ("sample_id", "extractor", "content_hash")
            for sample, extractor, digest in zip(*(table[name].to_pylist() for name in names), strict=True):
                if hashes.get((sample, extractor), digest) != digest:
                    faults.append(f"sample {sample}: its text is not the one that extractor {extractor} made")
    return count, faults


def _wrong_hashes(table: pa.Table) -> list[str]:
    """Return the faults of texts whose length or hash is another one, or that lack them."""
    texts = table["text"].combine_chunks()
    found = zip(table["text_bytes"].to_pylist(), table["text_hash"].to_pylist(), strict=True)
    expected = zip(pc.binary_length(texts).to_pylist(), content_hashes(texts).to_pylist(), strict=True)
    return [
        f"sample {sample}: a text of family texts is not the one that was hashed"
        for sample, stored, right in zip(table["sample_id"].to_pylist(), found, expected, strict=True)
        if stored != right
    ]


def _choices(snapshot: Snapshot) -> dict[str, Mapping[str, str]]:
    """Return the operator of a choice among several extractors → name → operator of its texts, of every run of step extract."""
    found = {}
    for run in read_runs(snapshot, "extract"):
        choice, made = run.operators["choice"], run.operators["texts"]
        if len(made) > 1:
            found[operator_digits(fingerprint({"content": choice}))] = made
    return found
