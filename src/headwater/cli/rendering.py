"""Answers as text for a terminal and as JSON; characters that would steer a terminal never get through."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from headwater.lineage.checks.lake import Check

__all__ = [
    "WIDTH",
    "Answer",
    "TableStream",
    "clean",
    "clean_name",
    "format_bytes",
    "format_cells",
    "format_check_table",
    "format_count",
    "format_funnel",
    "format_proxy",
    "format_table",
    "pairs",
    "to_json",
    "to_json_line",
    "wrap",
]

Answer: TypeAlias = Mapping[str, Any]  # Any: each layout knows the keys of the answer that it lays out
"""What a question answers: plain values by name, nested like the JSON that programs read."""

_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""C0 but line feed and tab, C1, and the controls of writing direction: a document may not move the cursor or reorder a line."""
_UNWRITTEN: Final = re.compile(f"{_UNSAFE.pattern}|[\ud800-\udfff]")
"""Of JSON also what stands for bytes of a file's name that are no UTF-8, and has no UTF-8 itself."""
_MAX_CELL: Final = 60
WIDTH: Final = 100
"""Columns of a terminal that text answers keep to."""
_LABEL: Final = 14


def clean(text: str) -> str:
    r"""Return ``text`` with control characters, except line feed and tab, replaced by U+FFFD.

    >>> clean("a\x1b[2J\tb\n")
    'a\ufffd[2J\tb\n'
    """
    return _UNSAFE.sub("\ufffd", text)


def clean_name(name: str) -> str:
    r"""Return a file's name on one line: as ``clean``, and line feeds, tabs and bytes that are no UTF-8 are replaced too.

    >>> clean_name("a\nb\udcff")
    'a\ufffdb\ufffd'
    """
    return re.sub("[\n\t\ud800-\udfff]", "\ufffd", clean(name))


def to_json(value: object) -> str:
    r"""Return JSON of plain values and dataclasses; NaN and infinities become null, control characters stay escaped.

    >>> to_json({"text": "\x9b\u202e", "score": float("nan")})
    '{\n  "text": "\\u009b\\u202e",\n  "score": null\n}'
    """
    return _written(json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False))


def to_json_line(value: object) -> str:
    """Return the same on one line."""
    return _written(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))


