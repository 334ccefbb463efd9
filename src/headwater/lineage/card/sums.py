"""What a build holds, counted from the families: by source, licence, language, domain, host, stage.

Tokens count as the manifests do: every copy, beginnings and ends of text included. Bytes and documents count a document once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb

from headwater.filters.urls.hosts import HOST_PATTERN
from headwater.lineage.questions import rows
from headwater.plain import Row

__all__ = [
    "by",
    "clusters",
    "collected",
    "count_domains",
    "domains_by_size",
    "gather",
    "page_licenses",
    "reasons",
    "sources",
    "stage_languages",
    "totals",
]

_WEB: Final = "split_part(f.format, '.', 1) IN ('warc', 'wet', 'html')"
_CHOSEN: Final = """
CREATE OR REPLACE TEMP TABLE card_chosen AS
SELECT s.sample_id, s.stage, s.copies::BIGINT AS copies, (s.copies * (t.n_tokens + {special}))::BIGINT AS tokens
FROM stages s JOIN tokens t USING (sample_id) WHERE s.build = $build AND s.stage IS NOT NULL
"""
_DOCUMENTS: Final = f"""
CREATE OR REPLACE TEMP TABLE card_documents AS
SELECT d.*, c.text_bytes, coalesce(c.source, '(none)') AS source, c.collected_at, coalesce(l.language, 'und') AS language,
    coalesce(nullif(sc.domain, ''), 'general') AS domain, {{host}} AS host, {{registered}} AS registered_domain,
    p.licenses AS page_licenses, coalesce(f.license, '(not declared)') AS license, split_part(f.format, '.', 1) AS kind, {_WEB} AS web
FROM (SELECT sample_id, sum(copies)::BIGINT AS copies, sum(tokens)::BIGINT AS tokens FROM card_chosen GROUP BY sample_id) d
JOIN content c USING (sample_id) LEFT JOIN files f USING (file_id) LEFT JOIN language l USING (sample_id)
LEFT JOIN scores sc USING (sample_id) LEFT JOIN captures p USING (sample_id)
"""
_SUMS: Final = "count(*) AS documents, sum(text_bytes)::BIGINT AS text_bytes, sum(tokens)::BIGINT AS tokens"
_SHARE: Final = "round(sum(tokens) / greatest((SELECT sum(tokens) FROM card_documents), 1), 6) AS share"
_GROUPS: Final = ("source", "license", "language", "domain", "host", "kind")


def gather(connection: duckdb.DuckDBPyConnection, build: str, special: Mapping[str, int], *, captured: bool) -> None:
    """Put the chosen samples of a build where the other questions look: a row a sample and stage, and a row a sample.

    Args:
        special: stage → tokens that a document takes besides its own.
        captured: whether the lake has family ``captures``; otherwise hosts are read from the URLs.
    """
    # The names of stages are checked when a recipe is read, and stand in SQL without quoting.
    cases = "".join(f" WHEN '{name}' THEN {number}" for name, number in special.items())
    rows(connection, _CHOSEN.format(special=f"CASE s.stage{cases} ELSE 1 END" if cases else "1"), {"build": build})
    from_url = f"nullif(lower(regexp_extract(c.uri, '{HOST_PATTERN.replace(chr(39), chr(39) * 2)}', 1)), '')"
    host, registered = ("p.host", "p.registered_domain") if captured else (from_url, from_url)
    rows(connection, _DOCUMENTS.format(host=host, registered=registered))


def totals(connection: duckdb.DuckDBPyConnection) -> Row:
    """Return documents, copies, bytes of their texts, tokens, and how many documents have a URL's host."""
    return rows(
        connection,
        "SELECT count(*) AS documents, coalesce(sum(copies), 0)::BIGINT AS copies, coalesce(sum(text_bytes), 0)::BIGINT AS text_bytes, "
        "coalesce(sum(tokens), 0)::BIGINT AS tokens, count(host) AS with_host, count(*) FILTER (web) AS from_web FROM card_documents",
    )[0]


