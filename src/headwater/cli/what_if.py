"""``headwater what-if``: what the lake would keep under other rules, and sweeps of one limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from headwater.cli.numbers import WHOLE, WholeRange
from headwater.cli.options import answer, build_option, example, job_arguments, output_option
from headwater.cli.rendering import Answer, clean, format_bytes, format_count, format_table

__all__ = ["format_sweep", "format_what_if", "what_if"]

_DIMENSIONS: Final = ("language", "source", "stage")
_MOST_ROWS: Final = 12
_PLOTS: Final = (".png", ".svg")


def _pairs(given: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Return (name, value) of options given as ``NAME=VALUE``."""
    pairs = []
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise click.BadParameter(f"expected RULE=VALUE, found {item!r}", param_hint=option)
        pairs.append((name.strip(), value.strip()))
    return pairs


@click.command(
    "what-if",
    epilog=example(
        "headwater what-if lake demo --set gopher.min_words=30 --set gopher.min_words.de=20",
        "headwater what-if lake demo --without c4_no_lorem_ipsum --exempt fineweb.min_punct_lines=code",
        "headwater what-if lake demo --sweep gopher.min_words=10:100:10 --by language --plot words.svg",
    ),
)
@job_arguments
@click.option(
    "--set",
    "limits",
    metavar="RULE=VALUE",
    multiple=True,
    help="Change a limit; RULE.LANGUAGE=VALUE changes it for one language.",
)
@click.option(
    "--exempt",
    metavar="RULE=DOMAIN,…",
    multiple=True,
    help="The domains exempt from a rule, in place of its own list; 'none' exempts no domain.",
)
@click.option("--without", metavar="RULE", multiple=True, help="Leave a rule out.")
@click.option(
    "--sweep", metavar="RULE=VALUES", help="Try several values of one limit: first:last:step, or a list with commas."
)
@click.option("--by", type=click.Choice(_DIMENSIONS), help="Break a sweep down by language, source or stage as well.")
@click.option(
    "--plot", metavar="FILE", type=click.Path(dir_okay=False), help="Draw the sweep as .svg or .png; needs --sweep."
)
@click.option(
    "--examples",
    type=WholeRange(min=0, max=1000),
    default=5,
    show_default=True,
    help="How many gained and how many lost samples to name.",
)
@build_option
@click.option("--version", type=WHOLE, metavar="N", help="Version of the table to query; by default the newest.")
@output_option
def what_if(
    lake: str,
    recipe: str,
    limits: Sequence[str],
    exempt: Sequence[str],
    without: Sequence[str],
    sweep: str | None,
    by: str | None,
    plot: str | None,
    examples: int,
    build: str | None,
    version: int | None,
    output: str,
) -> None:
    """Tell what LAKE would keep under other rules than RECIPE's.

    Answered from stored signals and verdicts: no text is read and nothing is written. The budgets of stages are not applied again.
    """
    if sweep is None and (plot or by):
        raise click.UsageError("--by and --plot belong to a sweep; add --sweep RULE=VALUES")
    if sweep is None and not (limits or exempt or without):
        raise click.UsageError("expected a change: --set, --exempt, --without or --sweep")
    if plot is not None and Path(plot).suffix.lower() not in _PLOTS:
        raise click.BadParameter(
            f"expected a file that ends in {' or '.join(_PLOTS)}, found {plot!r}", param_hint="--plot"
        )
    from headwater.pipelines.recipe.shipped import find_recipe
    from headwater.pipelines.what_if import answer as asked
    from headwater.pipelines.what_if.changes import Changes, parse_number, parse_values

    changes = Changes(
        limits=tuple((name, parse_number(value)) for name, value in _pairs(limits, "--set")),
        exempt={
            name: () if value == "none" else tuple(item.strip() for item in value.split(","))
            for name, value in _pairs(exempt, "--exempt")
        },
        without=tuple(without),
    )
    loaded = find_recipe(recipe)
    loaded.storage.use()
    if sweep is None:
        found = asked.what_if(lake, loaded, changes, examples=examples, build=build, version=version)
        answer(found, lambda: format_what_if(found), output)
        return
    ((name, values),) = _pairs([sweep], "--sweep")
    if plot is not None:
        from headwater.pipelines.what_if.plot import plot_sweep
        from headwater.warehouse.filesystem import filesystem_of
        from headwater.warehouse.lake_folders import refuse_lakes

        refuse_lakes(*filesystem_of(plot), lake)
    found = asked.what_if_sweep(lake, loaded, name, parse_values(values), changes, build=build, version=version)
    if plot is not None:
        plot_sweep(found, Path(plot), by)
    shown = _only(found, by)
    answer(shown, lambda: format_sweep(shown, by), output)


def _only(found: Answer, by: str | None) -> dict[str, object]:
    """Return a sweep without the dimensions that were not asked for."""
    hidden = {f"by_{dimension}" for dimension in _DIMENSIONS if dimension != by}
    values = [{key: item for key, item in point.items() if key not in hidden} for point in found["values"]]
    return dict(found) | {"values": values}


def _number(value: float | Mapping[str, float]) -> str:
    return ", ".join(f"{key} {item:g}" for key, item in value.items()) if isinstance(value, Mapping) else f"{value:g}"


