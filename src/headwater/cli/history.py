"""A lake's past: ``log``, what it keeps of it: ``retain``, and a past build made again: ``reproduce``."""

from __future__ import annotations

import itertools
import sys

import click

from headwater.cli.numbers import WholeRange
from headwater.cli.options import (
    answer,
    example,
    lake_argument,
    output_option,
    retention_options,
    spark_options,
    spark_session,
)
from headwater.cli.rendering import format_bytes, format_count, format_table

__all__ = ["log", "reproduce", "retain"]


@click.command(epilog=example("headwater log lake --limit 5", "headwater log lake --output json"))
@lake_argument
@click.option("--run", "run_id", metavar="ID", help="Only commits of this run.")
@click.option("--limit", type=WholeRange(min=1), default=20, show_default=True, help="Show at most this many.")
@output_option
def log(lake: str, run_id: str | None, limit: int, output: str) -> None:
    """List the commits of a lake, newest first.

    For each version of the table: when, by which run and step, and what files it added and took away.
    """
    from headwater.lineage.history import commits

    found = list(itertools.islice(commits(lake, run=run_id), limit))

    def text() -> str:
        rows = [
            {
                "version": each["version"],
                "time": each["time"][:19].replace("T", " "),
                "step": each["step"] or each["kind"],
                "added": ", ".join(f"{name} {part['files']}" for name, part in each["added"].items()),
                "bytes": format_bytes(sum(part["bytes"] for part in each["added"].values())),
                "removed": ", ".join(f"{name} {part['files']}" for name, part in each["removed"].items()),
            }
            for each in found
        ]
        return format_table(rows)

    answer({"lake": lake, "commits": found}, text, output)


@click.command(epilog=example("headwater retain lake --retention-hours 720"))
@lake_argument
@retention_options
@output_option
def retain(lake: str, retention_hours: float, orphan_hours: float, output: str) -> None:
    """Tell what a lake keeps, why, until when, and its bytes.

    Each file counts once. What has a date is deleted by the next `headwater maintain` after it; the rest is kept as long as the
    reason holds. Nothing is changed.
    """
    from headwater.lineage.retained import retained

    found = retained(lake, retention_hours=retention_hours, orphan_hours=orphan_hours)

    def text() -> str:
        rows = [
            {
                "what": each["what"],
                "why": each["why"],
                "files": f"{each['files']:,}",
                "bytes": format_bytes(each["n_bytes"]),
                "until": (each["until"] or "")[:16].replace("T", " "),
            }
            for each in found["kept"]
        ]
        return f"{format_table(rows)}\nin all {format_bytes(found['n_bytes'])}, version {found['version']}"

    answer(found, text, output)


@click.command(epilog=example("headwater reproduce lake demo-4b2fbcca7f42", "headwater reproduce lake my-build --keep"))
@lake_argument
@click.argument("build")
@click.option("--keep", is_flag=True, help="Leave the shards in the folder .reproduced of the build.")
@spark_options
@output_option
def reproduce(lake: str, build: str, keep: bool, master: str | None, conf: tuple[str, ...], output: str) -> None:
    """Make a past build again and compare its bytes.

    From its row in family runs and the version that it pins alone; its own files are not read and may be gone. Exits with 1 if a
    stage differs.
    """
    from headwater.pipelines.builds.reproduce import reproduce as make_again

    with spark_session(master, conf) as spark:
        found = make_again(spark, lake, build, keep=keep)

    def text() -> str:
        rows = [
            {
                "stage": each.stage,
                "shards": f"{each.shards:,}",
                "tokens": f"{each.tokens:,}",
                "bytes": format_bytes(each.n_bytes),
                "manifest": each.sha256[:16],
                "same": "yes" if each.same else f"no: {str(each.recorded)[:16]} was recorded",
            }
            for each in found.stages
        ]
        place = "" if found.folder is None else f"; shards in {found.folder}"
        return f"{format_table(rows)}\nfrom version {found.version}{place}"

    answer(found.plain(), text, output)
    if not found.same:
        different = [each.stage for each in found.stages if not each.same]
        click.echo(
            f"Error: expected the bytes that {build} recorded, found others in {format_count(len(different), 'stage')}: {', '.join(different)}; "
            f"they are in {found.folder}. Another version of Headwater or pyarrow gives other bytes, or a file of the lake "
            f"changed: headwater verify {lake}",
            err=True,
        )
        sys.exit(1)
