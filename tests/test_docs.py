"""What docs/ says is what the code does: tables, commands, queries, programs, links.

``python tests/test_docs.py`` writes the tables of docs/lake-format.md anew from the schema.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import duckdb
import pyarrow as pa
import pytest

from conftest import REPOSITORY
from headwater.cli.root import cli
from headwater.hashes import content_hashes
from headwater.lineage.views import connect
from headwater.tokenize.shards.boundaries import SCHEMA as BOUNDARIES
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import FAMILIES, Family, arrow_schema

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LAKE_FORMAT = REPOSITORY / "docs" / "lake-format.md"
_PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "docs" / "decisions").glob("*.md")),
]
_MARKED = re.compile(r"(<!-- (families|boundaries): generated .*?-->\n).*?(<!-- end -->)", re.DOTALL)
_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _type_name(kind: pa.DataType) -> str:
    names = {pa.timestamp("us", tz="UTC"): "timestamp (µs, UTC)", pa.float32(): "float32", pa.bool_(): "boolean"}
    if pa.types.is_list(kind):
        return f"list of {_type_name(kind.value_type)}"
    if pa.types.is_struct(kind):
        return f"({', '.join(f'{part.name} {_type_name(part.type)}' for part in kind)})"
    return names.get(kind, str(kind))


def _rows_of(family: Family) -> str:
    if not family.by_sample:
        return "no `sample_id`"
    return "one row a sample" if family.aligned else "sparse"


def _table(schema: pa.Schema) -> list[str]:
    lines = ["| column | type | meaning and unit |", "|---|---|---|"]
    for field in schema:
        meaning = field.metadata[b"meaning"].decode().replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
        lines.append(f"| `{field.name}` | {_type_name(field.type)} | {meaning} |")
    return lines


def _generated(name: str) -> str:
    """Return the part of docs/lake-format.md that follows from the schema."""
    if name == "boundaries":
        return "\n".join(["", *_table(BOUNDARIES), "", ""])
    lines: list[str] = []
    for family in FAMILIES.values():
        batch = "the build" if family.by_build else "`runs`" if family.name == "runs" else "a batch of ingest"
        if family.name == "vocabularies":
            batch = "the vocabulary's name"
        lines += [
            "",
            f"### `{family.name}`",
            "",
            f"{family.meaning} {_rows_of(family).capitalize()}; `batch` is {batch}.",
        ]
        lines += ["", *_table(arrow_schema(family.name))]
    return "\n".join([*lines, "", ""])


def _with_tables(text: str) -> str:
    return _MARKED.sub(lambda found: found[1] + _generated(found[2]) + found[3], text)


def _pages_with(language: str) -> list[tuple[str, int, str]]:
    """Return (page, line, text) of the fences of one language."""
    found = []
    for page in _PAGES:
        text = page.read_text("utf-8")
        found += [
            (page.name, text.count("\n", 0, fence.start()) + 1, fence[2])
            for fence in _FENCE.finditer(text)
            if fence[1] == language
        ]
    return found


def _small_lake(lake: str) -> None:
    """Make a lake of two samples with content and language, without Spark."""
    snapshot = create_lake(lake)
    ids = pa.array(sample_ids(0, 0, 2))
    text = pa.array(["A short text.", "Ein kurzer Text."])
    values: dict[str, dict[str, pa.Array]] = {
        "content": {"text": text, "content_hash": content_hashes(text), "uri": pa.array(["a", "b"])},
        "language": {"language": pa.array(["en", "de"])},
    }
    entries = []
    for family, columns in values.items():
        known = columns | {"sample_id": ids, "run_id": pa.array(["run", "run"])}
        arrays = [known.get(field.name, pa.nulls(2, field.type)) for field in arrow_schema(family)]
        table = pa.Table.from_arrays(arrays, names=arrow_schema(family).names)
        entries.append(write_family(snapshot.uri, family, "small", 0, 1, "0" * 16, [table]))
    commit(snapshot, adds=entries, wave=("test", 1), lake=lake)


def test_tables_follow_the_schema() -> None:
    """docs/lake-format.md lists every family and column with the type and the meaning of the schema."""
    text = _LAKE_FORMAT.read_text("utf-8")
    assert {found[2] for found in _MARKED.finditer(text)} == {"families", "boundaries"}
    assert text == _with_tables(text), "run: python tests/test_docs.py"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the repository names one that is there, and every anchor a heading of it."""
    for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)\s]*)?\)", page.read_text("utf-8")):
        if target and "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_files_named_are_there(page: Path) -> None:
    """A path below src, jobs, scripts, recipes or tests in code spans is one of the repository."""
    named = re.findall(r"`((?:src|jobs|scripts|recipes|tests)/[\w./-]+)`", page.read_text("utf-8"))
    assert not [name for name in named if not (REPOSITORY / name).exists()]


