"""A table that lacks columns of today's families gets them before a step writes them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from headwater.warehouse import commit
from headwater.warehouse.schema import table_schema
from headwater.warehouse.snapshot import open_snapshot
from headwater.warehouse.table_format import declare_columns


def test_missing_columns_are_declared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The columns that an earlier release did not have are added in one commit; a second call finds nothing to do."""
    lake = str(tmp_path / "lake")
    earlier = pa.schema([field for field in table_schema() if not field.name.startswith("hw_cue_")])
    with monkeypatch.context() as patch:
        patch.setattr(commit, "table_schema", lambda: earlier)
        before = commit.create_lake(lake)
    assert "hw_cue_we_per_kword" not in before.columns
    after = declare_columns(open_snapshot(lake), ())
    assert set(after.columns) == set(table_schema().names)
    assert after.version == before.version + 1
    assert declare_columns(open_snapshot(lake), ()).version == open_snapshot(lake).version == after.version
