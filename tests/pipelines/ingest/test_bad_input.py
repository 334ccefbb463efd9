"""Bad input, bad recipes and a bad machine, through the whole job: named with their reason, and the rest goes on."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import main_job
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from headwater.cli.root import cli
from headwater.errors import MissingDependencyError, RecipeError, StorageError
from headwater.lineage.checks.lake import verify
from headwater.lineage.views import connect
from headwater.pipelines.recipe.job import Recipe, load_recipe, parse_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.run import RunReport, run
from headwater.pipelines.selection.step import select
from headwater.pipelines.spark.sessions import run_tasks, session
from headwater.warehouse.commit import create_lake
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import open_snapshot, table_uri

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PROMISED_WORKER_BYTES = 1_500_000_000

# File → records taken from it, and the refusals: (record number, reason).
EXPECTED: dict[str, tuple[int, list[tuple[int, str]]]] = {
    "empty.jsonl": (0, []),
    "zero_rows.parquet": (0, []),
    "truncated.jsonl.gz": (1, [(-1, "truncated_compression")]),
    "picture.jsonl": (0, [(-1, "wrong_format")]),
    "parquet_named.jsonl": (1, []),
    "plain_named.jsonl.gz": (1, []),
    "invalid_utf8.jsonl": (1, [(1, "invalid_utf8")]),
    "surrogate.jsonl": (1, [(1, "lone_surrogate")]),
    "nul.jsonl": (1, [(1, "nul_byte")]),
    "long_line.jsonl": (2, [(1, "record_too_large")]),
    "deep.jsonl": (1, [(1, "too_deep")]),
    "bomb.jsonl.gz": (1, [(-1, "expansion_ratio")]),
    "no_text.parquet": (0, [(-1, "no_text_column")]),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """The lake of one run over all bad files, and what the run reported."""

    lake: Path
    recipe: Recipe
    report: RunReport
    worker_bytes: int


def good(number: int) -> bytes:
    """Return a line with a document that nothing is wrong with."""
    document = main_job.documents()[number] | {"url": f"https://good.example.org/{number}"}
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def write_bad_files(folder: Path) -> None:
    """Write the files of EXPECTED; most hold a good document beside the bad record."""
    folder.mkdir()
    numbers = iter(range(100))
    text = {"text": ["Short, and nothing is wrong with it."]}
    (folder / "empty.jsonl").touch()
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), folder / "zero_rows.parquet")
    pq.write_table(pa.table({"body_html": ["nothing that is known as a text"]}), folder / "no_text.parquet")
    pq.write_table(pa.table(text), folder / "parquet_named.jsonl")
    (folder / "plain_named.jsonl.gz").write_bytes(good(next(numbers)))
    (folder / "picture.jsonl").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    whole = gzip.compress(good(next(numbers)) + os.urandom(1 << 16).hex().encode())
    (folder / "truncated.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    for name, line in {
        "invalid_utf8.jsonl": b'{"text": "latin-1: \xe9"}',
        "surrogate.jsonl": b'{"text": "half: \\ud83d"}',
        "nul.jsonl": b'{"text": "nothing: \\u0000"}',
        "deep.jsonl": b'{"text": "deep", "tree": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    }.items():
        (folder / name).write_bytes(good(next(numbers)) + line + b"\n")
    with (folder / "long_line.jsonl").open("wb") as stream:
        stream.write(good(next(numbers)) + b'{"text": "')
        for _ in range(200):
            stream.write(b"x" * 1_000_000)
        stream.write(b'"}\n' + good(next(numbers)))
    with gzip.open(folder / "bomb.jsonl.gz", "wb") as packed:
        packed.write(good(next(numbers)) + b'{"text": "')
        for _ in range(60):
            packed.write(b"a" * 1_000_000)


def altered(**sections: Any) -> Recipe:
    """Return the recipe with other sections."""
    return parse_recipe(load_recipe(main_job.RECIPE).literals | sections)


@pytest.fixture(scope="module")
def refused(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """One run over all bad files, with a limit of 1 MiB a record."""
    root = tmp_path_factory.mktemp("refused")
    write_bad_files(root / "in")
    recipe = altered(ingest={"max_record_bytes": 1 << 20})
    report = run(spark, str(root / "lake"), recipe, [str(root / "in")])
    (root / "in" / "long_line.jsonl").unlink()

    def peak_bytes(_: int) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    peak = max(run_tasks(spark, peak_bytes, list(range(4))))
    return Refused(lake=root / "lake", recipe=recipe, report=report, worker_bytes=peak)


@pytest.mark.spark
@pytest.mark.parametrize("name", EXPECTED)
def test_bad_file_is_named(refused: Refused, name: str) -> None:
    """A bad record or file is a quarantine row with its number and reason; the good records of the file are in the lake."""
    with connect(str(refused.lake)) as connection:
        file = connection.execute(
            "SELECT file_id, records, quarantined FROM files WHERE file_uri LIKE '%/' || ?", [name]
        ).fetchall()
        assert len(file) == 1
        rows = connection.execute(
            "SELECT record_no, quarantine_reason FROM quarantine WHERE file_id = ? ORDER BY ALL", [file[0][0]]
        ).fetchall()
    records, reasons = EXPECTED[name]
    assert rows == reasons
    assert file[0][1:] == (records, len(reasons))


@pytest.mark.spark
def test_bad_files_stop_nothing(refused: Refused) -> None:
    """The run over bad files ends with a build, every check passes, and no worker took more memory than is promised."""
    assert refused.report.steps[0].counts["records"] == sum(records for records, _ in EXPECTED.values())
    assert not [check for check in verify(str(refused.lake)) if not check.passed]
    assert (refused.lake / "builds" / refused.report.build / "knowledge" / "manifest.json").exists()
    assert refused.worker_bytes < PROMISED_WORKER_BYTES


@pytest.mark.spark
def test_text_of_refused_records_is_nowhere(refused: Refused) -> None:
    """What was refused is in no file of the lake."""
    for path in refused.lake.rglob("*"):
        assert path.is_dir() or b"latin-1: " not in path.read_bytes()


@pytest.mark.spark
def test_budget_beyond_the_lake_is_reported(spark: SparkSession, refused: Refused) -> None:
    """A stage that wants more than there is takes all it can have and says how much is missing."""
    stage = dataclasses.replace(refused.recipe.stages[0], budget=None, budget_tokens=10**9)
    recipe = dataclasses.replace(refused.recipe, stages=(stage, *refused.recipe.stages[1:]))
    selection = select(spark, resolve(recipe, str(refused.lake)), dry_run=True)
    got = sum(cell.got for cell in selection.cells if cell.stage == stage.name)
    assert selection.unplaced[stage.name] == 10**9 - got
    assert got > 0


@pytest.mark.spark
def test_shortfall_may_be_an_error(spark: SparkSession, refused: Refused) -> None:
    """With on_shortfall = "error" the same is refused before anything is written."""
    stage = dataclasses.replace(refused.recipe.stages[0], budget=None, budget_tokens=10**9, on_shortfall="error")
    recipe = dataclasses.replace(refused.recipe, stages=(stage, *refused.recipe.stages[1:]))
    before = open_snapshot(str(refused.lake)).version
    files = sorted(refused.lake.rglob("*"))
    with pytest.raises(RecipeError, match="1000000000|1,000,000,000"):
        run(spark, str(refused.lake), recipe)
    assert open_snapshot(str(refused.lake)).version == before
    assert sorted(refused.lake.rglob("*")) == files


def headwater(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli, arguments)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("max_copies = 2", "max_copy = 2", "max_copies"),
        ("[spans]", '[rules]\nsets = ["gophers"]\n[spans]', "gopher"),
        ("[spans]", "[rules.limits]\ngopher_min_word = 3\n[spans]", "gopher_min_words"),
        ("general = 0.68", "general = 0.78", "1"),
        ("general = 0.68, reasoning", "general = 0.68, reason", "reasoning"),
        ("format = 1", "format = ", "TOML"),
    ],
    ids=["unknown key", "unknown rule set", "unknown rule", "shares beyond 1", "unknown pool", "no TOML"],
)
def test_bad_recipe_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A wrong recipe ends with exit code 2 before Spark starts or a lake is made; the message names what would be right."""
    text = main_job.RECIPE.read_text("utf-8")
    assert old in text
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text.replace(old, new, 1), "utf-8")
    done = headwater("run", str(tmp_path / "lake"), str(recipe), "--input", str(tmp_path))
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "lake").exists()


