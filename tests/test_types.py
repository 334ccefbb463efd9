"""Rules about types: an ``Any`` carries its reason, in every room."""

from __future__ import annotations

import ast
import re

import pytest

from conftest import REPOSITORY

_PACKAGE = REPOSITORY / "src" / "headwater"
_REASON = re.compile(r"# Any: \w.{8,}")


def bare_lines(source: str) -> list[int]:
    """Return the numbers of the lines that use `Any` and do not say why after ``# Any:``; importing it needs no reason."""
    lines = source.splitlines()
    uses = {
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Name) and node.id == "Any") or (isinstance(node, ast.Attribute) and node.attr == "Any")
    }
    return [number for number in sorted(uses) if not _REASON.search(lines[number - 1])]


def test_every_any_has_a_reason() -> None:
    """No line of the package uses `Any` without saying why."""
    bare = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in sorted(_PACKAGE.rglob("*.py"))
        for number in bare_lines(path.read_text("utf-8"))
    ]
    assert not bare, "\n".join(bare)


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
