"""The main job: all steps of a recipe, each doing only what the lake lacks."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headwater.errors import UnreadableInputsError, UsageError, one_line
from headwater.lineage.run_events import whole_run
from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.builds.step import build
from headwater.pipelines.decide.step import decide
from headwater.pipelines.deduplicate.step import deduplicate
from headwater.pipelines.extract.step import extract
from headwater.pipelines.ingest.inputs import check_inputs
from headwater.pipelines.ingest.step import ingest, ingest_counts, ingest_warnings
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import Resolved, resolve
from headwater.pipelines.selection.proxy import parse_scale, scale_down
from headwater.pipelines.selection.report import Selection
from headwater.pipelines.selection.step import select
from headwater.plain import JsonObject
from headwater.warehouse.commit import create_lake
from headwater.warehouse.fragments import batch_name
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["RunReport", "StepReport", "run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """One step: its name, what it counted (empty when there was nothing to do) and how long it took.

    Counts are numbers by name, and of select and its proxies rows of cells. Warnings are lines for people, about inputs.
    """

    step: str
    counts: JsonObject
    seconds: float
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """All steps of a run.

    Attributes:
        build: name of the build that the lake now holds for this recipe.
        nothing_new: no step had anything to do.
    """

    build: str
    steps: list[StepReport] = field(default_factory=list)

    @property
    def nothing_new(self) -> bool:
        """Whether every step found its work done."""
        return not any(step.counts for step in self.steps)


def run(
    spark: SparkSession,
    lake: str,
    recipe: Recipe,
    inputs: Sequence[str] = (),
    *,
    batch: str | None = None,
    name: str | None = None,
    scale: str | None = None,
    skip_unreadable: bool = False,
    on_step: Callable[[StepReport], None] | None = None,
) -> RunReport:
    """Run every step and return what each did; a lake that does not exist is made.

    Args:
        inputs: what to ingest first; none to go on with what the lake holds.
        batch: name of the ingested batch.
        name: name of the build.
        skip_unreadable: select and build without inputs that could not be read; the report of ingest names them.
        scale: build a proxy of this share of the selection in its place; see ``proxy``.
        on_step: called with the report of each step as it ends.

    Raises:
        UnreadableInputsError: some inputs could not be read. The others are in the lake, measured and decided upon; nothing was selected or
            built, since a build without them would look like one with them, unless ``skip_unreadable`` asks for it.
        HeadwaterError: the step that failed says why; what earlier waves committed stays, and the same call goes on from there.
    """
    # What can be refused is refused before anything is written.
    for given in (batch, name):
        if given is not None:
            batch_name(given)
    if scale is not None:
        parse_scale(scale)
    check_inputs(inputs, lake)
    job = resolve(recipe, lake)
    _make_lake(lake)
    with whole_run(lake, recipe.literals, recipe.lineage.openlineage):
        return _run_steps(
            spark, job, inputs, batch, name, scale, _Steps(on_step=on_step), skip_unreadable=skip_unreadable
        )


@dataclass(kw_only=True, slots=True)
class _Steps:
    """The reports of the steps so far, each timed from the end of the one before."""

    on_step: Callable[[StepReport], None] | None
    reports: list[StepReport] = field(default_factory=list)
    begin: float = field(default_factory=time.monotonic)

    def end(self, step: str, counts: JsonObject, warnings: Sequence[str] = ()) -> None:
        seconds = time.monotonic() - self.begin
        self.reports.append(StepReport(step=step, counts=counts, seconds=seconds, warnings=list(warnings)))
        if self.on_step is not None:
            self.on_step(self.reports[-1])
        self.begin = time.monotonic()


def _run_steps(
    spark: SparkSession,
    job: Resolved,
    inputs: Sequence[str],
    batch: str | None,
    name: str | None,
    scale: str | None,
    steps: _Steps,
    *,
    skip_unreadable: bool,
) -> RunReport:
    lake, recipe = job.lake, job.recipe
    unreadable: tuple[tuple[str, str], ...] = ()
    if inputs:
        report = ingest(spark, lake, recipe, inputs, batch)
        unreadable = report.unreadable
        steps.end("ingest", ingest_counts(report), ingest_warnings(report, inputs))
    if extracted := extract(spark, lake, recipe):  # a lake without pages of the web has no such step
        steps.end("extract", extracted)
    steps.end("annotate", annotate(spark, job))
    steps.end("deduplicate", deduplicate(spark, job))
    steps.end("decide", decide(spark, job))
    if unreadable and not skip_unreadable:
        uri, why = unreadable[0]
        raise UnreadableInputsError(
            f"expected every input to be readable, found {len(unreadable)} that could not be read, such as {uri}: {one_line(why, 300)}; the others "
            "are in the lake, but nothing was selected or built: repair or leave out, then run again, or build without them: --skip-unreadable"
        )
    selection = select(spark, job, build=name)
    steps.end("select", _selection_counts(selection))
    chosen = selection.build
    if scale is not None:
        proxy = scale_down(spark, job, chosen, scale)
        steps.end("scale", {} if proxy.known else dataclasses.asdict(proxy))
        chosen = proxy.build
    steps.end("build", build(spark, job, chosen))
    return RunReport(build=chosen, steps=steps.reports)


def _make_lake(lake: str) -> None:
    try:
        open_snapshot(lake)
    except UsageError:
        with contextlib.suppress(UsageError):  # another driver has made it meanwhile
            create_lake(lake)


def _selection_counts(selection: Selection) -> JsonObject:
    if selection.known:
        return {}
    return {
        "build": selection.build,
        "cells": [dataclasses.asdict(cell) for cell in selection.cells],
        "unplaced": dict(selection.unplaced),
        "full_sequences": [dataclasses.asdict(stage) for stage in selection.full_sequences],
    }
