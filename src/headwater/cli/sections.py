"""Headings with lines and tables below them, in plain text, in Markdown or in HTML; nothing that a document says steers any of these."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from headwater.cli.rendering import clean, format_table

__all__ = ["FORMS", "Block", "format_heading", "format_section", "to_page"]

Block: TypeAlias = tuple[str, Sequence[dict[str, object] | str]]
"""A heading, empty for none, and below it a table or lines."""
FORMS: Final = ("text", "markdown", "html")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}"
    "h1,h2,h3{line-height:1.2}"
)


def format_heading(text: str, level: int, form: str = "text") -> str:
    """Return a heading of level 1, 2 or 3."""
    if form == "markdown":
        return f"{'#' * level} {_escaped(text)}"
    if form == "html":
        return f"<h{level}>{_written(text)}</h{level}>"
    return clean(text) if level > 2 else f"{clean(text)}\n{('=', '-')[level - 1] * len(text)}"


def format_section(block: Block, level: int, form: str = "text") -> str:
    """Return a block below its heading; ``none`` where there is nothing in it."""
    heading, body = block
    head = [format_heading(heading, level, form)] if heading else []
    lines = [each for each in body if isinstance(each, str)]
    rows = [each for each in body if not isinstance(each, str)]
    if form == "html":
        return "\n".join([*head, _html(lines, rows)])
    if lines:
        shown = "\n".join(f"- {_escaped(line)}" for line in lines) if form == "markdown" else "\n".join(lines)
    elif rows:
        shown = _markdown_table(rows) if form == "markdown" else format_table(rows)
    else:
        shown = "none"
    return ("\n\n" if form == "markdown" else "\n").join([*head, shown])


def to_page(title: str, parts: Sequence[str], form: str) -> str:
    """Return the parts of an answer one below the other; of HTML a whole page that loads nothing."""
    if form != "html":
        return "\n\n".join(parts)
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_written(title)}</title>\n<style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>"
    )


def _html(lines: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    if lines:
        return "<ul>" + "".join(f"<li>{_written(line)}</li>" for line in lines) + "</ul>"
    if not rows:
        return "<p>none</p>"
    names = list(rows[0])
    head = "".join(f"<th>{_written(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_written(_cell(row[name]))}</td>" for name in names) + "</tr>\n" for row in rows
    )
    return f"<table>\n<tr>{head}</tr>\n{body}</table>"


def _written(text: str) -> str:
    """Return a text on one line in which nothing is HTML."""
    return html.escape(clean(text).replace("\n", " ").replace("\t", " "))


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names)] + [[_escaped(_cell(row[name])) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escaped(text: str) -> str:
    r"""Return a text on one line in which nothing is Markdown or HTML.

    >>> print(_escaped("a|b <i> *c*"))
    a\|b &lt;i> \*c\*
    """
    line = clean(text).replace("\n", " ").replace("\t", " ").replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", line)
