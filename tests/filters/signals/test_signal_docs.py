"""docs/reference/signals.md says what the columns say. ``python tests/filters/signals/test_signal_docs.py`` writes its table anew."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from headwater.filters.signals.columns import COLUMNS, DESCRIPTIONS, SIGNALS

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "signals.md"
_MARKED = re.compile(r"(<!-- signals: generated .*?-->\n).*?(<!-- end -->)", re.DOTALL)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def with_table(page: str) -> str:
    """Return the page with its table made of the columns."""
    lines = [
        "",
        "| column | type | unit | definition | source | scripts without spaces or case |",
        "|---|---|---|---|---|---|",
    ]
    for signal in COLUMNS:
        cells = [f"`{signal.name}`", "int32" if signal.kind == pa.int32() else "float32", signal.unit]
        cells += [_cell(text) for text in (signal.meaning, signal.source, signal.scripts)]
        lines.append(f"| {' | '.join(cells)} |")
    table = "\n".join([*lines, "", ""])
    return _MARKED.sub(lambda found: found[1] + table + found[2], page)


def test_page_has_every_signal() -> None:
    """The page lists each column with type, unit, definition, source and its way with scripts without spaces."""
    page = _PAGE.read_text("utf-8")
    assert _MARKED.search(page)
    assert page == with_table(page), "run: python tests/filters/signals/test_signal_docs.py"


def test_page_names_only_signals_that_are_there() -> None:
    """Every name with a prefix of ours in the page is a column."""
    named = set(re.findall(r"`((?:gopher|c4|fineweb|refinedweb|rpv2|hw)_\w+)`", _PAGE.read_text("utf-8")))
    assert named - {"c4_lines", "refinedweb_lines"} <= set(SIGNALS)


def test_columns_are_complete() -> None:
    """Names are unique, types int32 or float32, and each column has unit, definition and source."""
    assert len(SIGNALS) == len(COLUMNS) == len(DESCRIPTIONS) == 152
    assert {signal.kind for signal in COLUMNS} == {pa.int32(), pa.float32()}
    assert all(signal.unit and signal.meaning and signal.source and signal.scripts for signal in COLUMNS)


if __name__ == "__main__":
    _PAGE.write_text(with_table(_PAGE.read_text("utf-8")), "utf-8")
