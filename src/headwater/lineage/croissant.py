"""A build as Croissant, the JSON-LD vocabulary of MLCommons for data sets, version 1.1: its files with SHA-256, its records and their fields.

Places of files are from the build's folder on, which is where the description belongs. What the vocabulary wants and a lake does not know
(who publishes, under which name and licence) is said as not known, or left out.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

from headwater.errors import UsageError
from headwater.lineage.builds import read_stage_manifest
from headwater.plain import JsonObject, ValuesByName
from headwater.tokenize.shards.boundaries import SCHEMA as BOUNDARIES
from headwater.tokenize.shards.manifest import Manifest

__all__ = ["CONFORMS_TO", "croissant"]

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives, word for word."""
_TOKENS: Final = {
    "bin": ("application/octet-stream", "Megatron's tokens: uint32, little-endian, sequence after sequence"),
    "npy": ("application/octet-stream", "NumPy array of uint32, a row a sequence"),
    "dolma.npy": ("application/octet-stream", "OLMo-core's bare array of uint32, sequence after sequence"),
    "tokens.parquet": ("application/x-parquet", "a row a sequence, column tokens"),
}
_OTHERS: Final = {
    "idx": ("application/octet-stream", "Megatron's index"),
    "csv.gz": ("application/gzip", "where documents begin and end, as Dolma writes it"),
    "dolma.csv.gz": ("application/gzip", "where documents begin and end, as Dolma writes it"),
    "boundaries.parquet": ("application/x-parquet", "where documents begin and end"),
}
_NOT_KNOWN: Final = "not known to the lake"


def croissant(lake: str, card: ValuesByName) -> JsonObject:
    """Return the description of a build.

    Args:
        card: of the same build; see ``headwater.lineage.card.answer.data_card``.
    """
    build = str(card["build"])
    distribution: list[JsonObject] = []
    records: list[JsonObject] = []
    for stage in card["stages"]:
        try:
            manifest = read_stage_manifest(lake, build, stage["stage"])
        except UsageError:  # a stage to which no document fell
            continue
        files, sets = _files(manifest)
        distribution += [*files, *sets]
        records += _records(manifest, [each["@id"].partition("/")[2] for each in sets])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": re.sub(r"[^A-Za-z0-9_-]", "-", build),
        "description": _description(card),
        "version": f"1.0.0+{card['recipe']['fingerprint'][:12]}.{card['table_version']}",
        "datePublished": str(card["made"]["ended"])[:10],
        "license": [row["license"] for row in card["licenses"] if row["license"] != "(not declared)"] or [_NOT_KNOWN],
        "url": f"urn:headwater:build:{build}",
        "citeAs": _NOT_KNOWN,
        "creator": {"@type": "sc:Organization", "name": _NOT_KNOWN, "url": "urn:headwater:unknown"},
        "inLanguage": [row["language"] for row in card["languages"] if row["language"] not in {"und", "mul"}],
        "keywords": ["pretraining", "token shards", *(row["domain"] for row in card["domains"])],
        "isLiveDataset": False,
        "rai:dataCollection": f"Inputs: {_first(card['kinds'], 'kind')}; sources: {_first(card['sources'], 'source')}.",
        "rai:dataPreprocessingProtocol": [_filters(card), _duplicates(card)],
        "rai:personalSensitiveInformation": _personal(card),
        "distribution": distribution,
        "recordSet": records,
    }


