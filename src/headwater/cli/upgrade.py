"""The command that brings a lake of an earlier release up to date."""

from __future__ import annotations

import dataclasses

import click

from headwater.cli.options import answer, example, lake_argument, output_option, tell_runs
from headwater.cli.rendering import format_count

__all__ = ["upgrade"]


@click.command(epilog=example("headwater upgrade lake"))
@lake_argument
@output_option
def upgrade(lake: str, output: str) -> None:
    """Bring a lake that an earlier release made to today's format.

    Text and measures are not written again. One that was killed goes on when it is run again; twice is harmless. Earlier releases
    cannot open LAKE afterwards.
    """
    from headwater.lineage.upgrade import upgrade as upgrade_lake

    with tell_runs():
        report = upgrade_lake(lake)

    def text() -> str:
        if report.found == report.format:
            return f"{lake} has format {report.format} already"
        written = f"{format_count(report.files, 'file')} written anew with {format_count(report.rows, 'row')}"
        return f"{lake}: format {report.found} to {report.format}; {written}"

    answer(dataclasses.asdict(report), text, output)
