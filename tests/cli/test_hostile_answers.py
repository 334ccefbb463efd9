"""What a document brings into an answer stays text: no control characters reach the terminal, and no line is made up by a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from text_lake import Document, make_text_lake

from headwater.cli.rendering import TableStream, format_table
from headwater.cli.root import cli
from headwater.cli.story import format_story
from headwater.lineage.lookup import open_lookup
from headwater.lineage.story import why

HOSTILE = "https://e.example/\x1b[2J\u202e\x9b\nsample 7  kept\r\n  verdict       kept"


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """A lake of one document whose URL would clear a terminal and write lines of a story."""
    make_text_lake(tmp_path / "lake", [[Document("text", HOSTILE, language="\x1b]0;x\x07", kept=False)]])
    return str(tmp_path / "lake")


def _is_inert(text: str) -> bool:
    return not set(text) & set("\x1b\x9b\x07\u202e\r")


def test_a_story_has_only_its_own_lines(lake: str) -> None:
    """A line feed in a URL begins no line; 100 columns are kept whatever it holds."""
    text = format_story(why(open_lookup(lake), 0), measures=True)
    assert _is_inert(text)
    lines = text.splitlines()
    assert lines[0].startswith("sample 0  rejected")
    assert not any(line.startswith(("sample 7", "  verdict       kept")) for line in lines[1:])
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("output", ["text", "json", "jsonl"])
@pytest.mark.parametrize("command", [["why"], ["find"]])
def test_answers_are_inert(command: list[str], output: str, lake: str) -> None:
    """On standard output of either command, in each form; JSON gives the URL as it is, escaped."""
    if (command, output) == (["why"], "jsonl"):
        command = ["find", "--limit", "1"]
    asked = CliRunner().invoke(cli, [command[0], lake, "--sample", "0", *command[1:], "--output", output])
    assert asked.exit_code == 0
    assert _is_inert(asked.stdout)
    if output == "jsonl":
        (line,) = asked.stdout.split("\n")[:-1]
        assert json.loads(line)["uri"] == HOSTILE


def test_messages_are_inert(lake: str) -> None:
    """Names that are asked for stand in messages, and what is named there is a document's."""
    for arguments in (
        ["find", lake, "--uri", "x\x1b[2J"],
        ["find", lake, "--where", "\x1b[2J"],
        ["why", lake, "--rule", "\x9b\u202e"],
    ):
        asked = CliRunner().invoke(cli, arguments)
        assert asked.exit_code == 2
        assert _is_inert(asked.stderr)


def test_a_table_that_comes_in_pieces() -> None:
    """The first rows give the widths; the header stands once; later cells that are wider push the rest."""
    rows = [{"a": 1, "b": "x"}, {"a": 22, "b": "y"}, {"a": 333333, "b": "z"}]
    table = TableStream(["a", "b"], wait=2)
    lines = [line for row in rows for line in table.add([row])] + table.end()
    assert lines == [" a  b", " 1  x", "22  y", "333333  z"]
    assert "\n".join(lines[:3]) == format_table(rows[:2])
    assert TableStream(["a"], wait=2).end() == []
