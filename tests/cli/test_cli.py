from __future__ import annotations

import contextlib
import gzip
import json
import re
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pytest
from click import ClickException
from click.testing import CliRunner, Result

from conftest import DEMO_TEXT, DemoLake
from headwater import errors
from headwater.cli.groups import _failure_in_spark, errors_as_messages
from headwater.cli.rendering import clean, to_json
from headwater.cli.root import cli
from headwater.cli.story import format_trace
from headwater.cli.summaries import format_step
from headwater.lineage.checks.lake import Check
from headwater.lineage.runs import begin_run, commit_wave
from headwater.pipelines.ingest.step import IngestReport
from headwater.warehouse.commit import commit, create_lake, reserve_fragments
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import open_snapshot

SECTIONS = {
    "Make and fill a lake": "init run ingest extract annotate dedup decide".split(),
    "Builds for trainers": "select build export steps reproduce".split(),
    "Questions": "why trace find similar impact diff sql what-if extractors report card runs".split(),
    "Vocabularies, score models and evaluation sets": "vocab score benchmarks".split(),
    "Care": "verify maintain retain log takedown upgrade".split(),
}
COMMANDS = [name for names in SECTIONS.values() for name in names]
GROUPS = {
    "benchmarks": ["add", "list"],
    "report": ["build", "contamination", "personal", "rules"],
    "score": ["train", "eval", "add", "list"],
    "vocab": ["train", "extend", "export", "inspect"],
}
CALLED = [" ".join([name, *rest]) for name in COMMANDS for rest in ([[each] for each in GROUPS.get(name, [])] or [[]])]
ON_SPARK = [
    *"run ingest extract annotate dedup decide select build reproduce takedown verify".split(),
    "vocab train",
    "vocab extend",
]
FIRST = {
    **dict.fromkeys(["vocab export", "vocab inspect"], ("vocabulary", "headwater-156k")),
    "score train": ("name", "legal"),
    "score eval": ("model", "models/legal"),
}
"""Commands whose first argument is no lake → its name, and what the example gives."""
HOSTILE = "a\x1b[2J\x07b\x9bc\u202ed\u2066e\rf\tg\nh\x00i\x7fj"
CLEAN = "a\ufffd[2J\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\tg\nh\ufffdi\ufffdj"


def call(*arguments: object) -> Result:
    """Run the command line in this process; standard output and standard error are kept apart."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def small_lake(lake_folder: Path) -> Path:
    """A lake of two samples in one fragment; one of them would steer a terminal. Made without Spark."""
    snapshot = create_lake(str(lake_folder))
    first = reserve_fragments(str(lake_folder), 1)
    ids = sample_ids(first, 0, 2)
    rows: list[dict[str, Any]] = [
        {
            "sample_id": int(number),
            "file_id": 7,
            "record_no": row,
            "source": "hand",
            "uri": f"https://example.org/{row}",
            "content_hash": bytes([row]) * 16,
            "origin": row,
            "text": text,
            "text_bytes": len(text.encode()),
            "run_id": "by-hand",
        }
        for row, (number, text) in enumerate(zip(ids.tolist(), ["plain", HOSTILE], strict=True))
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema("content"))
    snapshot = newest(lake_folder)
    entry = write_family(snapshot.uri, "content", "b1", first, 1, "0" * 16, [table])
    commit(snapshot, adds=[entry], wave=("test", 1), lake=str(lake_folder))
    return lake_folder


def newest(folder: Path) -> Any:
    """Return the newest version."""
    from headwater.warehouse.snapshot import open_snapshot

    return open_snapshot(str(folder))


def test_commands_are_listed_by_purpose_in_the_order_of_the_job() -> None:
    """Every command stands under a heading with one whole line that says what it does; nothing is offered that does not exist yet."""
    assert list(cli.commands) == COMMANDS
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=100).stdout
    for heading, names in SECTIONS.items():
        block = shown.split(f"\n{heading}:\n")[1].split("\n\n")[0]
        lines = re.findall(r"^  ([\w-]+) {2,}(\S.*\.)$", block, re.MULTILINE)
        assert [name for name, _ in lines] == names == [line.split()[0] for line in block.strip().splitlines()]
        assert not [text for _, text in lines if text.endswith("...")]


def test_no_command_shows_the_commands() -> None:
    """``headwater`` alone shows what ``headwater --help`` shows."""
    assert call().output == call("--help").output


@pytest.mark.parametrize("command", ["", *CALLED, *GROUPS])
def test_help_fits_100_columns(command: str) -> None:
    """No line of a command's help, its examples included, is wider than 100 columns."""
    shown = CliRunner().invoke(cli, [*command.split(), "--help"], terminal_width=100)
    assert not [line for line in shown.stdout.splitlines() if len(line) > 100]


