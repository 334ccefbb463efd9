"""Which version of an operator wrote which rows: what runs recorded of their operators, asked for by name and version.

A run records what it ran: family → version and settings. The beginning of the fingerprint of that record is the operator's digits, by which most
files name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from headwater.errors import UsageError, nearest
from headwater.fingerprint import fingerprint
from headwater.lineage.past_runs import PastRun
from headwater.warehouse.schema import FAMILIES

__all__ = ["digits_of", "families_written", "runs_with", "versions_of"]

_WRITES: Final[dict[str, tuple[str, ...]]] = {
    "ingest": ("content",),
    "extract": ("content", "captures"),
    "deduplicate": ("duplicates", "recaptures"),
    "decide": ("verdicts",),
    "select": ("stages",),
    "build": ("placements",),
    "repair": ("placements",),
    "vocab-train": ("vocabularies",),
    "vocab-extend": ("vocabularies",),
}
"""Step → families among whose rows are all samples that a run of it wrote of."""
_FAMILY: Final = {"ingest": "content", "extractor": "captures", "extractors": "captures", "shards": "placements"}
"""Operator → family of its rows, where they are not called alike."""
_FEWEST_DIGITS: Final = 8


def families_written(step: str) -> tuple[str, ...]:
    """Return the families with rows of every sample that a run of a step wrote of; of a step of many families, all that have samples."""
    return _WRITES.get(step, tuple(family.name for family in FAMILIES.values() if family.by_sample))


def digits_of(run: PastRun) -> dict[str, str]:
    """Return operator → the 16 digits of its fingerprint, of what a run recorded."""
    return {name: fingerprint({name: record})[:16] for name, record in run.operators.items()}


def versions_of(run: PastRun) -> Iterator[tuple[str, str, str]]:
    """Yield name, version and family of each operator of a run: of ``spans`` each finder is one, of ``scores`` each model, by its SHA-256."""
    for name, record in run.operators.items():
        family = _FAMILY.get(name, name)
        if not isinstance(record, Mapping):
            if isinstance(record, int | str):
                yield name, str(record), family
            continue
        version = record.get("version")
        if isinstance(version, Mapping):
            yield from ((str(part), str(number), family) for part, number in version.items())
        elif version is not None:
            yield name, str(version), family
        models = record.get("models")
        if isinstance(models, Mapping):
            yield from ((str(part), str(sha256), family) for part, sha256 in models.items())


def runs_with(runs: Sequence[PastRun], operator: str) -> dict[str, dict[str, frozenset[str]]]:
    """Return family → run → the finders among whose spans to look (none: every row), of the runs of one version of an operator.

    Args:
        operator: NAME@VERSION, NAME@DIGITS or DIGITS; of digits, and of a model's SHA-256, the first eight or more.

    Raises:
        UsageError: no run had it; the message has the nearest one.
    """
    name, at, version = operator.rpartition("@")
    name = name if at else ""
    found: dict[str, dict[str, frozenset[str]]] = {}
    known: dict[str, None] = {}
    for run in runs:
        for part, number, family in versions_of(run):
            known[f"{part}@{number}"] = None
            if part == name and (number == version or _begins(number, version)):
                only = frozenset([part]) if family == "spans" else frozenset[str]()
                found.setdefault(family, {})[run.run_id] = found.get(family, {}).get(run.run_id, frozenset()) | only
        for part, digits in digits_of(run).items():
            if name in ("", part) and _begins(digits, version):
                found.setdefault(_FAMILY.get(part, part), {})[run.run_id] = frozenset()
    if not found:
        raise UsageError(
            f"expected an operator as NAME@VERSION or its digits, found {operator!r}; {nearest(operator, known)}; "
            "headwater runs LAKE --output json has them all"
        )
    return found


def _begins(whole: str, beginning: str) -> bool:
    return len(beginning) >= _FEWEST_DIGITS and whole.startswith(beginning.lower())
