"""The command line: every step, and every question people ask of a lake.

Exit codes: 0 done, 2 the call or the recipe must change, 1 anything else that failed. Standard output carries only the answer.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import click

from headwater.cli import builds as selection_commands
from headwater.cli import contamination as contamination_commands
from headwater.cli import export as export_command
from headwater.cli import job as step_commands
from headwater.cli import trainers as reader_commands
from headwater.cli import upgrade as upgrade_command
from headwater.cli import vocab as vocab_commands
from headwater.cli import what_if as what_if_command
from headwater.cli.options import Commands, answer, build_option, example, lake_argument, names_options, output_option
from headwater.cli.rendering import (
    format_bytes,
    format_check_table,
    format_count,
    format_story,
    format_table,
    format_trace,
)
from headwater.errors import UsageError
from headwater.version import __version__

__all__ = ["cli", "main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="headwater")
def cli() -> None:
    """From a lake of raw documents to token shards, with the lineage of every token.

    LAKE is a folder or an object-store URI; RECIPE a TOML file or the name of a recipe that ships: demo, ling-flash-2.
    """


@cli.command(epilog=example("headwater init lake"))
@lake_argument
@output_option
def init(lake: str, output: str) -> None:
    """Make an empty lake at LAKE."""
    from headwater.warehouse.commit import create_lake

    snapshot = create_lake(lake)
    answer({"lake": lake, "version": snapshot.version}, f"made an empty lake at {lake}", output)


for _command in (
    step_commands.run,
    step_commands.ingest,
    step_commands.annotate,
    step_commands.dedup,
    step_commands.decide,
    selection_commands.select,
    selection_commands.build,
):
    cli.add_command(_command)


@cli.command(epilog=example("headwater maintain lake --retention-hours 720"))
@lake_argument
@click.option(
    "--retention-hours",
    type=float,
    default=168.0,
    show_default=True,
    help="Delete replaced files this long after their removal.",
)
@click.option(
    "--orphan-hours",
    type=float,
    default=24.0,
    show_default=True,
    help="Delete files no version names when older; longer than any step.",
)
@click.option("--dry-run", is_flag=True, help="Count, change nothing.")
@output_option
def maintain(lake: str, retention_hours: float, orphan_hours: float, dry_run: bool, output: str) -> None:
    """Compact files, write a checkpoint, delete what is not needed.

    Files go that no kept version and no running step needs; builds keep the versions they were made from.
    """
    from headwater.warehouse.maintain import maintain as maintain_lake

    report = dataclasses.asdict(
        maintain_lake(lake, retention_hours=retention_hours, orphan_hours=orphan_hours, dry_run=dry_run)
    )
    rows = [
        {"what": name.replace("_", " "), "count": format_bytes(n) if name.endswith("bytes") else f"{n:,}"}
        for name, n in report.items()
    ]
    answer(report | {"dry_run": dry_run}, lambda: format_table(rows), output)


cli.add_command(upgrade_command.upgrade)


@cli.command(
    epilog=example(
        "headwater why lake --uri https://example.org/de/1", "headwater why lake --sample 16777216 --output json"
    )
)
@lake_argument
@names_options
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="At most so many samples.")
@output_option
def why(lake: str, limit: int, output: str, **named: Any) -> None:
    """Tell the whole story of the samples named.

    File and record, measures, the rules that fired with limits and values, stages, places in shards, runs.
    """
    from headwater.lineage.questions import samples_named
    from headwater.lineage.questions import why as story_of
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        stories = [story_of(connection, sample) for sample in samples_named(connection, **named, limit=limit)]
    answer({"samples": stories}, lambda: "\n\n".join(map(format_story, stories)), output)


@cli.command(epilog=example("headwater trace lake demo-4b2fbcca7f42 reasoning 0 5000"))
@lake_argument
@click.argument("build")
@click.argument("stage")
@click.argument("shard", type=int)
@click.argument("token", type=int)
@click.option(
    "--vocabulary",
    metavar="NAME",
    help="The build's vocabulary, a name or a file; by default as its recipe names it.",
)
@output_option
def trace(lake: str, build: str, stage: str, shard: int, token: int, vocabulary: str | None, output: str) -> None:
    """Tell where a token of a shard comes from.

    TOKEN is its 0-based place in SHARD: the sample, the text around it, and the story back to file and record.
    """
    from headwater.lineage.trace import trace as trace_token
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        found = trace_token(connection, lake, build, stage, shard, token, vocabulary)
    answer(found, lambda: format_trace(found), output)


@cli.command(epilog=example("headwater find lake --host example.org --build demo-4b2fbcca7f42"))
@lake_argument
@names_options
@build_option
@click.option("--stage", metavar="NAME", help="Only places in this stage.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="At most so many samples.")
@output_option
def find(lake: str, build: str | None, stage: str | None, limit: int, output: str, **named: Any) -> None:
    """Tell where the samples named went, token by token."""
    from headwater.lineage.questions import find as find_samples
    from headwater.lineage.questions import samples_named
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        found = find_samples(connection, samples_named(connection, **named, limit=limit), build)
    for sample in found:
        sample["placements"] = [place for place in sample["placements"] if stage in (None, place["stage"])]

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


@cli.command(
    epilog=example(
        "headwater sql lake 'SELECT language, count(*) AS n FROM samples WHERE kept GROUP BY ALL ORDER BY n DESC'"
    )
)
@lake_argument
@click.argument("query")
@click.option("--version", type=int, metavar="N", help="Version of the table to ask; by default the newest.")
@output_option
def sql(lake: str, query: str, version: int | None, output: str) -> None:
    """Ask DuckDB: a view a family, and samples, the wide row.

    The views are of one version of LAKE; the query can reach nothing else. JSON is a list of objects.
    """
    from headwater.lineage.questions import query as ask
    from headwater.lineage.views import connect

    with connect(lake, version) as connection:
        rows = ask(connection, query)
    answer(rows, lambda: format_table(rows), output)


cli.add_command(reader_commands.steps)
cli.add_command(what_if_command.what_if)
cli.add_command(export_command.export)


@cli.command(epilog=example("headwater verify lake", "headwater verify lake --build demo-4b2fbcca7f42 --output json"))
@lake_argument
@build_option
@click.option("--version", type=int, metavar="N", help="Version of the table to check; by default the newest.")
@output_option
def verify(lake: str, build: str | None, version: int | None, output: str) -> None:
    """Check the lake and its builds, down to the bytes.

    Counts, ids, files, duplicates, placements and the tokens of shards; exits with 1 when something does not hold.
    """
    from headwater.lineage.verify import verify as verify_lake

    checks = verify_lake(lake, build, version)
    passed = all(check.passed for check in checks)
    found = {"passed": passed, "checks": [dataclasses.asdict(check) for check in checks]}
    answer(found, lambda: format_check_table(checks), output)
    if not passed:
        failed = [check.name for check in checks if not check.passed]
        click.echo(
            f"Error: {len(failed)} of {format_count(len(checks), 'check')} failed: {', '.join(failed)}", err=True
        )
        sys.exit(1)


@cli.command(
    epilog=example("headwater runs lake", "headwater runs lake --run 20261123T150845-ingest-0123456789ab --output json")
)
@lake_argument
@click.option("--run", "run_id", metavar="ID", help="Only this run.")
@output_option
def runs(lake: str, run_id: str | None, output: str) -> None:
    """List what was run, oldest first.

    A run without an end was killed or still runs.
    """
    from headwater.lineage.funnel import list_runs
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        found = list_runs(connection, run_id)
    if run_id is not None and not found:
        raise UsageError(f"expected a run {run_id} in {lake}, found none; headwater runs {lake} lists them")

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


for _group in (contamination_commands.benchmarks, contamination_commands.report, vocab_commands.vocab):
    cli.add_command(_group)


def main() -> None:
    """Run the command line."""
    cli(prog_name="headwater")
