"""Datasets of events: families of a lake, stages of a build, folders of input files."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from headwater.errors import HeadwaterError
from headwater.filters.urls.hosts import without_credentials
from headwater.lineage.builds import builds_uri, read_stage_manifest
from headwater.lineage.openlineage.columns import CONDITIONAL, sources_of
from headwater.lineage.openlineage.facets import dataset_name, facet, schema_facet
from headwater.plain import JsonObject, ValuesByName
from headwater.warehouse.filesystem import join
from headwater.warehouse.schema import FAMILIES, arrow_schema
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from headwater.lineage.runs import Run

__all__ = ["Written", "family_input", "family_output", "input_folders", "shard_outputs"]

_MOST_FOLDERS: Final = 100


@dataclass(kw_only=True, slots=True)
class Written:
    """What was written to a dataset, or read from it: rows, bytes, files."""

    rows: int = 0
    size: int = 0
    files: int = 0

    def add(self, rows: int, size: int, files: int = 1) -> None:
        """Count more."""
        self.rows += rows
        self.size += size
        self.files += files

    def facet(self, key: str) -> JsonObject:
        """Return it as ``inputStatistics`` or ``outputStatistics``."""
        return facet(key, rowCount=self.rows, size=self.size, fileCount=self.files)


def _family_name(snapshot: Snapshot, family: str) -> tuple[str, str]:
    return dataset_name(join(snapshot.uri, f"family={family}"))


def _family_facets(snapshot: Snapshot, family: str) -> JsonObject:
    namespace, name = dataset_name(snapshot.uri)
    own = snapshot.own_scores if family == "scores" else ()
    return {
        "version": facet("version", datasetVersion=str(snapshot.version)),
        "schema": schema_facet(arrow_schema(family, own)),
        "storage": facet("storage", storageLayer="delta", fileFormat="parquet"),
        "symlinks": facet("symlinks", identifiers=[{"namespace": namespace, "name": name, "type": "TABLE"}]),
    }


def family_input(snapshot: Snapshot, family: str) -> JsonObject | None:
    """Return a family as it is read in a version of the table, or None where it has no files in it."""
    if family not in FAMILIES:
        return None
    live = snapshot.live(family)
    if live.num_rows == 0:
        return None
    namespace, name = _family_name(snapshot, family)
    there = Written(
        rows=int(pc.sum(live["rows"]).as_py() or 0), size=int(pc.sum(live["size"]).as_py() or 0), files=live.num_rows
    )
    return {
        "namespace": namespace,
        "name": name,
        "facets": _family_facets(snapshot, family),
        "inputFacets": {"inputStatistics": there.facet("inputStatistics")},
    }


def family_output(
    snapshot: Snapshot, family: str, written: Written, operators: ValuesByName, recipe: ValuesByName, run: Run
) -> JsonObject:
    """Return a family as a run has written it, with where its columns come from.

    Args:
        snapshot: the table after it.
        written: by the run, in all its waves.
        operators: of the run.
        recipe: of the run.
    """
    namespace, name = _family_name(snapshot, family)
    facets = _family_facets(snapshot, family)
    schema = arrow_schema(family, snapshot.own_scores if family == "scores" else ())
    fields = {}
    for column, sources in sources_of(snapshot.lake, family, schema.names, operators, recipe):
        inputs = []
        for source in sources:
            of_namespace, of_name = _family_name(snapshot, source.family)
            kind = "INDIRECT" if source.subtype == CONDITIONAL else "DIRECT"
            how = [{"type": kind, "subtype": source.subtype, "masking": False}]
            inputs.append({"namespace": of_namespace, "name": of_name, "field": source.name, "transformations": how})
        fields[column] = {"inputFields": inputs}
    if fields:
        facets["columnLineage"] = facet("columnLineage", fields=fields)
    if (quality := _quality(family, written, run.counts)) is not None:
        facets["dataQualityMetrics"] = quality
    return {
        "namespace": namespace,
        "name": name,
        "facets": facets,
        "outputFacets": {"outputStatistics": written.facet("outputStatistics")},
    }


def _quality(family: str, written: Written, counts: Mapping[str, object]) -> JsonObject | None:
    """Return what the run counted of the values that it wrote."""
    if family == "verdicts" and isinstance(counts.get("samples"), int):
        samples, kept = int(str(counts["samples"])), int(str(counts.get("kept", 0)))
        metrics = {
            "kept": {"count": samples, "sum": kept},
            "first_reason": {"count": samples - kept, "nullCount": kept},
        }
        return facet("dataQualityMetrics", rowCount=samples, columnMetrics=metrics)
    if family == "content" and isinstance(counts.get("text_bytes"), int):
        size = int(str(counts["text_bytes"]))
        return facet(
            "dataQualityMetrics", rowCount=written.rows, bytes=size, columnMetrics={"text_bytes": {"sum": size}}
        )
    return None


def shard_outputs(run: Run, record: ValuesByName) -> list[JsonObject]:
    """Return the stages that a build has written: each a dataset whose version is its manifest's SHA-256.

    Args:
        record: of the run's operators; ``manifests`` is there once they are written.
    """
    found = []
    for stage, digest in record.get("manifests", {}).items():
        place = builds_uri(run.lake, str(record["build"]), stage)
        namespace, name = dataset_name(place)
        try:
            manifest = read_stage_manifest(run.lake, str(record["build"]), stage)
        except HeadwaterError:  # dropped meanwhile: what the run recorded is still true
            statistics = {}
        else:
            files = [file for shard in manifest.shards for file in shard.files]
            written = Written(rows=manifest.sequences, size=sum(file.n_bytes for file in files), files=len(files))
            statistics = {"outputStatistics": written.facet("outputStatistics")}
        facets = {"version": facet("version", datasetVersion=str(digest))}
        found.append({"namespace": namespace, "name": name, "facets": facets, "outputFacets": statistics})
    return found


def input_folders(files: Sequence[tuple[str, int, int]]) -> list[JsonObject]:
    """Return the folders of input files: a dataset each, at most a hundred; of more, the folders above them.

    Args:
        files: (URI, records, bytes).
    """
    folders: dict[str, Written] = {}
    for uri, records, size in files:
        folders.setdefault(_above(without_credentials(uri)), Written()).add(records, size)
    while len(folders) > _MOST_FOLDERS:
        above: dict[str, Written] = {}
        for folder, written in folders.items():
            above.setdefault(_above(folder), Written()).add(written.rows, written.size, written.files)
        if len(above) == len(folders):
            break
        folders = above
    return [_folder(folder, written) for folder, written in sorted(folders.items())]


def _folder(folder: str, written: Written) -> JsonObject:
    namespace, name = dataset_name(folder)
    return {
        "namespace": namespace,
        "name": name,
        "facets": {},
        "inputFacets": {"inputStatistics": written.facet("inputStatistics")},
    }


def _above(place: str) -> str:
    scheme, mark, path = place.rpartition("://")
    folder = posixpath.dirname(path)
    return f"{scheme}{mark}{folder or path}"