def _files(manifest: Manifest) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return a FileObject for each file of a stage, and a FileSet for each kind of file."""
    kinds = _TOKENS | _OTHERS
    files: list[JsonObject] = []
    found: dict[str, None] = {}
    for shard in manifest.shards:
        for file in shard.files:
            kind = file.name.partition(".")[2]
            found[kind] = None
            place = f"{manifest.stage}/{file.name}"
            files.append(
                {
                    "@type": "cr:FileObject",
                    "@id": place,
                    "name": place,
                    "contentUrl": place,
                    "contentSize": f"{file.n_bytes} B",
                    "encodingFormat": kinds.get(kind, ("application/octet-stream", ""))[0],
                    "sha256": file.sha256,
                }
            )
    sets: list[JsonObject] = [
        {
            "@type": "cr:FileSet",
            "@id": f"{manifest.stage}/{kind}",
            "name": f"{manifest.stage}/{kind}",
            "description": f"Stage {manifest.stage}: {kinds.get(kind, ('', 'files of shards'))[1]}.",
            "encodingFormat": kinds.get(kind, ("application/octet-stream", ""))[0],
            "includes": f"{manifest.stage}/shard-[0-9]*.{kind}",
        }
        for kind in sorted(found)
    ]
    return files, sets


def _records(manifest: Manifest, kinds: list[str]) -> list[JsonObject]:
    """Return what a stage's records are: sequences of tokens, and where documents begin and end in them."""
    stage = manifest.stage
    found: list[JsonObject] = []
    kind = next((each for each in ("tokens.parquet", *_TOKENS) if each in kinds), None)
    if kind is not None:
        extract = {"column": "tokens"} if kind == "tokens.parquet" else {"fileProperty": "content"}
        tokens = {
            "@type": "cr:Field",
            "@id": f"{stage}/sequences/tokens",
            "name": f"{stage}/sequences/tokens",
            "description": f"{manifest.context} token ids of vocabulary {manifest.vocabulary_name} ({manifest.vocabulary}), "
            f"filled with {manifest.padding_id}; {manifest.labels}.",
            "dataType": "cr:UInt32",
            "isArray": True,
            "arrayShape": str(manifest.context),
            "source": {"fileSet": {"@id": f"{stage}/{kind}"}, "extract": extract},
        }
        found.append(
            {
                "@type": "cr:RecordSet",
                "@id": f"{stage}/sequences",
                "name": f"{stage}/sequences",
                "description": f"{manifest.sequences} sequences with {manifest.tokens} tokens of {manifest.documents} documents.",
                "field": [tokens],
            }
        )
    if "boundaries.parquet" in kinds:
        found.append(
            {
                "@type": "cr:RecordSet",
                "@id": f"{stage}/boundaries",
                "name": f"{stage}/boundaries",
                "description": "A row a run of tokens of one document.",
                "field": [_boundary(stage, column) for column in BOUNDARIES],
            }
        )
    return found


def _boundary(stage: str, column: pa.Field) -> JsonObject:
    name = f"{stage}/boundaries/{column.name}"
    return {
        "@type": "cr:Field",
        "@id": name,
        "name": name,
        "description": (column.metadata or {}).get(b"meaning", b"").decode() or column.name,
        "dataType": _data_type(column.type),
        "source": {"fileSet": {"@id": f"{stage}/boundaries.parquet"}, "extract": {"column": column.name}},
    }


def _data_type(kind: pa.DataType) -> str:
    return "sc:Boolean" if pa.types.is_boolean(kind) else "sc:Integer" if pa.types.is_integer(kind) else "sc:Text"


def _description(card: ValuesByName) -> str:
    totals, judged = card["totals"], card["judged"]
    return (
        f"Token shards for pretraining, stages {', '.join(str(row['stage']) for row in card['stages'])}: {totals['tokens']} tokens of "
        f"{totals['documents']} documents, chosen from {judged['kept']} kept of {judged['samples']} by recipe {card['recipe']['name']} "
        f"({card['recipe']['fingerprint']}), from version {card['table_version']} of the lake's table."
    )


def _filters(card: ValuesByName) -> str:
    fired = [f"{row['reason']} ({row['first']})" for row in card["filters"] if row["first"]]
    return f"Refused, by the first reason: {', '.join(fired) or 'none'}."


def _duplicates(card: ValuesByName) -> str:
    found = [f"{row['removed']} of {row['samples']} {row['kind']} duplicates" for row in card["duplicates"]]
    return f"Removed {' and '.join(found) or 'no duplicates'}."


def _personal(card: ValuesByName) -> str:
    personal = card["personal"]
    if not personal["looked_for"]:
        return "Personal data and secrets were not looked for."
    actions = ", ".join(f"{name.partition(':')[2]}: {action}" for name, action in sorted(personal["policy"].items()))
    return f"Personal data and secrets were looked for; what becomes of them: {actions}."


def _first(found: list[ValuesByName], name: str) -> str:
    shown = ", ".join(str(row[name]) for row in found[:20])
    return f"{shown} and {len(found) - 20} more" if len(found) > 20 else shown
