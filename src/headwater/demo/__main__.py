"""The demo: a fresh lake from the shipped text, the whole job, its funnel, one ``why``, one ``trace``, and ``verify``."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from headwater.cli.groups import errors_as_messages
from headwater.cli.options import spark_session
from headwater.cli.rendering import format_check_table, format_funnel, format_table
from headwater.cli.signals import end_in_order
from headwater.cli.story import format_story, format_trace
from headwater.cli.summaries import format_step
from headwater.demo import TEXT_FOLDERS
from headwater.errors import UsageError
from headwater.lake import Lake
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.plain import Row

if TYPE_CHECKING:
    import duckdb

    from headwater.pipelines.run import StepReport

__all__ = ["demo", "fresh_folder"]

_MARK: Final = ".headwater-demo"
_MADE: Final = ("samples", "builds")
_WIDTH: Final = 100


def fresh_folder(folder: Path) -> None:
    """Make ``folder`` empty: remove the lake that an earlier demo made there, and nothing else.

    Raises:
        UsageError: there is something that no demo made.
    """
    if folder.exists() or folder.is_symlink():
        strange = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [folder.name]
        if (folder / _MARK).is_file():
            made = {name for name in (_MARK, *_MADE) if not (folder / name).is_symlink()}
            strange = [name for name in strange if name not in made]
        if strange or folder.is_symlink():
            raise UsageError(
                f"expected no folder at {folder}, an empty one or the lake of an earlier demo, found files that no demo made ({len(strange)}); "
                "name another folder with --lake"
            )
        for name in _MADE:
            shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("python -m headwater.demo may replace this lake.\n", "utf-8")


def _head(title: str, command: str = "") -> None:
    click.echo(f"\n== {title} {'=' * max(0, _WIDTH - len(title) - 4)}")
    if command:
        click.echo(f"$ {command}")


def _languages(found: Sequence[Row], stages: Sequence[str], pools: Sequence[str]) -> str:
    """Return a line a language: documents in, out and kept, those that each stage chose by pool, and all their tokens."""
    table = []
    for row in found:
        cells = {(item["stage"], item["pool"]): item["documents"] for item in row["chosen"]}
        line = {name: row[name] for name in ("language", "samples", "rules", "duplicates", "kept")}
        line |= {stage: " + ".join(str(cells.get((stage, pool), 0)) for pool in pools) for stage in stages}
        table.append(line | {"tokens": f"{sum(item['tokens'] for item in row['chosen']):,}"})
    return format_table(table)


def _near_duplicate(connection: duckdb.DuckDBPyConnection) -> int:
    """Return a rejected near duplicate, an English one if there is one."""
    found = connection.execute(
        "SELECT sample_id FROM verdicts JOIN language USING (sample_id) WHERE first_reason = 'near_duplicate' "
        "ORDER BY language <> 'en', similarity, sample_id LIMIT 1"
    ).fetchone()
    if found is None:
        raise UsageError("expected a near duplicate among the shipped text, found none; was it changed?")
    return int(found[0])


def _token(connection: duckdb.DuckDBPyConnection, build: str) -> tuple[str, int, int]:
    """Return stage, shard and number of a token in the middle of a document that was chosen for its chain of thought."""
    found = connection.execute(
        "SELECT stage, shard, (token_begin + token_end) // 2 FROM placements JOIN scores USING (sample_id) "
        "WHERE build = ? ORDER BY stage <> 'mid-training', chain_of_thought DESC, sample_id LIMIT 1",
        [build],
    ).fetchone()
    if found is None:
        raise UsageError("expected tokens in the demo's build, found none; was the recipe changed?")
    return str(found[0]), int(found[1]), int(found[2])


@click.command()
@click.option("--lake", "folder", default="demo-lake", show_default=True, metavar="DIR", help="Where the lake is made.")
@click.option("--master", metavar="URL", help="A Spark master; local[*] by default.")
def demo(folder: str, master: str | None) -> None:
    """Build a lake from the text that ships with Headwater, and ask it questions."""
    with errors_as_messages():
        passed = _demo(Path(folder), master)
    if not passed:
        sys.exit(1)


def _report(step: StepReport) -> None:
    click.echo(format_step(step.step, step.counts, step.seconds))


def _demo(folder: Path, master: str | None) -> bool:
    from headwater.pipelines.run import run

    begin = time.monotonic()
    recipe = find_recipe("demo")
    fresh_folder(folder)
    lake = Lake.create(folder)
    shown = str(folder)
    _head("The whole job", f"headwater run {shown} demo --input src/headwater/demo/{{web,reasoning,noise,crawl}}")
    with spark_session(master, ()) as spark:
        build = run(spark, lake.path, recipe, TEXT_FOLDERS, on_step=_report).build
    stages = [stage.name for stage in recipe.stages]
    from headwater.lineage.funnel import funnel, funnel_by_language
    from headwater.lineage.views import connect

    with connect(lake.path) as connection:
        _head("The funnel")
        click.echo(format_funnel(funnel(connection, build, stages)))
        pools = [pool.name for pool in recipe.pools]
        _head(f"Documents by language; what each stage chose: {' + '.join(pools)}")
        click.echo(_languages(funnel_by_language(connection, build), stages, pools))
        sample = _near_duplicate(connection)
        stage, shard, token = _token(connection, build)
    _head("Why is this document out?", f"headwater why {shown} --sample {sample}")
    story = lake.why(sample)[0]
    click.echo(format_story(story))
    winner = lake.find(story["verdicts"]["duplicate_of"])[0]
    click.echo(f"\nThe winner, sample {winner['sample_id']}, is {winner['uri']}")
    _head("Where does this token come from?", f"headwater trace {shown} {build} {stage} {shard} {token}")
    click.echo(format_trace(lake.trace(build, stage, shard, token)))
    _head("Does it all hold?", f"headwater verify {shown}")
    checks = lake.verify()
    click.echo(format_check_table(checks))
    passed = all(check.passed for check in checks)
    click.echo(
        f"\n{'All' if passed else 'NOT all'} checks passed. The lake is in {shown}; the demo took {time.monotonic() - begin:.0f} s."
    )
    return passed


if __name__ == "__main__":
    end_in_order()
    demo(prog_name="python -m headwater.demo")
