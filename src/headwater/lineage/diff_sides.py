"""A side of a comparison: a version of the table, a build with the version that it was selected from, or rules over recorded signals.

Of a fragment a side has an outcome for every sample: ``stage: NAME``, ``not chosen: REASON``, ``rejected: REASON``, ``kept``, ``undecided`` or
``absent``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Bools, Int64s
from headwater.errors import UsageError
from headwater.lineage.language_tokens import UNDETERMINED, code_names
from headwater.lineage.past_runs import newest_ended, require_build, runs_of
from headwater.lineage.rule_outcomes import CLUSTER_DECIDES, RuleOutcomes
from headwater.warehouse.filesystem import exists, filesystem_of, join
from headwater.warehouse.fragments import first_id
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["ABSENT", "UNDECIDED", "Names", "Rows", "Side", "build_side", "read_rows", "version_side"]

ABSENT: Final = "absent"
UNDECIDED: Final = "undecided"
_KEPT: Final = "kept"
_FAMILIES: Final = ("language", "scores", "tokens", "duplicates", "verdicts")
_WANTED: Final = {
    "verdicts": ["kept", "first_reason", "duplicate_of", "rule_set"],
    "language": ["language"],
    "tokens": ["n_tokens"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two that are compared.

    Attributes:
        name: as it was asked for.
        kind: ``build``, ``version`` or ``recipe``.
        snapshot: in which verdicts, languages and token counts stand.
        build: whose stages count; None: verdicts alone.
        stages: the version that has the build's rows.
        special: stage → tokens that a document takes besides its own.
        rules: outcomes of a recipe's rules; None: the recorded verdicts.
    """

    name: str
    kind: str
    snapshot: Snapshot
    build: str | None = None
    stages: Snapshot | None = None
    special: Mapping[str, int] = field(default_factory=dict)
    rules: RuleOutcomes | None = None

    def located(self) -> Iterator[FragmentFiles]:
        """Yield where the families of each fragment lie, ascending."""
        families = (*_FAMILIES, *self.rules.families) if self.rules else _FAMILIES
        return self.snapshot.locate(self.snapshot.covered("content"), families)

    def selections(self) -> dict[int, FragmentFiles]:
        """Return fragment → where the build's stages lie."""
        if self.stages is None:
            return {}
        fragments = self.stages.covered("stages", batch=self.build)
        return {where.fragment: where for where in self.stages.locate(fragments, ["stages"], self.build)}


def version_side(lake: str, version: int | None, rules: RuleOutcomes | None = None, name: str | None = None) -> Side:
    """Return a version of the table as a side: its verdicts, or what rules make of its signals."""
    snapshot = open_snapshot(lake, version)
    kind = "version" if rules is None else "recipe"
    return Side(name=name or str(snapshot.version), kind=kind, snapshot=snapshot, rules=rules)


def build_side(lake: str, build: str) -> Side:
    """Return a build as a side: its stages, and verdicts of the version from which they were chosen, or of the newest where its files are gone.

    Raises:
        UsageError: no such build, or its selection has not ended.
    """
    newest = open_snapshot(lake)
    require_build(newest, build)
    selected = newest_ended(runs_of(newest, "select", build))
    if selected is None:
        raise UsageError(f"expected a build with a selection that ended, found {build!r} without one; run select again")
    special = {
        stage["name"]: int(stage.get("beginning_of_text", False)) + int(stage.get("end_of_text", True))
        for stage in selected.recipe["stages"]
    }
    then = open_snapshot(lake, selected.input_version)
    filesystem, root = filesystem_of(newest.uri)
    replaced = [path for family in _FAMILIES for path in set(then.paths(family)).difference(newest.paths(family))]
    stands = all(exists(filesystem, join(root, path)) is not None for path in replaced)
    return Side(
        name=build, kind="build", snapshot=then if stands else newest, build=build, stages=newest, special=special
    )


@dataclass(slots=True)
class Names:
    """Numbers of outcomes, stages and languages, the same for both sides and every fragment."""

    outcomes: dict[str, int] = field(default_factory=lambda: {ABSENT: 0, UNDECIDED: 1})
    stages: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=lambda: {UNDETERMINED: 0})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """A fragment as one side has it; arrays of one element a sample, [n], unless told.

    Attributes:
        where: its files; None where the side lacks the fragment.
        outcome: number in ``Names.outcomes``.
        language: number in ``Names.languages``.
        verdict: the first reason, ``kept`` or ``undecided``, as Arrow strings.
        duplicate_of: the winner, -1 for none.
        rule_sets: the rules by which the fragment was decided.
        n_tokens: of the text.
        held_row: row of each holding, int64 [m]: a sample of two stages has two.
        held_stage: its number in ``Names.stages``.
        held_tokens: its tokens.
    """

    where: FragmentFiles | None
    outcome: Int64s
    language: Int64s
    verdict: pa.Array
    duplicate_of: Int64s
    rule_sets: frozenset[str]
    n_tokens: Int64s
    held_row: Int64s
    held_stage: Int64s
    held_tokens: Int64s


