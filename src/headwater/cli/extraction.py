"""The commands about texts of web pages: the step that makes them, and the comparison of extractors."""

from __future__ import annotations

from collections.abc import Sequence

import click

from headwater.cli.options import Timer, answer, example, job_arguments, job_options, read_recipe, spark_session
from headwater.cli.summaries import format_step

__all__ = ["extract"]


@click.command(epilog=example("headwater extract lake my-recipe.toml"))
@job_arguments
@job_options
def extract(lake: str, recipe: str, master: str | None, conf: Sequence[str], output: str) -> None:
    """Read web pages by the extractors of RECIPE, and give each page the text that it chooses.

    Only what LAKE lacks is done. Where a page has another text than before, what was made from the old one is gone, and the next run of
    annotate, dedup and decide makes it again.
    """
    loaded = read_recipe(recipe)
    from headwater.pipelines.extract.step import extract as extract_step

    with spark_session(master, conf) as spark, Timer() as timer:
        counts = extract_step(spark, lake, loaded)
    found = {"step": "extract", "counts": counts, "seconds": timer.seconds}
    answer(found, format_step("extract", counts, timer.seconds), output)
