"""Files of the lake: what is written, what a reader refuses, and that no statistics hold text."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from family_rows import CANARY, OPERATOR, make_rows, write

from headwater.errors import CorruptLakeError, LakeFormatError, StorageError
from headwater.warehouse import parquet
from headwater.warehouse.columns import family_columns
from headwater.warehouse.fragments import fragments_of
from headwater.warehouse.parquet import (
    FragmentFiles,
    check_file,
    read_aligned,
    read_as_written,
    read_file,
    read_sparse,
    slice_by_bytes,
    write_family,
)
from headwater.warehouse.schema import ALIGNED, FAMILIES, arrow_schema


def _where(fragment: int, **files: tuple[str, int]) -> FragmentFiles:
    return FragmentFiles(fragment=fragment, batch="b", files=files)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_reads_back_as_written(family: str, tmp_path: Path) -> None:
    """Rows of every family come back equal, a row group a fragment, an empty one too."""
    entry = write(str(tmp_path), family, [4, 6, 7], [3, 0, 5])
    groups = list(read_file(str(tmp_path), entry.path))
    assert [group.num_rows for group in groups] == [3, 0, 5]
    for fragment, group, rows in zip([4, 6, 7], groups, [3, 0, 5], strict=True):
        assert group.equals(make_rows(family, fragment, rows).cast(group.schema))
    assert entry.rows == 8
    assert entry.size == (tmp_path / entry.path).stat().st_size
    assert check_file(str(tmp_path), entry.path, entry.sha256) is None
    if FAMILIES[family].by_sample:
        assert fragments_of(entry.base, entry.mask) == [4, 6, 7]
        assert (entry.min_id, entry.max_id) == (4 << 24, (7 << 24) + 4)
    else:
        assert (entry.min_id, entry.max_id) == (None, None)


def test_a_file_without_rows_has_no_bounds(tmp_path: Path) -> None:
    """The description of a file of empty row groups says None, not 0."""
    entry = write(str(tmp_path), "spans", [1, 2], 0)
    assert (entry.rows, entry.min_id, entry.max_id) == (0, None, None)
    assert [group.num_rows for group in read_file(str(tmp_path), entry.path)] == [0, 0]


def test_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    """A task that is tried again writes the same bytes under the same name."""
    assert write(str(tmp_path / "a"), "content", [1]) == write(str(tmp_path / "b"), "content", [1])


def test_nothing_is_left_of_a_file_that_could_not_be_finished(tmp_path: Path) -> None:
    """An error while rows are made leaves no file, whole or half."""

    def groups() -> object:
        yield make_rows("language", 1, 3)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_family(str(tmp_path), "language", "b", 1, 1, OPERATOR, groups())  # type: ignore[arg-type]  # a generator that ends in an error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    """The message names the folder and what to do."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="free space or grant permission"):
        write(str(tmp_path / "file"), "language", [1])


def test_every_flipped_bit_of_a_page_is_noticed(tmp_path: Path) -> None:
    """Page checksums: a flip in any column's pages is an error that names the file, never other rows."""
    entry = write(str(tmp_path), "content", [1], 40)
    path = tmp_path / entry.path
    data = path.read_bytes()
    footer = pq.ParquetFile(path).metadata.row_group(0)
    draw = random.Random(7)
    for number in range(footer.num_columns):
        column = footer.column(number)
        begin = column.dictionary_page_offset or column.data_page_offset
        for _ in range(12):
            damaged = bytearray(data)
            damaged[begin + draw.randrange(column.total_compressed_size)] ^= 1 << draw.randrange(8)
            path.write_bytes(damaged)
            told = ""
            try:
                (found,) = read_file(str(tmp_path), entry.path)
            except CorruptLakeError as error:
                told = str(error)
            # Some bits of a page's header mean nothing to a reader: then the rows are the same.
            assert entry.path in told or found.equals(make_rows("content", 1, 40).cast(found.schema))
            assert CANARY not in told
            fault = check_file(str(tmp_path), entry.path, entry.sha256)
            assert fault is not None
            assert "expected SHA-256" in fault


