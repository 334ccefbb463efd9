"""The command ``report build``: what each stage of a build chose, as text, Markdown or JSON."""

from __future__ import annotations

import click

from headwater.cli.build_report_layout import format_build_report
from headwater.cli.numbers import WholeRange
from headwater.cli.options import answer, example, lake_argument

__all__ = ["build_report"]


@click.command(
    "build",
    epilog=example("headwater report build lake", "headwater report build lake demo-4b2fbcca7f42 --samples 5 --text"),
)
@lake_argument
@click.argument("build", metavar="[BUILD]", required=False)
@click.option("--stage", metavar="NAME", help="Only this stage.")
@click.option(
    "--samples",
    type=WholeRange(0, 1000),
    default=20,
    show_default=True,
    help="Samples at the cut, on each side.",
)
@click.option("--text", is_flag=True, help="Show the first 200 characters of these samples' texts.")
@click.option(
    "--output",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Format of the answer on standard output.",
)
def build_report(lake: str, build: str | None, stage: str | None, samples: int, text: bool, output: str) -> None:
    """Show what each stage of BUILD chose; by default, of the newest selection.

    How much of what was there, from which sources and hosts, at which cut, in which languages and domains, what was asked for, the scores,
    and the samples at the cut: the last that were taken and the first that were not.
    """
    from headwater.lineage.build_report.answer import build_report as report_of

    found = report_of(lake, build, stage=stage, samples=samples, text=text)
    answer(found, lambda: format_build_report(found, markdown=output == "markdown"), output)
