"""The commands of decontamination: evaluation sets of a lake, and the report of what was found of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypedDict

import click

from headwater.cli.numbers import WholeRange
from headwater.cli.options import answer, example, lake_argument, output_option
from headwater.cli.rendering import format_table

__all__ = ["benchmarks", "report"]


@click.group(short_help="Add and list evaluation sets.")
def benchmarks() -> None:
    """Evaluation sets that a lake's texts are compared with.

    A recipe names them under [contamination]; annotate looks for their items.
    """


@benchmarks.command(
    epilog=example(
        "headwater benchmarks add lake evaluation/*.jsonl.zst",
        "headwater benchmarks add lake trivia.jsonl --question clue --answer response",
    )
)
@lake_argument
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@click.option("--name", metavar="NAME", help="Name of the set; by default the file's.")
@click.option(
    "--question", metavar="FIELD", multiple=True, help="A field that holds the question, instead of the known names."
)
@click.option(
    "--answer", metavar="FIELD", multiple=True, help="A field that holds the answer, instead of the known names."
)
@output_option
def add(lake: str, paths: Sequence[str], name: str | None, output: str, **fields: Sequence[str]) -> None:
    """Store evaluation sets in LAKE.

    FILE is a file of JSON Lines, plain or compressed, or a folder of them.

    A set of the same name is replaced; what was annotated with it is then annotated again.
    """
    from headwater.filters.contamination.items import ItemFields
    from headwater.pipelines.ingest.evaluation_items import add_benchmarks
    from headwater.warehouse.snapshot import open_snapshot

    open_snapshot(lake)
    chosen = ItemFields(question=tuple(fields["question"]), answer=tuple(fields["answer"]))
    _answer_sets(lake, [stored.name for stored in add_benchmarks(lake, paths, chosen, name)], output)


@benchmarks.command("list", epilog=example("headwater benchmarks list lake --output json"))
@lake_argument
@output_option
def list_(lake: str, output: str) -> None:
    """List the evaluation sets of LAKE.

    With the number of their items, and how many of these can be found in a text.
    """
    from headwater.lineage.evaluation_sets import list_benchmarks

    _answer_sets(lake, [stored.name for stored in list_benchmarks(lake)], output)


class _Set(TypedDict):
    """An evaluation set and how many of its items a text can be matched with: alone, only with their answers, not at all."""

    name: str
    sha256: str
    items: int
    alone: int
    with_answer: int
    unmatchable: int


def _answer_sets(lake: str, names: Sequence[str], output: str) -> None:
    found = _sets(lake, names)
    columns = ["name", "items", "alone", "with_answer", "unmatchable", "sha256"]
    short = [row | {"sha256": row["sha256"][:12]} for row in found]
    answer({"benchmarks": found}, lambda: format_table(short, columns) if short else "no evaluation sets", output)


def _sets(lake: str, names: Sequence[str]) -> list[_Set]:
    """Return name, SHA-256 and the counts of items by how they can be found."""
    from headwater.lineage.evaluation_sets import chosen_sets, count_matchable

    sets = chosen_sets(lake, names)
    counted = count_matchable(sets) if sets else {}
    rows: list[_Set] = []
    for stored in sets:
        counts = counted[stored.name]
        rows.append(
            _Set(
                name=stored.name,
                sha256=stored.sha256,
                items=sum(dataclasses.asdict(counts).values()),
                alone=counts.alone,
                with_answer=counts.with_answer,
                unmatchable=counts.unmatchable,
            )
        )
    return rows


@click.group(short_help="Reports: builds, rules, evaluation items, personal data.")
def report() -> None:
    """Reports on a lake, counted from its families."""


@report.command(epilog=example("headwater report contamination lake --benchmark gsm8k_test --output json"))
@lake_argument
@click.option("--benchmark", metavar="NAME", help="Only this evaluation set.")
@click.option("--limit", type=WholeRange(min=1), default=20, show_default=True, help="Show at most this many matches.")
@output_option
def contamination(lake: str, benchmark: str | None, limit: int, output: str) -> None:
    """Show which items of the evaluation sets occur in LAKE.

    For each set: its items, those that cannot be matched, those found, and the samples that contain them; then the same by source; then
    the worst matches, by id, without text.
    """
    from headwater.lineage.contamination_report import contamination_report
    from headwater.lineage.evaluation_sets import list_benchmarks
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        found = contamination_report(connection, benchmark, limit)
    stored = _sets(lake, [each.name for each in list_benchmarks(lake) if benchmark in (None, each.name)])
    counted = {row["benchmark"]: row for row in found["benchmarks"]}
    nothing = {"items_found": 0, "answers_found": 0, "samples": 0, "kept": 0, "worst": 0.0}
    known = {
        row["name"]: {name: row[name] for name in ("items", "alone", "with_answer", "unmatchable")} for row in stored
    }
    found["benchmarks"] = [
        {"benchmark": name} | known.get(name, {}) | nothing | counted.get(name, {})
        for name in sorted({*known, *counted})
    ]

    def text() -> str:
        if not found["benchmarks"]:
            return "no evaluation sets; headwater benchmarks add stores them"
        tables = [format_table(found["benchmarks"], list(found["benchmarks"][0]))]
        return "\n\n".join([*tables, *(format_table(found[name]) for name in ("sources", "worst") if found[name])])

    answer(found, text, output)
