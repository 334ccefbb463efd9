from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import main_job
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import headwater.pipelines.ingest.step as ingest_step
from headwater.errors import UnreadableInputsError, UsageError
from headwater.lineage.checks.lake import verify
from headwater.lineage.views import connect
from headwater.pipelines.ingest.inputs import InputFile, list_inputs
from headwater.pipelines.ingest.known import KnownFiles
from headwater.pipelines.ingest.step import IngestReport, ingest, ingest_warnings
from headwater.pipelines.recipe.job import Recipe, load_recipe, parse_recipe
from headwater.pipelines.run import run
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def recipe(**limits: int) -> Recipe:
    """Return a recipe with some limits of ingest."""
    return parse_recipe(load_recipe(main_job.RECIPE).literals | {"ingest": limits})


def lines(*texts: str) -> bytes:
    """Return JSON Lines."""
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def rows(lake: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return the answer of the lake to a question in SQL."""
    with connect(str(lake)) as connection:
        return connection.execute(statement).fetchall()


def texts(lake: Path) -> list[tuple[str, int, str]]:
    """Return file, number and text of every record of a lake."""
    found = rows(lake, "SELECT file_uri, record_no, text FROM content JOIN files USING (file_id) ORDER BY ALL")
    return [(Path(uri).name, number, text) for uri, number, text in found]


def refusals(lake: Path) -> list[tuple[str, int, str]]:
    """Return file, number and reason of every refusal of a lake."""
    found = rows(
        lake, "SELECT file_uri, record_no, quarantine_reason FROM quarantine JOIN files USING (file_id) ORDER BY ALL"
    )
    return [(Path(uri).name, number, reason) for uri, number, reason in found]


def assert_reconciled(lake: Path) -> None:
    """Check that counts of files and of runs are those of the rows, and that there is a row a file."""
    failed = [check for check in verify(str(lake)) if not check.passed]
    assert not failed
    counts = [json.loads(row[0]) for row in rows(lake, "SELECT counts FROM runs WHERE step = 'ingest'")]
    total = {
        name: sum(count.get(name, 0) for count in counts) for name in ("files", "records", "quarantined", "released")
    }
    assert total["records"] == len(texts(lake))
    assert total["quarantined"] - total["released"] == len(refusals(lake))
    assert rows(lake, "SELECT count(*), count(DISTINCT file_id) FROM files") == [(total["files"], total["files"])]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """An empty lake."""
    create_lake(str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder for inputs."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def take(
    spark: SparkSession, lake: Path, raw: Path, limits: Mapping[str, int] | None = None, *, retry: bool = False
) -> IngestReport:
    """Ingest a folder by a recipe with some limits."""
    return ingest(spark, str(lake), recipe(**(limits or {})), [str(raw)], retry_quarantined=retry)


@pytest.mark.slow
def test_what_was_refused_comes_in_once_it_may(spark: SparkSession, lake: Path, raw: Path) -> None:
    """After a rename or with a higher limit, a plain ingest takes what it refused, and of what was in not a record twice.

    Four files: a text by another name, records that were too long, a bomb that was none, and a record that no limit mends.
    """
    (raw / "note.log").write_text("A text that was called a log.")
    (raw / "long.jsonl").write_bytes(lines("short", "x" * 3000, "end", "y" * 5000) + b"no JSON\n")
    (raw / "packed.jsonl.gz").write_bytes(
        gzip.compress(lines(*(f"record {n} {n * 7919} " * 60 for n in range(2000))), mtime=0)
    )
    (raw / "bad.jsonl").write_bytes(lines("good") + b"no JSON\n")
    strict = {"max_record_bytes": 2048, "max_expansion_ratio": 10}
    first = take(spark, lake, raw, strict)
    assert (first.files, first.read_again) == (4, 0)
    assert first.reasons == {
        "expansion_ratio": 1,
        "not_json": 2,
        "record_too_large": 2,
        "wrong_format": 1,
    }
    before = texts(lake)
    assert 500 < len(before) < 1500, "of the bomb what came before the fault is in"
    assert_reconciled(lake)

    again = take(spark, lake, raw, strict)
    assert not again.did_something

    (raw / "note.log").rename(raw / "note.txt")
    renamed = take(spark, lake, raw, strict)
    assert (renamed.files, renamed.read_again, renamed.records, renamed.released) == (0, 1, 1, 1)
    assert ("note.txt", 0, "A text that was called a log.") in texts(lake)
    assert_reconciled(lake)

    higher = take(spark, lake, raw, {"max_record_bytes": 4096, "max_expansion_ratio": 10})
    assert (higher.read_again, higher.records, higher.released) == (1, 1, 1)
    assert ("long.jsonl", 3, "record_too_large") in refusals(lake)

    free = take(spark, lake, raw)
    assert free.read_again == 2
    assert [(name, number) for name, number, _ in texts(lake)] == sorted(
        [
            ("note.txt", 0),
            ("bad.jsonl", 0),
            *(("long.jsonl", n) for n in range(4)),
            *(("packed.jsonl.gz", n) for n in range(2000)),
        ]
    )
    assert set(before) <= set(texts(lake))
    assert refusals(lake) == [("bad.jsonl", 1, "not_json"), ("long.jsonl", 4, "not_json")]
    assert_reconciled(lake)

    assert not take(spark, lake, raw).did_something
    lower = take(spark, lake, raw, strict)
    assert not lower.did_something, "a lower limit makes nothing of what is in or was refused worth reading again"


@pytest.mark.slow
def test_retry_reads_whatever_was_refused(spark: SparkSession, lake: Path, raw: Path) -> None:
    """With --retry-quarantined every such file is read, by whatever limits: what is in stays, a refusal stays one row, none is written twice."""
    (raw / "a.jsonl").write_bytes(lines("one") + b"no JSON\n" + lines("x" * 3000, "two"))
    (raw / "b.jsonl").write_bytes(lines("fine"))
    take(spark, lake, raw, {"max_record_bytes": 4096})
    version = open_snapshot(str(lake)).version
    before = texts(lake)
    for limit in (4096, 2048):
        retried = take(spark, lake, raw, {"max_record_bytes": limit}, retry=True)
        assert (retried.files, retried.records, retried.released) == (0, 0, 0)
        assert (texts(lake), refusals(lake)) == (before, [("a.jsonl", 1, "not_json")])
    assert rows(
        lake, f"SELECT count(*) FROM runs WHERE input_version >= {version} AND counts LIKE '%records\":1%'"
    ) == [(0,)]
    assert_reconciled(lake)


def test_a_later_version_reads_again(
    spark: SparkSession, lake: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of which something was refused by an earlier version of ingest is read again, once."""
    (raw / "a.jsonl").write_bytes(lines("one") + b"no JSON\n")
    with monkeypatch.context() as earlier:
        earlier.setattr(ingest_step, "VERSION", 1)
        take(spark, lake, raw)
    first = take(spark, lake, raw)
    assert (first.read_again, first.records, first.released) == (1, 0, 0)
    assert not take(spark, lake, raw).did_something
    assert_reconciled(lake)


def test_equal_files_are_read_by_the_name_that_says_what_they_are(spark: SparkSession, lake: Path, raw: Path) -> None:
    """Of two names of one content the known kind counts, in one run and over several, and no run undoes the other."""
    for name in ("a.log", "b.txt"):
        (raw / name).write_text("One text, two names.")
    report = take(spark, lake, raw)
    assert (report.files, report.records, report.quarantined) == (1, 1, 0)
    assert not take(spark, lake, raw).did_something


@pytest.mark.slow
def test_shards_are_those_of_one_run(
    spark: SparkSession, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refused first and taken later, or taken at once: the same shards, since only the address of a sample tells when it came."""
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    lake = tmp_path / "lake"
    folders = main_job.write_folders(tmp_path / "in")
    create_lake(str(lake))
    ingest(spark, str(lake), recipe(max_record_bytes=1024), folders)
    late = run(spark, str(lake), load_recipe(main_job.RECIPE), folders)
    assert late.steps[0].counts["released"] > 5
    assert (late.build, main_job.shard_hashes(lake, late.build)) == (build, hashes)
    main_job.assert_whole(lake)


def disturb(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Call ``change`` between the inspection of a wave and its reading."""
    find = KnownFiles.find

    def after_inspection(*given: Any) -> Any:
        change()
        return find(*given)

    monkeypatch.setattr(KnownFiles, "find", after_inspection)


def test_inputs_that_change_or_go_are_errors(
    spark: SparkSession, lake: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rewritten with the same size, or deleted, between hash and reading: named, not in the lake, not recorded; the others are in."""
    (raw / "a.jsonl").write_bytes(lines("aaaa"))
    (raw / "b.jsonl").write_bytes(lines("stays"))
    (raw / "c.jsonl").write_bytes(lines("goes"))
    pq.write_table(pa.table({"text": ["parquet one"]}), raw / "d.parquet", compression="none")
    data = (raw / "d.parquet").read_bytes()

    def change() -> None:
        (raw / "a.jsonl").write_bytes(lines("bbbb"))
        (raw / "c.jsonl").unlink(missing_ok=True)
        (raw / "d.parquet").write_bytes(data.replace(b"parquet one", b"parquet two"))

    with monkeypatch.context() as context:
        disturb(context, change)
        report = take(spark, lake, raw)
    assert {Path(uri).name: why for uri, why in report.unreadable} == {
        "a.jsonl": "file_changed",
        "c.jsonl": "No such file or directory",
        "d.parquet": "file_changed",
    }
    assert texts(lake) == [("b.jsonl", 0, "stays")]
    assert refusals(lake) == []
    assert_reconciled(lake)
    take(spark, lake, raw)
    assert [text for _, _, text in texts(lake)] == ["bbbb", "stays", "parquet two"]


@pytest.mark.slow
def test_a_run_goes_no_further_than_decide_without_an_input(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An input that is gone when it is to be read is an error of the run before select, with its cause; a build without it is made when asked for."""
    (folder,) = main_job.write_folders(tmp_path / "in", folders=1)
    gone = InputFile(uri=str(tmp_path / "in" / "gone.jsonl"), size=10)

    def with_one_more(*given: Any) -> Iterator[InputFile]:
        yield gone
        yield from list_inputs(*given)

    steps: list[str] = []
    with monkeypatch.context() as context:
        context.setattr(ingest_step, "list_inputs", with_one_more)
        with pytest.raises(UnreadableInputsError, match=r"gone\.jsonl: No such file or directory; .*--skip-unreadable"):
            run(spark, str(tmp_path / "lake"), recipe(), [folder], on_step=lambda step: steps.append(step.step))
    assert steps == ["ingest", "annotate", "deduplicate", "decide"]
    assert not (tmp_path / "lake" / "builds").exists()
    assert rows(tmp_path / "lake", "SELECT count(*) FROM stages") == [(0,)]
    with monkeypatch.context() as context:
        context.setattr(ingest_step, "list_inputs", with_one_more)
        report = run(spark, str(tmp_path / "lake"), recipe(), [folder], skip_unreadable=True)
    assert [uri for step in report.steps if step.step == "ingest" for uri, _ in step.counts["unreadable"]] == [gone.uri]
    assert (tmp_path / "lake" / "builds" / report.build).is_dir()


def test_odd_inputs(spark: SparkSession, lake: Path, raw: Path) -> None:
    """One bad value and odd names in a folder: all files are read; what is left out by rule is named."""
    (raw / "plain.jsonl").write_bytes(lines("plain"))
    os_name = os.fsencode(raw) + b"/caf\xe9.jsonl"
    with open(os_name, "wb") as stream:  # noqa: PTH123 - a name that is no UTF-8
        stream.write(lines("no UTF-8"))
    pq.write_table(
        pa.table({"text": ["far"], "date": pa.array([253402300800], pa.timestamp("s")), "id": [None]}),
        raw / "far.parquet",
    )
    for name in ("x.jsonl~", "y.jsonl.tmp", ".z.jsonl.crc", "_SUCCESS"):
        (raw / name).write_bytes(lines(name))
    (raw / "lake").symlink_to(lake)
    report = take(spark, lake, raw)
    assert (report.files, report.records, report.unreadable) == (3, 3, ())
    assert {(rule, count) for rule, count, _ in report.left_out} == {("hidden", 2), ("lake", 1), ("temporary", 2)}
    assert sorted(
        rows(
            lake,
            "SELECT regexp_extract(file_uri, '[^/]*$'), text, collected_at FROM content JOIN files USING (file_id)",
        )
    ) == [
        ("caf%E9.jsonl", "no UTF-8", None),
        ("far.parquet", "far", "+10000-01-01T00:00:00"),
        ("plain.jsonl", "plain", None),
    ]
    warnings = ingest_warnings(report, [str(raw)])
    assert len(warnings) == 3
    assert f"left out 1 name, such as {raw}/lake: of a lake" in warnings[1]
    assert not take(spark, lake, raw).did_something


def test_a_lake_is_never_input(spark: SparkSession, tmp_path: Path) -> None:
    """The lake inside its own input stays out of it, run after run; an input inside a lake is refused before the lake is made."""
    (tmp_path / "raw.jsonl").write_bytes(lines("raw"))
    create_lake(str(tmp_path / "lake"))
    for files in (1, 0):
        report = ingest(spark, str(tmp_path / "lake"), recipe(), [str(tmp_path)])
        assert report.files == files
        assert [rule for rule, _, _ in report.left_out] == ["lake"]
    with pytest.raises(UsageError, match="below the lake"):
        ingest(spark, str(tmp_path / "lake"), recipe(), [str(tmp_path / "lake" / "samples")])
    with pytest.raises(UsageError, match="below the lake"):
        run(spark, str(tmp_path / "new"), recipe(), [str(tmp_path / "lake")])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("wrong", ["nowhere", "nothing*.jsonl", ""])
def test_a_wrong_input_makes_no_lake(spark: SparkSession, tmp_path: Path, wrong: str) -> None:
    """A path or glob that names nothing, or an empty one, is refused before a lake is made for it."""
    inputs: Sequence[str] = [str(tmp_path / wrong) if wrong else wrong]
    with pytest.raises(UsageError, match="no input|empty"):
        run(spark, str(tmp_path / "lake"), recipe(), inputs)
    assert not (tmp_path / "lake").exists()
