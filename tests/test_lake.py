from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

import headwater
from conftest import DemoLake
from headwater.errors import UsageError
from headwater.lake import _DDL, Lake
from headwater.warehouse.commit import create_lake
from headwater.warehouse.schema import ALIGNED, FAMILIES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from small_lake import SmallLake


def test_importing_the_package_is_light() -> None:
    """`import headwater` loads neither Spark, nor pandas, nor Arrow; `from headwater import Lake` neither Spark nor pandas."""
    program = (
        "import sys, headwater; assert not {'pyspark', 'pandas', 'pyarrow'} & set(sys.modules);"
        "from headwater import Lake; assert not {'pyspark', 'pandas'} & set(sys.modules), Lake"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_help_is_light() -> None:
    """The command line tells its commands without Arrow or NumPy, which take longer than all else of it."""
    program = "import sys, headwater.cli.root; assert not {'pyspark', 'pandas', 'pyarrow', 'numpy', 'numba', 'duckdb'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_steps_runs_no_kernel() -> None:
    """Importing every step calls no compiled function: the first call loads the back end of the compiler, which most drivers never need."""
    program = (
        "import sys, headwater.pipelines.run; assert not {'numba.np.arraymath', 'scipy.linalg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_lake_is_a_public_name() -> None:
    """The package gives the class, and no names that it does not have."""
    assert headwater.Lake is Lake
    with pytest.raises(AttributeError, match="no attribute 'Pond'"):
        _ = headwater.Pond


def test_every_aligned_column_has_a_spark_type() -> None:
    """A DataFrame can have each column of each aligned family."""
    kinds = {kind for family in ALIGNED for kind, _ in FAMILIES[family].fields.values()}
    assert kinds <= set(_DDL)


@pytest.mark.parametrize(
    ("column", "message"),
    [("langage", "did you mean 'language'"), ("span_begin", "found 'span_begin' of spans"), ("sha256", "of files")],
)
def test_dataframe_refuses_columns_without_a_row_a_sample(column: str, message: str, tmp_path: Path) -> None:
    """An unknown column names the nearest; one of a sparse family or of files names its family. No Spark is needed to say so."""
    create_lake(str(tmp_path / "lake"))  # which columns a team has added, the table knows
    with pytest.raises(UsageError, match=message):
        Lake(tmp_path / "lake").dataframe(cast("Any", None), [column])


def test_lake_that_is_not_there(tmp_path: Path) -> None:
    """Making the object reads nothing; the first use says that there is no lake and how to make one."""
    lake = Lake(tmp_path / "none")
    assert repr(lake) == f"Lake({str(tmp_path / 'none')!r})"
    with pytest.raises(UsageError, match="headwater init"):
        lake.snapshot()


def test_create_makes_an_empty_lake_once(tmp_path: Path) -> None:
    """A new lake is empty and at version 0; a second one at the same place is refused."""
    assert Lake.create(tmp_path / "lake").snapshot().version == 0
    with pytest.raises(UsageError, match="expected no lake"):
        Lake.create(tmp_path / "lake")


@pytest.mark.spark
def test_dataframe_equals_duckdb(demo_lake: DemoLake, spark: SparkSession) -> None:
    """Columns of any aligned families, text too, have the rows that DuckDB reads; sample_id comes first, then the order asked for."""
    lake = Lake(demo_lake.folder)
    columns = ["kept", "text", "language", "reasons", "quality", "similarity"]
    frame = lake.dataframe(spark, columns)
    assert frame.columns == ["sample_id", *columns]
    found = sorted(tuple(row) for row in frame.collect())
    with lake.duckdb() as connection:
        expected = connection.execute(f"SELECT sample_id, {', '.join(columns)} FROM samples ORDER BY 1").fetchall()
    assert [(*row[:4], list(row[4]), *row[5:]) for row in found] == expected


@pytest.mark.spark
def test_dataframe_of_an_empty_lake(tmp_path: Path, spark: SparkSession) -> None:
    """A lake without samples gives a DataFrame without rows."""
    assert Lake.create(tmp_path / "lake").dataframe(spark, ["language"]).collect() == []


@pytest.mark.spark
def test_run_again_has_nothing_to_do(demo_lake: DemoLake, spark: SparkSession) -> None:
    """The same recipe on the same files does no work and names the same build."""
    lake = Lake(demo_lake.folder)
    version = lake.snapshot().version
    report = lake.run("demo", demo_lake.inputs)
    assert report.nothing_new
    assert report.build == demo_lake.build
    assert lake.snapshot().version == version


@pytest.mark.spark
def test_questions(demo_lake: DemoLake) -> None:
    """why, find and trace agree: a token that find places in a shard is traced back to the sample, and its story names the file."""
    lake = Lake(demo_lake.folder)
    url = "https://example.com/reprint/en/pendulum-clock"
    (story,) = lake.why(uri=url)
    assert story["file"]["file_uri"].endswith("noise/duplicates.jsonl")
    (found,) = lake.find(uri=url, build=demo_lake.build)
    place = found["placements"][0]
    traced = lake.trace(demo_lake.build, place["stage"], place["shard"], place["token_begin"])
    assert traced["sample_id"] == found["sample_id"] == story["sample_id"]
    assert traced["story"]["content"] == story["content"]


@pytest.mark.spark
def test_verify_passes(demo_lake: DemoLake) -> None:
    """Every check of the demo's lake passes, each on something."""
    checks = Lake(demo_lake.folder).verify(demo_lake.build)
    assert checks
    assert [check for check in checks if not check.passed] == []
    assert [check.name for check in checks if not check.count] == [
        "texts_chosen",
        "takedowns",
        "block_lists",
        "score_models",
        "evaluation_sets",
        "verified_record",
    ]  # the demo has one extractor, whose texts are content, and none of the others


def test_the_class_answers_what_the_command_line_answers() -> None:
    """Every question and every care of the command line is a method too, under its name or another one; only steps of a job are not, one by one."""
    from headwater.cli.root import cli

    named = {
        "init": "create",
        "sql": "duckdb",
        "report": "report_build",
        "steps": "stage",
        "what-if": "what_if",
        "extractors": "duckdb",
    }
    apart = {"ingest", "extract", "annotate", "dedup", "decide", "select", "build", "export", "reproduce"}
    apart |= {"vocab", "score", "benchmarks", "upgrade"}
    missing = {name for name in cli.commands if name not in apart and not hasattr(Lake, named.get(name, name))}
    assert missing == set()
    assert apart <= set(cli.commands)


def test_care_of_a_lake(finished_lake: SmallLake, tmp_path: Path) -> None:
    """A takedown is planned, made, listed and gone on with; runs, commits and what is kept are told; what went is found nowhere."""
    shutil.copytree(finished_lake.folder, tmp_path / "lake")
    lake = Lake(tmp_path / "lake")
    with lake.duckdb() as connection:
        (sample, uri) = connection.execute(
            "SELECT sample_id, uri FROM samples WHERE uri IS NOT NULL ORDER BY 1"
        ).fetchall()[0]
    assert not lake.search([uri])["absent"]
    planned = lake.plan_takedown(uri=uri)
    assert planned["samples"]["named"] > 0
    assert planned["impact"]["samples"] == sum(planned["samples"].values())
    record = lake.takedown(uri=uri, who="counsel", why="case 12", after_days=0)
    assert sample in record["samples"]
    assert [each["takedown"] for each in lake.takedowns()] == [record["takedown"]]
    assert lake.resume_takedown(record["takedown"])["state"] == "ended"
    assert lake.search([uri])["absent"]
    assert all(check.passed for check in lake.verify(share=0.5))
    assert lake.runs()[-1]["step"] in ("revise", "takedown")
    assert next(lake.log(limit=1))["version"] == lake.snapshot().version
    assert lake.retain()["n_bytes"] > 0
    assert lake.maintain(dry_run=True).takedowns == ()
    assert {row["reason"] for row in lake.report_rules()} >= {"taken_down"}
