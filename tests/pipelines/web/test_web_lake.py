from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import main_job
import pytest
from named_samples import samples_named
from warcs import PACKERS, html, response, small_crawl, warcinfo

from headwater.cli.rendering import format_funnel
from headwater.cli.story import format_story
from headwater.lineage.checks.lake import verify
from headwater.lineage.funnel import funnel
from headwater.lineage.lookup import open_lookup
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import Recipe, load_recipe, parse_recipe
from headwater.warehouse.commit import create_lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def _recipe(**limits: int) -> Recipe:
    extractors = [{"name": "main", "method": "full"}]  # what is chosen of a page is not looked at here
    return parse_recipe(load_recipe(main_job.RECIPE).literals | {"ingest": limits, "extractors": extractors})


def _rows(lake: Path, statement: str) -> list[tuple[Any, ...]]:
    with connect(str(lake)) as connection:
        return connection.execute(statement).fetchall()


def test_a_lake_of_the_web(spark: SparkSession, lake_folder: Path, tmp_path: Path) -> None:
    """Archives and pages of a folder come in beside JSON Lines; counts reconcile; a sample's story names its place in the archive."""
    folder = tmp_path / "raw"
    folder.mkdir()
    crawl = small_crawl()
    (folder / "a.warc.gz").write_bytes(PACKERS["records.warc.gz"](crawl))
    (folder / "b.html").write_bytes(html("<p>A page that lies in a file.</p>"))
    (folder / "c.jsonl").write_text('{"text": "a", "url": "https://www.example.org/x"}\n')
    (folder / "d.warc.gz").write_bytes(PACKERS["records.warc.gz"](small_crawl(2))[:-40])
    create_lake(str(lake_folder))
    report = ingest(spark, str(lake_folder), _recipe(), [str(folder)])
    assert (report.files, report.records, report.quarantined) == (4, 10, 1)
    assert report.reasons == {"truncated_compression": 1}
    assert report.passed_over["request"] == 8
    failed = [check for check in verify(str(lake_folder)) if not check.passed]
    assert failed == []
    kinds = (
        "SELECT format, records, quarantined, map_entries(passed_over) IS NOT NULL FROM files ORDER BY format, records"
    )
    assert _rows(lake_folder, kinds) == [
        ("html", 1, 0, True),
        ("jsonl", 1, 0, False),
        ("warc.gz", 2, 1, True),
        ("warc.gz", 6, 0, True),
    ]
    with connect(str(lake_folder)) as connection:
        (sample, *_) = samples_named(str(lake_folder), uri="https://site1.example/page/1")
        story = why(open_lookup(str(lake_folder)), sample)
        counted = funnel(connection)
    assert story["captures"]["warc_offset_in"] == "stored"
    assert "warc_offset" in format_story(story)
    assert counted["passed_over"][0] in ({"kind": "request", "records": 8}, {"kind": "metadata", "records": 8})
    total = 10 + 1 + sum(row["records"] for row in counted["passed_over"])
    assert f"{total:,}  4 files" in format_funnel(counted).splitlines()[0]
    hosts = "SELECT host, count(*) FROM samples WHERE host IS NOT NULL GROUP BY ALL ORDER BY ALL"
    assert ("www.example.org", 1) in _rows(lake_folder, hosts)
    again = ingest(spark, str(lake_folder), _recipe(), [str(folder)])
    assert (again.files, again.records) == (0, 0)


def test_archives_are_read_again(spark: SparkSession, lake_folder: Path, tmp_path: Path) -> None:
    """A page that was too large comes in under a higher limit, once, and nothing else of its archive does again."""
    records = [
        warcinfo(),
        response("https://a.example/", html("<p>short</p>")),
        response("https://b.example/", html("<p>a word</p>" * 5000)),
        response("https://c.example/", html("<p>short too</p>"), length=3),
    ]
    path = tmp_path / "a.warc.gz"
    path.write_bytes(PACKERS["records.warc.gz"](records))
    create_lake(str(lake_folder))
    first = ingest(spark, str(lake_folder), _recipe(max_record_bytes=20_000), [str(path)])
    assert (first.records, first.reasons) == (1, {"record_too_large": 1, "wrong_record_length": 1})
    second = ingest(spark, str(lake_folder), _recipe(), [str(path)])
    assert (second.read_again, second.records, second.released) == (1, 1, 1)
    assert _rows(lake_folder, "SELECT record_no, uri FROM content ORDER BY 1") == [
        (1, "https://a.example/"),
        (2, "https://b.example/"),
    ]
    assert _rows(lake_folder, "SELECT record_no, quarantine_reason FROM quarantine") == [(3, "wrong_record_length")]
    assert _rows(lake_folder, "SELECT map_entries(passed_over)[1].value FROM files") == [(1,)]
    assert [check for check in verify(str(lake_folder)) if not check.passed] == []
    counts = [
        json.loads(row[0])
        for row in _rows(lake_folder, "SELECT counts FROM runs WHERE step = 'ingest' ORDER BY started")
    ]
    assert counts[0]["passed_over:warcinfo"] == 1
