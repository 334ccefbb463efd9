"""Extract on Spark, in the main job: pages are read again out of their archives, and builds of earlier texts stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from warcs import PACKERS, small_crawl
from web_lake import web_recipe

from headwater.cli.root import cli
from headwater.errors import UnreadableInputsError, UsageError
from headwater.lineage.checks.lake import verify
from headwater.lineage.lookup import open_lookup
from headwater.lineage.trace import trace
from headwater.lineage.views import connect
from headwater.pipelines.builds.step import build
from headwater.pipelines.extract.step import extract
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.run import run
from headwater.pipelines.selection.step import select

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_RULES = "[rules]\nsets = []\n"
_SECOND = """
[[extractors]]
name = "main"
[[extractors]]
name = "theirs"
method = "resiliparse"
[extract]
choose = "'theirs'"
"""


def test_a_second_extractor_in_the_main_job(spark: SparkSession, lake_folder: Path, tmp_path: Path) -> None:
    """A recipe with a second extractor reads the pages again out of the archive, gives them its texts and builds of these; the first build stands."""
    archive = tmp_path / "crawl.warc.gz"
    archive.write_bytes(PACKERS["records.warc.gz"](small_crawl(5)))
    lake = str(lake_folder)
    first, second = web_recipe(_RULES), web_recipe(_RULES + _SECOND)
    old = run(spark, lake, first, [str(archive)])
    assert "extract" not in [step.step for step in old.steps]
    select(spark, resolve(first, lake), build="waiting")
    archive.rename(tmp_path / "elsewhere")
    with pytest.raises(UnreadableInputsError, match=r"crawl\.warc\.gz"):
        extract(spark, lake, second)
    (tmp_path / "elsewhere").rename(archive)
    new = run(spark, lake, second)
    assert new.steps[0].step == "extract"
    assert run(spark, lake, second).nothing_new
    assert [check for check in verify(lake) if not check.passed] == []
    with connect(lake) as connection:
        same = "SELECT count(*) FROM texts JOIN content USING (sample_id) WHERE text_hash = content_hash AND texts.extractor = 'theirs'"
        assert connection.execute(same).fetchall() == [(5,)]
        traced = trace(open_lookup(lake), old.build, "only", 0, 3)
    assert traced["text_then"]["extractor"] == "main"
    assert traced["story"]["captures"]["extractor"] == "theirs"
    assert traced["story"]["captures"]["warc_offset"] is not None
    told = CliRunner().invoke(cli, ["trace", lake, old.build, "only", "0", "3"])
    assert "extractor main" in told.output
    with pytest.raises(UsageError, match="select again"):
        build(spark, resolve(first, lake), "waiting")
