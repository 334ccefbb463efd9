"""The command that writes a finished build in another format."""

from __future__ import annotations

from collections.abc import Sequence

import click

from headwater.cli.options import answer, example, lake_argument, output_option
from headwater.cli.rendering import format_table
from headwater.tokenize.names import EXPORT_FORMATS

__all__ = ["export"]


@click.command(
    epilog=example(
        "headwater export lake demo-4b2fbcca7f42 out --format mds",
        "headwater export lake demo-4b2fbcca7f42 s3://bucket/tokens --format litdata --stage reasoning",
    )
)
@lake_argument
@click.argument("build", metavar="BUILD")
@click.argument("out", metavar="OUT")
@click.option("--format", "kind", type=click.Choice(EXPORT_FORMATS), required=True, help="What the trainer reads.")
@click.option("--stage", "stages", metavar="NAME", multiple=True, help="Only this stage; may be given more than once.")
@click.option(
    "--chunk-mib",
    type=click.IntRange(1, 4000),
    default=64,
    show_default=True,
    help="Tokens of a file of mds or litdata, in MiB; the other formats have a file a shard.",
)
@output_option
def export(lake: str, build: str, out: str, kind: str, stages: Sequence[str], chunk_mib: int, output: str) -> None:
    """Write the sequences of BUILD to OUT in another format.

    Nothing is chosen or tokenized again: the same sequences in the same order, a folder a stage. Run it again after a stop.
    """
    from headwater.pipelines.builds.export import export as export_build
    from headwater.pipelines.builds.export import stages_of

    chosen = list(stages) or stages_of(lake, build)
    found = export_build(lake, build, out, kind=kind, stages=chosen, chunk_bytes=chunk_mib << 20)
    rows = [
        {
            "stage": stage["stage"],
            "sequences": f"{stage['sequences']:,}",
            "tokens": f"{stage['tokens']:,}",
            "files": f"{len(stage['files']):,}",
            "bytes": f"{sum(file['n_bytes'] for file in stage['files']):,}",
        }
        for stage in found
    ]
    answer({"build": build, "format": kind, "stages": found}, lambda: format_table(rows), output)
