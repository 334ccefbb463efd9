"""The command ``card``: a build's data card, with a draft of the EU's public summary; the same as Croissant, for programs."""

from __future__ import annotations

import click

from headwater.cli.options import answer, example, lake_argument
from headwater.cli.sections import FORMS

__all__ = ["card"]

_SHORT = {"md": "markdown"}


@click.command(
    epilog=example(
        "headwater card lake demo-4b2fbcca7f42",
        "headwater card lake demo-4b2fbcca7f42 --format html > card.html",
        "headwater card lake demo-4b2fbcca7f42 --format croissant > croissant.json",
    )
)
@lake_argument
@click.argument("build", metavar="[BUILD]", required=False)
@click.option(
    "--output",
    "--format",
    type=click.Choice([*FORMS, "md", "json", "croissant"]),
    default="text",
    show_default=True,
    help="Format of the answer on standard output.",
)
def card(lake: str, build: str | None, output: str) -> None:
    """Describe a build for those who use it or ask about it.

    Sources, licences, languages, domains, filters, duplicates, personal data, evaluation sets and takedowns of BUILD, by default the one
    built last, and a draft of the summary of training content that the EU asks of providers. With --format croissant: a description by
    MLCommons' Croissant, in which each file of the shards has its SHA-256.
    """
    from headwater.lineage.card.answer import data_card

    found = data_card(lake, build)
    if output == "croissant":
        from headwater.lineage.croissant import croissant

        answer(croissant(lake, found), "", "json")
        return
    from headwater.cli.card_layout import format_card

    answer(found, lambda: format_card(found, _SHORT.get(output, output)), "json" if output == "json" else "text")
