"""The commands that choose what stages take and write it: ``select``, ``build``, and nested proxies of both."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from headwater.cli.job import Timer, read_recipe
from headwater.cli.options import (
    answer,
    build_option,
    example,
    lake_argument,
    output_option,
    recipe_argument,
    scale_option,
    spark_options,
    spark_session,
)
from headwater.cli.rendering import clean, format_cells, format_proxy, format_step
from headwater.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headwater.pipelines.recipe.job import Recipe
    from headwater.pipelines.selection.proxy import Proxy

__all__ = ["build", "select"]


@click.command(
    epilog=example("headwater select lake ling-flash-2 --dry-run", "headwater select lake ling-flash-2 --scale 0.001")
)
@lake_argument
@recipe_argument
@build_option
@scale_option
@click.option("--dry-run", is_flag=True, help="Choose and print the table per cell; write nothing.")
@click.option("--version", type=int, metavar="N", help="Version of the table to choose from; by default the newest.")
@spark_options
@output_option
def select(
    lake: str,
    recipe: str,
    build: str | None,
    scale: str | None,
    dry_run: bool,
    version: int | None,
    master: str | None,
    conf: Sequence[str],
    output: str,
) -> None:
    """Choose what each stage takes from the pools.

    Exact to one document a cell; why each kept sample is in or out is recorded. With --scale, a proxy of the newest selection, or of --build.
    """
    loaded = read_recipe(recipe)
    if scale is not None:
        if dry_run or version is not None:
            raise UsageError(
                "--scale: expected neither --dry-run nor --version beside it; a proxy is of a finished selection"
            )
        base = build or _newest(lake, loaded)
        with spark_session(master, conf) as spark, Timer() as timer:
            proxy = _scale_down(spark, lake, loaded, base, scale)
        made = dataclasses.asdict(proxy)
        table = [] if proxy.known else [format_proxy(made["cells"]), ""]
        told = format_step("scale", {} if proxy.known else made, timer.seconds)
        answer(made | {"seconds": timer.seconds}, "\n".join([f"build {proxy.build}", *table, told]), output)
        return
    from headwater.pipelines.recipe.operators import resolve
    from headwater.pipelines.selection.step import select as select_step

    with spark_session(master, conf) as spark, Timer() as timer:
        selection = select_step(spark, resolve(loaded, lake), build=build, dry_run=dry_run, version=version)
    cells = [dataclasses.asdict(cell) for cell in selection.cells]
    full = [dataclasses.asdict(stage) for stage in selection.full_sequences]

    def text() -> str:
        head = f"build {selection.build}" + (" (dry run: nothing was written)" if dry_run else "")
        if selection.known:
            return f"{head}\n{format_step('select', {}, timer.seconds)}"
        return f"{head}\n{format_cells(cells, selection.unplaced, full)}\n\n{format_step('select', {'cells': cells}, timer.seconds)}"

    answer(dataclasses.asdict(selection) | {"dry_run": dry_run, "seconds": timer.seconds}, text, output)


@click.command(
    epilog=example(
        "headwater build lake ling-flash-2",
        "headwater build lake ling-flash-2 --build ling-flash-2-0123456789ab",
        "headwater build lake ling-flash-2 --scale 0.001",
        "headwater build lake ling-flash-2 --repair",
    )
)
@lake_argument
@recipe_argument
@build_option
@scale_option
@click.option(
    "--repair", is_flag=True, help="Build files of a finished build again that are damaged, and put them back if alike."
)
@spark_options
@output_option
def build(
    lake: str,
    recipe: str,
    build: str | None,
    scale: str | None,
    repair: bool,
    master: str | None,
    conf: Sequence[str],
    output: str,
) -> None:
    """Write the shards of a selection that are missing.

    By default of the newest selection by RECIPE. With --scale, of a nested proxy of it: a true subset with the same mixture, chosen first.
    """
    loaded = read_recipe(recipe)
    from headwater.lineage.builds import builds_uri
    from headwater.pipelines.builds.step import build as build_step
    from headwater.pipelines.recipe.operators import resolve

    if repair and scale is not None:
        raise UsageError("expected --repair or --scale, found both; name a proxy to repair with --build")
    build = build or _newest(lake, loaded)
    if repair:
        _repair(lake, loaded, build, master, conf, output)
        return
    found: dict[str, Any] = {"step": "build"}
    lines: list[str] = []
    with spark_session(master, conf) as spark, Timer() as timer:
        if scale is not None:
            proxy = _scale_down(spark, lake, loaded, build, scale)
            build = proxy.build
            found["proxy"] = dataclasses.asdict(proxy)
            lines += [] if proxy.known else [format_proxy(found["proxy"]["cells"]), ""]
        counts = build_step(spark, resolve(loaded, lake), build)
    folder = builds_uri(lake, build)
    found |= {"build": build, "folder": folder, "counts": counts, "seconds": timer.seconds}
    lines += [format_step("build", counts, timer.seconds), f"build {build} in {folder}"]
    answer(found, "\n".join(lines), output)


def _newest(lake: str, recipe: Recipe) -> str:
    """Return the newest whole selection by the recipe."""
    from headwater.lineage.past_runs import newest_selection
    from headwater.warehouse.snapshot import open_snapshot

    build = newest_selection(open_snapshot(lake), recipe.literals)
    if build is None:
        raise UsageError(
            f"expected a selection by this recipe in {lake}, found none; run select first, or headwater run for all steps"
        )
    return build


def _scale_down(spark: SparkSession, lake: str, recipe: Recipe, base: str, scale: str) -> Proxy:
    from headwater.pipelines.recipe.operators import resolve
    from headwater.pipelines.selection.proxy import scale_down

    return scale_down(spark, resolve(recipe, lake), base, scale)


def _repair(lake: str, recipe: Recipe, build: str, master: str | None, conf: Sequence[str], output: str) -> None:
    """Find what is damaged, build it again where that takes Spark, and say what was done."""
    from headwater.pipelines.builds.repair import find_damage, repair
    from headwater.pipelines.recipe.operators import resolve

    with Timer() as timer, contextlib.ExitStack() as stack:
        damage = find_damage(lake, recipe, build)
        again = any(stage.numbers for stage in damage.stages)
        spark = stack.enter_context(spark_session(master, conf)) if again else None
        counts = repair(spark, resolve(recipe, lake), damage)
    files = damage.files
    found = {"step": "repair", "build": build, "damaged": files, "counts": counts, "seconds": timer.seconds}
    lines = [f"{clean(name)}: {fault}" for name, fault in files.items()]
    answer(found, "\n".join([*lines, format_step("repair", counts, timer.seconds)]), output)
