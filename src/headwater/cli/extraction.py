"""The commands about texts of web pages: the step that makes them, and the comparison of extractors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from headwater.cli.numbers import WholeRange
from headwater.cli.options import (
    Timer,
    answer,
    example,
    job_arguments,
    job_options,
    output_option,
    read_recipe,
    spark_session,
)
from headwater.cli.rendering import Answer, format_count, format_table
from headwater.cli.summaries import format_step

if TYPE_CHECKING:
    from headwater.pipelines.extract.page_facts import Page

__all__ = ["extract", "extractors", "format_comparison"]

_SPLITS: Final = ("page_kind", "language")
_MOST_PARTS: Final = 12


@click.command(epilog=example("headwater extract lake my-recipe.toml"))
@job_arguments
@click.option(
    "--forget-others", is_flag=True, help="Remove stored texts of extractors that RECIPE does not name, afterwards."
)
@job_options
def extract(lake: str, recipe: str, forget_others: bool, master: str | None, conf: Sequence[str], output: str) -> None:
    """Read web pages by the extractors of RECIPE, and choose among their texts.

    Only what LAKE lacks is done. Where a page has another text than before, what was made from the old one is gone, and the next run of
    annotate, dedup and decide makes it again.
    """
    loaded = read_recipe(recipe)
    from headwater.pipelines.extract.step import extract as extract_step

    with spark_session(master, conf) as spark, Timer() as timer:
        counts = extract_step(spark, lake, loaded, forget_others=forget_others)
    found = {"step": "extract", "counts": counts, "seconds": timer.seconds}
    answer(found, format_step("extract", counts, timer.seconds), output)


@click.command(
    epilog=example(
        "headwater extractors lake my-recipe.toml",
        "headwater extractors lake my-recipe.toml --pages 2000 --by page_kind --list 20",
        "headwater extractors lake my-recipe.toml --all --output json",
    )
)
@job_arguments
@click.option(
    "--pages",
    type=WholeRange(1, 1_000_000),
    default=200,
    show_default=True,
    metavar="N",
    help="How many pages to look at, spread over the lake.",
)
@click.option("--all", "everything", is_flag=True, help="Look at every page.")
@click.option("--by", type=click.Choice(_SPLITS), help="Totals by kind of page, or by language, as well.")
@click.option(
    "--list",
    "listed",
    type=WholeRange(0, 1000),
    default=0,
    metavar="N",
    help="Also list the pages on which the extractors differ most, in tokens.",
)
@output_option
def extractors(lake: str, recipe: str, pages: int, everything: bool, by: str | None, listed: int, output: str) -> None:
    """Compare the extractors of RECIPE on pages of LAKE.

    For each extractor: characters, tokens, quality, and what the rules of RECIPE make of its texts; whose text RECIPE takes; and how many
    more tokens all extractors together would give. Texts that LAKE does not hold are made from the pages and not stored. Nothing is written, and
    no Spark is needed.
    """
    loaded = read_recipe(recipe)
    from headwater.pipelines.extract.compare import compare_extractors
    from headwater.pipelines.recipe.operators import resolve

    found = compare_extractors(resolve(loaded, lake), None if everything else pages)
    plain = found | {"pages": [dataclasses.asdict(page) for page in found["pages"]]}
    answer(plain, lambda: format_comparison(found, by, listed), output)


def format_comparison(found: Answer, by: str | None, listed: int) -> str:
    """Return the totals of a comparison as tables, and below them the pages on which the extractors differ most."""
    totals, pages = found["totals"], found["pages"]
    if not pages:
        return "no page that an extractor reads"
    parts = [format_table(_rows(totals["all"])), _told_union(totals["union"])]
    if by is not None:
        largest = sorted(totals[by].items(), key=lambda item: (-item[1][0]["pages"], item[0]))
        rows = [{by: value, **row} for value, sums in largest[:_MOST_PARTS] for row in _rows(sums)]
        parts.append(format_table(rows))
        if len(largest) > _MOST_PARTS:
            parts.append(f"and {len(largest) - _MOST_PARTS} more; --output json has all")
    if listed:
        parts.append(format_table([_told_page(page) for page in sorted(pages, key=_difference)[:listed]]))
    return "\n\n".join(parts)


def _rows(sums: Sequence[Answer]) -> list[Answer]:
    return [
        {
            "extractor": row["extractor"],
            "pages": f"{row['pages']:,}",
            "with text": f"{row['with_text']:,}",
            "taken": f"{row['taken']:,}" if "taken" in row else None,
            "characters": f"{row['characters']:,}",
            "tokens": f"{row['tokens']:,}",
            "kept": f"{row['kept']:,}",
            "kept tokens": f"{row['kept_tokens']:,}",
            "quality": None if row["quality"] is None else f"{row['quality']:,.0f}",
        }
        for row in sums
    ]


def _told_union(union: Answer) -> str:
    if union["more"] is None:
        return "no text passes the rules"
    return (
        f"all extractors together keep {union['tokens']:,} tokens, {union['more']:+.1%} of what {union['best_single']} alone keeps; "
        f"at equal quality {union['tokens_at_equal_quality']:,}, {union['more_at_equal_quality']:+.1%}"
    )


def _difference(page: Page) -> tuple[int, int]:
    """Return a key that puts pages first whose texts differ most in tokens."""
    tokens = [text.tokens for text in page.texts]
    return min(tokens) - max(tokens), page.sample_id


def _told_page(page: Page) -> Answer:
    row: dict[str, object] = {"sample": page.sample_id, "taken": page.chosen}
    for text in page.texts:
        verdict = text.fault or text.first_reason or "kept"
        row[text.extractor] = f"{format_count(text.tokens, 'token')}, {verdict}"
    return row | {"uri": page.uri}