@pytest.mark.parametrize("command", CALLED)
def test_help_has_an_example(command: str) -> None:
    """Each command's help shows a call of that command, on a line of its own."""
    shown = call(*command.split(), "--help")
    assert shown.exit_code == 0
    first = FIRST.get(command, ("lake", "lake"))[1]
    assert re.search(rf"^ *Examples?:\n +headwater {command} {first}\b", shown.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", CALLED)
def test_lake_comes_first_and_output_is_everywhere(command: str) -> None:
    """LAKE, or a vocabulary or model, is the first argument; --output an option of each; --master and --conf of those that need Spark alone."""
    found: click.Command = cli
    for name in command.split():
        assert isinstance(found, click.Group)
        found = found.commands[name]
    parameters = found.params
    first = FIRST.get(command, ("lake", "lake"))[0]
    assert next(p for p in parameters if isinstance(p, click.Argument)).name == first
    options = {name for p in parameters for name in p.opts if name.startswith("--")}
    assert "--output" in options
    assert ({"--master", "--conf"} <= options) == (command in ON_SPARK)


def test_version() -> None:
    """--version prints the version of the package."""
    assert call("--version").stdout == "headwater, version 0.1.0\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["sql", "LAKE"],
        ["sql", "LAKE", "SELECT 1", "--nope"],
        ["why", "LAKE", "--sample", "abc"],
        ["why", "LAKE"],
        ["why", "LAKE", "--sample", "0", "--uri", "u"],
        ["why", "LAKE", "--sample", "99"],
        ["find", "LAKE", "--host", "nowhere.example"],
        ["sql", "LAKE", "SELECT nope"],
        ["sql", "LAKE/none", "SELECT 1"],
        ["runs", "LAKE", "--run", "none"],
        ["find", "LAKE", "--sample", "0", "--build", "typo"],
        ["find", "LAKE", "--sample", "0", "--stage", "typo"],
        ["verify", "LAKE", "--build", "typo"],
        ["steps", "LAKE", "typo", "typo", "--step", "0", "--batch-size", "1"],
        ["export", "LAKE", "typo", "LAKE-out", "--format", "mds"],
        ["what-if", "LAKE", "demo", "--set", "gopher.min_words=30", "--build", "typo"],
        ["sql", "LAKE", "COPY (SELECT 1) TO 'x'"],
        ["sql", "LAKE", "SELECT 1", "--memory", "much"],
        ["sql", "LAKE", "SELECT 1", "--threads", "0"],
        ["sql", "LAKE", "SELECT 1", "--timeout", "nan"],
        ["sql", "LAKE", "SELECT 1", "--timeout", "-1"],
        ["init", "LAKE%20"],
        ["init", "LAKE\n"],
        ["run", "LAKE%20", "demo", "--input", "LAKE"],
        ["ingest", "LAKE\\", "demo", "--input", "LAKE"],
        ["trace", "LAKE", "build", "stage", "0", "0"],
        ["init", "LAKE"],
        ["ingest", "LAKE", "demo"],
        ["annotate", "LAKE", "demo", "--conf", "nonsense"],
        ["annotate", "LAKE", "no-such-recipe"],
        ["build", "LAKE", "demo"],
        ["sql", "LAKE", "SELECT 1", "--version", "1000"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_exits_with_2(arguments: list[str], small_lake: Path) -> None:
    """What the caller must change: exit code 2, a message on standard error without a traceback, nothing on standard output."""
    done = call(*(argument.replace("LAKE", str(small_lake)) for argument in arguments))
    assert done.exit_code == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["init", ""],
        ["run", "", "demo"],
        ["run", "LAKE", ""],
        ["run", "LAKE", "demo", "--input", ""],
        ["ingest", "LAKE", "demo", "LAKE", ""],
        ["annotate", "LAKE", "demo", "--benchmarks", ""],
        ["select", "LAKE", "demo", "--build", ""],
        ["export", "LAKE", "b", "", "--format", "mds"],
        ["why", "LAKE", "--file", ""],
        ["why", "LAKE", "--uri", ""],
        ["find", "LAKE", "--host", ""],
        ["find", "LAKE", "--source", ""],
        ["find", "LAKE", "--sample", "0", "--stage", ""],
        ["sql", "LAKE", ""],
        ["runs", "LAKE", "--run", ""],
        ["vocab", "train", "LAKE", "vocabulary-156k", "--name", ""],
        ["benchmarks", "add", "LAKE", ""],
    ],
    ids=" ".join,
)
def test_an_empty_text_is_no_value(arguments: list[str], small_lake: Path) -> None:
    """A variable that is not set names no lake, no input and nothing to be found: exit code 2, and nothing is made."""
    before = sorted(small_lake.parent.rglob("*"))
    done = call(*(argument.replace("LAKE", str(small_lake)) for argument in arguments))
    assert done.exit_code == 2
    assert "found an empty text; is a variable not set?" in done.stderr
    assert done.stdout == ""
    assert sorted(small_lake.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["why", "LAKE", "--uri", "\udcff"],
        ["why", "LAKE", "--file", "a\udcff"],
        ["find", "LAKE", "--source", "\udcff"],
        ["verify", "LAKE", "--build", "\udcff"],
        ["export", "LAKE", "\udcff", "OUT", "--format", "parquet"],
        ["export", "LAKE", "build", "LAKE/\udcff", "--format", "parquet"],
        ["sql", "LAKE", "SELECT '\udcff'"],
    ],
    ids=ascii,
)
def test_bytes_that_are_no_utf8_are_no_value(arguments: list[str], small_lake: Path) -> None:
    """No library beneath is handed them: exit code 2, and nothing is made."""
    before = sorted(small_lake.parent.rglob("*"))
    done = call(*(argument.replace("LAKE", str(small_lake)) for argument in arguments))
    assert done.exit_code == 2
    assert "expected a text in UTF-8, found bytes that are none at character " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert sorted(small_lake.parent.rglob("*")) == before


