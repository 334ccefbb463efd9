"""The commands that train a vocabulary on a lake, and that extend one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from headwater.cli.options import (
    answer,
    example,
    job_arguments,
    job_options,
    spark_session,
)
from headwater.cli.rendering import format_bytes, format_table

if TYPE_CHECKING:
    from headwater.pipelines.vocabulary.step import TrainedVocabulary

__all__ = ["extend", "train"]

_name_option = click.option("--name", required=True, metavar="NAME", help="Name of the new vocabulary in LAKE.")


@click.command(epilog=example("headwater vocab train lake vocabulary-156k --name mine"))
@job_arguments
@_name_option
@job_options
def train(lake: str, recipe: str, name: str, master: str | None, conf: Sequence[str], output: str) -> None:
    """Train a vocabulary on samples of LAKE.

    RECIPE, a TOML file or the name of one that ships, says which samples to take and what a token must fulfil. The result is
    LAKE/vocabularies/NAME.json.xz; a job recipe names it under [vocabulary].
    """
    _answer(_train(lake, recipe, name, None, master, conf), output)


@click.command(epilog=example("headwater vocab extend lake vocabulary-156k --base tokenizer.json --name mine"))
@job_arguments
@click.option(
    "--base", required=True, metavar="NAME", help="The vocabulary to extend: one that ships, one in LAKE, or a file."
)
@_name_option
@job_options
def extend(lake: str, recipe: str, base: str, name: str, master: str | None, conf: Sequence[str], output: str) -> None:
    """Extend a vocabulary with merges learned on samples of LAKE.

    The base keeps its ids, its merges and its pre-tokenizer; new merges come after them, so no text gets longer.
    RECIPE as for train; its n_ids counts the base's ids too.
    """
    _answer(_train(lake, recipe, name, base, master, conf), output)


def _train(
    lake: str, recipe: str, name: str, base: str | None, master: str | None, conf: Sequence[str]
) -> TrainedVocabulary:
    from headwater.pipelines.recipe.shipped import find_vocabulary_recipe
    from headwater.pipelines.vocabulary.step import train_vocabulary

    loaded = find_vocabulary_recipe(recipe)
    with spark_session(master, conf) as spark:
        return train_vocabulary(spark, lake, loaded, name, base)


def _answer(made: TrainedVocabulary, output: str) -> None:
    def text() -> str:
        if made.known:
            return f"nothing new\n\nvocabulary {made.name}: {made.n_ids:,} ids, fingerprint {made.fingerprint}"
        rows = [
            {name: row[name] for name in ("language", "domain", "documents")}
            | {name: format_bytes(row[name]) for name in ("available", "asked", "got")}
            for row in made.cells
        ]
        pruned = f", of which {made.left_out:,} that occur under {made.least_count} times were left out"
        refused = ", ".join(f"{n:,} {rule}" for rule, n in sorted(made.refused.items()) if n)
        lines = [
            format_table(rows),
            "",
            f"{made.documents:,} documents, {format_bytes(made.text_bytes)}; {made.pieces:,} different pieces"
            + (pruned if made.left_out else ""),
            f"pairs refused: {refused or 'none'}",
            f"vocabulary {made.name}: {made.n_ids:,} ids, fingerprint {made.fingerprint}",
        ]
        return "\n".join(lines)

    answer(dataclasses.asdict(made), text, output)
