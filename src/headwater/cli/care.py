"""The commands that take care of a lake: ``init``, ``verify`` and ``maintain``."""

from __future__ import annotations

import dataclasses
import sys
from typing import Final

import click

from headwater.cli.numbers import DECIMAL, WHOLE
from headwater.cli.options import answer, build_option, example, lake_argument, output_option
from headwater.cli.rendering import clean_name, format_bytes, format_check_table, format_count, format_table
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
    )
)
@lake_argument
@build_option
@click.option("--version", type=WHOLE, metavar="N", help="Version of the table to check; by default the newest.")
@click.option(
    "--absent",
    metavar="FILE",
    help="Do nothing but search all files, those of earlier versions too, and the texts in shards for the strings or hexadecimal hashes of a file, "
    "one a line; - reads them. Exits with 1 if one is found.",
)
@output_option
def verify(lake: str, build: str | None, version: int | None, absent: str | None, output: str) -> None:
    """Check the lake and its builds, down to the bytes.

    Counts, ids, files, duplicates, placements and the tokens in shards. Exits with 1 if a check fails.
    """
    if absent is not None:
        if build is not None or version is not None:
            raise UsageError(
                "--absent: expected neither --build nor --version beside it; all files of the lake are searched"
            )
        _search(lake, absent, output)
        return
    from headwater.lineage.builds import require_named_build
    from headwater.lineage.checks.lake import verify as verify_lake
    from headwater.warehouse.snapshot import open_snapshot

    require_named_build(open_snapshot(lake, version), build)
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
@click.option(
    "--retention-hours",
    type=DECIMAL,
    default=168.0,
    show_default=True,
    help="How long to keep files that were replaced.",
)
@click.option(
    "--orphan-hours",
    type=DECIMAL,
    default=24.0,
    show_default=True,
    help="How long to keep files that no version lists; longer than any step takes.",
)
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
        if name not in ("strangers", "dated_ahead", "takedowns")
    ]
    shown = [f"takedown {name}: the older files that were due are deleted" for name in report["takedowns"]]
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