def test_a_time_limit_of_nothing_is_refused(small_lake: Path) -> None:
    """As by ``Lake.duckdb``."""
    done = call("sql", str(small_lake), "SELECT 1", "--timeout", "0")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'--timeout'" in done.stderr


def test_every_text_that_a_command_takes_is_refused_when_empty() -> None:
    """No argument or option of any command is left out."""

    def texts(command: click.Command) -> list[click.Parameter]:
        below = command.commands.values() if isinstance(command, click.Group) else ()
        mine = [each for each in command.params if isinstance(each.type, click.types.StringParamType)]
        return mine + [each for one in below for each in texts(one)]

    found = texts(cli)
    assert len(found) > 60
    for parameter in found:
        with pytest.raises(click.BadParameter, match="is a variable not set"):
            parameter.type.convert("", parameter, None)


@pytest.mark.parametrize(("asked", "nearest"), [("demo-1", "demo-1a2b"), ("knowlege", "knowledge")])
def test_a_mistyped_build_or_stage_is_told_with_the_nearest(asked: str, nearest: str, small_lake: Path) -> None:
    """find names what the lake has; without the mistake it answers."""
    snapshot = open_snapshot(str(small_lake))
    recipe = {"stages": [{"name": "knowledge"}]}
    run = begin_run(str(small_lake), "select", recipe, {"stages": {"build": "demo-1a2b"}}, snapshot.version)
    commit_wave(run, snapshot, [], final=True)
    option = "--build" if asked.startswith("demo") else "--stage"
    done = call("find", small_lake, "--host", "example.org", option, asked)
    assert done.exit_code == 2
    assert f"found none named {asked!r}; did you mean {nearest!r}?" in done.stderr
    assert call("find", small_lake, "--host", "example.org", option, nearest).exit_code == 0


