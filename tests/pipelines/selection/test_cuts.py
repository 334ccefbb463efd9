"""Select on a lake: what is written says of every kept sample why it is in or out, and a name stands for one choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from small_lake import SmallLake, small_recipe

from headwater.errors import UsageError
from headwater.lineage.questions import rows
from headwater.lineage.views import connect
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.selection.step import select
from headwater.warehouse.commit import commit
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_every_kept_sample_has_a_row_of_the_build(finished_lake: SmallLake) -> None:
    """Chosen or not, a kept sample has a reason; a sample that was refused has none here, its verdict has it."""
    with connect(str(finished_lake.folder)) as connection:
        without = rows(connection, "SELECT sample_id FROM verdicts ANTI JOIN stages USING (sample_id) WHERE kept")
        refused = rows(connection, "SELECT sample_id FROM stages JOIN verdicts USING (sample_id) WHERE NOT kept")
        odd = rows(
            connection,
            "SELECT * FROM stages WHERE (stage IS NULL) <> (copies = 0) OR (stage IS NULL) <> (reason IN ('beyond_cut', 'where_not_met', "
            "'no_tokens')) OR (refusals IS NULL) <> (stage IS NOT NULL OR reason = 'no_tokens')",
        )
        twice = rows(connection, "SELECT sample_id FROM stages WHERE stage IS NOT NULL GROUP BY 1 HAVING count(*) > 1")
    assert (without, refused, odd, twice) == ([], [], [], [])


def test_a_cell_stops_at_the_document_that_crosses(spark: SparkSession, finished_lake: SmallLake) -> None:
    """Per cell: what was got reaches what was asked, and without its last document it does not; a dry run writes nothing."""
    lake = str(finished_lake.folder)
    version = open_snapshot(lake).version
    selection = select(spark, resolve(small_recipe(), lake), build=finished_lake.build, dry_run=True)
    assert open_snapshot(lake).version == version
    assert not selection.known
    with connect(lake) as connection:
        found = rows(
            connection,
            "SELECT stage, concat_ws('/', pool, cell_language, cell_domain) AS cell, sum(copies * (n_tokens + 1))::BIGINT AS got, "
            "count(*) AS documents, "
            "max_by(n_tokens + 1, rank) AS last FROM stages JOIN tokens USING (sample_id) WHERE build = ? AND stage IS NOT NULL GROUP BY ALL",
            [finished_lake.build],
        )
    stored = {(row["stage"], row["cell"]): row for row in found}
    reported = {(cell.stage, cell.cell): cell for cell in selection.cells if cell.got}
    assert set(stored) == set(reported)
    for key, cell in reported.items():
        assert (cell.got, cell.documents) == (stored[key]["got"], stored[key]["documents"])
        assert cell.got <= cell.available * 3
        assert 0 < cell.top_hosts <= 1
        if cell.cut is not None and key[0] == "knowledge":
            assert cell.asked <= cell.got
            assert cell.got - stored[key]["last"] < cell.asked


def test_a_name_stands_for_one_choice(spark: SparkSession, copied_lake: SmallLake) -> None:
    """When the samples changed, a selection under the old name is refused: half of it would be the old choice."""
    lake = str(copied_lake.folder)
    snapshot = open_snapshot(lake)
    row = snapshot.live("verdicts").to_pylist()[0]
    groups = []
    for table in read_file(snapshot.uri, row["path"]):
        refused = pa.array([False] * table.num_rows)
        groups.append(table.set_column(table.column_names.index("kept"), "kept", refused))
    entry = write_family(snapshot.uri, "verdicts", row["batch"], row["base"], row["mask"], row["operator"], groups)
    after = commit(snapshot, adds=[entry], removes=[row["path"]], wave=("change", 1), lake=lake)
    with pytest.raises(UsageError, match="choose another name"):
        select(spark, resolve(small_recipe(), lake), build=copied_lake.build)
    assert open_snapshot(lake).version == after.version
    fresh = select(spark, resolve(small_recipe(), lake), build="second")
    assert fresh.build == "second"
    assert len(open_snapshot(lake).covered("stages", batch="second")) == len(snapshot.covered("content"))
