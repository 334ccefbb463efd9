"""What docs/ says is what the code does: tables, commands, queries, programs, links, names.

``python tests/test_docs.py`` writes the tables of docs/reference/lake-format.md anew from the schema.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import tomllib
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
from pages import DOCS, MARKS, PAGES, Fence, fences, name_of, prose

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LAKE_FORMAT = DOCS / "reference" / "lake-format.md"
_MARKED = re.compile(r"(<!-- (families|boundaries): generated .*?-->\n).*?(<!-- end -->)", re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_NAME = re.compile(r"(?<![\w/.-])headwater((?:\.[A-Za-z_]\w*)+)")
_PATH = re.compile(r"(?<![\w/.-])(?:src|jobs|bench|scripts|recipes|tests|docs)/[\w*./-]*[\w*]")
_MODULE = re.compile(r"python -m (bench(?:\.\w+)?)")
_COMMAND_IN_PROSE = re.compile(
    r"^(?: {4,}|\t)(?:\$ |headwater |python |\S*/python |pip |make |spark-submit )", re.MULTILINE
)
_NO_RUN = re.compile(r"no-run: \S.{14,}")
_STORED_KEYS = {"headwater.family", "headwater.format", "headwater.previous", "headwater.scores"}
"""Keys of the metadata of the lake's files, which look like modules."""


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
    """Return the part of docs/reference/lake-format.md that follows from the schema."""
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


