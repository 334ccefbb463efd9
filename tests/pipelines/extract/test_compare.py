"""Extractors compared: what each makes of each page, its verdict, whose text is taken, and what all of them give together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from web_lake import RECIPE, FakeReader, page, web_lake

from headwater.cli.root import cli
from headwater.pipelines.extract import compare
from headwater.pipelines.extract.compare import SIGNALS_SHOWN
from headwater.pipelines.extract.page_facts import Page, TextFacts
from headwater.pipelines.extract.totals import CHOICE, UNION, totals
from headwater.pipelines.recipe.extractors import Extractor

_PROSE = (
    "The river rises in the hills above the town and runs south for most of its way. In spring the snow melts and the water stands high in the "
    "meadows, and the people of the valley bring their boats up to the houses. They have done so for as long as anyone there can remember. "
    "By summer the banks are dry again, and the children walk along them to the school in the next village. "
)
_EXTRACTORS = """
[[extractors]]
name = "main"
[[extractors]]
name = "whole"
method = "full"
[extract]
choose = "CASE WHEN whole.table_rows > 2 THEN 'whole' END"
"""


def test_pages_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that no one has stored are made for the comparison; nothing is written, and no text is told."""
    monkeypatch.setattr(compare, "shared_reader", FakeReader)
    pages: list[list[bytes | None]] = [
        [page(_PROSE, _PROSE + "So it goes."), page("Too short.", _PROSE, rows=9), None],
        [page("", _PROSE), page(_PROSE, "", kills=["full"])],
    ]
    lake = web_lake(tmp_path, pages, Extractor(name="main"))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE + _EXTRACTORS)
    answer = CliRunner().invoke(cli, ["extractors", lake, str(recipe), "--all", "--output", "json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.output)
    assert "river" not in answer.output
    told = [
        (each["sample_id"], each["chosen"], [text["fault"] or text["first_reason"] for text in each["texts"]])
        for each in found["pages"]
    ]
    assert [(sample, chosen) for sample, chosen, _ in told] == [
        (0, "main"),
        (1, "whole"),
        (1 << 24, "whole"),
        ((1 << 24) + 1, "main"),
    ]
    assert [reasons for _, _, reasons in told][1][0] is not None
    assert told[2][2][0] == "no_text"
    assert told[3][2] == [None, "parser_failed"]
    signals = found["pages"][0]["texts"][0]["signals"]
    assert (set(signals), signals["gopher_words"] > 50) == (set(SIGNALS_SHOWN), True)
    rows = {row["extractor"]: row for row in found["totals"]["all"]}
    assert list(rows) == ["main", "whole", CHOICE, UNION]
    assert (rows["main"]["with_text"], rows["main"]["taken"], rows["whole"]["taken"], rows[CHOICE]["kept"]) == (
        3,
        2,
        2,
        4,
    )
    assert rows[UNION]["kept_tokens"] >= max(rows["main"]["kept_tokens"], rows["whole"]["kept_tokens"])
    table = CliRunner().invoke(
        cli, ["extractors", lake, str(recipe), "--pages", "2", "--by", "language", "--list", "1"]
    )
    assert table.exit_code == 0, table.output
    assert "all extractors together keep" in table.output


def _text(extractor: str, tokens: int, quality: int, reason: str | None = None) -> TextFacts:
    return TextFacts(extractor=extractor, fault=None, tokens=tokens, scores={"quality": quality}, first_reason=reason)


def test_union_takes_the_best_of_each_page_once() -> None:
    """A page counts once in the union, by its best text; at equal quality only the pages count that keep the mean of the best single extractor."""
    pages = [
        Page(sample_id=1, uri=None, chosen="a", texts=(_text("a", 100, 50), _text("b", 90, 60))),
        Page(sample_id=2, uri=None, chosen="a", texts=(_text("a", 100, 50, "short"), _text("b", 40, 40))),
        Page(sample_id=3, uri=None, chosen=None, texts=(TextFacts(extractor="a", fault="no_text"), _text("b", 30, 10))),
    ]
    union = totals(pages, ["a", "b"])["union"]
    # b keeps most, 160 tokens of quality (90 · 60 + 40 · 40 + 30 · 10) / 160.
    assert (union["best_single"], union["best_single_tokens"], union["tokens"]) == ("b", 160, 160)
    assert union["more"] == 0
    only = totals(pages[:2], ["a", "b"])
    assert only["all"][0]["kept_tokens"] == 100
    assert only["union"]["tokens"] == 130
    assert only["union"]["tokens_at_equal_quality"] == 130


def test_more_tokens_at_lower_quality_are_not_counted_at_equal() -> None:
    """What a second extractor adds below the mean of the first is more text, and none at equal quality beyond what balances it."""
    pages = [
        Page(sample_id=1, uri=None, chosen="a", texts=(_text("a", 100, 50), _text("b", 100, 10))),
        Page(sample_id=2, uri=None, chosen="a", texts=(_text("a", 100, 50, "short"), _text("b", 80, 5))),
    ]
    union = totals(pages, ["a"])["union"]
    assert (union["tokens"], union["tokens_at_equal_quality"], union["more"]) == (180, 100, 0.8)
