"""Which samples are of a host or a registered domain: by family ``host_index``, by a scan of URLs only where a fragment has no index yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import duckdb

from headwater.errors import UsageError
from headwater.filters.urls.hosts import HOST_PATTERN, UNUSUAL_HOST, host_of, plain_host, with_parents
from headwater.filters.urls.suffixes import registered_domain
from headwater.hashes import short_hashes
from headwater.lineage.damaged_files import damage_told
from headwater.lineage.views import UNINDEXED

__all__ = ["samples_of_domain", "samples_of_host", "unindexed_fragments"]

_AT_ONCE: Final = 10_000


def samples_of_host(connection: duckdb.DuckDBPyConnection, host: str, limit: int) -> list[int]:
    """Return the first samples of a host, in whatever form it or their URLs write it.

    Hashes of 64 bits stand for hosts: of a hundred million hosts, the chance that another one has the hash of one is below 10⁻¹¹.

    Raises:
        UsageError: the name is no host.
    """
    wanted = _host(host)
    # The domain of a host is one of its ends, whatever list of suffixes ingest had, and the index is sorted by it.
    ends = short_hashes(with_parents(wanted)).tolist()
    found = _indexed(
        connection,
        "domain_hash IN (SELECT unnest(?)) AND host_hash = ?",
        [ends, short_hashes([wanted]).tolist()[0]],
        limit,
    )
    forms = [wanted, wanted + "."]
    return _first([*found, *_scanned(connection, forms, lambda name: name == wanted, limit)], limit)


def samples_of_domain(connection: duckdb.DuckDBPyConnection, domain: str, limit: int) -> list[int]:
    """Return the first samples of all hosts of a registered domain.

    Raises:
        UsageError: the name is no registered domain.
    """
    wanted = _host(domain)
    if (registered := registered_domain(wanted)) != wanted:
        raise UsageError(
            f"expected a registered domain, found {wanted!r}, a host of {registered!r}; ask for --domain {registered} or --host {wanted}"
        )
    found = _indexed(connection, "domain_hash = ?", [short_hashes([wanted]).tolist()[0]], limit)
    return _first([*found, *_scanned(connection, None, lambda name: registered_domain(name) == wanted, limit)], limit)


def unindexed_fragments(connection: duckdb.DuckDBPyConnection) -> int:
    """Return how many fragments have no index of hosts, so that questions about hosts read all their URLs."""
    row = connection.execute(f"SELECT coalesce(sum(fragments), 0)::BIGINT FROM {UNINDEXED}").fetchone()
    return int(row[0]) if row else 0


def _host(name: str) -> str:
    found = host_of(name if "://" in name else f"https://{name}")
    if found is None:
        raise UsageError(f"expected a host such as example.org, found {name!r}")
    return found


def _first(samples: Sequence[int], limit: int) -> list[int]:
    return sorted(samples)[:limit]


def _indexed(connection: duckdb.DuckDBPyConnection, where: str, parameters: Sequence[object], limit: int) -> list[int]:
    statement = f"SELECT DISTINCT sample_id FROM host_index WHERE {where} ORDER BY 1 LIMIT ?"
    with damage_told():
        return [int(row[0]) for row in connection.execute(statement, [*parameters, limit]).fetchall()]


def _scanned(
    connection: duckdb.DuckDBPyConnection, forms: Sequence[str] | None, is_wanted: Callable[[str], bool], limit: int
) -> list[int]:
    """Return the first samples without an index whose host is wanted.

    Args:
        forms: hosts as URLs may write them, besides unusual forms, among which alone to look; None for all.
    """
    ranges = connection.execute(f"SELECT first, after FROM {UNINDEXED} ORDER BY 1").fetchall()
    some = "" if forms is None else "WHERE host IN (SELECT unnest(?)) OR regexp_matches(host, ?)"
    asked = [] if forms is None else [list(forms), UNUSUAL_HOST]
    samples: list[int] = []
    names: dict[str, bool] = {}
    for first, after in ranges:
        with damage_told():
            found = connection.execute(
                "SELECT sample_id, host FROM (SELECT sample_id, lower(regexp_extract(uri, ?, 1)) AS host FROM content "
                f"WHERE uri IS NOT NULL AND sample_id >= ? AND sample_id < ?) {some} ORDER BY sample_id",
                [HOST_PATTERN, first, after, *asked],
            )
            while len(samples) < limit and (rows := found.fetchmany(_AT_ONCE)):
                for sample, name in rows:
                    if name not in names:
                        names[name] = bool(plain_host(name)) and is_wanted(plain_host(name))
                    if names[name]:
                        samples.append(int(sample))
        if len(samples) >= limit:
            break
    return samples
