"""A page of which an extractor finds no text: the next one is asked, and a recipe with another one takes what was refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from web_lake import BATCH, FakeReader, page, web_lake

from headwater.lineage.runs import Unit, begin_run, commit_wave
from headwater.pipelines.ingest.again import find_again
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import FileInfo
from headwater.pipelines.ingest.known import KnownFiles
from headwater.pipelines.ingest.task import file_number
from headwater.pipelines.ingest.web import pages
from headwater.pipelines.ingest.web.captures import Page
from headwater.pipelines.ingest.web.pages import PageBatch
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.recipe.extraction import text_operator
from headwater.pipelines.recipe.extractors import Extractor
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import open_snapshot

_MAIN, _WHOLE = Extractor(name="main"), Extractor(name="whole", method="full")


def test_the_next_extractor_that_finds_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingest takes the first extractor's text, of a page without one the next one's, and refuses a page of which none finds any."""
    monkeypatch.setattr(pages, "shared_reader", FakeReader)
    batch = PageBatch(settings=WebSettings(extractor=_MAIN, others=(_WHOLE,)))
    bodies = [page("one", "one and more"), page("", "two"), page("", ""), page("", "four", kills=["main"])]
    for number, body in enumerate(bodies):
        batch.add(Page(number=number, body=body, mime_detected="text/html", headers={}))
    columns = batch.take()
    assert columns.text.to_pylist() == ["one", "two", "four"]
    assert columns.captures is not None
    assert columns.captures["extractor"].to_pylist() == ["main", "whole", "whole"]
    assert [(refusal.record_no, refusal.reason) for refusal in columns.refused] == [(2, "no_text")]


@pytest.mark.parametrize(
    "extractors, reason, again",
    [
        ([_MAIN], "no_text", False),
        ([_WHOLE], "no_text", True),
        ([_MAIN, _WHOLE], "parser_failed", True),
        ([_WHOLE], "wrong_record_length", False),
    ],
)
def test_read_again_for_another_extractor(
    tmp_path: Path, extractors: list[Extractor], reason: str, again: bool
) -> None:
    """A file is read again for an extractor that has not seen it, if what was refused of it was an extractor's to refuse."""
    lake = web_lake(tmp_path, [[page("one")]], _MAIN)
    sha256 = "0" * 64
    _refuse(lake, file_number(sha256), reason)
    snapshot = open_snapshot(lake)
    known = KnownFiles().find(snapshot, {sha256})
    info = FileInfo(sha256=sha256, size=1, format="warc", compression="", chunks=())
    operators = [text_operator(each) for each in extractors]
    found = find_again(snapshot, known, [("pages.warc", info)], Limits(), extractors=operators, retry=False)
    assert bool(found) == again


def _refuse(lake: str, file_id: int, reason: str) -> None:
    """Say of the lake's one file that a record of it was refused."""
    snapshot = open_snapshot(lake)
    (path,) = snapshot.paths("files")
    (row,) = pa.concat_tables(read_file(snapshot.uri, path)).to_pylist()
    refusal = {"file_id": file_id, "record_no": 9, "quarantine_reason": reason, "run_id": row["run_id"]}
    written = {
        "files": pa.Table.from_pylist([row | {"file_id": file_id, "quarantined": 1}], schema=arrow_schema("files")),
        "quarantine": pa.Table.from_pylist([refusal], schema=arrow_schema("quarantine")),
    }
    adds = [write_family(snapshot.uri, family, BATCH, 0, 0, "ab" * 16, [rows]) for family, rows in written.items()]
    commit_wave(begin_run(lake, "test", {}, {}, 0), snapshot, [Unit(adds=adds, removes=[path])])
