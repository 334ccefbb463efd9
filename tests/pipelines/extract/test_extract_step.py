"""Step extract: what is missing is made, a sample has one text, and what was made from another text is gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from family_rows import make_rows
from web_lake import FakeReader, add_pages, page, web_lake, web_recipe

from headwater.errors import ConflictError
from headwater.lineage.checks.lake import verify
from headwater.lineage.lookup import open_lookup
from headwater.lineage.runs import Unit, begin_run, commit_wave
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.pipelines.extract import step, task
from headwater.pipelines.extract.dependents import DEPENDENT
from headwater.pipelines.extract.step import Tasks, extract_with
from headwater.pipelines.recipe.extraction import text_operator
from headwater.pipelines.recipe.extractors import Extractor
from headwater.warehouse.commit import commit
from headwater.warehouse.fragments import fragment_mask
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import open_snapshot

_MAIN = Extractor(name="main")
_FULL = '[[extractors]]\nname = "whole"\nmethod = "full"\n'
_BOTH = '[[extractors]]\nname = "main"\n' + _FULL
_BY_ROWS = _BOTH + "[extract]\nchoose = \"CASE WHEN whole.table_rows > main.table_rows THEN 'whole' ELSE 'main' END\"\n"
_PAGES: list[list[bytes | None]] = [
    [page("one", "one and more"), None, page("two", "two with rows", rows=3), page("three", "three")],
    [page("four", "", rows=9), page("five", "five", kills=["full"])],
    [page("six", "six")],
]

pytestmark = pytest.mark.usefixtures("_fake_reader")


@pytest.fixture
def _fake_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "shared_reader", FakeReader)


def _rows(lake: str, family: str, operator: str | None = None) -> list[dict[str, Any]]:
    snapshot = open_snapshot(lake)
    paths = snapshot.live(family, operator)["path"].to_pylist()
    rows = [row for path in paths for table in read_file(snapshot.uri, path) for row in table.to_pylist()]
    return sorted(rows, key=lambda row: int(row.get("sample_id", 0)))


def _texts(lake: str) -> list[str]:
    return [row["text"] for row in _rows(lake, "content")]


def _without_runs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "run_id"} for row in rows]


def _born(row: dict[str, Any]) -> list[Any]:
    return [row[name] for name in ("sample_id", "uri", "origin", "file_id", "record_no")]


def _run(lake: str, more: str = "") -> dict[str, int]:
    return extract_with(Tasks(None), lake, web_recipe(more))


def _add_dependents(lake: str, fragments: Sequence[int]) -> None:
    """Give fragments a file of each family that is made from texts, all of them in one file."""
    snapshot = open_snapshot(lake)
    rows = {
        fragment: sum(table.num_rows for table in read_file(snapshot.uri, path))
        for fragment, path in zip(
            *(snapshot.live("content")[name].to_pylist() for name in ("base", "path")), strict=True
        )
    }
    base, mask = fragment_mask(fragments)
    adds = [
        write_family(
            snapshot.uri,
            family,
            "web",
            base,
            mask,
            "ab" * 16,
            [make_rows(family, each, rows[each]) for each in fragments],
        )
        for family in (*DEPENDENT, "duplicates", "verdicts")
    ]
    commit_wave(begin_run(lake, "annotate", {}, {}, 0), snapshot, [Unit(adds=adds)])


def _covered(lake: str, family: str) -> list[int]:
    return [int(number) for number in open_snapshot(lake).covered(family)]


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """Three fragments of pages that extractor ``main`` has read, and one record whose text is its own."""
    return web_lake(tmp_path, _PAGES, _MAIN)


def test_nothing_to_do(lake: str) -> None:
    """What ingest made of a page by the recipe's one extractor is its content: nothing is read again, nothing is stored twice."""
    version = open_snapshot(lake).version
    assert _run(lake) == {}
    assert open_snapshot(lake).version == version
    assert _rows(lake, "texts") == []


