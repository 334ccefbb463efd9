"""The facets that events carry, each with its version of OpenLineage's specification, and the names of datasets.

Names follow OpenLineage's naming: a local place is in namespace ``file`` under its absolute path, one of an object store in that of its
bucket under its key.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from headwater.plain import JsonObject
from headwater.version import __version__

__all__ = ["PRODUCER", "SCHEMA_URL", "dataset_name", "facet", "schema_facet"]

PRODUCER: Final = f"urn:headwater:{__version__}"
_SPECIFICATION: Final = "https://openlineage.io/spec"
SCHEMA_URL: Final = f"{_SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS: Final = {
    "columnLineage": ("1-2-0", "ColumnLineageDatasetFacet"),
    "dataQualityMetrics": ("1-0-1", "DataQualityMetricsDatasetFacet"),
    "documentation": ("1-1-0", "DocumentationJobFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "inputStatistics": ("1-0-0", "InputStatisticsInputDatasetFacet"),
    "jobType": ("2-0-4", "JobTypeJobFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
    "parent": ("1-2-0", "ParentRunFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"),
    "schema": ("1-2-0", "SchemaDatasetFacet"),
    "storage": ("1-0-1", "StorageDatasetFacet"),
    "symlinks": ("1-0-1", "SymlinksDatasetFacet"),
    "tags": ("1-0-0", "TagsRunFacet"),
    "tags of a job": ("1-0-0", "TagsJobFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
}
"""Key of a facet → its version in the specification, and its class there."""
_STORES: Final = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs"}
"""Schemes of object stores, whose keys have no leading slash, as the specification spells them."""


def facet(key: str, **fields: object) -> JsonObject:
    """Return a facet with what each must say of itself; fields that are None are left out.

    >>> facet("version", datasetVersion="7")["_schemaURL"].rpartition("/")[2]
    'DatasetVersionDatasetFacet'
    """
    version, name = _FACETS[key]
    said = {field: value for field, value in fields.items() if value is not None}
    schema = f"{_SPECIFICATION}/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": schema, **said}


def dataset_name(place: str) -> tuple[str, str]:
    """Return namespace and name of a place, without settings and credentials that its URI may hold.

    >>> dataset_name("/data/lake/samples"), dataset_name("s3a://bucket/lake/samples?region=x")
    (('file', '/data/lake/samples'), ('s3://bucket', 'lake/samples'))
    >>> dataset_name("abfss://box@account.dfs.core.windows.net/lake"), dataset_name("s3://key:secret@bucket/lake")
    (('abfss://box@account.dfs.core.windows.net', '/lake'), ('s3://bucket', 'lake'))
    """
    scheme, mark, rest = place.partition("://")
    if not mark:
        return "file", place
    authority, _, path = rest.partition("?")[0].partition("/")
    if scheme == "file":
        return "file", f"/{path}"
    if not scheme.startswith(("abfs", "wasb")):  # theirs names the container
        authority = authority.rpartition("@")[2]
    if scheme in _STORES:
        return f"{_STORES[scheme]}://{authority}", path
    return f"{scheme}://{authority}", f"/{path}"


def schema_facet(schema: pa.Schema) -> JsonObject:
    """Return the columns of a family, with their meanings."""
    fields = []
    for number, column in enumerate(schema, start=1):
        meaning = (column.metadata or {}).get(b"meaning", b"").decode()
        fields.append({"name": column.name, "type": str(column.type), "ordinal_position": number})
        if meaning:
            fields[-1]["description"] = meaning
    return facet("schema", fields=fields)
