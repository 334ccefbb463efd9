"""Upgrade: a lake that an earlier release wrote becomes one of today's, and all that could be asked of it still can.

``data/earlier.tar.gz`` is a lake of format 1 as release 0.1.0 left it: two batches of the text that the package ships, a build by
``data/earlier.toml`` and a proxy of half of it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tarfile
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, Schema
from hypothesis import given
from hypothesis import strategies as st

from headwater.cli.root import cli
from headwater.errors import CorruptLakeError, LakeFormatError
from headwater.filters.signals.columns import SIGNALS
from headwater.lineage.checks.lake import verify
from headwater.lineage.funnel import funnel, funnel_by_language
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.reasons import reason_sentence
from headwater.lineage.story import why
from headwater.lineage.upgrade import codes_of, upgrade
from headwater.lineage.views import connect
from headwater.pipelines.recipe.job import load_recipe
from headwater.pipelines.selection import proxy, step
from headwater.pipelines.selection.cuts import choose
from headwater.pipelines.selection.rows import assign
from headwater.pipelines.spark.held_rows import Parts
from headwater.warehouse.faults import VARIABLE
from headwater.warehouse.maintain import maintain
from headwater.warehouse.parquet import read_as_written, read_sparse
from headwater.warehouse.schema import FAMILIES, FORMAT, table_schema
from headwater.warehouse.snapshot import describe, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DATA = Path(__file__).parent / "data"
_KILLS = [
    "upgrade/begun",
    "upgrade/columns-added",
    "upgrade/before-commit/1",
    "upgrade/after-commit/1",
    "upgrade/rewritten",
]
"""In the order in which an upgrade comes by them."""


@pytest.fixture
def earlier(tmp_path: Path) -> str:
    """A lake of format 1."""
    with tarfile.open(_DATA / "earlier.tar.gz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later have it
        archive.extractall(tmp_path)  # noqa: S202  # an archive of this repository's own
    return str(tmp_path / "lake")


def _as_written(lake: str) -> list[dict[str, Any]]:
    """Return the rows of family ``stages`` as they lie in a lake that may not have been upgraded."""
    snapshot = open_snapshot(lake, upgrading=True)
    paths = snapshot.paths("stages")
    return [row for path in paths for table in read_as_written(snapshot.uri, path) for row in table.to_pylist()]


def _builds(lake: str) -> tuple[str, str]:
    base, scaled = sorted(path.name for path in (Path(lake) / "builds").iterdir())
    return base, scaled


def test_an_earlier_lake_is_refused_with_the_command(earlier: str) -> None:
    """Every question and step says in one line what to do, and changes nothing."""
    version = open_snapshot(earlier, upgrading=True).version
    base, _ = _builds(earlier)
    for words in (
        ["runs", earlier],
        ["verify", earlier],
        ["maintain", earlier],
        ["why", earlier, "--sample", "0"],
        ["find", earlier, "--sample", "0"],
        ["trace", earlier, base, "knowledge", "0", "0"],
        ["sql", earlier, "SELECT 1"],
        ["sql", earlier, "SELECT 1", "--version", "3"],
        ["what-if", earlier, str(_DATA / "earlier.toml"), "--set", "gopher_min_words=1"],
    ):
        done = CliRunner().invoke(cli, words)
        assert (done.exit_code, done.stdout) == (1, ""), words
        assert done.stderr.count("\n") == 1
        assert done.stderr.endswith(
            f"found format 1, made by an earlier release; bring it up to date with: headwater upgrade {earlier}\n"
        )
    assert open_snapshot(earlier, upgrading=True).version == version


_LATER = {"passed_over", "variant", "confidence"} | {
    name
    for family in (
        "captures",
        "html",
        "texts",
        "host_index",
        "hash_index",
        "band_index",
        "recaptures",
        "blocklists",
        "takedowns",
    )
    for name in FAMILIES[family].fields
}
"""Columns that came after format 2 and mean nothing else in an older lake: they are null."""


@pytest.mark.slow
def test_an_upgraded_lake_answers_as_before(earlier: str) -> None:
    """The reasons read as they did; everything verifies; funnel and views count by the new columns; the text was not touched."""
    before = open_snapshot(earlier, upgrading=True)
    told = sorted((row["build"], row["sample_id"], row["stage"] or "", row["reason"]) for row in _as_written(earlier))
    done = CliRunner().invoke(cli, ["upgrade", earlier, "--output", "json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["found"], report["format"], report["rows"]) == (1, FORMAT, len(told))
    later = {"pool", "cell_language", "cell_domain", "refusals"}
    assert later <= set(report["columns"])
    assert set(report["columns"]) - later <= set(SIGNALS) | _LATER  # a release's new columns are declared in passing
    after = open_snapshot(earlier)
    assert all(check.passed for check in verify(earlier))
    base, half = _builds(earlier)
    scaled = {base: None, half: ("0.5", base)}
    new = _as_written(earlier)
    again = sorted(
        (row["build"], row["sample_id"], row["stage"] or "", reason_sentence(row, scaled[row["build"]])) for row in new
    )
    assert again == told
    changed = set(before.files["path"].to_pylist()) - set(after.files["path"].to_pylist())
    assert {path.partition("/")[0] for path in changed} == {"family=stages"}
    with connect(earlier) as connection:
        expected: dict[tuple[str, str], int] = {}
        for build, _, stage, reason in told:
            if stage and build == base:
                pool = reason.split("within the cut of ")[1].split("/")[0]
                expected[stage, pool] = expected.get((stage, pool), 0) + 1
        chosen = funnel(connection, base)["chosen"]
        assert {(row["stage"], row["pool"]): row["documents"] for row in chosen} == expected
        assert sum(row["tokens"] for row in chosen) > 0
        by_language = [item for row in funnel_by_language(connection, base) for item in row["chosen"]]
        assert sum(item["documents"] for item in by_language) == sum(expected.values())
        sample = next(row["sample_id"] for row in new if row["build"] == half and row["stage"] is None)
        story = why(open_lookup(earlier), sample)
        assert {(row["build"], row["sentence"]) for row in story["stages"]} == {
            (build, reason) for build, number, _, reason in told if number == sample
        }
        (run,) = rows(connection, "SELECT operators, ended FROM runs WHERE step = 'upgrade'")
        assert json.loads(run["operators"]) == {"lake": {"from": 1, "to": FORMAT}}
        assert run["ended"] is not None
    done = CliRunner().invoke(cli, ["trace", earlier, base, "knowledge", "0", "0"])
    assert "within the cut of " in done.output, done.output
    assert done.exit_code == 0


@pytest.mark.slow
def test_twice_is_harmless(earlier: str) -> None:
    """The second upgrade commits nothing and says so; maintenance after it keeps what builds were made from."""
    version = upgrade(earlier).version
    again = upgrade(earlier)
    assert (again.found, again.version, again.files) == (FORMAT, version, 0)
    assert "already" in CliRunner().invoke(cli, ["upgrade", earlier]).output
    maintain(earlier, retention_hours=0.0, orphan_hours=0.0)
    assert all(check.passed for check in verify(earlier))


@pytest.mark.slow
def test_versions_from_before_can_be_asked(earlier: str) -> None:
    """They show what they held: sentences, and null where a column came later; checks of such a version pass."""
    version = open_snapshot(earlier, upgrading=True).version
    upgrade(earlier)
    with connect(earlier, version) as connection:
        found = rows(connection, "SELECT DISTINCT reason, pool, refusals FROM stages WHERE stage IS NOT NULL")
    assert found
    assert all(row["reason"].startswith("in ") and row["pool"] is row["refusals"] is None for row in found)
    assert all(check.passed for check in verify(earlier, version=version))
    then, (base, _) = open_snapshot(earlier, version), _builds(earlier)
    located = list(then.locate(then.covered("stages", batch=base), ["stages"], batch=base))
    chosen = [read_sparse(then.uri, where, "stages", ["stage", "copies"]) for where in located]
    assert sum(table.num_rows for table in chosen) == sum(row["build"] == base for row in _as_written(earlier))


def test_other_programs_read_it(earlier: str) -> None:
    """delta-rs, DuckDB's delta extension and plain Parquet give the same rows of every family, old files and new ones."""
    upgrade(earlier)
    table = DeltaTable(f"{earlier}/samples")
    names = ["sample_id", "build", "stage", "pool", "cell_language", "cell_domain", "copies", "reason", "refusals"]
    delta = table.to_pyarrow_table(filters=[("family", "=", "stages")], columns=names).to_pylist()
    uris = table.file_uris(file_pruning_predicate="family = 'stages'")
    plain = [row for uri in uris for row in pq.read_table(uri, columns=names, partitioning=None).to_pylist()]
    with connect(earlier) as connection:
        listed = ", ".join(names)
        duck = rows(connection, f"SELECT {listed} FROM stages")
        counts = {family: rows(connection, f"SELECT count(*) AS n FROM {family}")[0]["n"] for family in FAMILIES}

    def ordered(found: list[dict[str, Any]]) -> list[str]:
        return sorted(json.dumps(row, sort_keys=True) for row in found)

    assert ordered(delta) == ordered(plain) == ordered(duck)
    families = table.to_pyarrow_table(columns=["family"])["family"].value_counts().to_pylist()
    assert {family: n for family, n in counts.items() if n} == {item["values"]: item["counts"] for item in families}


