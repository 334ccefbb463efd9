"""The root of the command line: every step, and every question people ask of a lake, grouped by purpose.

Exit codes: 0 done, 2 the call or the recipe must change or an extra be installed, 130 interrupted from the keyboard, 1 anything else that
failed, an answer that could not be written among it. Standard output carries only the answer.
"""

from __future__ import annotations

import sys

import click

from headwater.cli.build_report import build_report
from headwater.cli.builds import build, export, select
from headwater.cli.card import card
from headwater.cli.care import init, maintain, verify
from headwater.cli.contamination import benchmarks, report
from headwater.cli.diff import diff
from headwater.cli.extraction import extract, extractors
from headwater.cli.groups import Commands, add_storage_option, refuse_empty_texts
from headwater.cli.history import log, reproduce, retain
from headwater.cli.impact import impact
from headwater.cli.job import annotate, decide, dedup, ingest, run
from headwater.cli.personal_report import personal_report
from headwater.cli.questions import find, runs, sql, trace, why
from headwater.cli.rules_report import rules_report
from headwater.cli.score import score
from headwater.cli.signals import end_in_order
from headwater.cli.similar import similar
from headwater.cli.spared_imports import spare_pandas
from headwater.cli.streams import drop_unwritten, keep_standard_streams
from headwater.cli.takedown import takedown
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


cli.add_section("Make and fill a lake", init, run, ingest, extract, annotate, dedup, decide)
cli.add_section("Builds for trainers", select, build, export, steps, reproduce)
cli.add_section("Questions", why, trace, find, similar, impact, diff, sql, what_if, extractors, report, card, runs)
cli.add_section("Vocabularies, score models and evaluation sets", vocab, score, benchmarks)
cli.add_section("Care", verify, maintain, retain, log, takedown, upgrade)

report.add_command(build_report)
report.add_command(rules_report)
report.add_command(personal_report)

add_storage_option(cli)
refuse_empty_texts(cli)


def main() -> None:
    """Run the command line."""
    keep_standard_streams()
    if any(not word.startswith("-") for word in sys.argv[1:2]) and not {"-h", "--help"}.intersection(sys.argv):
        spare_pandas()  # no command hands Arrow a frame; help needs neither
    end_in_order()
    try:
        cli(prog_name="headwater")
    except OSError as error:  # commands tell theirs; this one is of the help's own output
        sys.exit(f"Error: cannot write to standard output: {error.strerror or error}")
    finally:
        if (errors := sys.modules.get("headwater.warehouse.storage_errors")) and errors.RETRIED:
            told = ", ".join(f"{what} {count:,}" for what, count in sorted(errors.RETRIED.items()))
            click.echo(f"requests to the store that failed for a while and were tried again: {told}", err=True)
        if filesystem := sys.modules.get("headwater.warehouse.filesystem"):
            filesystem.discard_unfinished()
        drop_unwritten()
