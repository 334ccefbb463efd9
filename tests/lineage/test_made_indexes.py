"""A text is found by its hash through the index as a scan of all hashes finds it: before the index is made, after, and where it is stale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from family_rows import OPERATOR

from headwater.hashes import content_hashes
from headwater.lineage.checks.made_indexes import made_index_faults
from headwater.lineage.lookup import Lookup
from headwater.warehouse import index_files, made_indexes
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import FileEntry, fragment_mask, sample_ids
from headwater.warehouse.made_indexes import indexed_fragments, make_indexes
from headwater.warehouse.maintain import maintain
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import open_snapshot

FRAGMENTS = [1, 2, 3, 64, 65]
"""Of one batch; 65 is too far from 1 for one file."""
OTHER = "b" * 32


def _content(uri: str, fragment: int, texts: list[str], operator: str = OPERATOR, batch: str = "b") -> FileEntry:
    """Write the content of a fragment, two row groups."""
    n = len(texts)
    known: Mapping[str, pa.Array] = {
        "sample_id": pa.array(sample_ids(fragment, 0, n)),
        "content_hash": content_hashes(pa.array(texts)),
        "text": pa.array(texts),
        "text_bytes": pa.array([len(text) for text in texts], pa.int64()),
        "run_id": pa.array([f"run {fragment}"] * n),
    }
    schema = arrow_schema("content")
    columns = [known.get(field.name, pa.nulls(n, field.type)) for field in schema]
    table = pa.table(columns, names=schema.names)
    return write_family(uri, "content", batch, fragment, 1, operator, [table.slice(0, n // 2), table.slice(n // 2)])


def _texts(fragment: int) -> list[str]:
    """Return texts of which some are in other fragments too, and one in this one twice."""
    return [*(f"{fragment} {number}" for number in range(6)), f"shared {fragment % 2}", "everywhere", f"{fragment} 0"]


@pytest.fixture
def lake(lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lake of five fragments, all large enough for an index, in files of at most three of them."""
    monkeypatch.setattr(made_indexes, "LEAST_ROWS", 9)
    monkeypatch.setattr(made_indexes, "MOST_INDEX_ROWS", 27)
    monkeypatch.setattr(index_files, "GROUP_ROWS", 4)
    snapshot = create_lake(str(lake_folder))
    entries = [_content(snapshot.uri, number, _texts(number)) for number in FRAGMENTS]
    entries.append(_content(snapshot.uri, 66, ["everywhere"]))
    commit(snapshot, adds=entries, wave=("first", 1), lake=str(lake_folder))
    return str(lake_folder)


def _scan(lake: str, text: str) -> list[int]:
    snapshot = open_snapshot(lake)
    tables = [table for path in snapshot.paths("content") for table in read_file(snapshot.uri, path)]
    whole = pa.concat_tables(tables)
    rows = zip(whole["sample_id"].to_pylist(), whole["text"].to_pylist(), strict=True)
    return sorted(sample for sample, each in rows if each == text)


def _found(lake: str, text: str) -> list[int]:
    return Lookup(open_snapshot(lake)).samples_of_hash(content_hashes(pa.array([text]))[0].as_py())


def _same_as_scan(lake: str) -> None:
    asked = [
        "everywhere",
        "shared 0",
        "shared 1",
        "nowhere",
        "",
        *(f"{n} {k}" for n in (*FRAGMENTS, 66) for k in (0, 5)),
    ]
    for text in asked:
        assert _found(lake, text) == _scan(lake, text)


def _faults(lake: str) -> list[str]:
    snapshot = open_snapshot(lake)
    return made_index_faults(snapshot, snapshot.covered("content"))


def test_an_index_finds_what_a_scan_finds(lake: str) -> None:
    """Of every text, once or often, in one file or several; a small fragment has no index and is found; nothing is made twice."""
    _same_as_scan(lake)
    assert make_indexes(lake) == 5
    snapshot = open_snapshot(lake)
    assert indexed_fragments(snapshot, "hash_index").tolist() == FRAGMENTS
    assert [row["rows"] for row in snapshot.live("hash_index").to_pylist()] == [27, 18]
    _same_as_scan(lake)
    assert _faults(lake) == []
    assert make_indexes(lake) == 0
    assert open_snapshot(lake).version == snapshot.version
    maintain(lake, retention_hours=0.0)
    _same_as_scan(lake)


def test_where_texts_are_others_now_the_index_is_none(lake: str) -> None:
    """Content that was extracted anew is read until the next maintenance indexes it; what stood in the same file is found throughout."""
    make_indexes(lake)
    snapshot = open_snapshot(lake)
    (old,) = (
        snapshot.live("content")
        .filter(pa.array([base == 2 for base in snapshot.live("content")["base"].to_pylist()]))["path"]
        .to_pylist()
    )
    texts = ["everywhere", *(f"new {number}" for number in range(8))]
    commit(snapshot, adds=[_content(snapshot.uri, 2, texts, OTHER)], removes=[old], wave=("extract", 1), lake=lake)
    assert indexed_fragments(open_snapshot(lake), "hash_index").tolist() == [1, 3, 64, 65]
    _same_as_scan(lake)
    assert _found(lake, "new 3") == [(2 << 24) + 4]
    assert _faults(lake) == []
    assert make_indexes(lake) > 0
    assert indexed_fragments(open_snapshot(lake), "hash_index").tolist() == FRAGMENTS
    _same_as_scan(lake)
    assert _faults(lake) == []


def test_what_was_taken_down_is_not_indexed(lake: str) -> None:
    """A sample without a text is in no index, and the hash of no text finds it by a scan."""
    snapshot = open_snapshot(lake)
    paths = [row["path"] for row in snapshot.live("content").to_pylist() if row["base"] == 3]
    texts = ["", *_texts(3)[1:]]
    commit(snapshot, adds=[_content(snapshot.uri, 3, texts)], removes=paths, wave=("takedown", 1), lake=lake)
    make_indexes(lake)
    _same_as_scan(lake)
    assert _found(lake, "") == [3 << 24]
    assert _faults(lake) == []


@pytest.mark.parametrize("fault", ["missing", "other", "order"])
def test_verify_finds_an_index_that_is_wrong(lake: str, fault: str) -> None:
    """A text that the index lacks, another hash for one, hashes out of order: each is a fault that names the file."""
    make_indexes(lake)
    snapshot = open_snapshot(lake)
    row = snapshot.live("hash_index").to_pylist()[0]
    table = pa.concat_tables(list(read_file(snapshot.uri, row["path"])))
    if fault == "missing":
        table = table.slice(1)
    elif fault == "order":
        table = table.take(pa.array(np.arange(table.num_rows)[::-1]))
    else:
        keys = table["hash_key"].to_numpy().copy()
        keys[-1] += 1
        table = table.set_column(table.schema.get_field_index("hash_key"), "hash_key", pa.array(keys))
    base, mask = fragment_mask([1, 2, 3])
    entry = write_family(snapshot.uri, "hash_index", "b", base, mask, OPERATOR, [table])
    commit(snapshot, adds=[entry], removes=[row["path"]], wave=("fault", 1), lake=lake)
    assert [entry.path in line for line in _faults(lake)] == [True]
