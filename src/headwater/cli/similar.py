"""``similar``: the near-duplicates of a text in a lake."""

from __future__ import annotations

import click

from headwater.cli.numbers import WHOLE, DecimalRange, WholeRange
from headwater.cli.options import answer, example, lake_argument, output_option, read_text
from headwater.cli.rendering import format_bytes, format_count, format_table

__all__ = ["similar"]

_COLUMNS = ("sample_id", "similarity", "state", "source", "uri")


@click.command(
    epilog=example(
        "headwater similar lake --sample 16777216",
        "headwater similar lake --text page.txt --least 0.9",
        "headwater similar lake --text - --output json < page.txt",
    )
)
@lake_argument
@click.option("--sample", type=WHOLE, metavar="ID", help="The text of this sample, by its sample_id.")
@click.option("--text", metavar="FILE", help="A text, in a file of UTF-8; - reads it from standard input.")
@click.option(
    "--least",
    type=DecimalRange(0, 1),
    default=0.75,
    show_default=True,
    metavar="SHARE",
    help="Share of equal signature values from which a sample is shown.",
)
@click.option("--limit", type=WholeRange(min=1), default=20, show_default=True, help="Show at most this many samples.")
@output_option
def similar(lake: str, sample: int | None, text: str | None, least: float, limit: int, output: str) -> None:
    """Show the near-duplicates of a text.

    They share a band of their MinHash signatures with it; similarity is the share of equal signature values, an estimate of the share of
    5-word shingles that both have. All bands of the lake are read, 112 bytes a sample.
    """
    from headwater.lineage.lookup import open_lookup
    from headwater.lineage.similar import similar_to, sketch_of

    lookup = open_lookup(lake)
    found = similar_to(lookup, sketch_of(lookup, sample, None if text is None else read_text(text)), least, limit)

    def shown() -> str:
        rows = []
        for row in found["similar"]:
            state = f"rejected: {row['first_reason']}" if row["first_reason"] else "not decided"
            rows.append(row | {"state": "kept" if row["kept"] else state})
        return format_table(rows, _COLUMNS)

    answer(found, shown, output)
    if output == "text":
        read = found["read"]
        others = (
            f"{len(found['similar'])} of {found['found']:,} shown; " if len(found["similar"]) < found["found"] else ""
        )
        click.echo(f"{others}{format_bytes(read['bytes'])} of {format_count(read['samples'], 'sample')} read", err=True)
