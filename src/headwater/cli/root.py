"""The root of the command line: every step, and every question people ask of a lake, grouped by purpose.

Exit codes: 0 done, 2 the call or the recipe must change or an extra be installed, 1 anything else that failed. Standard output carries
only the answer.
"""

from __future__ import annotations

import click

from headwater.cli.builds import build, export, select
from headwater.cli.care import init, maintain, verify
from headwater.cli.contamination import benchmarks, report
from headwater.cli.groups import Commands
from headwater.cli.job import annotate, decide, dedup, ingest, run
from headwater.cli.questions import find, runs, sql, trace, why
from headwater.cli.signals import end_in_order
from headwater.cli.trainers import steps
from headwater.cli.upgrade import upgrade
from headwater.cli.vocab import vocab
from headwater.cli.what_if import what_if
from headwater.version import __version__

__all__ = ["cli", "main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="headwater")
def cli() -> None:
    """From a lake of raw documents to token shards, with the lineage of every token.

    LAKE is a folder or an object-store URI. RECIPE is a TOML file or the name of a recipe that ships with Headwater: demo, ling-flash-2.
    """


cli.add_section("Make and fill a lake", init, run, ingest, annotate, dedup, decide)
cli.add_section("Builds for trainers", select, build, export, steps)
cli.add_section("Questions", why, trace, find, sql, what_if, report, runs)
cli.add_section("Vocabularies and evaluation sets", vocab, benchmarks)
cli.add_section("Care", verify, maintain, upgrade)


def main() -> None:
    """Run the command line."""
    end_in_order()
    cli(prog_name="headwater")
