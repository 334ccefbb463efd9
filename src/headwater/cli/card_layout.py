"""The data card of a build as sections: the same ones for a terminal, in Markdown and in HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from headwater.cli.rendering import Answer, format_bytes, format_count
from headwater.cli.sections import Block, format_heading, format_section, to_page
from headwater.plain import Row

__all__ = ["format_card"]

_MOST_ROWS: Final = 20


def format_card(card: Answer, form: str) -> str:
    """Return a card in one of ``headwater.cli.sections.FORMS``; tables are cut after twenty rows, which JSON has whole."""
    title = f"Data card of build {card['build']}"
    parts = [format_heading(title, 1, form)]
    parts += [format_section(block, 2, form) for block in _card(card)]
    parts.append(format_heading("Public summary of training content: a draft", 2, form))
    parts.append(format_section(("", [_DRAFT]), 3, form))
    parts += [format_section(block, 3, form) for block in _summary(card["public_summary"])]
    return to_page(title, parts, form)


_DRAFT: Final = (
    'By the headings of the template for Article 53(1)(d) of Regulation (EU) 2024/1689. What begins with "not known to the lake" is the provider\'s '
    "to fill in; the rest is of this build alone."
)


def _card(card: Answer) -> Iterator[Block]:
    totals, made = card["totals"], card["made"]
    yield (
        "",
        [
            f"recipe {card['recipe']['name']}, fingerprint {card['recipe']['fingerprint']}; version {card['table_version']} of the table; "
            f"ended {made['ended']}; by Headwater {', '.join(made['code_versions'])}",
            f"{format_count(totals['documents'], 'document')} in {totals['copies']:,} copies, {totals['tokens']:,} tokens, "
            f"{format_bytes(totals['text_bytes'])} of text",
            f"vocabulary {made['vocabulary']}; rules {made['rule_set']}",
        ],
    )
    yield "Stages", [_stage(row) for row in card["stages"]]
    yield "Sources", _cut([_source(row) for row in card["sources"]])
    yield "Licences that files declare", _cut([_part("licence", "license", row) for row in card["licenses"]])
    if card["page_licenses"]:
        pages = [{"licence": row["license"], "documents": f"{row['documents']:,}"} for row in card["page_licenses"]]
        yield "Licences that web pages name", _cut(pages)
    yield "Languages", _cut([_part("language", "language", row) for row in card["languages"]])
    yield "Domains", _cut([_part("domain", "domain", row) for row in card["domains"]])
    yield "Hosts with most tokens", _cut([_part("host", "host", row) for row in card["hosts"]])
    yield "Collected", [_collected(card)]
    yield from _left_out(card)


def _left_out(card: Answer) -> Iterator[Block]:
    came, judged = card["came_in"], card["judged"]
    refused = sum(row["records"] for row in came["quarantined"])
    yield (
        "What came in, and what was left out",
        [
            f"{format_count(came['files'], 'file')}, {format_bytes(came['bytes'])}: {came['records']:,} records were taken, {refused:,} refused",
            f"{judged['samples']:,} documents judged, {judged['kept']:,} kept",
            *(
                f"{format_count(row['documents'], 'kept document')} in no stage: {row['reason']}"
                for row in card["not_chosen"]
            ),
        ],
    )
    fired = [row for row in card["filters"] if row["samples"]]
    yield (
        "Filters that refused documents",
        _cut([_filter(row) for row in sorted(fired, key=lambda row: -row["samples"])]),
    )
    yield (
        "Duplicates",
        [_counts(row, "kind", ("clusters", "samples", "removed")) for row in card["duplicates"]],
    )
    yield "Personal data and secrets", _personal(card["personal"])
    yield "Evaluation sets", _contamination(card["contamination"])
    yield "Takedowns", _takedowns(card["takedowns"])


def _takedowns(found: Sequence[Row]) -> list[dict[str, object] | str]:
    shown = ({"takedown": row["takedown"], "when": row["taken_at"], "samples": f"{row['samples']:,}"} for row in found)
    return list(shown) or ["none is recorded"]


def _personal(personal: Answer) -> list[dict[str, object] | str]:
    if not personal["found"]:
        return ["none was found" if personal["looked_for"] else "not looked for"]
    return [_found(row, personal["policy"]) for row in personal["found"]]


def _contamination(found: Answer) -> list[dict[str, object] | str]:
    if not found["looked_for"]:
        return ["not looked for"]
    if not found["found"]:
        return [f"none of the items of {', '.join(found['looked_for'])} was found"]
    names = ("benchmark", "items_found", "samples", "kept", "worst")
    return [{name: str(row[name]) for name in names} for row in found["found"]]


def _summary(sections: Sequence[Answer]) -> Iterator[Block]:
    """Yield each section of the template: entries with a text as lines, those with a table below a heading of their own."""
    for section in sections:
        heading = f"{section['number']} {section['heading']}"
        lines = [f"{each['label']}: {each['value']}" for each in section["entries"] if isinstance(each["value"], str)]
        yield heading, lines
        for each in section["entries"]:
            if not isinstance(each["value"], str):
                yield f"{section['number']} {each['label']}", _cut([_shown(row) for row in each["value"]])


def _shown(row: Row) -> Row:
    return {
        name: f"{value:.1%}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
        for name, value in row.items()
    }


def _counts(row: Answer, first: str, names: Sequence[str]) -> Row:
    return {first: row[first]} | {name: f"{row[name]:,}" for name in names}


def _stage(row: Answer) -> Row:
    counts = {name: f"{row[name]:,}" for name in ("documents", "tokens", "padding", "sequences", "shards", "context")}
    return {"stage": row["stage"]} | counts | {"formats": ", ".join(row["formats"])}


def _source(row: Answer) -> Row:
    return _part("source", "source", row) | {"licences": ", ".join(row["licenses"]), "input": ", ".join(row["kinds"])}


def _part(shown: str, name: str, row: Answer) -> Row:
    counts = {each: f"{row[each]:,}" for each in ("documents", "tokens")}
    return {shown: row[name]} | counts | {"share": f"{row['share']:.1%}"}


def _collected(card: Answer) -> str:
    found = card["collected"]
    if found["first"] is None:
        return "no record says when"
    return f"{found['first']} to {found['last']}, by what records say; {format_count(found['unknown'], 'document')} without a date"


def _filter(row: Answer) -> Row:
    limits = row["limits"] or {}
    shown = "; ".join(
        f"{name} {of['default']}" + (f" and {len(of) - 1} languages" if len(of) > 1 else "")
        for name, of in limits.items()
    )
    return {
        "reason": row["reason"],
        "documents": f"{row['samples']:,}",
        "as first reason": f"{row['first']:,}",
        "a document passes when": row["passes_when"] or "",
        "limits": shown,
    }


def _found(row: Answer, policy: Answer) -> Row:
    action = next((each for name, each in policy.items() if name.partition(":")[2] == row["type"]), "keep")
    return _counts(row, "type", ("samples", "kept", "spans")) | {"what becomes of it": action}


def _cut(found: list[Row]) -> list[dict[str, object] | str]:
    if len(found) <= _MOST_ROWS:
        return list(found)
    more: Row = dict.fromkeys(found[0], "")
    more[next(iter(more))] = f"… {len(found) - _MOST_ROWS:,} more in --format json"
    return [*found[:_MOST_ROWS], more]
