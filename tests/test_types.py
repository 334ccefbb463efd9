"""Rules about types: an ``Any`` carries its reason, and its reason only."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from conftest import REPOSITORY

_PACKAGE = REPOSITORY / "src" / "headwater"
_REASON = re.compile(r"# Any: \w.{8,}")
_MOST = {
    "__init__.py": 1,
    "cli": 35,
    "demo": 1,
    "filters": 82,
    "lake.py": 5,
    "lineage": 36,
    "pipelines/builds": 18,
    "pipelines/deduplicate": 1,
    "pipelines/ingest": 18,
    "pipelines/recipe": 18,
    "pipelines/run.py": 4,
    "pipelines/selection": 4,
    "pipelines/spark": 9,
    "pipelines/vocabulary": 6,
    "reader": 23,
    "tokenize": 16,
    "warehouse": 5,
}
"""Room → how many lines of it may hold an `Any` without a reason: what is left to be mended, so it only ever falls."""


def bare_lines(source: str) -> list[int]:
    """Return the numbers of the lines that use `Any` and do not say why after ``# Any:``; importing it needs no reason."""
    lines = source.splitlines()
    uses = {
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Name) and node.id == "Any") or (isinstance(node, ast.Attribute) and node.attr == "Any")
    }
    return [number for number in sorted(uses) if not _REASON.search(lines[number - 1])]


def _room(path: Path) -> str:
    """Return what a module is counted under: its folder, inside of ``pipelines`` the folder there."""
    parts = path.relative_to(_PACKAGE).parts
    return "/".join(parts[:2]) if parts[0] == "pipelines" else parts[0]


def test_every_any_has_a_reason() -> None:
    """No room has more lines with a bare `Any` than its ceiling, and a room that is not in the table has none."""
    found: Counter[str] = Counter()
    places: dict[str, list[str]] = {}
    for path in sorted(_PACKAGE.rglob("*.py")):
        for number in bare_lines(path.read_text("utf-8")):
            found[_room(path)] += 1
            places.setdefault(_room(path), []).append(f"{path.relative_to(REPOSITORY)}:{number}")
    above = [room for room, count in found.items() if count > _MOST.get(room, 0)]
    assert not above, "\n".join(place for room in above for place in places[room])


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        ("value: Any = json.loads(text)", True),
        ("def ask(value: list[Any]) -> None: ...", True),
        ("value: typing.Any = 1", True),
        ("value: Any = json.loads(text)  # Any:", True),
        ("value: Any = json.loads(text)  # of no one class", True),
        ("value: Any = json.loads(text)  # Any: a document of another program", False),
        ("from typing import Any", False),
        ("value = any(values)", False),
        ('"""Any text."""', False),
    ],
)
def test_which_lines_are_bare(line: str, bare: bool) -> None:
    """A use of `Any` is found in whatever annotation it stands, an import or a word in a sentence is none."""
    assert bare_lines(line) == ([1] if bare else [])