def _written(text: str) -> str:
    return _UNWRITTEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def format_bytes(count: float) -> str:
    """Return a number of bytes with a decimal unit.

    >>> format_bytes(1_234_567)
    '1.2 MB'
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def format_count(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where it is not one.

    >>> format_count(1, "file"), format_count(1200, "sample")
    ('1 file', '1,200 samples')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for wide letters, none for combining marks."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrap(line: str, width: int) -> list[str]:
    """Return a line in pieces of at most ``width`` columns, cut at a space where there is one.

    >>> wrap("one two three", 8)
    ['one two', 'three']
    """
    pieces: list[str] = []
    begin = columns = 0
    space = -1
    for at, letter in enumerate(line):
        columns += _columns_of(letter)
        if letter == " ":
            space = at
        if columns > width and at > begin:
            end = space if space > begin else at
            pieces.append(line[begin:end].rstrip())
            begin = end + 1 if end == space else end
            columns = _columns_of(line[begin : at + 1])
    return [*pieces, line[begin:]]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else _inline_json(value)
    text = clean(text).replace("\n", "\\n").replace("\t", "\\t")
    return text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 1]}…"


def _inline_json(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, default=str)


def format_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str] | None = None) -> str:
    r"""Return rows as a table with a header; numbers to the right, long cells cut, line ends shown as ``\n``.

    >>> print(format_table([{"language": "en", "kept": 12}, {"language": "de", "kept": 3}]))
    language  kept
    en          12
    de           3
    """
    if not rows:
        return "no rows"
    table = TableStream(columns or list(rows[0]), wait=len(rows) + 1)
    return "\n".join([*table.add(rows), *table.end()])


class TableStream:
    """A table of which rows come one after the other: widths are those of the first rows, and later cells that are wider push the rest.

    Args:
        columns: names, in order.
        wait: rows that are looked at before anything is shown.
    """

    def __init__(self, columns: Sequence[str], wait: int) -> None:
        self._names = list(columns)
        self._wait = wait
        self._first: list[Mapping[str, object]] = []
        self._widths: list[int] | None = None
        self._right: list[bool] = []

    def add(self, rows: Sequence[Mapping[str, object]]) -> list[str]:
        """Return the lines that can be shown now."""
        if self._widths is not None:
            return [self._line([_cell(row.get(name)) for name in self._names]) for row in rows]
        self._first += rows
        return self.end() if len(self._first) >= self._wait else []

    def end(self) -> list[str]:
        """Return the lines that wait, after the header where it has not been shown."""
        if self._widths is not None or not self._first:
            return []
        cells = [[_cell(row.get(name)) for name in self._names] for row in self._first]
        heads = [clean(name) for name in self._names]
        self._right = [all(_is_number(row.get(name)) for row in self._first) for name in self._names]
        self._widths = [max(map(_columns_of, column)) for column in zip(heads, *cells, strict=True)]
        self._first = []
        return [self._line(heads), *map(self._line, cells)]

    def _line(self, values: Sequence[str]) -> str:
        parts = []
        for value, width, to_right in zip(values, self._widths or [], self._right, strict=True):
            space = " " * (width - _columns_of(value))
            parts.append(space + value if to_right else value + space)
        return "  ".join(parts).rstrip()


def _is_number(value: object) -> bool:
    shown = isinstance(value, str) and re.fullmatch(r"-?[\d,]*\.?\d*( ?[%kMGTB]+)?", value) is not None
    return value is None or shown or (isinstance(value, int | float) and not isinstance(value, bool))


def pairs(label: str, values: Mapping[str, object]) -> list[str]:
    """Return ``name value`` pairs wrapped to the width of the terminal, the label at the left of the first line."""
    lines: list[str] = []
    line = f"  {label:<{_LABEL}}"
    empty = True
    for name, value in values.items():
        if value is None or value in ([], ""):
            continue
        shown = (
            clean(value)
            if isinstance(value, str)
            else f"{value:.4g}"
            if isinstance(value, float)
            else _inline_json(value)
        )
        item = f"{name} {clean(shown)}".replace("\n", " ")
        if not empty and _columns_of(line) + _columns_of(item) + 3 > WIDTH:
            lines.append(line)
            line, empty = " " * (_LABEL + 2), True
        line += item if empty else f" · {item}"
        empty = False
    return lines if empty else [*lines, line]


def format_funnel(counted: Answer) -> str:
    """Return what came in, what each step let through and what was written, one line each."""
    files = f"{format_count(counted['files'], 'file')}, {format_bytes(counted['bytes'])}"
    rows: list[tuple[str, int | str, str]] = [
        (
            "records read",
            counted["records"] + sum(r["records"] for r in (*counted["quarantined"], *counted["passed_over"])),
            files,
        )
    ]
    rows += [(f"  passed over: {row['kind']}", -row["records"], "") for row in counted["passed_over"]]
    rows += [(f"  refused: {row['reason']}", -row["records"], "") for row in counted["quarantined"]]
    rows.append(("samples", counted["samples"], ""))
    rows += [(f"  rejected: {row['reason']}", -row["samples"], "") for row in counted["rejected"]]
    rows.append(("kept", counted["kept"], ""))
    for row in counted.get("chosen", []):
        copies = f", {row['copies']:,} copies" if row["copies"] != row["documents"] else ""
        rows.append((f"  {row['stage']} / {row['pool']}", row["documents"], f"{row['tokens']:,} tokens{copies}"))
    lines = [f"{label:<40} {count:>12,}  {detail}".rstrip() for label, count, detail in rows]
    for row in counted.get("written", []):
        size = f"{row['tokens']:,} tokens in {format_count(row['sequences'], 'sequence')}, {row['padding']:,} padding"
        lines.append(f"{'shards of ' + row['stage']:<40} {row['shards']:>12,}  {size}")
    return "\n".join(lines)


def format_cells(cells: Sequence[Answer], unplaced: Mapping[str, int], full: Sequence[Answer] = ()) -> str:
    """Return the table of a selection: per cell what is available, asked for and taken, the cut, epochs and the share of the top ten hosts.

    Args:
        full: of stages that ask for sequences that one document fills: asked, there and got.
    """
    rows = [
        {
            "stage": cell["stage"],
            "pool/language/domain": cell["cell"],
            "available": f"{cell['available']:,}",
            "asked": f"{cell['asked']:,}",
            "got": f"{cell['got']:,}",
            "documents": f"{cell['documents']:,}",
            "cut": "" if cell["cut"] is None else f"{cell['cut']:,}",
            "epochs": f"{cell['epochs']:.2f}",
            "top 10 hosts": f"{cell['top_hosts']:.0%}",
        }
        for cell in cells
    ]
    short = [
        f"{stage}: {tokens:,} tokens of the budget that no cell could give"
        for stage, tokens in unplaced.items()
        if tokens
    ]
    long = [
        f"{row['stage']}: {row['asked']:,} sequences asked that one document of {row['context']:,} tokens or more fills, {row['got']:,} got; "
        f"{'only ' if row['there'] < row['asked'] else ''}{format_count(row['documents'], 'document')} of the stage's choice "
        f"{'is' if row['documents'] == 1 else 'are'} that long, for {format_count(row['there'], 'sequence')}"
        for row in full
    ]
    return "\n".join([format_table(rows), *short, *long])


def format_proxy(cells: Sequence[Answer]) -> str:
    """Return the mixture of a proxy beside its base's: per cell tokens, documents, the share of each stage and the difference."""
    rows = [
        {
            "stage": cell["stage"],
            "pool/language/domain": cell["cell"],
            "base tokens": f"{cell['base_tokens']:,}",
            "tokens": f"{cell['tokens']:,}",
            "documents": f"{cell['documents']:,}",
            "base share": f"{cell['base_share']:.2%}",
            "share": f"{cell['share']:.2%}",
            "difference": f"{cell['share'] - cell['base_share']:+.2%}",
        }
        for cell in cells
    ]
    return format_table(rows)


def format_check_table(checks: Sequence[Check]) -> str:
    """Return the results of ``verify``: whether each check passed, on how many things it was tried, and below, whole, what was found."""
    rows = [
        {
            "": "ok" if check.passed else "FAILED",
            "check": check.name.replace("_", " "),
            "checked": f"{check.count:,}",
        }
        for check in checks
    ]
    found = [clean(f"{check.name.replace('_', ' ')}: {check.detail}") for check in checks if check.detail]
    return "\n".join([format_table(rows, list(rows[0])), *found])
