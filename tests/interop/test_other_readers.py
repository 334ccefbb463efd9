"""Programs that know nothing of Headwater read the lake and its shards, and find the rows that Headwater finds."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import main_job
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder
from tokenizers import Tokenizer

from headwater.lineage.checks.lake import verify
from headwater.lineage.views import connect
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json
from headwater.warehouse import made_indexes
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import fragment_mask, sample_ids
from headwater.warehouse.maintain import maintain
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import FAMILIES, arrow_schema
from headwater.warehouse.snapshot import open_snapshot, table_uri

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.interop, pytest.mark.spark]

OF_OTHER_RECIPES = ("blocklists", "html", "recaptures", "takedowns", "texts")
"""Families that the main job does not fill; a lake that holds a file of each is made for them."""
OF_MAINTENANCE = ("band_index", "hash_index")
WRITTEN = [
    name for name in FAMILIES if name not in ("contamination", "vocabularies", *OF_OTHER_RECIPES, *OF_MAINTENANCE)
]
Rows = list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """Two lakes with the same samples: as its steps left it, and after maintenance."""

    fresh: Path
    maintained: Path
    build: str
    replaced: int


@pytest.fixture(scope="module")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The undisturbed lake, and a copy of it that was compacted and swept without any retention."""
    lake, build, _ = main_job.undisturbed(spark, tmp_path_factory)
    copy = tmp_path_factory.mktemp("maintained") / "lake"
    shutil.copytree(lake, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_indexes, "LEAST_ROWS", 1)  # fragments here are small
        report = maintain(str(copy), retention_hours=0, orphan_hours=0)
    return Built(fresh=lake, maintained=copy, build=build, replaced=report.compacted)


def rows_of(table: pa.Table, family: str) -> Rows:
    """Return the rows of a table as text, sorted: readers differ in types of the same meaning and in order."""
    schema = arrow_schema(family)
    columns = []
    for field in schema:
        column = table[field.name]
        if pa.types.is_timestamp(field.type):
            column = pc.cast(column, pa.timestamp("us", tz="UTC"))
        columns.append([repr(bytes(v) if isinstance(v, bytearray) else v) for v in column.to_pylist()])
    return sorted(zip(*columns, strict=True))


def by_views(lake: Path, spark: SparkSession, family: str) -> pa.Table:
    """Read a family through Headwater's own views."""
    with connect(str(lake)) as connection:
        return connection.execute(f"SELECT * FROM {family}").to_arrow_table()


def by_duckdb(lake: Path, spark: SparkSession, family: str) -> pa.Table:
    """Read a family with DuckDB's delta extension alone."""
    found = importlib.util.find_spec("duckdb_extension_delta")
    assert found is not None
    assert found.origin is not None
    extension = next(Path(found.origin).parent.rglob("delta.duckdb_extension"))
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension}'")
        scan = f"SELECT * FROM delta_scan('{table_uri(str(lake))}') WHERE family = '{family}'"
        return connection.execute(scan).to_arrow_table()


def by_delta_rs(lake: Path, spark: SparkSession, family: str) -> pa.Table:
    """Read a family with delta-rs through pyarrow's data sets."""
    names = [field.name for field in arrow_schema(family)]
    return DeltaTable(table_uri(str(lake))).to_pyarrow_table(filters=[("family", "=", family)], columns=names)


def by_data_fusion(lake: Path, spark: SparkSession, family: str) -> pa.Table:
    """Read a family with delta-rs through its own SQL engine."""
    names = ", ".join(f'"{field.name}"' for field in arrow_schema(family))
    query = QueryBuilder().register("lake", DeltaTable(table_uri(str(lake))))
    return pa.table(query.execute(f"SELECT {names} FROM lake WHERE family = '{family}'").read_all())


def by_spark(lake: Path, spark: SparkSession, family: str) -> pa.Table:
    """Read a family's files with Spark's Parquet reader, which verifies the checksums of pages."""
    snapshot = open_snapshot(str(lake))
    files = [f"{snapshot.uri}/{path}" for path in snapshot.paths(family)]
    return spark.read.parquet(*files).select([field.name for field in arrow_schema(family)]).toArrow()


def by_pyarrow(lake: Path, spark: SparkSession, family: str) -> pa.Table:
    """Read a family's files one by one with pyarrow's Parquet reader."""
    snapshot = open_snapshot(str(lake))
    files = [f"{snapshot.uri}/{path}" for path in snapshot.paths(family)]
    return pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])


@pytest.mark.parametrize("family", WRITTEN)
def test_every_reader_finds_the_same_rows(built: Built, spark: SparkSession, family: str) -> None:
    """DuckDB's delta extension, delta-rs by two engines, Spark and pyarrow agree on every row; maintenance changes none."""
    expected = rows_of(by_views(built.fresh, spark, family), family)
    assert expected or family == "quarantine"
    readers: list[Callable[[Path, Any, str], pa.Table]] = [by_duckdb, by_delta_rs, by_data_fusion]
    if expected:  # a family without files has no place in the table for readers of files
        readers += [by_spark, by_pyarrow]
    for reader in readers:
        assert rows_of(reader(built.fresh, spark, family), family) == expected, reader.__name__
    for reader in (by_views, *readers):
        assert rows_of(reader(built.maintained, spark, family), family) == expected, f"{reader.__name__}, maintained"


