"""The commands that take care of a lake: ``init``, ``verify`` and ``maintain``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Final

import click

from headwater.cli.numbers import DECIMAL, WHOLE
from headwater.cli.options import (
    answer,
    build_option,
    example,
    lake_argument,
    output_option,
    retention_options,
    spark_session,
)
from headwater.cli.rendering import Answer, clean_name, format_bytes, format_check_table, format_count, format_table
from headwater.errors import UsageError

__all__ = ["init", "maintain", "verify"]

_SHOWN: Final = 10


@click.command(epilog=example("headwater init lake"))
@lake_argument
@output_option
def init(lake: str, output: str) -> None:
    """Create an empty lake at LAKE."""
    from headwater.warehouse.commit import create_lake

    snapshot = create_lake(lake)
    answer({"lake": lake, "version": snapshot.version}, f"created an empty lake at {lake}", output)


@click.command(
    epilog=example(
        "headwater verify lake",
        "headwater verify lake --build demo-4b2fbcca7f42 --output json",
        "headwater verify lake --absent strings.txt",
        "headwater verify lake --master spark://host:7077",
    )
)
@lake_argument
@build_option
@click.option("--version", type=WHOLE, metavar="N", help="Version of the table to check; by default the newest.")
@click.option(
    "--share",
    type=DECIMAL,
    default=1.0,
    show_default=True,
    help="Of files, texts and shards read only this share, chosen by a hash of their names; the rest is checked whole.",
)
@click.option(
    "--incremental",
    is_flag=True,
    help="Read only what has come since everything was last verified, and record what is verified now.",
)
@click.option(
    "--absent",
    metavar="FILE",
    help="Do nothing but search all files, those of earlier versions too, and the texts in shards for the strings or hexadecimal hashes of a file, "
    "one a line; - reads them. Exits with 1 if one is found.",
)
@click.option(
    "--master",
    metavar="URL",
    help="A Spark master, whose tasks read files, texts and shards; by default this process does.",
)
@click.option("--conf", metavar="KEY=VALUE", multiple=True, help="A Spark setting; may be given more than once.")
@output_option
def verify(
    lake: str,
    build: str | None,
    version: int | None,
    absent: str | None,
    share: float,
    incremental: bool,
    master: str | None,
    conf: Sequence[str],
    output: str,
) -> None:
    """Check the lake and its builds, down to the bytes.

    Counts, ids, files, duplicates, placements and the tokens in shards. Exits with 1 if a check fails.
    """
    if conf and master is None:
        raise UsageError("expected --master URL beside --conf, found none")
    if absent is not None:
        if build is not None or version is not None or incremental or share != 1:
            raise UsageError(
                "--absent: expected neither --build, --version, --share nor --incremental beside it; all files of the lake are searched"
            )
        _search(lake, absent, output)
        return
    from headwater.lineage.checks.lake import verify as verify_lake
    from headwater.lineage.checks.scope import Scope, read_verified, record_verified
    from headwater.warehouse.snapshot import open_snapshot

    if incremental and (build is not None or version is not None or share != 1):
        raise UsageError(
            "--incremental: expected neither --build, --version nor --share beside it; it records everything"
        )
    snapshot = open_snapshot(lake, version)
    scope = Scope(share=share, since=read_verified(lake) if incremental else None)
    if incremental:
        version = snapshot.version
    if master is None:
        checks = verify_lake(lake, build, version, scope=scope)
    else:
        from headwater.lineage.builds import require_named_build
        from headwater.pipelines.verification.by_spark import verify_by_spark

        require_named_build(snapshot, build)  # before Spark starts
        with spark_session(master, conf) as spark:
            checks = verify_by_spark(spark, lake, build, version, scope=scope)
    passed = all(check.passed for check in checks)
    since = None if scope.since is None else scope.since.version
    if incremental and passed:
        record_verified(snapshot)
    found: Answer = {
        "passed": passed,
        "version": snapshot.version,
        "share": share,
        "since": since,
        "checks": [dataclasses.asdict(check) for check in checks],
    }

    def text() -> str:
        said = [format_check_table(checks)]
        if share != 1:
            said.append(f"files, texts and shards: a share of {share:g} was read")
        if incremental:
            said.append(
                f"read: what came since version {since}"
                if since is not None
                else "read: everything, for the first time"
            )
        return "\n".join(said)

    answer(found, text, output)
    if not passed:
        failed = [check.name for check in checks if not check.passed]
        click.echo(
            f"Error: {len(failed)} of {format_count(len(checks), 'check')} failed: {', '.join(failed)}", err=True
        )
        sys.exit(1)


def _search(lake: str, file: str, output: str) -> None:
    from headwater.lineage.checks.absent import search_lake
    from headwater.lineage.checks.needles import make_needles
    from headwater.warehouse.snapshot import open_snapshot

    with click.open_file(file, encoding="utf-8") as lines:
        needles = make_needles(lines)
    result = search_lake(open_snapshot(lake), needles)
    told = result.plain()

    def text() -> str:
        lines = [
            f"{clean_name(each['file'])}: {each['where']}, line {', '.join(map(str, each['lines']))}"
            for each in told["found"]
        ]
        lines += [f"{clean_name(each['file'])}: not searched: {each['why']}" for each in told["unread"]]
        searched = f"{format_count(result.files, 'file')} of {format_bytes(result.bytes)} searched for {format_count(result.lines, 'line')}"
        return "\n".join(
            [*lines, f"{searched}: {'found in none' if result.is_proof else f'found in {len(result.found):,}'}"]
        )

    answer(told, text, output)
    if not result.is_proof:
        click.echo(
            f"Error: expected the lines of {file} nowhere in the lake, found them in {format_count(len(result.found), 'file')}"
            + (f", and {format_count(len(result.unread), 'file')} that could not be searched" if result.unread else ""),
            err=True,
        )
        sys.exit(1)


@click.command(epilog=example("headwater maintain lake --retention-hours 720", "headwater maintain lake --repair-log"))
@lake_argument
@retention_options
@click.option("--dry-run", is_flag=True, help="Only count; change nothing.")
@click.option(
    "--repair-log",
    is_flag=True,
    help="Do nothing but write a damaged checkpoint anew from the log's entries, and set aside a newest entry that cannot be read.",
)
@output_option
def maintain(
    lake: str, retention_hours: float, orphan_hours: float, dry_run: bool, repair_log: bool, output: str
) -> None:
    """Compact files, write a checkpoint, delete what is no longer needed.

    A file goes only when no retained version and no running step needs it; builds retain the versions they were made from. What is not
    Headwater's is listed and left, and links are not followed.
    """
    if repair_log:
        if dry_run:
            raise UsageError("--repair-log: expected no --dry-run beside it; headwater verify says what is damaged")
        _repair_log(lake, output)
        return
    from headwater.warehouse.maintain import maintain as maintain_lake

    report = dataclasses.asdict(
        maintain_lake(lake, retention_hours=retention_hours, orphan_hours=orphan_hours, dry_run=dry_run)
    )
    rows = [
        {"what": name.replace("_", " "), "count": format_bytes(n) if name.endswith("bytes") else f"{n:,}"}
        for name, n in report.items()
        if name not in ("strangers", "dated_ahead", "takedowns", "uploads")
    ]
    shown = [f"takedown {name}: the older files that were due are deleted" for name in report["takedowns"]]
    if report["uploads"] is None:
        shown.append("unfinished uploads cannot be listed here: let a rule of the bucket's life cycle end them")
    elif report["uploads"]:
        shown.append(f"unfinished uploads given up: {report['uploads']:,}")
    for said, names in (
        ("not Headwater's", report["strangers"]),
        ("dated in the future", report["dated_ahead"]),
    ):
        shown += [f"{said}, left alone: {clean_name(name)}" for name in names[:_SHOWN]]
        if len(names) > _SHOWN:
            shown.append(f"and {len(names) - _SHOWN:,} more; --output json lists all")
    answer(report | {"dry_run": dry_run}, lambda: "\n".join([format_table(rows), *shown]), output)


def _repair_log(lake: str, output: str) -> None:
    from headwater.warehouse.log_repair import repair_log

    report = repair_log(lake)
    lines = [f"checkpoint of version {report.version} written; run verify"]
    lines += [f"set aside in the log's folder: {name}" for name in report.set_aside]
    answer(dataclasses.asdict(report), "\n".join(lines), output)
