"""A lake of some texts, annotated by hand and without Spark, for tests of what trains a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from headwater.hashes import content_hashes
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot

OPERATOR = "0" * 16


class Document(NamedTuple):
    """A sample: its text and what annotate and decide say of it; ``kept`` None leaves the lake without verdicts."""

    text: str
    uri: str
    language: str = "en"
    domain: str = "general"
    origin: int = 0
    kept: bool | None = None


def make_text_lake(lake: Path, fragments: Sequence[Sequence[Document]]) -> Snapshot:
    """Make a lake with the documents of each fragment in their order."""
    snapshot = create_lake(str(lake))
    entries = []
    for fragment, documents in enumerate(fragments):
        n = len(documents)
        text = pa.array([each.text for each in documents], pa.string())
        values: dict[str, dict[str, Any]] = {
            "content": {
                "text": text,
                "content_hash": content_hashes(text),
                "text_bytes": pa.array([len(each.text.encode()) for each in documents], pa.int64()),
                "origin": pa.array([each.origin for each in documents], pa.int64()),
                "uri": pa.array([each.uri for each in documents]),
            },
            "language": {"language": pa.array([each.language for each in documents])},
            "scores": {"domain": pa.array([each.domain for each in documents])},
        }
        if documents[0].kept is not None:
            values["verdicts"] = {"kept": pa.array([each.kept for each in documents])}
        for family, columns in values.items():
            schema = arrow_schema(family)
            known = columns | {"sample_id": pa.array(sample_ids(fragment, 0, n)), "run_id": pa.array(["run"] * n)}
            arrays = [known.get(field.name, pa.nulls(n, field.type)) for field in schema]
            table = pa.Table.from_arrays(arrays, names=schema.names)
            entries.append(write_family(snapshot.uri, family, "b", fragment, 1, OPERATOR, [table]))
    return commit(snapshot, adds=entries, wave=("test", 1), lake=str(lake))
