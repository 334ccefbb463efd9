"""The questions that people ask of a lake: ``why``, ``trace``, ``find``, ``sql`` and ``runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from headwater.cli.groups import end_process
from headwater.cli.numbers import WHOLE, DecimalRange, WholeRange
from headwater.cli.options import answer, build_option, example, lake_argument, names_options, output_option
from headwater.cli.rendering import format_count, format_story, format_table, format_trace
from headwater.errors import UsageError

if TYPE_CHECKING:
    import duckdb

    from headwater.lineage.names import Names

__all__ = ["find", "runs", "sql", "trace", "why"]


def _say_what_is_scanned(connection: duckdb.DuckDBPyConnection, named: Names) -> None:
    """Say on standard error that a question about hosts reads URLs, where an earlier release ingested them."""
    from headwater.lineage.host_questions import unindexed_fragments

    if (named.get("host") or named.get("domain")) and (fragments := unindexed_fragments(connection)):
        click.echo(
            f"{format_count(fragments, 'fragment')} of an earlier release without an index of hosts: their URLs are read one by one",
            err=True,
        )


@click.command(
    epilog=example(
        "headwater why lake --uri https://example.org/de/1", "headwater why lake --sample 16777216 --output json"
    )
)
@lake_argument
@names_options
@click.option("--limit", type=WholeRange(min=1), default=10, show_default=True, help="Show at most this many samples.")
@output_option
def why(lake: str, limit: int, output: str, **named: Unpack[Names]) -> None:
    """Tell the whole story of a sample.

    Its file and record, its measures, the rules that fired with their limits and values, its stages, its places in shards, and
    the runs that wrote all this.
    """
    from headwater.lineage.questions import why as story_of
    from headwater.lineage.selectors import pinned, selected
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        _say_what_is_scanned(connection, named)
        stories = [
            story_of(connection, sample, lake)
            for batch in selected(connection, pinned(lake), named, limit)
            for sample in batch.tolist()
        ]
    answer({"samples": stories}, lambda: "\n\n".join(map(format_story, stories)), output)


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
    from headwater.lineage.past_runs import require_build
    from headwater.lineage.trace import trace as trace_token
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        require_build(connection, build, stage)
        found = trace_token(connection, lake, build, stage, shard, token, vocabulary)
    answer(found, lambda: format_trace(found), output)


@click.command(epilog=example("headwater find lake --host example.org --build demo-4b2fbcca7f42"))
@lake_argument
@names_options
@build_option
@click.option("--stage", metavar="NAME", help="Only places in this stage.")
@click.option(
    "--limit", type=WholeRange(min=1), default=1000, show_default=True, help="Show at most this many samples."
)
@output_option
def find(lake: str, build: str | None, stage: str | None, limit: int, output: str, **named: Unpack[Names]) -> None:
    """Show where samples went, token by token."""
    from headwater.lineage.questions import placements_of
    from headwater.lineage.selectors import pinned, selected
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        _say_what_is_scanned(connection, named)
        batches = selected(connection, pinned(lake), named, limit)
        found = [row for batch in batches for row in placements_of(connection, batch.tolist(), build, stage)]

    def text() -> str:
        rows = []
        for sample in found:
            state = (
                "kept"
                if sample["kept"]
                else f"rejected: {sample['first_reason']}"
                if sample["first_reason"]
                else "not decided"
            )
            head = {"sample_id": sample["sample_id"], "uri": sample["uri"], "state": state}
            rows += [head | place for place in sample["placements"]] or [head]
        columns = [
            "sample_id",
            "uri",
            "state",
            "build",
            "stage",
            "shard",
            "sequence",
            "token_begin",
            "token_end",
            "copy",
        ]
        return format_table(rows, columns)

    answer({"samples": found}, text, output)


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
    from headwater.filters.rules.predicates import nearest
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
