"""``headwater score``: score models trained and judged on labelled text, and those of a lake."""

from __future__ import annotations

import click

from headwater.cli.groups import Commands
from headwater.cli.options import answer, example, lake_argument, output_option
from headwater.cli.rendering import format_table
from headwater.cli.score_training import eval_, train

__all__ = ["score"]


@click.group(cls=Commands, short_help="Train, judge, add and list score models.")
def score() -> None:
    """Score models: trained and judged on labelled text, added to a lake.

    A recipe names them under [[scores]]; annotate then fills the columns.
    """


score.add_command(train)
score.add_command(eval_)


@score.command(epilog=example("headwater score add lake models/legal.json"))
@lake_argument
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@output_option
def add(lake: str, paths: tuple[str, ...], output: str) -> None:
    """Store score models in LAKE.

    FILE is a model as score train writes it, with the fastText model that it names beside it. A recipe names the model by its name, or pins it by
    its SHA-256; models of one name may lie side by side. A recipe may as well name a file: annotate then stores it.
    """
    from headwater.filters.scores.shipped import load_scorer
    from headwater.lineage.score_models import store_scorer
    from headwater.warehouse.snapshot import open_snapshot

    open_snapshot(lake)
    scorers = [load_scorer(path) for path in paths]
    found = [store_scorer(lake, scorer)._asdict() for scorer in scorers]
    answer({"models": found}, lambda: format_table(found), output)


@score.command("list", epilog=example("headwater score list lake"))
@lake_argument
@output_option
def list_(lake: str, output: str) -> None:
    """List the score models that ship, and those of LAKE."""
    from headwater.filters.scores.shipped import SHIPPED, shipped_scorer
    from headwater.lineage.score_models import lake_models

    shipped = [{"name": name, "sha256": shipped_scorer(name).model.sha256, "from": "shipped"} for name in SHIPPED]
    found = shipped + [{**each._asdict(), "from": "lake"} for each in lake_models(lake)]
    answer({"models": found}, lambda: format_table(found), output)