def test_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java the message says what to install, and the command ends with exit code 1."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingDependencyError, match="Java 17"):
        session()
    done = headwater("run", str(tmp_path / "lake"), str(main_job.RECIPE), "--input", str(tmp_path))
    assert (done.exit_code, "Java 17" in done.output) == (1, True)


def test_lake_below_a_file(tmp_path: Path) -> None:
    """A lake cannot be made where there is no folder to make it in: exit code 1, and the message names the place."""
    (tmp_path / "file").touch()
    done = headwater("init", str(tmp_path / "file" / "lake"))
    assert done.exit_code == 1
    assert str(tmp_path / "file" / "lake") in done.output


@cache
def may_mount() -> bool:
    """Whether this user may mount a file system in a name space of its own; containers often forbid it."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False, timeout=60
    )
    return done.returncode == 0


def in_namespace(script: str, *arguments: str) -> str:
    """Run a shell script in which file systems may be mounted, with ``headwater`` as a function; return what it printed."""
    head = f'set -eu\nheadwater() {{ "{sys.executable}" -m headwater "$@" 2>&1; }}\n'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", head + script, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=main_job.TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_no_write_permission(tmp_path: Path) -> None:
    """A lake on a file system that may only be read is refused with a message and exit code 1; nothing of it changes."""
    if not may_mount():
        folder = tmp_path / "locked"
        folder.mkdir(mode=0o500)
        if os.access(folder, os.W_OK):
            folder = Path("/proc")  # root may write anywhere but where the kernel says no
        with pytest.raises(StorageError):
            create_lake(str(folder / "lake"))
        return
    script = """
        mount -t tmpfs disk "$1"
        headwater init "$1/lake" > "$2"
        mount -o remount,ro "$1"
        if headwater init "$1/other"; then exit 9; else echo "code $?"; fi
        if headwater maintain "$1/lake" ; then exit 9; else echo "code $?"; fi
        test ! -e "$1/other"
    """
    (tmp_path / "disk").mkdir()
    told = in_namespace(script, str(tmp_path / "disk"), str(tmp_path / "out"))
    assert told.count("code 1") == 2
    assert told.count("Read-only file system") == 2
    assert "Traceback" not in told


@pytest.mark.spark
def test_full_disk(tmp_path: Path) -> None:
    """On a full disk the step fails with exit code 1 and the table stays whole; with space the same command goes on and succeeds."""
    if not may_mount():
        full_disk_by_limit(tmp_path)
        return
    script = """
        mount -t tmpfs -o size=260k disk "$1"
        if headwater run "$1/lake" "$2" --input "$3" --master local[1]; then exit 9; else echo "code $?"; fi
        headwater sql "$1/lake" "SELECT count(*) AS n FROM content" --output json
        mount -o remount,size=100m "$1"
        headwater run "$1/lake" "$2" --input "$3" --master local[1] --output json
        headwater verify "$1/lake" --output json > "$4"
    """
    (tmp_path / "disk").mkdir()
    (folder,) = main_job.write_folders(tmp_path / "in", folders=1)
    told = in_namespace(script, str(tmp_path / "disk"), str(main_job.RECIPE), folder, str(tmp_path / "checks"))
    assert "code 1" in told
    assert "No space left on device" in told
    assert "Traceback" not in told
    assert json.loads((tmp_path / "checks").read_text("utf-8"))["passed"]


def full_disk_by_limit(tmp_path: Path) -> None:
    """Check the same of one family's file with a limit on file size instead of a small disk."""
    create_lake(str(tmp_path / "lake"))
    table = pa.Table.from_pylist([{"text": os.urandom(50_000).hex()}], schema=arrow_schema("content"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    uri = table_uri(str(tmp_path / "lake"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match="free space"):
            write_family(uri, "content", "a", 0, 1, "0" * 16, [table])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [path for path in Path(uri).rglob("*") if path.is_file() and "_delta_log" not in path.parts]
    assert write_family(uri, "content", "a", 0, 1, "0" * 16, [table]).rows == 1