def by(connection: duckdb.DuckDBPyConnection, group: str, limit: int | None = None) -> list[Row]:
    """Return documents, bytes, tokens and share of the tokens of each source, license, language, domain, host or kind of input.

    Returns:
        Most tokens first, ties by name; documents without a host are in no row.
    """
    if group not in _GROUPS:
        raise ValueError(f"expected one of {', '.join(_GROUPS)}, found {group}")
    return rows(
        connection,
        f"SELECT {group}, {_SUMS}, {_SHARE} FROM card_documents WHERE {group} IS NOT NULL GROUP BY ALL ORDER BY tokens DESC, {group} LIMIT ?",
        [limit],
    )


def sources(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return each source with its licences and kinds of input, most tokens first."""
    return rows(
        connection,
        f"SELECT source, list_sort(list_distinct(list(license))) AS licenses, list_sort(list_distinct(list(kind))) AS kinds, "
        f"bool_or(web) AS web, {_SUMS}, {_SHARE} FROM card_documents GROUP BY source ORDER BY tokens DESC, source",
    )


def domains_by_size(connection: duckdb.DuckDBPyConnection, limit: int | None = None) -> list[Row]:
    """Return the registered domains with documents, bytes and tokens, most bytes of text first."""
    return rows(
        connection,
        f"SELECT registered_domain AS name, {_SUMS} FROM card_documents WHERE registered_domain IS NOT NULL "
        "GROUP BY ALL ORDER BY text_bytes DESC, name LIMIT ?",
        [limit],
    )


def count_domains(connection: duckdb.DuckDBPyConnection) -> int:
    """Return how many registered domains there are."""
    return int(rows(connection, "SELECT count(DISTINCT registered_domain) AS n FROM card_documents")[0]["n"])


def page_licenses(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return the licences that web pages themselves name, with their documents and tokens."""
    return rows(
        connection,
        "SELECT license, count(*) AS documents, sum(tokens)::BIGINT AS tokens FROM "
        "(SELECT unnest(list_distinct(page_licenses)) AS license, tokens FROM card_documents) GROUP BY ALL ORDER BY tokens DESC, license",
    )


def collected(connection: duckdb.DuckDBPyConnection) -> Row:
    """Return the first and last day that records give for when they were collected, and how many give none that can be read."""
    return rows(
        connection,
        "SELECT min(day) AS first, max(day) AS last, count(*) FILTER (day IS NULL) AS unknown FROM "
        "(SELECT nullif(regexp_extract(collected_at, '^[0-9]{4}-[0-9]{2}-[0-9]{2}'), '') AS day FROM card_documents)",
    )[0]


def stage_languages(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return documents, copies and tokens of each stage and language, most tokens of a stage first."""
    return rows(
        connection,
        "SELECT stage, language, count(*) AS documents, sum(c.copies)::BIGINT AS copies, sum(c.tokens)::BIGINT AS tokens "
        "FROM card_chosen c JOIN card_documents d USING (sample_id) GROUP BY ALL ORDER BY stage, tokens DESC, language",
    )


def reasons(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return each reason with the samples that carry it and those whose first it is."""
    return rows(
        connection,
        "SELECT reason, count(*) AS samples, count(*) FILTER (reason = first_reason) AS first FROM "
        "(SELECT unnest(list_distinct(reasons)) AS reason, first_reason FROM verdicts WHERE NOT kept) GROUP BY ALL ORDER BY samples DESC, reason",
    )


def clusters(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return by kind of duplicate: clusters, samples in them, and samples that are not kept since they repeat another."""
    return rows(
        connection,
        "SELECT kind, count(DISTINCT cluster_id) AS clusters, count(*) AS samples, count(duplicate_of) AS removed "
        "FROM duplicates JOIN verdicts USING (sample_id) WHERE kind IS NOT NULL GROUP BY ALL ORDER BY kind",
    )
