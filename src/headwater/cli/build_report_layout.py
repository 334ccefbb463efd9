"""The report of a build as sections with tables, in plain text or in Markdown; nothing that a document says steers either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from headwater.cli.rendering import Answer, clean, format_count
from headwater.cli.sections import Block, format_heading, format_section

__all__ = ["format_build_report"]

_MOST_ROWS: Final = 20
_NOT_CHOSEN: Final = {
    "beyond_cut": "after the cut",
    "taken_before": "taken by stages that chose before",
    "where_not_met": "where not met",
    "no_tokens": "no tokens",
}
_Table: TypeAlias = list[dict[str, object]]


def format_build_report(found: Answer, *, markdown: bool = False) -> str:
    """Return a report as sections with tables, in plain text or in Markdown."""
    form = "markdown" if markdown else "text"
    parts = [format_heading(f"build {found['build']}", 1, form)]
    parts += [format_section(block, 2, form) for block in _whole(found)]
    for stage in found["stages"]:
        parts.append(format_heading(f"stage {stage['stage']}", 2, form))
        parts += [format_section(block, 3, form) for block in _stage(stage)]
    return "\n\n".join(parts)


def _whole(found: Answer) -> Iterator[Block]:
    """Yield what is said of the lake as the build found it."""
    lines = [f"recipe {found['recipe']}, version {found['version']} of the table"]
    if found["scale"] is not None:
        lines.append(
            f"scale {found['scale']} of {found['base']}: a share of each cell by hash, without a cut of its own"
        )
    lines.append(
        f"{format_count(found['samples'], 'sample')}: {_part(found['kept'])} kept, {_part(found['duplicates'])} refused as duplicates, "
        f"{_part(found['rules'])} by rules"
    )
    yield "", lines
    refused = [_counted({"refused by": row["reason"]}, row) for row in found["refused"]]
    if refused:
        yield "refused", _shortened(refused)
    if len(found["stages"]) > 1:
        yield "stages", [_summary(stage) for stage in found["stages"]]


def _summary(stage: Answer) -> dict[str, object]:
    """Return a stage on one line; medians are of the score by which it chooses."""
    medians = {name: stage["scores"][name]["median"] for name in ("chosen", "there")}
    return {
        "stage": stage["stage"],
        "asked": f"{stage['asked']:,}",
        "tokens": f"{stage['tokens']:,}",
        "documents": f"{stage['documents']:,}",
        "of there": f"{stage['share_of_there']:.1%}",
        "order by": stage["order_by"],
    } | {f"median {name}": "" if value is None else f"{value:,}" for name, value in medians.items()}


def _part(row: Answer) -> str:
    return f"{row['documents']:,} ({row['share']:.1%})"


def _counted(first: Mapping[str, object], row: Answer) -> dict[str, object]:
    counts = {name: f"{row[name]:,}" for name in ("documents", "tokens")}
    there = {"of there": _of(row["tokens"], row["tokens_there"])} if "tokens_there" in row else {}
    return dict(first) | counts | {"share": f"{row['share']:.1%}"} | there


def _of(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _shortened(rows: _Table) -> _Table:
    """Return the first rows, and a last one that says how many more there are."""
    if len(rows) <= _MOST_ROWS:
        return rows
    more: dict[str, object] = dict.fromkeys(rows[0], "")
    more[next(iter(more))] = f"… {len(rows) - _MOST_ROWS} more in --output json"
    return [*rows[:_MOST_ROWS], more]


def _stage(stage: Answer) -> Iterator[Block]:
    """Yield the tables of one stage."""
    there, copies = stage["there"], stage["copies"]
    lines = [
        f"order by {stage['order_by']}, context {stage['context']:,}, chooses as number {stage['choose']}",
        f"{stage['tokens']:,} tokens of {stage['asked']:,} asked, {format_count(stage['documents'], 'document')}"
        + (f" in {copies:,} copies" if copies != stage["documents"] else ""),
        f"{stage['share_of_there']:.1%} of the {there['tokens']:,} tokens that were there, in {format_count(there['documents'], 'document')}",
    ]
    out = [
        f"{format_count(row['documents'], 'document')} {_NOT_CHOSEN[name]}"
        for name, row in stage["not_chosen"].items()
        if row["documents"]
    ]
    lines += [f"not chosen: {', '.join(out)}"] if out else []
    if stage["scores_changed"]:
        lines.append(
            f"{format_count(stage['scores_changed'], 'chosen document')} {'has' if stage['scores_changed'] == 1 else 'have'} another score now "
            "than when it was chosen; scores and cuts below are those of now"
        )
    yield "", lines
    yield "pools", [_pool(row) for row in stage["pools"]]
    if stage["quotas"]:
        yield "quotas, as shares of their pools", [_quota(row) for row in stage["quotas"]]
    cells = sorted(stage["cells"], key=lambda row: (-row["tokens"], -row["tokens_there"]))
    yield "cells and their cuts", _shortened([_cell(row) for row in cells])
    for kind in ("language", "domain"):
        yield f"{kind}s", _shortened([_counted({kind: row[kind]}, row) for row in stage[f"{kind}s"]])
    for kind in ("sources", "hosts"):
        top = sum(row["share"] for row in stage[kind])
        yield (
            f"{kind}: the largest have {top:.1%} of the tokens",
            [_counted({kind.removesuffix("s"): row["name"]}, row) for row in stage[kind]],
        )
    yield f"{stage['order_by']}, by documents", _scores(stage["scores"])
    for side, heading in (("taken", "at the cut: the last taken"), ("left", "at the cut: the first not taken")):
        yield heading, [_sample(row) for row in stage["at_cut"][side]]
        yield from _texts(stage["at_cut"][side])


def _pool(row: Answer) -> dict[str, object]:
    return {
        "pool": row["pool"],
        "asked": f"{row['asked']:,}",
        "tokens": f"{row['tokens']:,}",
        "documents": f"{row['documents']:,}",
        "asked share": f"{row['asked_share']:.1%}",
        "share": f"{row['share']:.1%}",
        "of there": _of(row["tokens"], row["tokens_there"]),
    }


def _quota(row: Answer) -> dict[str, object]:
    return {
        "pool": row["pool"],
        "quota": f"{row['kind']} {row['group']}",
        "tokens": f"{row['tokens']:,}",
        "asked share": f"{row['asked_share']:.1%}",
        "share": f"{row['share']:.1%}",
    }


def _cell(row: Answer) -> dict[str, object]:
    cut = "all" if row["documents"] else "none"
    return {
        "pool/language/domain": f"{row['pool']}/{row['language']}/{row['domain']}",
        "documents": f"{row['documents']:,}",
        "tokens": f"{row['tokens']:,}",
        "share": f"{row['share']:.1%}",
        "of there": _of(row["tokens"], row["tokens_there"]),
        "cut": cut if row["cut"] is None else f"{row['cut']:,}",
    }


def _scores(scores: Answer) -> _Table:
    """Return the quantiles of what was chosen and of all that was there, below each other."""
    return [
        {"": name} | {point: "" if value is None else f"{value:,}" for point, value in scores[name].items()}
        for name in ("chosen", "there")
    ]


def _sample(row: Answer) -> dict[str, object]:
    return {
        "sample_id": str(row["sample_id"]),
        "score": f"{row['score']:,}",
        "cell": f"{row['pool']}/{row['language']}",
        "domain": row["domain"],
        "tokens": f"{row['tokens']:,}",
        "source": row["source"] or "",
        "uri": row["uri"] or "",
    }


def _texts(samples: Sequence[Answer]) -> Iterator[Block]:
    lines = [f"{row['sample_id']}: {_one_line(str(row['text']))}" for row in samples if row.get("text") is not None]
    if lines:
        yield "", lines


def _one_line(text: str) -> str:
    return clean(text).replace("\n", "\\n").replace("\t", "\\t")
