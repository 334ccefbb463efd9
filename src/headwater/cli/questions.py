"""The questions that people ask of a lake: ``why``, ``trace``, ``find``, ``sql`` and ``runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from headwater.cli.groups import end_process
from headwater.cli.numbers import WHOLE, DecimalRange, WholeRange
from headwater.cli.options import (
    answer,
    build_option,
    example,
    lake_argument,
    lines_output_option,
    names_options,
    output_option,
    print_lines,
    read_text,
)
from headwater.cli.rendering import TableStream, format_count, format_table
from headwater.cli.story import format_story, format_trace
from headwater.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.lineage.lookup import Lookup
    from headwater.lineage.names import Names
    from headwater.plain import Row

__all__ = ["find", "runs", "sql", "trace", "why"]

_SHOWN = 1000
"""Samples that find shows where no limit is given and the answer is held whole."""


def _say_what_is_scanned(lookup: Lookup, named: Names) -> None:
    """Say on standard error that a question about hosts reads URLs, where an earlier release ingested them."""
    from headwater.lineage.host_questions import unindexed_fragments

    if (named.get("host") or named.get("domain")) and (fragments := len(unindexed_fragments(lookup.snapshot))):
        click.echo(
            f"{format_count(fragments, 'fragment')} of an earlier release without an index of hosts: their URLs are read one by one",
            err=True,
        )


@click.command(
    epilog=example(
        "headwater why lake --uri https://example.org/de/1",
        "headwater why lake --file web/de.jsonl --record 17",
        "headwater why lake --text - < page.txt",
        "headwater why lake --sample 16777216 --output json",
    )
)
@lake_argument
@names_options
@click.option("--text", metavar="FILE", help="A text, in a file of UTF-8; - reads it from standard input.")
@click.option("--record", type=WHOLE, metavar="N", help="Of --file only this record, by its number from 0.")
@click.option("--limit", type=WholeRange(min=1), default=10, show_default=True, help="Show at most this many samples.")
@click.option("--measures", is_flag=True, help="Show every measure too.")
@output_option
def why(
    lake: str,
    limit: int,
    output: str,
    text: str | None,
    record: int | None,
    measures: bool,
    **named: Unpack[Names],
) -> None:
    """Tell the whole story of a sample.

    Its file and record, its language, scores and duplicates, each rule with its limit and how far the sample was from it, its stages,
    its places in shards, and the runs that wrote all this.
    """
    from headwater.lineage.lookup import open_lookup
    from headwater.lineage.refused import sample_of_record, samples_of_text
    from headwater.lineage.selectors import selected
    from headwater.lineage.story import why as story_of

    lookup = open_lookup(lake)
    if text is not None:
        if any(value is not None for value in named.values()) or record is not None:
            raise UsageError("expected --text alone, found another name beside it")
        samples = samples_of_text(lookup, read_text(text))[:limit]
    elif record is not None:
        if named["file"] is None or sum(value is not None for value in named.values()) > 1:
            raise UsageError("expected --record with --file and nothing else")
        samples = [sample_of_record(lookup, named["file"], record)]
    else:
        _say_what_is_scanned(lookup, named)
        samples = [sample for batch in selected(None, lookup, named, limit) for sample in batch.tolist()]
    stories = [story_of(lookup, sample) for sample in samples]
    answer(
        {"samples": stories}, lambda: "\n\n".join(format_story(story, measures=measures) for story in stories), output
    )


@click.command(epilog=example("headwater trace lake demo-4b2fbcca7f42 reasoning 0 5000"))
@lake_argument
@click.argument("build")
@click.argument("stage")
@click.argument("shard", type=WHOLE)
@click.argument("token", type=WHOLE)
@click.option(
    "--vocabulary",
    metavar="NAME",
    help="The build's vocabulary, a name or a file; by default the one that its recipe names.",
)
@output_option
def trace(lake: str, build: str, stage: str, shard: int, token: int, vocabulary: str | None, output: str) -> None:
    """Tell where a token in a shard comes from.

    TOKEN is its 0-based position in SHARD. Shows the sample, the text around the token, and the story back to file and record.
    """
    from headwater.lineage.lookup import open_lookup
    from headwater.lineage.past_runs import require_build
    from headwater.lineage.trace import trace as trace_token

    lookup = open_lookup(lake)
    require_build(lookup.snapshot, build, stage)
    found = trace_token(lookup, build, stage, shard, token, vocabulary)
    answer(found, lambda: format_trace(found), output)


@click.command(
    epilog=example(
        "headwater find lake --host example.org --build demo-4b2fbcca7f42",
        'headwater find lake --where "kept AND quality > 60000" --output jsonl',
    )
)
@lake_argument
@names_options
@build_option
@click.option("--stage", metavar="NAME", help="Only places in this stage.")
@click.option(
    "--limit",
    type=WholeRange(min=1),
    help=f"Show at most this many samples; {_SHOWN} by default, of --output jsonl all.",
)
@lines_output_option
def find(
    lake: str, build: str | None, stage: str | None, limit: int | None, output: str, **named: Unpack[Names]
) -> None:
    """Show where samples went, token by token.

    Samples are named in one way or in several at once, one or millions: the answer is printed as it is found, as rows of text or, with
    --output jsonl, a line of JSON a sample.
    """
    from headwater.lineage.finding import found_places
    from headwater.lineage.lookup import open_lookup
    from headwater.lineage.selectors import selected

    lookup = open_lookup(lake)
    _say_what_is_scanned(lookup, named)
    most = limit if limit is not None or output == "jsonl" else _SHOWN
    found = found_places(lookup, selected(None, lookup, named, None if most is None else most + 1), build, stage)
    shown = _up_to(found, most)
    if output == "json":
        samples = list(shown)
        answer({"samples": samples}, "", output)
    elif output == "jsonl":
        print_lines(shown)
    else:
        table = TableStream(_FOUND, wait=_SHOWN)
        print_lines(line for sample in shown for line in table.add(_rows(sample)))
        print_lines(table.end())


_FOUND = ("sample_id", "uri", "state", "build", "stage", "shard", "sequence", "token_begin", "token_end", "copy")


def _up_to(found: Iterator[Row], most: int | None) -> Iterator[Row]:
    """Yield the first samples, and say on standard error that there are more."""
    for number, sample in enumerate(found):
        if number == most:
            click.echo(f"the first {format_count(number, 'sample')}; --limit N or --output jsonl shows more", err=True)
            return
        yield sample


def _rows(sample: Row) -> list[Row]:
    """Return the rows of a table about one sample: one a place, or one without."""
    reason = f"rejected: {sample['first_reason']}" if sample["first_reason"] else "not decided"
    head = {"sample_id": sample["sample_id"], "uri": sample["uri"], "state": "kept" if sample["kept"] else reason}
    return [head | place for place in sample["placements"]] or [head]


@click.command(
    epilog=example("headwater sql lake 'SELECT language, count(*) AS n FROM samples WHERE kept GROUP BY ALL'")
)
@lake_argument
@click.argument("query")
@click.option("--version", type=WHOLE, metavar="N", help="Version of the table to query; by default the newest.")
@click.option(
    "--memory", metavar="SIZE", help="What the query may take, such as 4GB; by default half of the machine's."
)
@click.option(
    "--threads", type=WholeRange(1, 1024), metavar="N", help="How many the query may use; by default one a core."
)
@click.option(
    "--timeout",
    type=DecimalRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop the query after this time.",
)
@output_option
def sql(
    lake: str,
    query: str,
    version: int | None,
    memory: str | None,
    threads: int | None,
    timeout: float,
    output: str,
) -> None:
    """Query the lake in SQL.

    DuckDB answers, from one view per family and from the view samples, which joins them into one wide row per sample. All views show
    the same version of LAKE. The query can only read them: one statement, and what would write or reach a file is refused. With
    --output json the answer is a list of objects.
    """
    from headwater.lineage.questions import query as ask
    from headwater.lineage.sql_connection import Limits, parse_size
    from headwater.lineage.views import connect_for_users

    size = None if memory is None else parse_size(memory)
    limits = Limits(memory_bytes=size, threads=threads, timeout_s=timeout)
    with connect_for_users(lake, version, limits, end_process) as connection:
        rows = ask(connection, query)
    answer(rows, lambda: format_table(rows), output)


@click.command(
    epilog=example("headwater runs lake", "headwater runs lake --run 20261123T150845-ingest-0123456789ab --output json")
)
@lake_argument
@click.option("--run", "run_id", metavar="ID", help="Only this run.")
@output_option
def runs(lake: str, run_id: str | None, output: str) -> None:
    """List the runs of all steps, oldest first.

    A run without an end was killed or is still going.
    """
    from headwater.errors import nearest
    from headwater.lineage.funnel import list_runs
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        found = list_runs(connection)
    if run_id is not None:
        known = [run["run_id"] for run in found]
        found = [run for run in found if run["run_id"] == run_id]
        if not found:
            raise UsageError(f"expected a run of {lake}, found none named {run_id!r}; {nearest(run_id, known)}")

    def text() -> str:
        shown = ("samples", "records", "files", "kept", "chosen", "fragments")
        rows = []
        for row in found:
            counts = ", ".join(f"{row['counts'][name]:,} {name}" for name in shown if name in row["counts"])
            rows.append(
                {"run": row["run_id"], "step": row["step"], "ended": row["ended"] or "no end", "counts": counts}
            )
        return format_table(rows)

    answer({"runs": found}, text, output)