def _fences_of(language: str, mark: str | None = None) -> list[Fence]:
    """Return the fences of one language on all pages."""
    return [fence for page in PAGES for fence in fences(page, language, mark)]


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading.

    >>> _anchor("`[[stages]]`, and the rest")
    'stages-and-the-rest'
    """
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def _resolves(dotted: str) -> bool:
    """Tell whether a dotted name below ``headwater`` is a module, or something that can be read from one.

    >>> _resolves("headwater.lake.Lake.run"), _resolves("headwater.lake.Pond")
    (True, False)
    """
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[length:]:
                found = getattr(found, part)
        except AttributeError:
            return False
        return True
    return False


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
    """docs/reference/lake-format.md lists every family and column with the type and the meaning of the schema."""
    text = _LAKE_FORMAT.read_text("utf-8")
    assert {found[2] for found in _MARKED.finditer(text)} == {"families", "boundaries"}
    assert text == _with_tables(text), "run: python tests/test_docs.py"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the repository names one that is there, and every anchor is a heading of it."""
    wrong = []
    for target, anchor in _LINK.findall(prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        led = page if not target else (page.parent / target).resolve()
        if not led.exists():
            wrong.append(target)
        elif anchor and anchor not in map(_anchor, re.findall(r"^#+ (.*)$", prose(led), re.MULTILINE)):
            wrong.append(f"{target}#{anchor}")
    assert not wrong


def test_index_lists_every_page() -> None:
    """docs/index.md leads to every page below docs/, and README.md to the index."""
    index = DOCS / "index.md"
    listed = {(DOCS / target).resolve() for target, _ in _LINK.findall(prose(index)) if "://" not in target}
    missing = [name_of(page) for page in PAGES if page.is_relative_to(DOCS) and page != index and page not in listed]
    assert not missing
    assert "](docs/index.md)" in (REPOSITORY / "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_fences_say_how_they_run(page: Path) -> None:
    """Every fence has a language and a mark that some test runs, or says why none can; no command hides outside of them."""
    wrong = []
    for fence in fences(page):
        reason = fence.language in {"console", "python"} and _NO_RUN.fullmatch(fence.mark)
        if not reason and fence.mark not in MARKS.get(fence.language, set()):
            wrong.append(f"{fence.where}: ```{fence.language} {fence.mark}")
        if fence.language == "text" and re.search(r"^\$ ", fence.text, re.MULTILINE):
            wrong.append(f"{fence.where}: commands in a fence of text")
    wrong += [f"{name_of(page)}: {found}" for found in _COMMAND_IN_PROSE.findall(prose(page))]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_resolve(page: Path) -> None:
    """Every ``headwater.…`` on a page can be imported, every path is one of the repository, every benchmark a module."""
    text = page.read_text("utf-8")
    names = {f"headwater{found}" for found in _NAME.findall(text)} - _STORED_KEYS
    wrong = [name for name in sorted(names) if not _resolves(name)]
    wrong += [path for path in sorted(set(_PATH.findall(text))) if not list(REPOSITORY.glob(path))]
    for module in sorted(set(_MODULE.findall(text))):
        file = REPOSITORY / module.replace(".", "/")
        if not (file.with_suffix(".py").exists() or (file / "__main__.py").exists()):
            wrong.append(module)
    assert not wrong


def test_pages_that_the_code_names_are_there() -> None:
    """Every page of docs/ that a program, a rule set or a word list points to is one."""
    wrong = []
    for folder in ("src", "jobs", "bench", "tests", "scripts", "recipes"):
        for file in sorted((REPOSITORY / folder).rglob("*")):
            if file.suffix in {".py", ".toml", ".sh", ".md"}:
                named = set(re.findall(r"(?<![\w/.-])docs/[\w/.-]+\.md", file.read_text("utf-8")))
                wrong += [f"{file}: {page}" for page in sorted(named) if not (REPOSITORY / page).exists()]
    assert not wrong


def test_toml_is_read() -> None:
    """Every ```toml fence is TOML; what begins with a format is a whole recipe, which test_recipe.py reads."""
    found = _fences_of("toml")
    assert found
    for fence in found:
        tomllib.loads(fence.text)


def test_commands_are_those_of_the_command_line() -> None:
    """Every `headwater` command in a fence is one that exists, with options that it has."""
    assert isinstance(cli, click.Group)
    shown = []
    for fence in _fences_of("console"):
        for found in re.finditer(r"^\$ headwater (.*)$", re.sub(r"\\\n|\n> ", " ", fence.text), re.MULTILINE):
            words = shlex.split(found[1])
            if words[0].startswith("-"):
                continue
            command = cli.commands.get(words[0])
            if isinstance(command, click.Group):
                command = command.commands.get(words[1])
            assert command is not None, f"{fence.where}: {found[0]}"
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
            assert not unknown, f"{fence.where}: {found[0]}"
            shown.append(words[0])
    assert shown


def test_queries_bind(tmp_path: Path) -> None:
    """Every ```sql fence is one query that DuckDB accepts over the views of a lake."""
    create_lake(str(tmp_path / "lake"))
    queries = _fences_of("sql")
    assert queries
    with connect(str(tmp_path / "lake")) as connection:
        for fence in queries:
            try:
                connection.execute(fence.text)
            except duckdb.Error as error:
                pytest.fail(f"{fence.where}: {error}")


def _run_readers(folder: Path, wanted: bool) -> int:
    """Run the programs of docs/reference/lake-format.md that need Spark, or those that do not, in a folder with a small lake."""
    _small_lake(str(folder / "lake"))
    before = Path.cwd()
    os.chdir(folder)
    try:
        programs = [fence.text for fence in _fences_of("python", "small-lake")]
        chosen = [text for text in programs if ("pyspark" in text) == wanted]
        for text in chosen:
            exec(compile(text, _LAKE_FORMAT.name, "exec"), {})  # noqa: S102 - the page's own programs, which this test is about
    finally:
        os.chdir(before)
    return len(chosen)


@pytest.mark.interop
def test_readers_run_as_printed(tmp_path: Path) -> None:
    """DuckDB, delta-rs and pyarrow read a lake as docs/reference/lake-format.md says; each program asserts what it finds."""
    assert _run_readers(tmp_path, wanted=False) >= 3


@pytest.mark.spark
def test_spark_reader_runs_as_printed(spark: SparkSession, tmp_path: Path) -> None:
    """Spark's Parquet reader reads a lake as docs/reference/lake-format.md says."""
    assert spark.version
    assert _run_readers(tmp_path, wanted=True) == 1


def test_table_properties_are_those_of_the_page(tmp_path: Path) -> None:
    """The protocol and the properties that docs/reference/lake-format.md gives are those of a new lake's log."""
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
