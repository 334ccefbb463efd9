"""The pages that users read, and what stands in their fences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conftest import REPOSITORY

__all__ = ["DOCS", "MARKS", "PAGES", "Fence", "fences", "name_of", "prose"]

DOCS: Final = REPOSITORY / "docs"
PAGES: Final = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(DOCS.rglob("*.md")),
]
"""The pages at the root of the repository, and every one below docs/."""

MARKS: Final = {
    "console": {"", "cluster", "demo-lake", "demo-lake-copy"},
    "python": {"", "demo-lake", "small-lake", "loaders", "mds"},
    "sql": {"", "demo-lake"},
    "toml": {""},
    "text": {"", "answer", "demo-output"},
}
"""The languages that a fence may have, and the marks after each: how the tests run it. ``no-run: REASON`` may follow console and python.

- No mark: a page's fences run in order, in one folder. TOML is parsed, SQL is asked over the views of an empty lake, text is not looked at.
- ``demo-lake``: in a folder with the lake that ``make demo`` leaves, which only questions may read; ``demo-lake-copy``: with a copy of it,
  which the page's commands may change; ``demo-output``: what the demo prints, shortened.
  SQL so marked is asked of that lake, and the fence of text after it, marked ``answer``, is what comes out.
- ``cluster``: as without a mark, in a run of its own; what its commands leave running, by the ``.pid`` files that they write, is ended. They use
  Spark's own port 7077, so that two runs of the tests on one machine take turns.
- ``small-lake``: with a lake of two samples.
- ``loaders`` and ``mds``: with a build in every format, in the environments of the libraries that load shards.
"""

_OPENING: Final = re.compile(r"^( *)(`{3,})(.*)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """One fenced block of a page.

    Attributes:
        page: the file.
        line: 1-based line of its opening.
        language: the first word after the backticks; empty where there is none.
        mark: what follows the language.
        text: what stands between opening and end, without the indentation of the opening.
    """

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Return a page's path inside the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def _split(text: str) -> tuple[list[tuple[int, str, str]], str]:
    """Return (line, what follows the backticks, content) of each fence, and the text without the fences, line by line."""
    found: list[tuple[int, str, str]] = []
    outside: list[str] = []
    opened: tuple[int, str, str, str] | None = None
    content: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        mark = _OPENING.match(line)
        if opened is None:
            if mark is None:
                outside.append(line)
                continue
            opened, content = (number, mark[1], mark[2], mark[3].strip()), []
        elif line.strip() == opened[2]:
            found.append((opened[0], opened[3], "".join(f"{kept}\n" for kept in content)))
            opened = None
        else:
            content.append(line.removeprefix(opened[1]))
        outside.append("")
    if opened is not None:
        raise ValueError(f"expected the fence that opens in line {opened[0]} to end, found the end of the page")
    return found, "\n".join(outside)


def fences(page: Path, language: str | None = None, mark: str | None = None) -> list[Fence]:
    """Return the fences of a page, or those of one language and mark.

    >>> page = DOCS / "index.md"
    >>> fences(page, "python", "nowhere")
    []
    """
    found, _ = _split(page.read_text("utf-8"))
    made = [
        Fence(page=page, line=line, language=said.partition(" ")[0], mark=said.partition(" ")[2].strip(), text=text)
        for line, said, text in found
    ]
    return [
        fence
        for fence in made
        if (language is None or fence.language == language) and (mark is None or fence.mark == mark)
    ]


def prose(page: Path) -> str:
    """Return a page's text with empty lines where its fences are."""
    return _split(page.read_text("utf-8"))[1]