def test_damage_anywhere_is_told_by_name_or_by_the_hash(tmp_path: Path) -> None:
    """A flip in a footer may pass a reader's checks; nothing but CorruptLakeError comes out, and the SHA-256 tells it."""
    entry = write(str(tmp_path), "minhash", [1, 2], 20)
    path = tmp_path / entry.path
    data = path.read_bytes()
    draw = random.Random(11)
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        damaged[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            list(read_file(str(tmp_path), entry.path))
        except CorruptLakeError:
            refused += 1
        assert check_file(str(tmp_path), entry.path, entry.sha256) is not None
    assert refused > 200


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_cut_file_is_refused(keep: int, tmp_path: Path) -> None:
    """Empty, without a footer, or one byte short: an error that names the file."""
    entry = write(str(tmp_path), "language", [1], 20)
    path = tmp_path / entry.path
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CorruptLakeError, match="family=language/batch=b/"):
        list(read_file(str(tmp_path), entry.path))


@pytest.mark.parametrize("stored", [None, b"0", b"3", b"1 "])
def test_another_format_version_is_refused(stored: bytes | None, tmp_path: Path) -> None:
    """Readers accept exactly the versions that they know; a file without one is foreign."""
    metadata = {b"other": b"1"} if stored is None else {b"headwater.format": stored}
    table = make_rows("language", 1, 2).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(CorruptLakeError, match="expected lake format 1 or 2"):
        list(read_file(str(tmp_path), "x.parquet"))


def _written_as(version: int, family: str, without: str, folder: Path) -> str:
    """Write two rows of a family as another format had them, without one column; return the file's path in the table."""
    path = f"family={family}/batch=b/x.parquet"
    (folder / path).parent.mkdir(parents=True)
    metadata = {b"headwater.format": str(version).encode()}
    rows = make_rows(family, 1, 2).drop_columns([without]).replace_schema_metadata(metadata)
    pq.write_table(rows, folder / path)
    return path


def test_a_column_that_came_later_is_null(tmp_path: Path) -> None:
    """A file from before a column was added to its family is read with nulls, by name or as a whole."""
    path = _written_as(1, "vocabularies", "sampled_bytes", tmp_path)
    (named,) = read_file(str(tmp_path), path, ["sample_id", "sampled_bytes"])
    (whole,) = read_file(str(tmp_path), path)
    assert named["sampled_bytes"].to_pylist() == whole["sampled_bytes"].to_pylist() == [None, None]
    assert named["sampled_bytes"].type == pa.int64()
    assert sorted(whole.column_names) == sorted(arrow_schema("vocabularies").names)


def test_a_column_of_another_meaning_is_refused(tmp_path: Path) -> None:
    """Of a file of format 1 family `stages` gives what means the same today, and never the sentence as if it were a code."""
    path = _written_as(1, "stages", "refusals", tmp_path)
    (rows,) = read_file(str(tmp_path), path, ["stage", "copies", "rank"])
    assert rows.num_rows == 2
    for names in (["reason"], ["pool", "stage"], ["refusals"], None):
        with pytest.raises(LakeFormatError, match="found a file of format 1; bring the lake up to date"):
            list(read_file(str(tmp_path), path, names))
    (as_written,) = read_as_written(str(tmp_path), path)
    assert "reason" in as_written.column_names
    assert "refusals" not in as_written.column_names


def test_families_are_zipped_by_position(tmp_path: Path) -> None:
    """Columns of several families stand side by side, text in the row groups of its file."""
    uri = str(tmp_path)
    groups = [make_rows("content", 5, 7).slice(0, 4), make_rows("content", 5, 7).slice(4)]
    content = write_family(uri, "content", "b", 5, 1, OPERATOR, groups)
    language = write(uri, "language", [4, 5, 6], [2, 7, 1], first=10)
    where = _where(5, content=(content.path, 0), language=(language.path, 1))
    tables = list(read_aligned(uri, where, {"language": ["script", "language"], "content": ["text"]}))
    assert [table.num_rows for table in tables] == [4, 3]
    assert tables[0].column_names == ["sample_id", "text", "script", "language"]
    whole = pa.concat_tables(tables)
    assert whole["sample_id"].to_pylist() == [(5 << 24) + row for row in range(7)]
    assert whole["text"].to_pylist() == [f"{CANARY} {row}" for row in range(7)]
    assert whole["language"].to_pylist() == [f"{CANARY} {10 + row}" for row in range(7)]
    (narrow,) = read_aligned(uri, where, {"language": ["language"]})
    assert narrow.num_rows == 7