def _change(change: Answer) -> str:
    if change["what"] == "rule":
        return f"{change['rule']}: left out"
    if change["what"] == "exempt":
        now, then = (", ".join(change[key]) or "no domain" for key in ("now", "then"))
        return f"{change['rule']}: exempt {now} -> {then}"
    now, then = change["now"], change["then"]
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        differing = [key for key in {**now, **then} if now.get(key, now["default"]) != then.get(key, then["default"])]
        return f"{change['rule']}: " + ", ".join(
            f"{key} {now.get(key, now['default']):g} -> {then.get(key, then['default']):g}" for key in differing
        )
    if isinstance(then, Mapping) and not isinstance(now, Mapping):
        differing = [key for key, item in then.items() if item != now]
        return f"{change['rule']}: " + ", ".join(f"{key} {now:g} -> {then[key]:g}" for key in differing)
    return f"{change['rule']}: {_number(now)} -> {_number(then)}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _cells(row: Answer, *, then: bool = True) -> dict[str, str]:
    documents, tokens = row["documents"], row["tokens"]
    cells = {"now": f"{documents['now']:,}"}
    if then:
        cells["then"] = f"{documents['then']:,}"
    cells |= {"gained": f"{documents['gained']:,}", "lost": f"{documents['lost']:,}"}
    cells |= {"tokens now": f"{tokens['now']:,}", "gained ": f"{tokens['gained']:,}", "lost ": f"{tokens['lost']:,}"}
    return cells | {"change": _share(tokens["then"] - tokens["now"], tokens["now"])}


def _table(found: Answer, dimension: str) -> str:
    rows = found[f"by_{dimension}"]
    changed = sorted(rows, key=lambda row: -(row["documents"]["gained"] + row["documents"]["lost"]))
    changed = [row for row in changed if row["documents"]["gained"] + row["documents"]["lost"]]
    if not changed:
        return ""
    # A build's stages have budgets: what they would hold then is not known.
    then = dimension != "stage" or found["build"] is None
    table = format_table([{dimension: row[dimension]} | _cells(row, then=then) for row in changed[:_MOST_ROWS]])
    more = len(changed) - _MOST_ROWS
    return table + (f"\n… and {more} more: --output json has all" if more > 0 else "")


def format_what_if(found: Answer) -> str:
    """Return the answer as tables: in total, by language, source and stage, and the examples."""
    lines = [_change(change) for change in found["rules"]] or ["no rule changes"]
    total = []
    for measure, item in found["kept"].items():
        show = format_bytes if measure == "bytes" else "{:,}".format
        cells = {name: show(item[name]) for name in ("now", "then", "gained", "lost")}
        total.append({"kept": measure} | cells | {"change": _share(item["then"] - item["now"], item["now"])})
    blocks = ["\n".join(lines), format_table(total)]
    blocks += [table for dimension in _DIMENSIONS if (table := _table(found, dimension))]
    for kind in ("gained", "lost"):
        if found["examples"][kind]:
            shown = ("sample_id", "language", "source", "text_bytes", "reason", "uri")
            rows = [
                {kind if name == "sample_id" else name: str(row[name] or "") for name in shown}
                for row in found["examples"][kind]
            ]
            blocks.append(format_table(rows))
    return "\n\n".join([*blocks, "\n".join(_notes(found, found["clusters"]))])


def format_sweep(found: Answer, by: str | None) -> str:
    """Return a sweep as a table: a row a value, and with ``by`` a row a value and key."""
    named = found["limit"] + (f" for {found['language']}" if found["language"] else "")
    lines = [f"{named}: now {_number(found['now'])}", *(f"besides: {_change(change)}" for change in found["rules"])]
    rows = []
    for point in found["values"]:
        for row in [{by or "": ""} | point["kept"], *([] if by is None else point[f"by_{by}"][:_MOST_ROWS])]:
            documents = row["documents"]
            cells = {"documents": f"{documents['then']:,}", "bytes": format_bytes(row["bytes"]["then"])}
            cells |= {"tokens": f"{row['tokens']['then']:,}"}
            cells |= {"gained": f"{documents['gained']:,}", "lost": f"{documents['lost']:,}"}
            key = {} if by is None else {by: row[by] or "(all)"}
            rows.append({"value": f"{point['value']:g}"} | key | cells)
    clusters = max((point["clusters"] for point in found["values"]), default=0)
    return "\n\n".join(["\n".join(lines), format_table(rows), "\n".join(_notes(found, clusters))])


def _notes(found: Answer, clusters: int) -> list[str]:
    """Return what the figures rest on."""
    how = [f"{found['from_recorded_reasons']:,} with the recorded reasons of this recipe's rules"]
    if found["evaluated_anew"]:
        how.append(f"{found['evaluated_anew']:,} decided by other rules, evaluated anew")
    lines = [f"{format_count(found['samples'], 'sample')}: {'; '.join(how)}."]
    if found["undecided"]:
        lines.append(f"{format_count(found['undecided'], 'sample')} without a verdict left out.")
    if clusters:
        lines.append(
            f"Who passes changes in {format_count(clusters, 'cluster')} of duplicates; winners there are by rank, similarity is not compared again."
        )
    held = (
        f"lost ones by the stage of build {found['build']} that holds them, gained ones by" if found["build"] else "by"
    )
    lines.append(clean(f"Stages: {held} the stage they are eligible for; budgets are not run again."))
    return lines
