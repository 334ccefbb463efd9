"""Where the tokens of a stage come from: its largest sources and hosts."""

from __future__ import annotations

from typing import Final

import duckdb

from headwater.filters.urls.hosts import HOST_PATTERN, plain_host
from headwater.lineage.build_report.asked import StageAsked
from headwater.lineage.questions import rows
from headwater.plain import Row

__all__ = ["SHOWN", "largest_hosts", "largest_sources"]

SHOWN: Final = 10
_ASKED: Final = 1000
"""Largest hosts as URLs write them that are looked at: forms of one host are added up among these."""
_CHOSEN: Final = """
SELECT {name} AS name, {from_url} AS from_url, count(*) AS documents, sum(copies * (n_tokens + {special}))::BIGINT AS tokens
FROM stages JOIN tokens USING (sample_id) JOIN content USING (sample_id)
WHERE build = $build AND stage = $stage GROUP BY ALL ORDER BY tokens DESC, name LIMIT {limit}
"""


def largest_sources(connection: duckdb.DuckDBPyConnection, build: str, stage: StageAsked) -> list[Row]:
    """Return the ten sources of a stage with most tokens: name, documents, tokens; ``(none)`` for documents without a source."""
    asked = _CHOSEN.format(
        name="coalesce(source, '(none)')", from_url="FALSE", special=stage.special_tokens, limit=SHOWN
    )
    return _largest(rows(connection, asked, {"build": build, "stage": stage.name}))


def largest_hosts(connection: duckdb.DuckDBPyConnection, build: str, stage: StageAsked) -> list[Row]:
    """Return the ten hosts of a stage with most tokens: name, documents, tokens; a document without a URL counts for its source."""
    host = "nullif(lower(regexp_extract(uri, $pattern, 1)), '')"
    asked = _CHOSEN.format(
        name=f"coalesce({host}, source, '(none)')",
        from_url=f"{host} IS NOT NULL",
        special=stage.special_tokens,
        limit=_ASKED,
    )
    return _largest(rows(connection, asked, {"build": build, "stage": stage.name, "pattern": HOST_PATTERN}))


def _largest(found: list[Row]) -> list[Row]:
    """Return the ten largest, forms of one host added up."""
    added: dict[str, Row] = {}
    for row in found:
        name = (plain_host(row["name"]) or row["name"]) if row["from_url"] else row["name"]
        held = added.setdefault(name, {"name": name, "documents": 0, "tokens": 0})
        held["documents"] += row["documents"]
        held["tokens"] += row["tokens"]
    return sorted(added.values(), key=lambda row: (-row["tokens"], row["name"]))[:SHOWN]
