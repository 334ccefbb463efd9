"""Samples by host and by registered domain: from the index, and by a scan where an earlier release left none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from named_samples import samples_named
from text_lake import OPERATOR, Document, make_text_lake

from headwater.errors import CorruptLakeError, UsageError
from headwater.filters.urls.columns import capture_columns
from headwater.lineage.host_questions import unindexed_fragments
from headwater.pipelines.ingest.host_index import host_index
from headwater.warehouse.commit import commit
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.snapshot import open_snapshot

URLS = [
    ["https://news.example.co.uk/1", "https://example.co.uk/2", "isbn 1", "http://user@NEWS.example.co.uk:80/3"],
    ["https://a.github.io/", "https://b.github.io/", "https://10.0.0.1/x", "https://example.co.uk/4"],
    ["https://bücher.example/", "https://other.example.co.uk./"],
]


def indexed_lake(folder: Path, *fragments: int) -> str:
    """Make a lake of ``URLS`` whose named fragments have an index."""
    snapshot = make_text_lake(folder, [[Document("text", url) for url in urls] for urls in URLS])
    entries = []
    for fragment in fragments:
        uris = pa.array(URLS[fragment])
        by_url = capture_columns(uris)
        captures = pa.table(
            {
                "sample_id": sample_ids(fragment, 0, len(uris)),
                "host": by_url["host"],
                "registered_domain": by_url["registered_domain"],
                "run_id": pa.array(["run"] * len(uris)),
            }
        )
        rows = [host_index(captures)]
        entries.append(write_family(snapshot.uri, "host_index", "b", fragment, 1, OPERATOR, rows))
    commit(snapshot, adds=entries, wave=("test", 2), lake=str(folder))
    return str(folder)


@pytest.mark.parametrize("fragments", [(), (0,), (1,), (0, 2), (0, 1, 2)])
def test_samples_are_found_with_and_without_an_index(tmp_path: Path, fragments: tuple[int, ...]) -> None:
    """The same answers whatever part of the lake has an index; how much of it has none is told."""
    lake = indexed_lake(tmp_path, *fragments)
    one, two = 1 << 24, 2 << 24
    assert len(unindexed_fragments(open_snapshot(lake))) == 3 - len(fragments)
    assert samples_named(lake, host="News.Example.co.uk.") == [0, 3]
    assert samples_named(lake, host="example.co.uk") == [1, one + 3]
    assert samples_named(lake, domain="example.co.uk") == [0, 1, 3, one + 3, two + 1]
    assert samples_named(lake, domain="example.co.uk", limit=2) == [0, 1]
    assert samples_named(lake, domain="b.github.io") == [one + 1]
    assert samples_named(lake, host="10.0.0.1") == samples_named(lake, domain="10.0.0.1") == [one + 2]
    assert samples_named(lake, domain="xn--bcher-kva.example") == [two]
    with pytest.raises(UsageError, match="found none in this lake"):
        samples_named(lake, host="a.example")
    with pytest.raises(UsageError, match=r"a host of 'example.co.uk'; ask for --domain example.co.uk or --host"):
        samples_named(lake, domain="news.example.co.uk")
    with pytest.raises(UsageError, match="^expected a host"):
        samples_named(lake, domain="//")


def test_an_indexed_lake_is_asked_without_reading_content(tmp_path: Path) -> None:
    """The content's files may be away: a question about a host reads the index alone."""
    lake = indexed_lake(tmp_path, 0, 1, 2)
    for path in tmp_path.glob("samples/family=content/**/*.parquet"):
        path.unlink()
    assert samples_named(lake, host="a.github.io") == [1 << 24]
    assert samples_named(lake, domain="a.github.io") == [1 << 24]


def test_damage_is_told(tmp_path: Path) -> None:
    """Files that are gone are named as damage of the lake, whether the index or the URLs are asked."""
    for indexed, family in (((), "content"), ((0, 1, 2), "host_index")):
        folder = tmp_path / family
        lake = indexed_lake(folder, *indexed)
        for path in folder.glob(f"samples/family={family}/**/*.parquet"):
            path.unlink()
        with pytest.raises(CorruptLakeError, match="which is gone; restore it"):
            samples_named(lake, host="a.github.io")