def test_a_wrong_recipe_exits_with_2(small_lake: Path, tmp_path: Path) -> None:
    """An unknown key in a recipe is told with the nearest known one, before Spark starts."""
    text = (DEMO_TEXT.parent / "recipes" / "demo.toml").read_text("utf-8")
    recipe = tmp_path / "wrong.toml"
    recipe.write_text(text.replace("shard_tokens", "shard_token"), "utf-8")
    done = call("run", small_lake, recipe)
    assert done.exit_code == 2
    assert "shard_token" in done.stderr
    assert "did you mean 'shard_tokens'?" in done.stderr
    assert done.stdout == ""


def test_storage_that_refuses_exits_with_1(tmp_path: Path) -> None:
    """A place that cannot be written is a failed run: exit code 1, the place in the message."""
    (tmp_path / "file").write_text("")
    done = call("init", tmp_path / "file" / "lake")
    assert done.exit_code == 1
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_init_makes_a_lake(lake_folder: Path) -> None:
    """A new lake is made once and named in the answer."""
    done = call("init", lake_folder, "--output", "json")
    assert json.loads(done.stdout) == {"lake": str(lake_folder), "version": 0}
    assert call("runs", lake_folder).stdout == "no rows\n"


def test_sql_prints_a_list_of_objects(small_lake: Path) -> None:
    """--output json of sql is a list of objects with names, types and nulls kept; hashes are hexadecimal and NaN is null."""
    statement = (
        "SELECT record_no, uri, content_hash, meta, [1, 2] AS list, 'nan'::DOUBLE AS nan FROM content ORDER BY 1"
    )
    found = json.loads(call("sql", small_lake, statement, "--output", "json").stdout)
    assert found[1] == {
        "record_no": 1,
        "uri": "https://example.org/1",
        "content_hash": "01" * 16,
        "meta": None,
        "list": [1, 2],
        "nan": None,
    }
    assert json.loads(call("sql", small_lake, "SELECT 1 WHERE FALSE", "--output", "json").stdout) == []


def test_sql_prints_a_table(small_lake: Path) -> None:
    """Text of sql is a table, a row a line."""
    done = call("sql", small_lake, "SELECT record_no AS n, source FROM content ORDER BY 1")
    assert done.stdout == "n  source\n0  hand\n1  hand\n"


@pytest.mark.parametrize("output", ["text", "json"])
def test_text_of_documents_cannot_steer_the_terminal(small_lake: Path, output: str) -> None:
    """Control characters and those that turn the writing direction reach standard output in no format; JSON keeps them, escaped."""
    done = call("sql", small_lake, "SELECT text FROM content WHERE record_no = 1", "--output", output)
    assert done.exit_code == 0
    assert done.stdout == clean(done.stdout)
    if output == "json":
        assert json.loads(done.stdout) == [{"text": HOSTILE}]


def test_clean_replaces_controls() -> None:
    """C0 but line feed and tab, DEL, C1 and bidirectional controls are replaced; everything else stays."""
    assert clean(HOSTILE) == CLEAN
    kept = "tab\tline\nüber 漢字 العربية 👩‍🚀"
    assert clean(kept) == kept


def test_traced_text_is_clean() -> None:
    """The text around a token is printed without control characters."""
    story = {"sample_id": 3, "content": {"record_no": 0, "uri": HOSTILE}, "file": {}, "spans": [], "runs": []}
    place = {"build": "b", "stage": "s", "shard": 0, "token": 5, "sequence": 0, "token_id": 9}
    sample = {"sample_id": 3, "sample_token": 5, "copy": 0, "end_of_text": False}
    text = {"before": HOSTILE, "text": "\x1b", "after": HOSTILE, "story": story}
    shown = format_trace(place | sample | text)
    assert shown == clean(shown)
    assert "[\ufffd]" in shown


def test_json_is_json() -> None:
    """Values that JSON does not know become null or lists; controls stay escaped and come back as they were."""
    value = {"x": [float("inf"), (1, "\x9b\u2028")], "check": Check(name="n", passed=True, detail="", count=1)}
    found = json.loads(to_json(value))
    assert found["x"] == [None, [1, "\x9b\u2028"]]
    assert found["check"] == {"name": "n", "passed": True, "detail": "", "count": 1}


