"""The picture of a sweep: there, readable as what it is, and the same bytes twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from headwater.errors import StorageError
from headwater.pipelines.what_if.plot import plot_sweep


def _cell(then: int) -> dict[str, dict[str, int]]:
    return {measure: {"now": 100, "then": then} for measure in ("documents", "bytes", "tokens")}


def _sweep(names: tuple[str, ...] = ("web", "books"), now: Any = 50) -> dict[str, Any]:
    points = [
        {"value": value, "kept": _cell(then), "by_source": [{"source": name} | _cell(then) for name in names]}
        for value, then in ((10, 120), (50, 100), (90, 60))
    ]
    return {"limit": "gopher_min_words", "language": None, "now": now, "values": points}


@pytest.mark.parametrize("ending", ["svg", "png"])
@pytest.mark.parametrize("by", [None, "source"])
def test_the_same_sweep_gives_the_same_bytes(ending: str, by: str | None, tmp_path: Path) -> None:
    """A plot is written once like twice, and another sweep gives another."""
    files = [tmp_path / f"{number}.{ending}" for number in range(3)]
    for file in files[:2]:
        plot_sweep(_sweep(), file, by)
    plot_sweep(_sweep(names=("web", "code"), now=60), files[2], by)
    first, second, third = (file.read_bytes() for file in files)
    assert len(first) > 2000
    assert first == second
    assert first != third


def test_names_are_text_not_mathematics_or_markup(tmp_path: Path) -> None:
    """A key from the data stands in the picture as it is written; control characters do not."""
    names = ("$x^2$ & <b>", "_hidden", "a\x1b[2Jb", "维基")
    plot_sweep(_sweep(names=names), tmp_path / "plot.svg", "source")
    tree = ElementTree.parse(tmp_path / "plot.svg")  # noqa: S314 - the file that this test has just written
    texts = " ".join("".join(element.itertext()) for element in tree.iter() if element.tag.endswith("text"))
    for shown in ("$x^2$ & <b>", "_hidden", "a\ufffd[2Jb", "维基", "gopher_min_words"):
        assert shown in texts
    plot_sweep(_sweep(names=names), tmp_path / "plot.png", "source")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_limit_that_differs_by_language_has_no_line_for_now(tmp_path: Path) -> None:
    """Where languages have limits of their own there is no one value to mark."""
    plot_sweep(_sweep(now={"default": 50, "de": 40}), tmp_path / "plot.svg")
    assert ">now<" not in (tmp_path / "plot.svg").read_text("utf-8")
    plot_sweep(_sweep(), tmp_path / "plot.svg")
    assert ">now<" in (tmp_path / "plot.svg").read_text("utf-8")


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder that is not there is told plainly."""
    with pytest.raises(StorageError, match="cannot write"):
        plot_sweep(_sweep(), tmp_path / "none" / "plot.svg")
