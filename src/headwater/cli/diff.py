"""``headwater diff``: what differs between two builds, recipes or versions of the table, sample by sample."""

from __future__ import annotations

from typing import Final

import click

from headwater.cli.numbers import WHOLE, WholeRange
from headwater.cli.options import answer, example, lake_argument, output_option
from headwater.cli.rendering import Answer, clean, format_count, format_table
from headwater.errors import UsageError

__all__ = ["diff", "format_diff"]

_MOST_ROWS: Final = 20


@click.command(
    epilog=example(
        "headwater diff lake first-build second-build",
        "headwater diff lake --versions 12 20 --examples 0",
        "headwater diff lake strict.toml demo --output json",
    )
)
@lake_argument
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option(
    "--versions", type=(WHOLE, WHOLE), metavar="N M", help="Compare the verdicts of two versions of the table."
)
@click.option(
    "--examples",
    type=WholeRange(min=0, max=1000),
    default=3,
    show_default=True,
    help="How many samples of each change to name.",
)
@output_option
def diff(lake: str, a: str | None, b: str | None, versions: tuple[int, int] | None, examples: int, output: str) -> None:
    """Tell what differs between A and B.

    Each is a build of LAKE, a recipe (a file, or the name of one that ships), or recorded: the verdicts as they stand. Counts samples by
    their outcome in A and in B, the step and reason of each change, and tokens by stage and language. Of recipes the rules are evaluated over
    recorded signals; nothing is written and no text is read.
    """
    from headwater.pipelines.what_if.compare import compare

    if versions is None and (a is None or b is None):
        raise UsageError("expected A and B, two builds or recipes, or --versions N M, found neither")
    if versions is not None and (a is not None or b is not None):
        raise UsageError("expected either A and B or --versions N M, found both")
    found = compare(lake, a, b, versions=versions, examples=examples)
    answer(found, lambda: format_diff(found), output)


def format_diff(found: Answer) -> str:
    """Return the answer as tables: outcomes that changed, their causes, tokens moved, and the examples."""
    a, b = found["a"], found["b"]
    head = [
        f"A: {_told(a)}",
        f"B: {_told(b)}",
        f"{format_count(found['samples'], 'sample')}, {found['changed']:,} with another outcome ({found['share']:.2%})",
    ]
    blocks = [clean("\n".join(head))]
    changed = [row for row in found["outcomes"] if row["a"] != row["b"]]
    if changed:
        blocks.append(_cut([{"in A": row["a"], "in B": row["b"], **_sums(row)} for row in changed]))
        blocks.append(
            _cut([{"step": row["step"], "what changed": row["what"], **_sums(row)} for row in found["causes"]])
        )
    moved = [row for row in found["tokens"] if row["left"] or row["entered"] or row["tokens_a"] != row["tokens_b"]]
    if moved:
        rows = [
            {
                "stage": row["stage"],
                "language": row["language"],
                "tokens in A": f"{row['tokens_a']:,}",
                "tokens in B": f"{row['tokens_b']:,}",
                "left": f"{row['left']:,}",
                "entered": f"{row['entered']:,}",
            }
            for row in moved
        ]
        blocks.append(_cut(rows))
    examples = [
        {
            "in A": row["a"],
            "in B": row["b"],
            "sample": str(each["sample_id"]),
            "why": f"{each['step']}: {each['what']}",
            "uri": each["uri"] or "",
        }
        for row in changed
        for each in row["examples"]
    ]
    if examples:
        blocks.append(_cut(examples))
    return "\n\n".join(blocks)


def _told(side: Answer) -> str:
    if side["name"] == str(side["version"]):
        return f"version {side['version']}"
    what = "verdicts as recorded" if side["kind"] == "version" else f"{side['kind']} {side['name']}"
    return f"{what}, at version {side['version']}"


def _sums(row: Answer) -> dict[str, str]:
    return {
        "samples": f"{row['samples']:,}",
        "tokens in A": f"{row['tokens_a']:,}",
        "tokens in B": f"{row['tokens_b']:,}",
    }


def _cut(rows: list[dict[str, str]]) -> str:
    more = len(rows) - _MOST_ROWS
    return format_table(rows[:_MOST_ROWS]) + (f"\n… and {more:,} more: --output json has all" if more > 0 else "")