def test_commands_are_those_of_the_command_line() -> None:
    """Every `headwater` command in a fence is one that exists, with options that it has."""
    assert isinstance(cli, click.Group)
    shown = []
    for page, line, text in [*_pages_with("console"), *_pages_with("sh"), *_pages_with("text")]:
        for found in re.finditer(r"^\$ headwater (.*)$", text.replace("\\\n", " "), re.MULTILINE):
            words = shlex.split(found[1])
            if words[0].startswith("-"):
                continue
            command = cli.commands.get(words[0])
            if isinstance(command, click.Group):
                command = command.commands.get(words[1])
            assert command is not None, f"{page}:{line}: {found[0]}"
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
            assert not unknown, f"{page}:{line}: {found[0]}"
            shown.append(words[0])
    assert shown


def test_queries_bind(tmp_path: Path) -> None:
    """Every ```sql fence is one query that DuckDB accepts over the views of a lake."""
    create_lake(str(tmp_path / "lake"))
    queries = _pages_with("sql")
    assert queries
    with connect(str(tmp_path / "lake")) as connection:
        for page, line, text in queries:
            try:
                connection.execute(text)
            except duckdb.Error as error:
                pytest.fail(f"{page}:{line}: {error}")


def _run_readers(folder: Path, wanted: bool) -> int:
    """Run the programs of docs/lake-format.md that need Spark, or those that do not, in a folder with a small lake."""
    _small_lake(str(folder / "lake"))
    before = Path.cwd()
    os.chdir(folder)
    try:
        programs = [text for page, _, text in _pages_with("python") if page == _LAKE_FORMAT.name]
        chosen = [text for text in programs if ("pyspark" in text) == wanted]
        for text in chosen:
            exec(compile(text, _LAKE_FORMAT.name, "exec"), {})  # noqa: S102 - the page's own programs, which this test is about
    finally:
        os.chdir(before)
    return len(chosen)


@pytest.mark.interop
def test_readers_run_as_printed(tmp_path: Path) -> None:
    """DuckDB, delta-rs and pyarrow read a lake as docs/lake-format.md says; each program asserts what it finds."""
    assert _run_readers(tmp_path, wanted=False) >= 3


@pytest.mark.spark
def test_spark_reader_runs_as_printed(spark: SparkSession, tmp_path: Path) -> None:
    """Spark's Parquet reader reads a lake as docs/lake-format.md says."""
    assert spark.version
    assert _run_readers(tmp_path, wanted=True) == 1


def test_table_properties_are_those_of_the_page(tmp_path: Path) -> None:
    """The protocol and the properties that docs/lake-format.md gives are those of a new lake's log."""
    create_lake(str(tmp_path / "lake"))
    log = tmp_path / "lake" / "samples" / "_delta_log" / f"{0:020d}.json"
    actions = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    protocol = next(action["protocol"] for action in actions if "protocol" in action)
    assert (protocol["minReaderVersion"], protocol["minWriterVersion"]) == (1, 2)
    text = _LAKE_FORMAT.read_text("utf-8")
    for name, value in next(action["metaData"] for action in actions if "metaData" in action)["configuration"].items():
        assert f"| `{name}` | `{value}` |" in text


if __name__ == "__main__":
    _LAKE_FORMAT.write_text(_with_tables(_LAKE_FORMAT.read_text("utf-8")), "utf-8")
