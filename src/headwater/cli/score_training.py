"""The commands that train a score model on labelled text, and that judge one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from headwater.cli.numbers import DecimalRange, WholeRange
from headwater.cli.options import answer, example, output_option, together
from headwater.cli.rendering import format_count, format_table
from headwater.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.pipelines.scoring.examples import Examples, Labelled
    from headwater.plain import JsonObject

__all__ = ["eval_", "train"]

_documents = together(
    click.argument(
        "paths", metavar="[FILE]...", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path)
    ),
    click.option("--lake", metavar="LAKE", help="Take documents of a lake instead of files."),
    click.option("--positive", metavar="SQL", help="Of a lake: which documents have the label 1, over samples."),
    click.option("--negative", metavar="SQL", help="Of a lake: which have the label 0."),
    click.option("--where", metavar="SQL", default="TRUE", help="Of a lake: what holds for all of them."),
    click.option(
        "--most",
        type=WholeRange(min=1),
        default=20_000,
        show_default=True,
        help="Of a lake: at most this many documents a label.",
    ),
    click.option(
        "--language-field",
        metavar="FIELD",
        default="language",
        show_default=True,
        help="Of files: the record's field with its language; identified where it has none.",
    ),
)
_cut = click.option(
    "--cut",
    type=DecimalRange(min=0.0, max=1.0, min_open=True),
    default=0.2,
    show_default=True,
    help="Share of the documents that a stage would take: precision is told at that cut.",
)


class _Documents(TypedDict):
    """The labelled documents that are named: what ``_documents`` hands to a command."""

    paths: Sequence[Path]
    lake: str | None
    positive: str | None
    negative: str | None
    where: str
    most: int
    language_field: str


def _examples(
    paths: Sequence[Path],
    lake: str | None,
    positive: str | None,
    negative: str | None,
    where: str,
    most: int,
    language_field: str,
) -> Examples:
    from headwater.pipelines.scoring.examples import read_labelled
    from headwater.pipelines.scoring.lake_examples import query_labelled

    if lake is None:
        if not paths or positive or negative:
            raise UsageError(
                "expected files of labelled records, or --lake with --positive and --negative, found neither whole"
            )
        return _measured(read_labelled(paths, language_field))
    if paths or positive is None or negative is None:
        raise UsageError("--lake: expected --positive and --negative with it and no file, found otherwise")
    return _measured(query_labelled(lake, positive, negative, where, most))


def _measured(labelled: Labelled) -> Examples:
    from headwater.pipelines.scoring.examples import measure_examples

    found = measure_examples(labelled)
    if found.copies:
        click.echo(f"{format_count(found.copies, 'document')} left out: exact copies of others", err=True)
    if found.contradictions:
        told = format_count(found.contradictions, "document")
        click.echo(f"warning: {told} left out: the same text stands with different labels", err=True)
    return found


@click.command(
    epilog=example(
        "headwater score train legal labelled.jsonl --out models",
        "headwater score train news --lake lake --positive \"source='press'\" --negative \"source='forum'\"",
    )
)
@click.argument("name")
@_documents
@_cut
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder of the files that are written; by default the current one.",
)
@click.option("--kind", type=click.Choice(["linear", "trees"]), default="linear", show_default=True, help="The head.")
@click.option("--words", is_flag=True, help="Let a fastText model of the words be one more input.")
@click.option("--signals", metavar="NAMES", help="Inputs, with commas; by default all signals but those of length.")
@click.option(
    "--strength",
    type=DecimalRange(min=0.0, min_open=True),
    default=0.1,
    show_default=True,
    help="How closely the linear head follows the examples (C of logistic regression).",
)
@click.option("--seed", type=WholeRange(min=0), default=0, show_default=True, help="Of what is drawn.")
@click.option("--about", metavar="TEXT", help="What the score is for: stands in the card.")
@click.option("--licence", metavar="TEXT", help="On which terms the examples came: stands in the card.")
@click.option(
    "--no-held-out", is_flag=True, help="Train although no language or source can be held out; the card tells it."
)
@output_option
def train(
    name: str,
    cut: float,
    out: Path,
    kind: str,
    words: bool,
    signals: str | None,
    strength: float,
    seed: int,
    about: str | None,
    licence: str | None,
    no_held_out: bool,
    output: str,
    **documents: Unpack[_Documents],
) -> None:
    """Train the score NAME on labelled text.

    FILE is JSON Lines with text and label (0 or 1, or a grade; for domain, the name of a genre) and, where they are known, language, source and id.
    Whole languages and whole sources are held out in turn to judge the model. It is written to DIR as NAME.json, with NAME.ftz where it reads
    words, its card NAME.md and its report NAME.report.json; a recipe names it under [[scores]].
    """
    from headwater.pipelines.recipe.score_settings import ScoreSettings
    from headwater.pipelines.scoring.train import TrainSettings, train_model
    from headwater.pipelines.scoring.words import WordSettings
    from headwater.pipelines.scoring.write import write_trained
    from headwater.warehouse.filesystem import filesystem_of
    from headwater.warehouse.lake_folders import refuse_lakes

    refuse_lakes(*filesystem_of(str(out.absolute())))
    ScoreSettings(name=name, model=name)  # a name that no recipe could use is told before the work
    found = _examples(**documents)
    settings = TrainSettings(
        name=name,
        kind=kind,
        signals=None if signals is None else tuple(each.strip() for each in signals.split(",")),
        words=WordSettings(seed=seed) if words else None,
        strength=strength,
        cut=cut,
        seed=seed,
        held_out=not no_held_out,
        about=about or "",
        licence=licence or "",
    )
    made = train_model(found, settings)
    files = write_trained(made, out)
    told: JsonObject = {"sha256": made.model.sha256, "files": [str(path) for path in files]} | made.report

    def text() -> str:
        held = made.report["held_out"]
        parts = (
            [_summary(f"held out by {by}", figures) for by, figures in held.items()]
            if isinstance(held, dict)
            else [held]
        )
        return "\n\n".join([*parts, f"{files[0]}, SHA-256 {made.model.sha256}"])

    answer(told, text, output)


@click.command(name="eval", epilog=example("headwater score eval models/legal.json labelled.jsonl"))
@click.argument("model")
@_documents
@_cut
@output_option
def eval_(
    model: str,
    cut: float,
    output: str,
    **documents: Unpack[_Documents],
) -> None:
    """Judge MODEL, a file or the name of one that ships, on labelled text.

    FILE and the options that name documents of a lake are as for train.
    """
    from headwater.lineage.score_models import find_scorer
    from headwater.pipelines.scoring.evaluate import evaluate_model

    scorer = find_scorer(documents["lake"], model)
    found = evaluate_model(scorer, _examples(**documents), cut)
    answer(found, lambda: _summary(f"{found['model']}, SHA-256 {found['sha256']}", found["figures"]), output)


def _summary(title: str, figures: JsonObject) -> str:
    """Return figures as tables: what is single, and each language's."""
    single = [
        {
            "figure": key.replace("_", " "),
            "value": value if not isinstance(value, dict) else " ".join(map(str, value.values())),
        }
        for key, value in figures.items()
        if not isinstance(value, list | dict) or key == "lowest_language"
    ]
    tables = [
        format_table(figures[key])
        for key in ("by_language", "by_source", "length_bands", "calibration")
        if figures.get(key)
    ]
    return "\n\n".join([f"{title}:", format_table(single), *tables])
