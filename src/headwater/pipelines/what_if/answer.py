"""What if the rules were different: answered from recorded signals, without text and without Spark.

    what_if(lake, recipe, Changes(limits=(("gopher.min_words", 30),)))

Two passes over narrow columns, fragments side by side in threads: the first counts, the second looks at the clusters of duplicates
in which a change decides otherwise who passes. Budgets of stages are not run again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial, reduce
from typing import Final

import numpy as np

from headwater.arrays import Int64s
from headwater.errors import UsageError
from headwater.filters.rules.rule import LimitSetting, Number
from headwater.filters.rules.rule_set import RuleSet
from headwater.filters.urls.hosts import without_credentials
from headwater.lineage.past_runs import newest_selection, require_build
from headwater.lineage.sample_sets import in_threads
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.what_if.changes import MOST_VALUES, Changes, apply, find_limit
from headwater.pipelines.what_if.fragment import make_question
from headwater.pipelines.what_if.passes import (
    Example,
    Held,
    Tally,
    add_clusters,
    cluster_members,
    count_fragment,
    first_examples,
)
from headwater.pipelines.what_if.sums import TOTAL, Sums, gained_slot, lost_slot, measures
from headwater.plain import JsonObject
from headwater.warehouse.fragments import first_id, fragment_of
from headwater.warehouse.parquet import FragmentFiles, read_content_row
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["DIMENSIONS", "what_if", "what_if_sweep"]

DIMENSIONS: Final = ("language", "source", "stage")
_FAMILIES: Final = ("verdicts", "language", "signals", "scores", "tokens", "duplicates")


def what_if(
    lake: str,
    recipe: Recipe,
    changes: Changes,
    *,
    examples: int = 5,
    build: str | None = None,
    version: int | None = None,
) -> JsonObject:
    """Return what the lake would keep if the recipe's rules were changed.

    Args:
        examples: how many of the samples gained, and of those lost, are named: the first by content hash.
        build: whose stages hold the samples; by default the newest by this recipe, and without one stages count what they may take.
        version: version of the table; by default the newest.

    Returns:
        ``rules`` (what changes), ``kept`` and lists ``by_language``, ``by_source``, ``by_stage`` of documents, bytes and tokens with now, then,
        gained, lost, and these as shares of now; ``examples``; ``clusters`` in which the changes decide otherwise who passes; how it was found.

    Raises:
        UsageError: an unknown rule or build, a value that is no number, or a lake without verdicts.
    """
    begin = time.perf_counter()
    base = recipe.rule_set
    then = apply(changes, base)
    state = _State(lake, recipe, base, (then,), build, version, named=examples > 0)
    part = state.answer(examples)
    found = state.frame(part) | {
        "rules": _difference(base, then),
        "kept": measures(part.sums.get(TOTAL, TOTAL), 0),
        **{f"by_{dimension}": _by(part.sums, dimension, 0) for dimension in DIMENSIONS},
        "clusters": part.affected[0],
        "examples": {"gained": state.located(part.gained), "lost": state.located(part.lost)},
    }
    return found | {"time": state.time | {"total": round(time.perf_counter() - begin, 3)}}


def what_if_sweep(
    lake: str,
    recipe: Recipe,
    limit: str,
    values: Sequence[Number],
    changes: Changes | None = None,
    *,
    build: str | None = None,
    version: int | None = None,
) -> JsonObject:
    """Return what the lake would keep at each value of one limit, in one pass for all of them.

    Args:
        limit: its name; with a language behind it, the limit of this language.
        values: of the limit.
        changes: made besides, at every value.

    Returns:
        ``limit``, ``language``, ``now`` (the recipe's own value) and ``values``: for each its ``value``, ``kept``, ``by_language``,
        ``by_source``, ``by_stage`` and ``clusters`` as ``what_if`` has them.

    Raises:
        UsageError: as ``what_if``.
    """
    begin = time.perf_counter()
    if not 0 < len(values) <= MOST_VALUES:
        raise UsageError(f"expected 1 to {MOST_VALUES} values of {limit}, found {len(values)}")
    base = recipe.rule_set
    besides = apply(changes or Changes(), base)
    key, language = find_limit(limit, besides)
    scenarios = tuple(apply(Changes(limits=((limit, value),)), besides) for value in values)
    state = _State(lake, recipe, base, scenarios, build, version, named=False)
    part = state.answer(0)
    points = [
        {"value": value, "kept": measures(part.sums.get(TOTAL, TOTAL), number)}
        | {f"by_{dimension}": _by(part.sums, dimension, number) for dimension in DIMENSIONS}
        | {"clusters": part.affected[number]}
        for number, value in enumerate(values)
    ]
    found = state.frame(part) | {"rules": _difference(base, besides), "limit": key, "language": language}
    found |= {"now": _value(base, key, language), "values": points}
    return found | {"time": state.time | {"total": round(time.perf_counter() - begin, 3)}}


class _State:
    """One question, and the version of the lake that it is about."""

    def __init__(
        self,
        lake: str,
        recipe: Recipe,
        base: RuleSet,
        scenarios: tuple[RuleSet, ...],
        build: str | None,
        version: int | None,
        *,
        named: bool,
    ) -> None:
        self.time: dict[str, float] = {}
        began = time.perf_counter()
        self.lake, self.snapshot = lake, open_snapshot(lake, version)
        self.build = self._build(recipe, build)
        self.question = make_question(self.snapshot.uri, recipe, base, scenarios, self.build, named=named)
        self.families = (*_FAMILIES, *recipe.rule_families)
        self.fragments = _decided(self.snapshot, self.families)
        self._clock("open", began)

    def _build(self, recipe: Recipe, named: str | None) -> str | None:
        if named is None:
            return newest_selection(self.snapshot, recipe.literals)
        if len(self.snapshot.covered("stages", batch=named)) == 0:
            require_build(self.snapshot, named)
            raise UsageError(
                f"expected a build with a selection in the lake at {self.lake}, found {named!r} without one"
            )
        return named

    def _clock(self, phase: str, began: float) -> None:
        self.time[phase] = round(time.perf_counter() - began, 3)

    def _located(self) -> Iterator[FragmentFiles]:
        families = [*self.families, *([] if self.build is None else ["stages"])]
        return self.snapshot.locate(self.fragments, families, batch=self.build)

    def answer(self, examples: int) -> Tally:
        """Return the sums over all fragments."""
        began = time.perf_counter()
        total = Tally(sums=Sums(width=1 + 2 * len(self.question.scenarios)))
        touched, held = [], []
        for part in in_threads(partial(count_fragment, self.question, Held(), examples), self._located()):
            total.sums.merge(part.sums)
            total.samples += part.samples
            total.recorded += part.recorded
            touched.append(part.touched)
            held.append(part.members)
            total.gained = first_examples([*total.gained, *part.gained], examples)
            total.lost = first_examples([*total.lost, *part.lost], examples)
        self._clock("count", began)
        began = time.perf_counter()
        total.touched = reduce(np.union1d, touched, np.empty(0, np.uint64))
        members = []
        if len(total.touched):
            look = partial(cluster_members, self.question, total.touched)
            places = zip(self._located(), held, strict=True)
            found = in_threads(lambda place: look(*place), places)
            members = [table for table in found if table is not None]
        add_clusters(self.question, total, members, examples)
        self._clock("clusters", began)
        return total

    def located(self, found: Sequence[Example]) -> list[dict[str, object]]:
        """Return examples with their URIs."""
        began = time.perf_counter()
        answer = []
        for example in found:
            fragment = fragment_of(example.sample_id)
            (where,) = self.snapshot.locate(np.array([fragment]), [])
            uri = read_content_row(self.snapshot.uri, where, example.sample_id - first_id(fragment), ["uri"])
            if uri["uri"] is not None:
                uri["uri"] = without_credentials(uri["uri"])
            answer.append({"sample_id": example.sample_id} | uri | asdict(example))
        self.time["examples"] = round(self.time.get("examples", 0.0) + time.perf_counter() - began, 3)
        return answer

    def frame(self, part: Tally) -> JsonObject:
        """Return what an answer says of itself."""
        content = int(np.sum(self.snapshot.live("content")["rows"].to_numpy()))
        return {
            "lake": self.lake,
            "version": self.snapshot.version,
            "recipe": self.question.recipe.name,
            "build": self.build,
            "samples": part.samples,
            "undecided": content - part.samples,
            "from_recorded_reasons": part.recorded,
            "evaluated_anew": part.samples - part.recorded,
        }


def _decided(snapshot: Snapshot, families: Sequence[str]) -> Int64s:
    fragments = snapshot.covered("content")
    for family in families:
        fragments = np.intersect1d(fragments, snapshot.covered(family))
    if len(fragments) == 0:
        raise UsageError("expected samples with verdicts, found none; run headwater run or decide first")
    return fragments


def _by(sums: Sums, dimension: str, scenario: int) -> list[dict[str, object]]:
    slots = [0, gained_slot(scenario), lost_slot(scenario)]
    cells = [(name, sums.get(dimension, name)) for name in sums.names(dimension)]
    return [{dimension: name, **measures(cell, scenario)} for name, cell in cells if cell[slots].any()]


def _value(rules: RuleSet, key: str, language: str | None) -> LimitSetting:
    """Return a limit's value: a number, or default and languages where these differ."""
    name, _, of = key.partition(".")
    limit = next(
        each for rule in rules.rules if rule.name == name for each in rule.limits if each.name == (of or "limit")
    )
    if language is not None:
        return limit.by_language.get(language, limit.default)
    return {"default": limit.default, **limit.by_language} if limit.by_language else limit.default


def _difference(base: RuleSet, then: RuleSet) -> list[dict[str, object]]:
    """Return what changes, a row a limit, exemption or rule left out."""
    after = {rule.name: rule for rule in then.rules}
    found: list[dict[str, object]] = []
    for rule in base.rules:
        if rule.name not in after:
            found.append({"rule": rule.name, "what": "rule", "now": rule.passes, "then": None})
            continue
        changed = after[rule.name]
        for old in rule.limits:
            key = rule.name if old.name == "limit" else f"{rule.name}.{old.name}"
            values = _value(base, key, None), _value(then, key, None)
            if values[0] != values[1]:
                found.append({"rule": key, "what": "limit", "now": values[0], "then": values[1]})
        if set(rule.exempt_domains) != set(changed.exempt_domains):
            domains = sorted(rule.exempt_domains), sorted(changed.exempt_domains)
            found.append({"rule": rule.name, "what": "exempt", "now": domains[0], "then": domains[1]})
    return found
