"""The command that takes samples down."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack

import click

from headwater.cli.impact import format_impact
from headwater.cli.numbers import DECIMAL
from headwater.cli.options import (
    answer,
    example,
    lake_argument,
    names_options,
    output_option,
    spark_options,
    spark_session,
    tell_runs,
    together,
)
from headwater.cli.rendering import format_bytes, format_count, format_table
from headwater.cli.training_options import Training, epochs_option, training_options, training_order
from headwater.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headwater.lineage.names import Names
    from headwater.lineage.training_order import TrainingOrder
    from headwater.pipelines.takedown.asked import Asked
    from headwater.plain import JsonObject
    from headwater.warehouse.takedown_records import Record

__all__ = ["takedown"]

_asked_options = together(
    click.option(
        "--text", metavar="-", help="All samples whose text is, to the last byte, the one on standard input; expects -."
    ),
    click.option(
        "--record",
        "records",
        metavar="FILE#NUMBER",
        multiple=True,
        help="A record of an input file, one that was refused too; may be given more than once.",
    ),
    click.option(
        "--near",
        type=DECIMAL,
        metavar="SIMILARITY",
        help="Near-duplicates of this similarity or more go too; copies always do.",
    ),
    click.option("--who", metavar="TEXT", help="Who asks for it; stands in the record and the report."),
    click.option(
        "--why",
        metavar="TEXT",
        help="Why; stands in the record and the report. Put nothing here that is to be forgotten.",
    ),
    click.option("--dry-run", is_flag=True, help="Only say what would be removed and rewritten; change nothing."),
    click.option("--immediately", is_flag=True, help="Delete files of earlier versions that hold the texts at once."),
    click.option(
        "--after-days",
        type=DECIMAL,
        metavar="DAYS",
        help="Delete them so many days later, when headwater maintain runs; 30 by default.",
    ),
    click.option(
        "--build",
        "builds",
        metavar="NAME",
        multiple=True,
        help="Revise only this build, not all that hold a sample; may be given more than once.",
    ),
    click.option(
        "--absent",
        metavar="FILE",
        help="Afterwards search all of the lake for the strings or hexadecimal hashes of a file, one a line, and put the result into the report.",
    ),
    click.option("--resume", metavar="ID", help="Go on with a takedown that was stopped."),
    click.option("--list", "listed", is_flag=True, help="List the takedowns of the lake."),
)


@click.command(
    epilog=example(
        "headwater takedown lake --uri https://example.org/a --near 0.9 --dry-run",
        "headwater takedown lake --domain example.org --who counsel --why 'case 12' --immediately",
        "headwater takedown lake --resume 20270131T120000-0123abcd",
    )
)
@lake_argument
@names_options
@_asked_options
@training_options("Sequences a training step, all ranks together: tells the steps that took what goes.")
@epochs_option
@spark_options
@output_option
def takedown(
    lake: str,
    text: str | None,
    records: tuple[str, ...],
    near: float | None,
    who: str | None,
    why: str | None,
    dry_run: bool,
    immediately: bool,
    after_days: float | None,
    builds: tuple[str, ...],
    absent: str | None,
    resume: str | None,
    listed: bool,
    batch_size: int | None,
    seed: int | None,
    no_shuffle: bool,
    epochs: int,
    trainer: str,
    train_samples: int | None,
    split: str,
    no_extra_token: bool,
    master: str | None,
    conf: tuple[str, ...],
    output: str,
    **named: Unpack[Names],
) -> None:
    """Remove samples from the lake and its builds, and prove it.

    They go from every family, from the builds that hold them (only the shards that do are written again) and from files of earlier versions; the
    same text is refused when it comes again. A report for whoever asked is written to the lake's folder takedowns. What was stopped goes on by
    the same command.
    """
    from headwater.pipelines.takedown.step import plan_takedown
    from headwater.pipelines.takedown.step import resume as go_on
    from headwater.pipelines.takedown.step import takedown as take_down
    from headwater.warehouse.snapshot import open_snapshot
    from headwater.warehouse.takedown_records import read_record, read_records

    names = {name: value for name, value in named.items() if value is not None}
    is_named = bool(names or text or records)
    if listed:
        open_snapshot(lake)
        _list(read_records(lake), output)
        return
    training: Training = {
        "batch_size": batch_size,
        "seed": seed,
        "no_shuffle": no_shuffle,
        "epochs": epochs,
        "trainer": trainer,
        "train_samples": train_samples,
        "split": split,
        "no_extra_token": no_extra_token,
    }
    order = training_order(training)
    if resume is not None:
        if is_named or dry_run or order is not None:
            raise UsageError(
                "--resume: expected nothing else beside it; what was asked for is in the takedown's record"
            )
        read_record(lake, resume)
        with _session(master, conf) as spark:
            record = go_on(lake, resume, spark=spark)
        _tell(lake, record, absent, output)
        return
    asked = _asked(names, text, records, near, who, why, immediately, after_days, builds, dry_run, order)
    if dry_run:
        plan = plan_takedown(lake, asked)
        answer(plan, lambda: _planned(plan), output)
        return
    with _session(master, conf) as spark:
        record = take_down(lake, asked, spark=spark)
    _tell(lake, record, absent, output)


def _asked(
    names: JsonObject,
    text: str | None,
    records: tuple[str, ...],
    near: float | None,
    who: str | None,
    why: str | None,
    immediately: bool,
    after_days: float | None,
    builds: tuple[str, ...],
    dry_run: bool,
    order: TrainingOrder | None,
) -> Asked:
    """Return what the command was asked for.

    Raises:
        UsageError: options that do not go together, or that lack.
    """
    from headwater.pipelines.takedown.asked import Asked

    if not dry_run and (who is None or why is None):
        raise UsageError(
            "expected --who and --why, which stand in the takedown's record, found "
            + ("neither" if who is why else "one of them")
        )
    if immediately and after_days is not None:
        raise UsageError("--immediately: expected no --after-days beside it")
    if text is not None and text != "-":
        raise UsageError(
            "--text: expected -, and the text on standard input: a text on the command line would be seen by others"
        )
    return Asked(
        who=who or "",
        why=why or "",
        named=names or None,  # type: ignore[arg-type]  # the values of Names, without those that were not given
        text=None if text is None else sys.stdin.buffer.read().decode("utf-8"),
        records=[_record(each) for each in records],
        near=near,
        builds=builds or None,
        after_days=0.0 if immediately else 30.0 if after_days is None else after_days,
        order=order,
    )


def _record(given: str) -> tuple[str, int]:
    file, mark, number = given.rpartition("#")
    if not mark or not number.isdecimal():
        raise UsageError(f"--record: expected an input file and the number of its record, as FILE#12, found {given!r}")
    return file, int(number)


@contextlib.contextmanager
def _session(master: str | None, conf: tuple[str, ...]) -> Iterator[SparkSession | None]:
    """Give a Spark session where a master was named; else None: the work is done in this process."""
    if master is None:
        with tell_runs():
            yield None
        return
    with spark_session(master, conf) as spark:
        yield spark


def _planned(plan: JsonObject) -> str:
    counts, rewrite, older = plan["samples"], plan["rewrite"], plan["older_files"]
    lines = [
        f"{format_count(counts['named'], 'sample')} named, {counts['exact']:,} with the same text, {counts['near']:,} nearly the same; "
        f"{format_count(plan['refused_records'], 'refused record')}",
        f"{format_count(rewrite['files'], 'file')} to write again, {format_bytes(rewrite['bytes'])}",
        f"{format_count(older['files'], 'file')} of earlier versions to delete besides, {format_bytes(older['bytes'])}, "
        + ("at once" if plan["delete_after_days"] == 0 else f"in {plan['delete_after_days']:g} days"),
    ]
    if plan["impact"] is not None:
        lines += ["", "what goes reaches:", format_impact(plan["impact"]), ""]
    return "\n".join([*lines, "nothing was changed"])


def _tell(lake: str, record: Record, absent: str | None, output: str) -> None:
    """Print the report, with the result of a search for the lines of a file if one is given; exits with 1 if one is found."""
    from headwater.lineage.takedown_report import report_text
    from headwater.pipelines.takedown.step import prove

    if absent is not None:
        with click.open_file(absent, encoding="utf-8") as lines:
            record = prove(lake, record.takedown, lines)
    told = dataclasses.asdict(record) | {"report": f"{lake}/takedowns/{record.takedown}.html"}
    told["samples"] = len(record.samples)
    answer(told, lambda: report_text(record), output)
    if absent is not None and not record.proof["absent"]:
        click.echo(
            f"Error: expected the lines of {absent} nowhere in the lake, found one or could not search all; see the report",
            err=True,
        )
        sys.exit(1)


def _list(records: list[Record], output: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    told = [
        {
            "takedown": record.takedown,
            "state": record.state,
            "samples": len(record.samples),
            "asked_at": record.asked_at,
            "due": record.due,
            "is_due": record.is_due(now),
            "who": record.who,
            "why": record.why,
        }
        for record in records
    ]
    shown = [{name: value for name, value in row.items() if name != "is_due"} for row in told]
    answer({"takedowns": told}, lambda: format_table(shown) if shown else "nothing was taken down", output)