def test_other_ids_are_noticed_and_the_file_is_named(tmp_path: Path) -> None:
    """A family whose rows belong to another fragment, or stand in another order, is never zipped."""
    uri = str(tmp_path)
    content = write(uri, "content", [5], 4)
    elsewhere = write(uri, "language", [6], 4)
    turned = write_family(uri, "scores", "b", 5, 1, OPERATOR, [make_rows("scores", 5, 4).take([0, 2, 1, 3])])
    for family, entry in (("language", elsewhere), ("scores", turned)):
        where = _where(5, content=(content.path, 0), **{family: (entry.path, 0)})
        alone: dict[str, list[str]] = {family: []}
        for columns in (alone, {"content": ["text"], **alone}):
            with pytest.raises(CorruptLakeError, match=entry.path):
                list(read_aligned(uri, where, columns))


def test_content_of_another_fragment_is_noticed(tmp_path: Path) -> None:
    """Content read alone is checked too: its ids say which fragment it is."""
    uri = str(tmp_path)
    content = write(uri, "content", [6], 4)
    with pytest.raises(CorruptLakeError, match=content.path):
        list(read_aligned(uri, _where(5, content=(content.path, 0)), {"content": ["text"]}))


@pytest.mark.parametrize("rows", [0, 3, 5])
def test_other_row_counts_are_noticed_and_both_files_are_named(rows: int, tmp_path: Path) -> None:
    """Fewer or more rows than content, or than another family, is an error before any row is given out."""
    uri = str(tmp_path)
    content, language = write(uri, "content", [5], 4), write(uri, "language", [5], rows)
    scores = write(uri, "scores", [5], 4)
    where = _where(5, content=(content.path, 0), language=(language.path, 0), scores=(scores.path, 0))
    for other, columns in ((content, {"content": ["text"], "language": []}), (scores, {"scores": [], "language": []})):
        with pytest.raises(CorruptLakeError) as caught:
            next(iter(read_aligned(uri, where, columns)))
        assert language.path in str(caught.value)
        assert other.path in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that the log names and that is gone is a corrupt lake."""
    uri = str(tmp_path)
    entry = write(uri, "language", [5])
    (tmp_path / entry.path).unlink()
    with pytest.raises(CorruptLakeError, match=f"{entry.path}, which is gone"):
        list(read_aligned(uri, _where(5, language=(entry.path, 0)), {"language": []}))
    assert check_file(uri, entry.path, entry.sha256) == f"{entry.path} is missing"


def test_a_missing_family_or_row_group_is_named(tmp_path: Path) -> None:
    """A fragment without the family, or a file without its row group, is an error that says so."""
    uri = str(tmp_path)
    entry = write(uri, "spans", [5])
    with pytest.raises(CorruptLakeError, match="family spans to have rows of fragment 5"):
        read_sparse(uri, _where(5), "spans", [])
    with pytest.raises(CorruptLakeError, match="family language to have rows of fragment 5"):
        list(read_aligned(uri, _where(5), {"language": []}))
    with pytest.raises(CorruptLakeError, match=f"row group 1 of {entry.path}"):
        read_sparse(uri, _where(5, spans=(entry.path, 1)), "spans", [])


def test_a_sparse_family_gives_its_rows_of_one_fragment(tmp_path: Path) -> None:
    """Sparse rows come by fragment, none where there are none."""
    uri = str(tmp_path)
    entry = write(uri, "spans", [5, 9], [2, 0])
    found = read_sparse(uri, _where(5, spans=(entry.path, 0)), "spans", ["operator"])
    assert found["sample_id"].to_pylist() == [5 << 24, (5 << 24) + 1]
    assert read_sparse(uri, _where(9, spans=(entry.path, 1)), "spans", ["operator"]).num_rows == 0


@pytest.mark.parametrize("family", list(FAMILIES))
def test_statistics_are_of_numbers_only(family: str, tmp_path: Path) -> None:
    """No footer says anything of a text or bytes column: what a takedown removes must not stay in one."""
    entry = write(str(tmp_path), family, [1], 5)
    file = pq.ParquetFile(tmp_path / entry.path)
    group = file.metadata.row_group(0)
    with_statistics = {
        group.column(at).path_in_schema for at in range(group.num_columns) if group.column(at).is_stats_set
    }
    assert with_statistics <= {
        "sample_id",
        "uri_hash",
        "domain_hash",
        "hash_key",
        "band_key",
        "token_begin",
        "shard",
        "record_no",
    }
    assert ("sample_id" in with_statistics) == FAMILIES[family].by_sample
    data = (tmp_path / entry.path).read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    assert CANARY.encode() not in data[-8 - length :]


def test_columns_find_their_aligned_family() -> None:
    """A name that several families share is the aligned one's: rules and frames read aligned rows."""
    found = family_columns(["file_id", "language", "quality", "record_no", "no_such", "kept"])
    assert found == {
        "content": ["file_id", "record_no"],
        "language": ["language"],
        "scores": ["quality"],
        "verdicts": ["kept"],
    }
    everything = {name for family in ALIGNED for name in arrow_schema(family).names} - {"sample_id", "run_id"}
    assert {name for names in family_columns(sorted(everything)).values() for name in names} == everything