def test_another_extractor_takes_the_place_of_the_first(lake: str) -> None:
    """With another single extractor its texts are the content, none is stored twice, and a page of which it makes nothing keeps its text."""
    before = _rows(lake, "content")
    counts = _run(lake, _FULL)
    assert _texts(lake) == ["one and more", before[1]["text"], "two with rows", "three", "four", "five", "six"]
    assert (counts["pages"], counts["changed"], counts["kept"], counts["extractor:whole"]) == (6, 2, 2, 4)
    after = _rows(lake, "content")
    assert [_born(row) for row in after] == [_born(row) for row in before]
    assert after[1] == before[1]
    captures = _rows(lake, "captures")
    assert [row["extractor"] for row in captures] == ["whole", None, "whole", "whole", "main", "main", "whole"]
    assert _rows(lake, "texts") == []
    version = open_snapshot(lake).version
    assert _run(lake, _FULL) == {}
    assert open_snapshot(lake).version == version


def test_renamed_extractor_is_the_same(lake: str) -> None:
    """An extractor's name has no say in its texts: under another one there is nothing to do."""
    assert _run(lake, '[[extractors]]\nname = "ours"\n') == {}


def test_a_second_extractor_is_a_backfill(lake: str) -> None:
    """Texts of every extractor are stored beside content, which stays as it is while the first one's are chosen."""
    before = _rows(lake, "content")
    _add_dependents(lake, [0, 1, 2])
    counts = _run(lake, _BOTH)
    assert _rows(lake, "content") == before
    assert (counts["texts"], counts["pages"], counts["changed"]) == (12, 6, 0)
    assert _covered(lake, "verdicts") == [0, 1, 2]
    whole = _rows(lake, "texts", text_operator(web_recipe(_FULL).extractors[0]))
    assert [row["text"] for row in whole] == ["one and more", "two with rows", "three", None, None, "six"]
    assert [row["extract_fault"] for row in whole] == [None, None, None, "no_text", "parser_failed", None]
    main = _rows(lake, "texts", text_operator(_MAIN))
    assert [row["text_hash"] for row in main] == [row["content_hash"] for row in before if row["record_no"] != 1]
    assert _run(lake, _BOTH) == {}


def test_choice_by_sample(lake: str) -> None:
    """A recipe chooses by sample; what it chooses without a text falls back, and what hangs on a fragment goes only where a text changes."""
    _add_dependents(lake, [0, 1, 2])
    counts = _run(lake, _BY_ROWS)
    assert _texts(lake)[2:] == ["two with rows", "three", "four", "five", "six"]
    assert (counts["changed"], counts["extractor:whole"], counts["extractor:main"]) == (1, 1, 5)
    assert {family: _covered(lake, family) for family in DEPENDENT} == {family: [1, 2] for family in DEPENDENT}
    assert _covered(lake, "duplicates") == _covered(lake, "verdicts") == []
    stayed = [row for each, n in ((1, 2), (2, 1)) for row in make_rows("signals", each, n).to_pylist()]
    assert _rows(lake, "signals") == stayed
    _run(lake, _BOTH)
    assert _texts(lake)[2:] == ["two", "three", "four", "five", "six"]


def test_texts_of_extractors_that_are_no_longer_named(lake: str) -> None:
    """Stored texts stay when a recipe no longer names their extractor, until they are to be forgotten; content stays as it is."""
    _run(lake, _BY_ROWS)
    _run(lake, _FULL)
    before = _rows(lake, "content")
    assert len(_rows(lake, "texts")) == 12
    assert extract_with(Tasks(None), lake, web_recipe(_FULL), forget_others=True) == {"forgotten": 6}
    assert _rows(lake, "texts") == []
    assert _rows(lake, "content") == before


def test_new_pages_are_found_missing(lake: str) -> None:
    """Pages that come later get what they lack, and nothing else is done again."""
    _run(lake, _BY_ROWS)
    paths = set(open_snapshot(lake).files["path"].to_pylist())
    add_pages(lake, [[page("seven", "seven and rows", rows=1)]], _MAIN)
    assert _run(lake, _BY_ROWS)["pages"] == 1
    assert _texts(lake)[-1] == "seven and rows"
    gone = paths - set(open_snapshot(lake).files["path"].to_pylist())
    assert not [path for path in gone if "runs" not in path]


class _StoppedError(Exception):
    """Stands for the end of the process."""