@pytest.mark.parametrize("family", OF_MAINTENANCE)
def test_every_reader_finds_the_rows_that_maintenance_makes(built: Built, spark: SparkSession, family: str) -> None:
    """An index that maintenance makes is read by all as well."""
    expected = rows_of(by_views(built.maintained, spark, family), family)
    assert expected
    for reader in (by_duckdb, by_delta_rs, by_data_fusion, by_spark, by_pyarrow):
        assert rows_of(reader(built.maintained, spark, family), family) == expected, reader.__name__


@pytest.fixture(scope="module")
def asked_for(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that holds, of each family that only some recipes ask for, a file of two rows: one full, one with nulls."""
    lake = tmp_path_factory.mktemp("asked") / "lake"
    create_lake(str(lake))
    snapshot = open_snapshot(str(lake))
    ids = pa.array(sample_ids(5, 0, 2))
    base, mask = fragment_mask([5])
    entries = []
    for family in OF_OTHER_RECIPES:
        columns = {
            field.name: ids if field.name == "sample_id" else pa.array([_a_value(field.type), None], field.type)
            for field in arrow_schema(family)
        }
        entries.append(write_family(snapshot.uri, family, "b", base, mask, "a" * 32, [pa.table(columns)]))
    commit(snapshot, adds=entries, wave=("made", 1), lake=str(lake))
    return lake


def _a_value(kind: pa.DataType) -> object:
    """Return some value of a type."""
    if pa.types.is_list(kind):
        return [_a_value(kind.value_type)]
    if pa.types.is_map(kind):
        return [(_a_value(kind.key_type), _a_value(kind.item_type))]
    if pa.types.is_binary(kind):
        return b"\x00\xffbytes"
    if pa.types.is_boolean(kind):
        return True
    return "Zeichen: é" if pa.types.is_string(kind) else 3


@pytest.mark.parametrize("family", OF_OTHER_RECIPES)
def test_every_reader_finds_what_only_some_recipes_ask_for(asked_for: Path, spark: SparkSession, family: str) -> None:
    """The same of the families that block lists, stored pages, several extractors and several captures of a URL leave."""
    expected = rows_of(by_views(asked_for, spark, family), family)
    assert len(expected) == 2
    for reader in (by_duckdb, by_delta_rs, by_data_fusion, by_spark, by_pyarrow):
        assert rows_of(reader(asked_for, spark, family), family) == expected, reader.__name__


def test_maintenance_did_something(built: Built) -> None:
    """The maintained lake has fewer files, a checkpoint, the same shards, and passes every check."""
    fresh, maintained = open_snapshot(str(built.fresh)), open_snapshot(str(built.maintained))
    assert built.replaced > 0
    assert maintained.files.num_rows < fresh.files.num_rows
    assert list(Path(maintained.uri, "_delta_log").glob("*.checkpoint.parquet"))
    assert main_job.shard_hashes(built.fresh, built.build) == main_job.shard_hashes(built.maintained, built.build)
    assert not [check for check in verify(str(built.maintained)) if not check.passed]


def read_megatron(prefix: Path) -> list[npt.NDArray[np.int32]]:
    """Read an indexed data set from the description of its format: the tokens of each document."""
    index = prefix.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack_from("<QBQQ", index, 9)
    assert (version, code) == (1, 4)
    lengths = np.frombuffer(index, "<i4", sequences, 34)
    pointers = np.frombuffer(index, "<i8", sequences, 34 + 4 * sequences)
    bounds = np.frombuffer(index, "<i8", documents, 34 + 12 * sequences)
    assert 34 + 12 * sequences + 8 * documents == len(index)
    data = np.memmap(prefix.with_suffix(".bin"), mode="r", dtype="<i4")
    parts = [data[at // 4 : at // 4 + n] for at, n in zip(pointers.tolist(), lengths.tolist(), strict=True)]
    return [np.concatenate(parts[begin:end]) for begin, end in itertools.pairwise(bounds.tolist())]


def test_shards_read_by_trainers(built: Built) -> None:
    """A reader of Megatron's format and numpy's memmap find the same tokens, sequences of the stage's context, ids of the vocabulary."""
    vocabulary = load_vocabulary()
    shards = sorted((built.fresh / "builds" / built.build).rglob("*.idx"))
    assert len(shards) >= 6
    for index in shards:
        documents = read_megatron(index.with_suffix(""))
        mapped = np.load(index.with_suffix(".npy"), mmap_mode="r")
        assert {len(document) for document in documents} == {1024 if index.parent.name == "mid-training" else 256}
        assert np.array_equal(np.stack(documents), mapped)
        assert mapped.max() <= vocabulary.end_of_text


def test_sample_found_in_shard(built: Built) -> None:
    """The tokens that placements name, read by numpy and decoded by the `tokenizers` package, are a sample's text."""
    with connect(str(built.fresh)) as connection:
        sample, text = connection.execute(
            "SELECT sample_id, text FROM samples WHERE sample_id IN (SELECT sample_id FROM placements) AND "
            "sample_id NOT IN (SELECT sample_id FROM spans) ORDER BY content_hash LIMIT 1"
        ).fetchall()[0]
        places = connection.execute(
            "SELECT stage, shard, token_begin, token_end FROM placements WHERE sample_id = ? AND copy = 0 ORDER BY sample_token_begin",
            [sample],
        ).fetchall()
    tokens: list[int] = []
    for stage, shard, begin, end in places:
        file = built.fresh / "builds" / built.build / stage / f"shard-{shard:05d}.npy"
        tokens += np.load(file, mmap_mode="r").reshape(-1)[begin:end].tolist()
    tokenizer = Tokenizer.from_str(write_tokenizer_json(load_vocabulary(), specials=False))
    assert tokenizer.decode(tokens[:-1], skip_special_tokens=False) == text
