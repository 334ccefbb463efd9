"""The main job: all steps of a recipe, each doing only what the lake lacks."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater.errors import UsageError
from headwater.pipelines.annotate import annotate
from headwater.pipelines.build import build
from headwater.pipelines.decide import decide
from headwater.pipelines.deduplicate import deduplicate
from headwater.pipelines.ingest import ingest
from headwater.pipelines.proxy import parse_scale, scale_down
from headwater.pipelines.recipe import Recipe
from headwater.pipelines.select import select
from headwater.pipelines.selection_report import Selection
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["RunReport", "StepReport", "run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """One step: its name, what it counted (empty when there was nothing to do) and how long it took."""

    step: str
    counts: dict[str, Any]
    seconds: float


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
    on_step: Callable[[StepReport], None] | None = None,
) -> RunReport:
    """Run every step and return what each did; a lake that does not exist is made.

    Args:
        inputs: what to ingest first; none to go on with what the lake holds.
        batch: name of the ingested batch.
        name: name of the build.
        scale: build a proxy of this share of the selection in its place; see ``proxy``.
        on_step: called with the report of each step as it ends.

    Raises:
        HeadwaterError: the step that failed says why; what earlier waves committed stays, and the same call goes on from there.
    """
    if scale is not None:
        parse_scale(scale)  # before anything is done
    try:
        open_snapshot(lake)
    except UsageError:
        with contextlib.suppress(UsageError):  # another driver has made it meanwhile
            create_lake(lake)
    steps: list[StepReport] = []

    def timed(step: str, work: Callable[[], dict[str, Any]]) -> None:
        begin = time.monotonic()
        counts = work()
        steps.append(StepReport(step=step, counts=counts, seconds=time.monotonic() - begin))
        if on_step is not None:
            on_step(steps[-1])

    def ingested() -> dict[str, Any]:
        report = ingest(spark, lake, recipe, inputs, batch)
        return dataclasses.asdict(report) if report.files or report.unreadable else {}

    chosen: list[Selection] = []

    def selected() -> dict[str, Any]:
        selection = select(spark, lake, recipe, build=name)
        chosen.append(selection)
        if selection.known:
            return {}
        return {
            "build": selection.build,
            "cells": [dataclasses.asdict(cell) for cell in selection.cells],
            "unplaced": dict(selection.unplaced),
            "full_sequences": [dataclasses.asdict(stage) for stage in selection.full_sequences],
        }

    if inputs:
        timed("ingest", ingested)
    timed("annotate", lambda: annotate(spark, lake, recipe))
    timed("deduplicate", lambda: deduplicate(spark, lake, recipe))
    timed("decide", lambda: decide(spark, lake, recipe))
    timed("select", selected)
    built = [chosen[0].build]

    def scaled() -> dict[str, Any]:
        proxy = scale_down(spark, lake, recipe, chosen[0].build, str(scale))
        built[0] = proxy.build
        return {} if proxy.known else dataclasses.asdict(proxy)

    if scale is not None:
        timed("scale", scaled)
    timed("build", lambda: build(spark, lake, recipe, built[0]))
    return RunReport(build=built[0], steps=steps)