@pytest.mark.slow
def test_killed_anywhere_it_goes_on(earlier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL at each step of an upgrade, one after the other: nothing opens the lake meanwhile, and the next call ends it."""
    rows_before = len(_as_written(earlier))
    for point in _KILLS:
        monkeypatch.setenv(VARIABLE, point)
        done = subprocess.run([sys.executable, "-m", "headwater", "upgrade", earlier], capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, (point, done.stderr)
        with pytest.raises(
            LakeFormatError, match="whose upgrade has not ended; bring it up to date with: headwater upg"
        ):
            open_snapshot(earlier)
    monkeypatch.delenv(VARIABLE)
    assert upgrade(earlier).found == 1
    assert len(_as_written(earlier)) == rows_before
    assert all(check.passed for check in verify(earlier))


def test_a_later_format_is_refused(earlier: str) -> None:
    """By every command and by upgrade, in one line that says who made it; what is no lake is called that."""
    table = DeltaTable(f"{earlier}/samples")
    for description in (describe(FORMAT + 1), describe(1, begun=FORMAT + 1)):
        table.alter.set_table_description(description)
        for words in (["runs", earlier], ["upgrade", earlier]):
            done = CliRunner().invoke(cli, words)
            assert done.exit_code == 1
            assert (
                f"found format {FORMAT + 1}, made by a later release of Headwater; install that release\n"
                in done.stderr
            )
    table.alter.set_table_description("something else")
    with pytest.raises(CorruptLakeError, match="found 'something else'"):
        upgrade(earlier)


def test_columns_that_the_schema_lacks_are_added(tmp_path: Path) -> None:
    """A lake from before a column of format 1 has views again once it is upgraded."""
    old = {"pool", "cell_language", "cell_domain", "refusals", "sampled_bytes"}
    kept = pa.schema([column for column in table_schema() if column.name not in old])
    DeltaTable.create(
        str(tmp_path / "samples"),
        schema=Schema.from_arrow(kept),
        partition_by=["family", "batch"],
        description=describe(1),
    )
    report = upgrade(str(tmp_path))
    assert set(report.columns) == old
    with connect(str(tmp_path)) as connection:
        assert rows(connection, "SELECT sampled_bytes FROM vocabularies") == []
    with connect(str(tmp_path), 0) as connection:
        assert rows(connection, "SELECT typeof(sampled_bytes) AS kind, refusals FROM vocabularies, stages") == []


_NAMES = st.sampled_from(["a", "mid-training", "x_1", "in", "out", "scale", "no", "does-not", "after"])
_DOMAINS = st.sampled_from(["*", "", "code", "code+math", "a b/c"])
_LANGUAGES = st.sampled_from(["en", "und", "zh-Hans", "mul"])


@st.composite
def _rows(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[str, str] | None]:
    """A row of ``stages`` and, of a proxy, its scale and base."""
    scaled = draw(st.sampled_from([None, ("0.001", "demo-1"), ("0.5", "a.b_C")]))
    cell: dict[str, str | None] = {
        "pool": draw(_NAMES),
        "cell_language": draw(_LANGUAGES),
        "cell_domain": draw(_DOMAINS),
    }
    if draw(st.booleans()):
        reason = "within_share" if scaled else draw(st.sampled_from(["within_cut", "for_full_sequences"]))
        return {"stage": draw(_NAMES), **cell, "reason": reason, "refusals": None}, scaled
    kind = "beyond_share" if scaled else "beyond_cut"
    refusals = []
    for name in draw(st.lists(_NAMES, min_size=1, max_size=1 if scaled else 4)):
        beyond = bool(scaled) or draw(st.booleans())
        domain = draw(_DOMAINS) if beyond else None
        refusals.append({"stage": name, "reason": kind if beyond else "where_not_met", "domain": domain})
    domains = [each["domain"] for each in refusals if each["domain"] is not None]
    if not domains:
        cell = dict.fromkeys(cell)
    else:
        cell["cell_domain"] = domains[0]
    return {"stage": None, **cell, "reason": kind if domains else "where_not_met", "refusals": refusals}, scaled


@given(_rows())
def test_a_sentence_of_format_1_gives_its_codes(drawn: tuple[dict[str, Any], tuple[str, str] | None]) -> None:
    """Whatever the names and cells, a sentence leads back to the row that it was made of."""
    row, scaled = drawn
    codes = codes_of(reason_sentence(row, scaled))
    assert codes == {name: row[name] for name in codes}


@pytest.mark.parametrize("sentence", ["", "in x", "out: ", "out: x: no", "in x: within the cut of a/b", "within_cut"])
def test_another_sentence_is_an_error(sentence: str) -> None:
    """What no release wrote is refused and not repeated."""
    with pytest.raises(ValueError, match="expected a reason as format 1 writes it, found another"):
        codes_of(sentence)
    assert codes_of("out: no tokens")["reason"] == "no_tokens"


def _of_build(lake: str, build: str) -> list[str]:
    """Return the rows of a build as text, in some order, without the run that wrote them."""
    left_out = ("build", "run_id")
    found = [row for row in _as_written(lake) if row["build"] == build]
    return sorted(repr(sorted((name, row[name]) for name in row if name not in left_out)) for row in found)


def test_this_release_chooses_what_the_earlier_one_chose(earlier: str) -> None:
    """Selection and proxy made anew, without Spark, are row for row what upgrade makes of the old ones: stage, copies, rank and reason."""
    upgrade(earlier)
    base, scaled = _builds(earlier)
    recipe, snapshot = load_recipe(_DATA / "earlier.toml"), open_snapshot(earlier)

    def told(tables: list[pa.Table]) -> list[str]:
        return sorted(repr(sorted(row.items())) for table in tables for row in table.to_pylist())

    families = ["verdicts", "language", "scores", "tokens"]
    located = list(snapshot.locate(snapshot.covered("verdicts"), families))
    held: Parts[Any] = Parts(spread=None, near=[step._read(snapshot.uri, recipe, where) for where in located])  # type: ignore[arg-type]  # near rows need no Spark
    decided: list[Any] = []
    for stage in recipe.choosing_order:
        decided.append((stage, choose(held, stage, decided).by_cell))
    assert told([assign(part, decided) for part in held.near or ()]) == _of_build(earlier, base)

    located = list(snapshot.locate(snapshot.covered("stages", batch=base), ["stages", "tokens"], batch=base))
    rows_of_base = [proxy._read(snapshot.uri, recipe, where) for where in located]
    parts: Parts[Any] = Parts(spread=None, near=rows_of_base)  # type: ignore[arg-type]  # near rows need no Spark
    there = parts.fold(partial(proxy._cell_sums, None), proxy._Sums.merge, proxy._Sums())
    cuts = proxy._find_cuts(parts, there, Fraction(1, 2))
    assert told([proxy._stage_rows(cuts, part) for part in rows_of_base]) == _of_build(earlier, scaled)


@pytest.mark.spark
def test_the_job_goes_on(spark: SparkSession, earlier: str) -> None:
    """The same recipe measures again what a later version measures otherwise, then finds nothing new; an old build's damaged shard is repaired."""
    from headwater.pipelines.builds.repair import find_damage, repair
    from headwater.pipelines.recipe.operators import resolve
    from headwater.pipelines.run import run

    recipe = load_recipe(_DATA / "earlier.toml")
    base, half = _builds(earlier)
    with pytest.raises(LakeFormatError, match="headwater upgrade"):
        run(spark, earlier, recipe)
    upgrade(earlier)
    for scale in (None, "0.5"):
        report = run(spark, earlier, recipe, scale=scale)
        assert report.build not in (base, half)
        again = run(spark, earlier, recipe, scale=scale)
        assert (again.build, again.nothing_new) == (report.build, True)
    shard = next((Path(earlier) / "builds" / base / "knowledge").glob("*.bin"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-4])
    assert repair(spark, resolve(recipe, earlier), find_damage(earlier, recipe, base))["shards"] == 1
    assert shard.read_bytes() == whole
    assert all(check.passed for check in verify(earlier))