def read_rows(
    side: Side, where: FragmentFiles | None, selected: FragmentFiles | None, n: int, names: Names, *, by_stage: bool
) -> Rows:
    """Return a fragment as a side has it.

    Args:
        where: None where the side lacks it.
        selected: where the build's rows of it lie.
        n: samples of the fragment, in either side.
        by_stage: whether outcomes are stages; otherwise verdicts.
    """
    none = np.empty(0, np.int64)
    verdict = pa.array([ABSENT] * n if where is None else [UNDECIDED] * n, pa.string())
    language, n_tokens = np.zeros(n, np.int64), np.zeros(n, np.int64)
    duplicate_of, rule_sets = np.full(n, -1, np.int64), frozenset[str]()
    columns = {} if where is None else {family: listed for family, listed in _WANTED.items() if family in where.files}
    if where is not None and columns:
        table = pa.concat_tables(
            read_aligned(side.snapshot.uri, where, columns, ["language", "first_reason", "rule_set"])
        )
        if "language" in columns:
            language = _padded(code_names(table["language"], names.languages), n, 0)
        if "tokens" in columns:
            n_tokens = _padded(pc.fill_null(table["n_tokens"], 0).to_numpy(), n, 0)
        if "verdicts" in columns:
            duplicate_of = _padded(pc.fill_null(table["duplicate_of"], -1).to_numpy(), n, -1)
            rule_sets = frozenset(pc.unique(table["rule_set"].cast(pa.string())).to_pylist())
            told = pc.fill_null(table["first_reason"].cast(pa.string()), _KEPT).combine_chunks()
            verdict = (
                told if len(told) == n else pa.concat_arrays([told, pa.array([ABSENT] * (n - len(told)), pa.string())])
            )
    if side.rules is not None and where is not None:
        verdict, duplicate_of = side.rules.verdicts(where, verdict, duplicate_of)
        rule_sets = frozenset([side.rules.fingerprint])
    outcome = _outcomes(verdict, names)
    kept = np.flatnonzero(pc.equal(verdict, _KEPT).to_numpy(zero_copy_only=False))
    held = (
        (kept, np.full(len(kept), names.stages.setdefault(_KEPT, len(names.stages))), n_tokens[kept])
        if not by_stage
        else (none,) * 3
    )
    if by_stage and selected is not None:
        held = _place(side, selected, outcome, n_tokens, names)
    return Rows(
        where=where,
        outcome=outcome,
        language=language,
        verdict=verdict,
        duplicate_of=duplicate_of,
        rule_sets=rule_sets,
        n_tokens=n_tokens,
        held_row=held[0],
        held_stage=held[1],
        held_tokens=held[2],
    )


def _padded(values: Int64s, n: int, missing: int) -> Int64s:
    """Return a value for each of ``n`` samples: a fragment whose texts were replaced may have had fewer."""
    return values if len(values) == n else np.concatenate([values, np.full(n - len(values), missing, np.int64)])


def _outcomes(verdict: pa.Array, names: Names) -> Int64s:
    encoded = verdict.dictionary_encode()
    told = [
        name if name in (ABSENT, UNDECIDED, _KEPT, CLUSTER_DECIDES) else f"rejected: {name}"
        for name in encoded.dictionary.to_pylist()
    ]
    numbers = np.array([names.outcomes.setdefault(name, len(names.outcomes)) for name in told], np.int64)
    return numbers[encoded.indices.to_numpy()] if len(encoded) else np.empty(0, np.int64)


def _place(
    side: Side, selected: FragmentFiles, outcome: Int64s, n_tokens: Int64s, names: Names
) -> tuple[Int64s, Int64s, Int64s]:
    """Lay the build's outcomes over the verdicts, and return row, stage and tokens of what its stages hold."""
    table = read_sparse(side.snapshot.uri, selected, "stages", ["stage", "copies", "reason"], ["stage", "reason"])
    rows = table["sample_id"].to_numpy() - first_id(selected.fragment)
    chosen: Bools = pc.is_valid(table["stage"]).to_numpy(zero_copy_only=False)
    out = table.filter(pa.array(~chosen))
    codes: dict[str, int] = {}
    reason = code_names(out["reason"], codes, "unknown")
    numbers = [names.outcomes.setdefault(f"not chosen: {name}", len(names.outcomes)) for name in codes]
    outcome[rows[~chosen]] = np.array(numbers or [0], np.int64)[reason]
    held = table.filter(pa.array(chosen))
    at = rows[chosen]
    stage = code_names(held["stage"], names.stages)
    extra = np.array([side.special.get(name, 1) for name in names.stages] or [0], np.int64)
    _name_stages(outcome, at, stage, names)
    return at, stage, held["copies"].to_numpy() * (n_tokens[at] + extra[stage])


def _name_stages(outcome: Int64s, rows: Int64s, stages: Int64s, names: Names) -> None:
    """Give samples their stages as outcome; one that several stages hold names them all."""
    listed = list(names.stages)
    numbers = np.array(
        [names.outcomes.setdefault(f"stage: {name}", len(names.outcomes)) for name in listed] or [0], np.int64
    )
    outcome[rows] = numbers[stages]
    ordered = np.sort(rows)
    several: dict[int, list[str]] = {}
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    for at in np.flatnonzero(np.isin(rows, again)).tolist():
        several.setdefault(int(rows[at]), []).append(listed[int(stages[at])])
    for row, held in several.items():
        outcome[row] = names.outcomes.setdefault(f"stage: {' + '.join(sorted(held))}", len(names.outcomes))
