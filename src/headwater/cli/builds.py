"""The commands for what trainers read: ``select`` and ``build``, nested proxies of both, and ``export`` to other formats."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from headwater.cli.numbers import WHOLE, WholeRange
from headwater.cli.options import (
    Timer,
    answer,
    build_option,
    check_new,
    example,
    job_arguments,
    job_options,
    lake_argument,
    output_option,
    read_recipe,
    scale_option,
    spark_session,
    tell_runs,
)
from headwater.cli.rendering import clean, format_cells, format_proxy, format_table
from headwater.cli.summaries import format_step
from headwater.errors import UsageError
from headwater.tokenize.names import EXPORT_FORMATS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headwater.pipelines.recipe.job import Recipe
    from headwater.pipelines.selection.proxy import Proxy

__all__ = ["build", "export", "select"]


@click.command(
    epilog=example("headwater select lake ling-flash-2 --dry-run", "headwater select lake ling-flash-2 --scale 0.001")
)
@job_arguments
@build_option
@scale_option
@click.option("--dry-run", is_flag=True, help="Choose and print the table of cells, but write nothing.")
@click.option("--version", type=WHOLE, metavar="N", help="Version of the table to choose from; by default the newest.")
@job_options
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

    Budgets are met to within one document per cell, and why each kept sample is in or out is recorded. With --scale, make a proxy of
    the newest selection, or of the one that --build names.
    """
    check_new(build=build, scale=scale)
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
@job_arguments
@build_option
@scale_option
@click.option(
    "--repair",
    is_flag=True,
    help="Rebuild the damaged files of a finished build; put them back if they match what was committed.",
)
@job_options
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
    """Write the missing shards of a selection.

    By default that is the newest selection by RECIPE. With --scale, a nested proxy of it, a true subset with the same mixture, is
    chosen first and built instead.
    """
    check_new(build=build, scale=scale)
    loaded = read_recipe(recipe)
    from headwater.lineage.builds import builds_uri
    from headwater.lineage.empty_stages import empty_stages
    from headwater.lineage.views import connect
    from headwater.pipelines.builds.step import build as build_step
    from headwater.pipelines.recipe.operators import resolve

    if repair and scale is not None:
        raise UsageError("expected --repair or --scale, found both; name a proxy to repair with --build")
    build = build or _newest(lake, loaded)
    if repair:
        _repair(lake, loaded, build, master, conf, output)
        return
    found: dict[str, object] = {"step": "build"}
    lines: list[str] = []
    with spark_session(master, conf) as spark, Timer() as timer:
        if scale is not None:
            proxy = _scale_down(spark, lake, loaded, build, scale)
            build = proxy.build
            made = dataclasses.asdict(proxy)
            found["proxy"] = made
            lines += [] if proxy.known else [format_proxy(made["cells"]), ""]
        counts = build_step(spark, resolve(loaded, lake), build)
    with connect(lake) as connection:
        empty = empty_stages(connection, build)
    for stage, why in empty.items():
        click.echo(f"stage {stage} is empty, and has no shards: {why}", err=True)
    folder = builds_uri(lake, build)
    found |= {"build": build, "folder": folder, "counts": counts, "empty_stages": empty, "seconds": timer.seconds}
    lines += [format_step("build", counts, timer.seconds), f"build {build} in {folder}"]
    answer(found, "\n".join(lines), output)


@click.command(
    epilog=example(
        "headwater export lake demo-4b2fbcca7f42 out --format mds",
        "headwater export lake demo-4b2fbcca7f42 s3://bucket/tokens --format litdata --stage reasoning",
    )
)
@lake_argument
@click.argument("build", metavar="BUILD")
@click.argument("out", metavar="OUT")
@click.option(
    "--format", "kind", type=click.Choice(EXPORT_FORMATS), required=True, help="The format that the trainer reads."
)
@click.option("--stage", "stages", metavar="NAME", multiple=True, help="Only this stage; may be given more than once.")
@click.option(
    "--chunk-mib",
    type=WholeRange(1, 4000),
    default=64,
    show_default=True,
    help="Size of an mds or litdata file, in MiB of tokens; other formats have one file per shard.",
)
@output_option
def export(lake: str, build: str, out: str, kind: str, stages: Sequence[str], chunk_mib: int, output: str) -> None:
    """Write the sequences of BUILD to OUT in another format.

    Nothing is chosen or tokenized again: the same sequences in the same order, one folder per stage. After an interruption, the same
    call continues.
    """
    from headwater.pipelines.builds.export import export as export_build
    from headwater.pipelines.builds.export import stages_of

    chosen = list(stages) or stages_of(lake, build)
    found = export_build(lake, build, out, kind=kind, stages=chosen, chunk_bytes=chunk_mib << 20)
    rows = [
        {
            "stage": stage["stage"],
            "sequences": f"{stage['sequences']:,}",
            "tokens": f"{stage['tokens']:,}",
            "files": f"{len(stage['files']):,}",
            "bytes": f"{sum(file['n_bytes'] for file in stage['files']):,}",
        }
        for stage in found
    ]
    answer({"build": build, "format": kind, "stages": found}, lambda: format_table(rows), output)


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
    """Find what is damaged, rebuild it, on Spark where that is needed, and say what was done."""
    from headwater.pipelines.builds.repair import find_damage, repair
    from headwater.pipelines.builds.settle import settle
    from headwater.pipelines.recipe.operators import resolve

    with Timer() as timer, contextlib.ExitStack() as stack:
        settle(lake, build)
        damage = find_damage(lake, recipe, build)
        again = any(stage.numbers for stage in damage.stages)
        spark = stack.enter_context(spark_session(master, conf) if again else tell_runs())
        counts = repair(spark, resolve(recipe, lake), damage)
    files = damage.files
    found = {"step": "repair", "build": build, "damaged": files, "counts": counts, "seconds": timer.seconds}
    lines = [f"{clean(name)}: {fault}" for name, fault in files.items()]
    answer(found, "\n".join([*lines, format_step("repair", counts, timer.seconds)]), output)
