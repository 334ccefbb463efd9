"""The command ``report rules``: what each rule, block lists among them, removes of each language."""

from __future__ import annotations

import click

from headwater.cli.options import answer, example, lake_argument, output_option
from headwater.cli.rendering import format_table

__all__ = ["rules_report"]


@click.command("rules", epilog=example("headwater report rules lake --reason older_capture"))
@lake_argument
@click.option("--reason", metavar="NAME", help="Only this reason, such as blocklist_ads.")
@output_option
def rules_report(lake: str, reason: str | None, output: str) -> None:
    """Show what each rule removes of each language.

    For each reason and language: the samples that carry it, those of which it is the first reason, the samples of the language, and
    the share that carries it. A rule that takes half of a language or more is named on standard error.
    """
    from headwater.lineage.rules_report import heavy_rules
    from headwater.lineage.rules_report import rules_report as report_of
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        found = report_of(connection, reason)
    for row in heavy_rules(found):
        told = f"{row['reason']} takes {row['share']:.0%} of {row['language']} ({row['samples']:,} of {row['of_language']:,} samples)"
        click.echo(f"warning: {told}", err=True)
    answer({"rules": found}, lambda: format_table(found) if found else "no sample was removed by a rule", output)