def test_captures_of_earlier_releases_are_null(tmp_path: Path) -> None:
    """A fragment without captures reads as one whose captures are null, beside its content or alone."""
    uri = str(tmp_path)
    path = write(uri, "content", [1], 5).path
    where = FragmentFiles(fragment=1, batch="b", files={"content": (path, 0)})
    for columns in ({"content": ["text"], "captures": ["host", "robots"]}, {"captures": ["host", "robots"]}):
        table = pa.concat_tables(read_aligned(uri, where, columns))
        assert table["host"].null_count == table["robots"].null_count == table.num_rows == 5
    with pytest.raises(CorruptLakeError, match="language"):
        list(read_aligned(uri, where, {"language": ["script"]}))


@pytest.mark.parametrize(
    ("sizes", "pieces"),
    [([], []), ([3], [1]), ([4, 6], [2]), ([4, 7], [1, 1]), ([30, 1, 1], [1, 2]), ([0, 0, 11, 0], [2, 1, 1])],
)
def test_slices_stay_under_the_limit(sizes: list[int], pieces: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece holds at most the limit, or one row that is longer; together they are the table."""
    monkeypatch.setattr(parquet, "BATCH_BYTES", 10)
    table = pa.table({"text_bytes": pa.array(sizes, pa.int64())})
    found = list(slice_by_bytes(table))
    assert [piece.num_rows for piece in found] == pieces
    assert [size for piece in found for size in piece["text_bytes"].to_pylist()] == sizes


@pytest.mark.parametrize("family", ["placements", "verdicts", "spans"])
def test_a_flipped_bit_is_the_same_table_or_names_the_file(family: str, tmp_path: Path) -> None:
    """Any flip in a footer or page is told as damage of the file, whatever pyarrow makes of it: a SystemError among the rest."""
    uri = str(tmp_path)
    path = write(uri, family, [0, 1], 20).path
    file = tmp_path / path
    sound = file.read_bytes()
    tables = list(read_file(uri, path))
    draw = random.Random(family)
    told: list[str] = []
    for _ in range(400):
        at = draw.randrange(len(sound))
        file.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << draw.randrange(8)]) + sound[at + 1 :])
        try:
            found = list(read_file(uri, path))
        except (CorruptLakeError, LakeFormatError) as error:
            told.append(str(error))
        else:
            assert [table.schema.names for table in found] == [table.schema.names for table in tables]
    assert len(told) > 200
    assert all(path in message and "\n" not in message for message in told)