def test_why_and_find_of_a_lake_that_only_ingested(small_lake: Path) -> None:
    """A sample without measures or verdict has a story too: where it came from, and that nothing is decided."""
    done = call("why", small_lake, "--host", "example.org")
    assert done.exit_code == 0
    assert done.stdout.count("not decided yet") == 2
    found = json.loads(call("find", small_lake, "--source", "hand", "--limit", 1, "--output", "json").stdout)
    assert [(sample["uri"], sample["placements"]) for sample in found["samples"]] == [("https://example.org/0", [])]


def test_verify_exits_with_1_when_a_check_fails(small_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that does not hold is in the answer, named on standard error, and the exit code is 1."""
    checks = [
        Check(name="good", passed=True, detail="", count=3),
        Check(name="bad", passed=False, detail="sample 4", count=9),
    ]
    monkeypatch.setattr("headwater.lineage.checks.lake.verify", lambda *_, **__: checks)
    done = call("verify", small_lake, "--output", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["passed"] is False
    assert "1 of 2 checks failed: bad" in done.stderr
    assert re.search(r"^FAILED +bad +9$", call("verify", small_lake).stdout, re.MULTILINE)
    assert call("verify", small_lake).stdout.splitlines()[-1] == "bad: sample 4"
    monkeypatch.setattr("headwater.lineage.checks.lake.verify", lambda *_, **__: checks[:1])
    assert call("verify", small_lake).exit_code == 0


def test_maintain_counts_without_changing(small_lake: Path) -> None:
    """A dry run of maintain reports and leaves the version as it was."""
    before = newest(small_lake).version
    done = json.loads(call("maintain", small_lake, "--dry-run", "--output", "json").stdout)
    assert (done["dry_run"], done["version"], done["files_before"]) == (True, before, 1)
    assert newest(small_lake).version == before


@pytest.mark.parametrize(("kind", "code"), [("CorruptLakeError", 1), ("StorageError", 1), ("UsageError", 2)])
def test_errors_of_tasks_are_told_plainly(kind: str, code: int) -> None:
    """What a task raised is found in Spark's report; the message is told alone, with the exit code of its kind."""
    report = f"Job aborted.\nTraceback (most recent call last):\n  File x, line 1\nheadwater.errors.{kind}: expected a, found b\n\tat org.x"
    told = _failure_in_spark(RuntimeError(report))
    assert (told.message, told.exit_code) == ("expected a, found b", code)


_TASK_REPORT = (
    "Job aborted: PythonException: An exception:\nTraceback (most recent call last):\n  File x, line 1\nKeyError: 'a'\n\nDuring it:\n\n"
    "MemoryError: too much\n SQLSTATE: 38000\n\n\tat org.x.Y(Z.scala:1)\nDriver stacktrace:"
)


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        (_TASK_REPORT, "MemoryError: too much"),
        ("An exception was thrown:\nTraceback (most recent call last):\nStopIteration\n\tat org.x.Y", "StopIteration"),
        (
            "Job aborted due to stage failure: Task 0 in stage 0.0 failed 3 times, most recent failure: Lost task 0.2 in stage 0.0 (TID 2) "
            "(localhost executor driver): java.lang.OutOfMemoryError: Java heap space\n\tat org.x.Y\nCaused by: java.io.EOFException",
            "java.lang.OutOfMemoryError: Java heap space",
        ),
        ("[USER_RAISED_EXCEPTION] boom SQLSTATE: P0001", "[USER_RAISED_EXCEPTION] boom SQLSTATE: P0001"),
        (
            "[TABLE_OR_VIEW_NOT_FOUND] The table `x`\nSearch path: y;\n'Project\n+- 'Unresolved",
            "[TABLE_OR_VIEW_NOT_FOUND] The table `x`",
        ),
        ("", "RuntimeError"),
    ],
)
def test_a_failure_in_spark_is_one_cause_and_a_private_file(
    report: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is one line with the cause and the file that has all of it; only the user may read that file; nothing else is printed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = _failure_in_spark(RuntimeError(report))
    assert told.exit_code == 1
    (file,) = tmp_path.iterdir()
    assert told.message == f"Spark failed: {cause}; the full report is in {file}"
    assert file.stat().st_mode & 0o777 == 0o600
    assert report in file.read_text()
    assert capsys.readouterr() == ("", "")


def test_faults_of_the_program_keep_their_traceback() -> None:
    """Only errors that a user can act on become messages; a fault of the program is not hidden."""
    with pytest.raises(ZeroDivisionError), errors_as_messages():
        raise ZeroDivisionError
    with pytest.raises(click.ClickException, match="No space left"), errors_as_messages():
        raise OSError(28, "No space left on device", "shard-00000.bin")
    with pytest.raises(click.ClickException) as told, errors_as_messages():
        raise errors.RecipeError("expected a, found b")
    assert told.value.exit_code == 2


@pytest.mark.parametrize(
    ("step", "counts", "summary"),
    [
        ("ingest", {}, "nothing new"),
        (
            "ingest",
            {
                "files": 1,
                "records": 1200,
                "quarantined": 2,
                "reasons": {"not_json": 1, "empty_text": 1},
                "known_files": 3,
                "unreadable": [("a", "b")],
                "text_bytes": 4_000_000,
            },
            "1,200 records of 1 file, 2 quarantined (1 empty_text, 1 not_json), 3 known files, 1 unreadable, 4.0 MB, 2.0 MB/s",
        ),
        (
            "ingest",
            {
                "files": 1,
                "records": 3,
                "passed_over": {"request": 9, "status_404": 2, "metadata": 9, "media_pdf": 1, "status_301": 1},
            },
            "3 records of 1 file, 22 passed over (9 metadata, 9 request, 2 status_404, 2 others)",
        ),
        ("annotate", {"samples": 1, "fragments": 2, "text_bytes": 500}, "1 sample in 2 fragments, 500 B, 0.0 MB/s"),
        ("deduplicate", {"samples": 5, "fragments": 1, "clustered": 2}, "5 samples in 1 fragment"),
        (
            "deduplicate",
            {"samples": 5, "fragments": 1, "clustered": 2, "older_captures": 2},
            "5 samples in 1 fragment, 2 older captures",
        ),
        ("deduplicate", {"older_captures": 1}, "1 older capture"),
        ("decide", {"samples": 5, "fragments": 1, "kept": 4}, "5 samples in 1 fragment, 4 kept"),
        ("select", {"cells": [{"documents": 2, "got": 30}, {"documents": 1, "got": 12}]}, "3 documents, 42 tokens"),
        ("scale", {"cells": [{"documents": 1, "tokens": 9, "base_tokens": 90}]}, "1 document, 9 of 90 tokens"),
        (
            "build",
            {"shards:a": 1, "tokens:a": 5, "padding:a": 3, "tokens:b": 3},
            "1 shard, 8 tokens, 3 padding, 4 tokens/s",
        ),
        ("repair", {"shards": 1, "files": 2, "records": 0}, "1 shard, 2 files, 0 records"),
    ],
)
def test_a_step_is_summed_up_in_a_line(step: str, counts: dict[str, Any], summary: str) -> None:
    """Each step says what it did in its own terms, or that there was nothing to do; then the seconds."""
    assert re.fullmatch(rf"{step} +{re.escape(summary)} +2\.0 s", format_step(step, counts, 2.0))


@pytest.mark.spark
def test_run_again_says_nothing_new(demo_lake: DemoLake) -> None:
    """A second run tells each step's nothing new, the build that is there, and its funnel; the same in JSON."""
    arguments = ["run", demo_lake.folder, "demo", "--input", *demo_lake.inputs]
    done = call(*arguments)
    assert done.exit_code == 0
    assert done.stdout.startswith("ingest        nothing new")
    assert "\nnothing new\n\nbuild " in done.stdout
    assert f"build {demo_lake.build}\nrecords read" in done.stdout
    found = json.loads(call(*arguments, "--output", "json").stdout)
    assert (found["nothing_new"], found["build"]) == (True, demo_lake.build)
    assert [step["step"] for step in found["steps"]] == [
        "ingest",
        "annotate",
        "deduplicate",
        "decide",
        "select",
        "build",
    ]
    assert sum(row["documents"] for row in found["funnel"]["chosen"]) > 0


@pytest.mark.spark
def test_select_dry_run_prints_every_cell(demo_lake: DemoLake) -> None:
    """A dry run prints a line a cell with what is there, asked and got, and writes nothing."""
    before = newest(demo_lake.folder).version
    done = call("select", demo_lake.folder, "demo", "--dry-run")
    assert done.exit_code == 0
    assert f"build {demo_lake.build} (dry run: nothing was written)" in done.stdout
    heads = done.stdout.splitlines()[1].split("  ")
    assert [head.strip() for head in heads if head][:5] == [
        "stage",
        "pool/language/domain",
        "available",
        "asked",
        "got",
    ]
    assert re.search(r"^reasoning +reasoning/en/\* +[\d,]+", done.stdout, re.MULTILINE)
    assert newest(demo_lake.folder).version == before


def test_unreadable_files_are_named_at_the_end(small_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that could not be read are named on standard error with their reasons, after the answer; the exit code is 1."""
    report = IngestReport(files=1, records=6, unreadable=(("raw/bad\x1b.jsonl", "StorageError"),))
    monkeypatch.setattr("headwater.pipelines.ingest.step.ingest", lambda *_, **__: report)
    monkeypatch.setattr("headwater.cli.job._check_inputs", lambda *_: None)
    monkeypatch.setattr("headwater.cli.job.spark_session", lambda *_: contextlib.nullcontext())
    done = call("ingest", small_lake, "demo", "--input", "raw", "--output", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["records"] == 6
    assert done.stderr.splitlines()[0] == "unreadable: raw/bad\ufffd.jsonl: StorageError"
    assert "Error: 1 file could not be read" in done.stderr


@pytest.mark.parametrize("command", ["run", "ingest"])
@pytest.mark.parametrize(
    ("wrong", "told"), [("nowhere", "no input at"), ("no*.jsonl", "no input matches"), ("", "found an empty text")]
)
def test_a_wrong_input_is_told_before_anything_is_made(tmp_path: Path, command: str, wrong: str, told: str) -> None:
    """A mistyped, unmatched or empty input ends with exit code 2 before Spark starts, and leaves no lake."""
    done = call(command, tmp_path / "lake", "demo", "--input", str(tmp_path / wrong) if wrong else wrong)
    assert (done.exit_code, told in done.stderr) == (2, True)
    assert not (tmp_path / "lake").exists()


def test_what_ingest_left_out_is_told(small_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder is named, and so is what was left out by rule; there is no more to say than that nothing is new."""
    report = IngestReport(left_out=(("temporary", 2, "raw/a~"),))
    monkeypatch.setattr("headwater.pipelines.ingest.step.ingest", lambda *_, **__: report)
    monkeypatch.setattr("headwater.cli.job.spark_session", lambda *_: contextlib.nullcontext())
    done = call("ingest", small_lake, "demo", "--input", tmp_path)
    assert (done.exit_code, "nothing new" in done.stdout) == (0, True)
    assert done.stderr.splitlines() == [
        "warning: left out 2 names, such as raw/a~: temporary, or copies that an editor left",
        f"warning: expected files of JSON Lines, Parquet, text or the web, found no file at all in {tmp_path}; check the path",
    ]


@pytest.mark.spark
def test_bad_files_are_named_and_the_rest_goes_on(lake_folder: Path, tmp_path: Path, spark: object) -> None:
    """A file that is no Parquet is named with its reason and the good one is ingested; ingested again, both are known."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "bad.parquet").write_bytes(b"PAR1 but nothing more")
    with gzip.open(raw / "good.jsonl.gz", "wb") as stream:
        stream.write((DEMO_TEXT / "web" / "de.jsonl").read_bytes())
    assert call("init", lake_folder).exit_code == 0
    done = call("ingest", lake_folder, "demo", "--input", raw, "--output", "json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["files"], found["records"], found["quarantined"]) == (2, 6, 1)
    assert [Path(file["uri"]).name for file in found["refused_files"]] == ["bad.parquet"]
    assert re.search(r"^warning: \S+bad\.parquet: \w+;", done.stderr, re.MULTILINE)
    again = call("ingest", lake_folder, "demo", raw)
    assert again.exit_code == 0
    assert "nothing new" in again.stdout


@pytest.mark.spark
def test_questions_of_the_demo(demo_lake: DemoLake) -> None:
    """sql over samples, runs and verify answer in JSON."""
    statement = "SELECT count(*) AS n, count(*) FILTER (kept) AS kept FROM samples"
    (counts,) = json.loads(call("sql", demo_lake.folder, statement, "--output", "json").stdout)
    assert counts["n"] > counts["kept"] > 200
    runs = json.loads(call("runs", demo_lake.folder, "--output", "json").stdout)["runs"]
    assert [run["step"] for run in runs] == ["ingest", "annotate", "deduplicate", "decide", "select", "build"]
    assert runs[3]["counts"]["kept"] == counts["kept"]
    only = json.loads(call("runs", demo_lake.folder, "--run", runs[3]["run_id"], "--output", "json").stdout)["runs"]
    assert only == [runs[3]]
    assert json.loads(call("verify", demo_lake.folder, "--output", "json").stdout)["passed"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "LAKE", "demo", "--batch", "../a"],
        ["run", "LAKE", "demo", "--build", "a" * 5000],
        ["run", "LAKE", "demo", "--scale", "1_0"],
        ["ingest", "LAKE", "demo", "--input", "x", "--batch", "runs"],
        ["select", "LAKE", "demo", "--build", ".a"],
        ["build", "LAKE", "demo", "--build", "a b"],
    ],
)
def test_bad_names_are_refused_before_spark_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A call that cannot be right costs no start of Java, makes nothing, and is told in one short line."""
    from headwater.pipelines.spark import sessions

    monkeypatch.setattr(sessions, "session", lambda **_: pytest.fail("Spark was started"))
    found = call(*(str(tmp_path / "lake") if argument == "LAKE" else argument for argument in arguments))
    assert found.exit_code == 2
    assert "expected" in found.stderr
    assert len(found.stderr.strip()) < 250
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_lake_whose_name_would_steer_a_terminal(tmp_path: Path, output: str) -> None:
    """Its name is shown without the controls of writing direction and the ends of lines that it holds."""
    found = call("init", tmp_path / "a\u202eb\u2028c\u2066d", "--output", output)
    assert found.exit_code == 0
    assert not set("\u202e\u2028\u2066") & set(found.stdout)
    assert ("a\ufffdb\ufffdc\ufffdd" if output == "text" else "a\\u202eb\\u2028c\\u2066d") in found.stdout


@pytest.mark.parametrize("number", ["1_0", "\u0661", "0x1", "nan", "9" * 5000])
@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "LAKE", "build", "stage", "0", "NUMBER"],
        ["sql", "LAKE", "SELECT 1", "--version", "NUMBER"],
        ["sql", "LAKE", "SELECT 1", "--threads", "NUMBER"],
        ["sql", "LAKE", "SELECT 1", "--timeout", "NUMBER"],
        ["maintain", "LAKE", "--retention-hours", "NUMBER"],
        ["why", "LAKE", "--sample", "NUMBER"],
    ],
)
def test_numbers_are_plain_digits(small_lake: Path, arguments: list[str], number: str) -> None:
    """What Python would read as another number than a person does is a wrong call, and the message shows little of it."""
    found = call(*({"LAKE": small_lake, "NUMBER": number}.get(argument, argument) for argument in arguments))
    assert found.exit_code == 2
    assert re.search(r"expected a (whole )?number in plain digits, found '", found.stderr)
    assert len(found.stderr.splitlines()[-1]) < 200


@pytest.mark.parametrize(
    "error", [KeyError("c"), ConnectionResetError(104, "reset"), RuntimeError("answer of another call")]
)
def test_errors_after_a_signal_are_its_end(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a library raises when the exit of a signal cut it off is no failure of the command; without a signal it is told."""
    from headwater.cli import groups

    with pytest.raises((type(error), ClickException)), groups.errors_as_messages():
        raise error
    monkeypatch.setattr(groups, "ended_by", lambda: 15)
    with pytest.raises(SystemExit) as ended, groups.errors_as_messages():
        raise error
    assert ended.value.code == 143
