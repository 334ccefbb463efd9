"""The command ``report personal``: counts of personal data and secrets by type, form, language and source."""

from __future__ import annotations

from typing import Final

import click

from headwater.cli.numbers import WholeRange
from headwater.cli.options import answer, example, lake_argument, output_option
from headwater.cli.rendering import format_table
from headwater.filters.personal.types import PERSONAL_TYPES, SECRET_TYPES

__all__ = ["personal_report"]

_TABLES: Final = ("types", "variants", "languages", "sources")


@click.command(
    "personal",
    epilog=example("headwater report personal lake", "headwater report personal lake --type email --output json"),
)
@lake_argument
@click.option("--type", "type_", type=click.Choice([*PERSONAL_TYPES, *SECRET_TYPES]), help="Only this type.")
@click.option(
    "--limit",
    type=WholeRange(min=1),
    default=20,
    show_default=True,
    help="Show at most this many rows a table; JSON has all.",
)
@output_option
def personal_report(lake: str, type_: str | None, limit: int, output: str) -> None:
    """Count personal data and secrets in LAKE.

    By type and how sure they are, by form, by language and by source: how many spans, samples that hold one, and samples of these that
    are kept. Values are never shown; family spans does not hold them.
    """
    from headwater.lineage.personal_report import personal_report as report_of
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        found = report_of(connection, type_)

    def text() -> str:
        if not found["types"]:
            return (
                f"none found in {found['samples']:,} samples"
                if found["looked"]
                else "not looked for: a recipe asks by [spans] personal = { } and secrets = { }"
            )
        parts = [f"{found['samples']:,} samples"]
        for name in _TABLES:
            if rows := found[name]:
                rest = f"\n... {len(rows) - limit:,} more" if len(rows) > limit else ""
                parts.append(f"{name}\n{format_table(rows[:limit])}{rest}")
        return "\n\n".join(parts)

    answer(found, text, output)