def _state(lake: str) -> dict[str, object]:
    """Return the rows of each family that the step touches, but for the runs that wrote them, and the operators of its files."""
    families = ("content", "captures", "texts", *DEPENDENT, "duplicates", "verdicts")
    snapshot = open_snapshot(lake)
    operators = {family: snapshot.live(family)["operator"].to_pylist() for family in families}
    return {family: (_without_runs(_rows(lake, family)), operators[family]) for family in families}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The state of a lake whose step was not stopped."""
    lake = web_lake(tmp_path_factory.mktemp("other"), _PAGES, _MAIN)
    _add_dependents(lake, [0, 1, 2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "shared_reader", FakeReader)
        _run(lake, _BY_ROWS)
    return _state(lake)


@pytest.mark.parametrize("wave", range(1, 4))
def test_stopped_anywhere_it_ends_alike(
    lake: str, undisturbed: dict[str, object], monkeypatch: pytest.MonkeyPatch, wave: int
) -> None:
    """Stopped after any of its commits, the step goes on from there to the same lake."""
    _add_dependents(lake, [0, 1, 2])
    commits = 0

    def stop(*args: Any, **named: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits == wave:
            raise _StoppedError
        return commit_wave(*args, **named)

    monkeypatch.setattr(step, "commit_wave", stop)
    try:
        _run(lake, _BY_ROWS)
    except _StoppedError:
        monkeypatch.setattr(step, "commit_wave", commit_wave)
        _run(lake, _BY_ROWS)
    assert _state(lake) == undisturbed


def test_what_a_step_made_of_old_texts_meanwhile(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that another writer made of the old texts while they were replaced are gone with them: the commit is planned again."""
    meanwhile = iter([True])

    def overtaken(*args: Any, **named: Any) -> Any:
        if "valid" in named and next(meanwhile, False):
            _add_dependents(lake, [0])
        return commit_wave(*args, **named)

    monkeypatch.setattr(step, "commit_wave", overtaken)
    _run(lake, _FULL)
    assert _texts(lake)[0] == "one and more"
    assert [family for family in (*DEPENDENT, "duplicates") if _covered(lake, family)] == []


def test_verify_and_why(lake: str) -> None:
    """A lake of several extractors passes every check; another text than the chosen one does not; a sample's story has every extractor's."""
    _run(lake, _BY_ROWS)
    assert [check.name for check in verify(lake) if not check.passed] == []
    with connect(lake) as connection:
        story = why(open_lookup(lake), 2)
        (n,) = connection.execute("SELECT count(*) FROM texts WHERE text IS NULL").fetchall()[0]
    assert story["captures"]["extractor"] == "whole"
    assert [(row["extractor"], row["text_bytes"]) for row in story["texts"]] == [("main", 3), ("whole", 13)]
    assert "two with rows" not in str(story)
    assert n == 2
    _take_other_text(lake)
    (check,) = [check for check in verify(lake) if check.name == "texts_chosen"]
    assert not check.passed
    assert "sample 2: its text is not the one that extractor whole made" in check.detail


def _take_other_text(lake: str) -> None:
    """Put the texts of extractor ``main`` back into content, as no step would."""
    snapshot = open_snapshot(lake)
    live = snapshot.live("content")
    (path,) = [path for path in live["path"].to_pylist() if "/0000000000-" in path]
    table = pa.concat_tables(read_file(snapshot.uri, path))
    main = _rows(lake, "texts", text_operator(_MAIN))
    rows = table.to_pylist()
    rows[2] |= {"text": "two", "text_bytes": 3, "content_hash": main[1]["text_hash"]}
    entry = write_family(
        snapshot.uri,
        "content",
        "web",
        0,
        1,
        live["operator"][0].as_py(),
        [pa.Table.from_pylist(rows, schema=table.schema)],
    )
    commit(snapshot, adds=[entry], removes=[path], wave=("damage", 1), lake=lake)


def test_two_texts_of_a_fragment(lake: str) -> None:
    """A fragment may have texts by several operators, and one file by each."""
    _run(lake, _BOTH)
    snapshot = open_snapshot(lake)
    (first, *_) = snapshot.live("texts", text_operator(_MAIN))["path"].to_pylist()
    again = write_family(snapshot.uri, "texts", "other", 0, 1, text_operator(_MAIN), read_file(snapshot.uri, first))
    with pytest.raises(ConflictError, match="two live files of family texts"):
        commit(snapshot, adds=[again], wave=("x", 1), lake=lake)
    assert np.array_equal(snapshot.covered("texts", text_operator(_MAIN)), [0, 1, 2])
    assert pa.types.is_string(read_file(snapshot.uri, first, ["text"]).__next__()["text"].type)
