"""The schema of the wide table: one place, one type a name, a golden file that changes only on purpose."""

from __future__ import annotations

import json
import os
from pathlib import Path

from headwater.warehouse.schema import ALIGNED, FAMILIES, FORMAT, arrow_schema, table_schema

GOLDEN = Path(__file__).parent / "golden" / "schema.json"


def _described() -> dict[str, object]:
    return {
        "format": FORMAT,
        "families": {
            name: {
                "aligned": family.aligned,
                "by_build": family.by_build,
                "by_sample": family.by_sample,
                "columns": {field.name: str(field.type) for field in arrow_schema(name)},
            }
            for name, family in FAMILIES.items()
        },
    }


def test_the_schema_is_the_golden_one() -> None:
    """A changed column is a changed format; HEADWATER_REGENERATE=1 writes the file anew for a change that is meant."""
    found = json.dumps(_described(), indent=1) + "\n"
    if os.environ.get("HEADWATER_REGENERATE"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_a_name_has_one_type_without_regard_to_case() -> None:
    """Delta and DuckDB compare names without case: the union of all families has no two that differ in it alone."""
    names = table_schema().names
    assert len({name.lower() for name in names}) == len(names)
    for family in FAMILIES:
        for field in arrow_schema(family):
            assert table_schema().field(field.name).type == field.type


def test_every_column_says_what_it_means() -> None:
    """Family and column have a meaning; ids come first, the run last; no column takes a partition's name."""
    for name, family in FAMILIES.items():
        schema = arrow_schema(name)
        assert family.meaning
        assert all(field.metadata[b"meaning"] for field in schema)
        assert ("sample_id" in schema.names) == family.by_sample
        assert not family.by_sample or schema.names[0] == "sample_id"
        assert schema.names[-1] == "run_id"
        assert not {"family", "batch"} & set(schema.names)
        assert not family.aligned or (family.by_sample and not family.by_build)
    assert set(ALIGNED) <= {name for name, family in FAMILIES.items() if family.by_sample}
