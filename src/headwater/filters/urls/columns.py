"""Host, registered domain and key of many URLs at once, as family ``captures`` stores them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from headwater.filters.urls.hosts import plain_host
from headwater.filters.urls.normalize import URL_PARTS, normal_url, without_breaks
from headwater.filters.urls.suffixes import registered_domain
from headwater.hashes import short_hashes

__all__ = ["CAPTURE_SCHEMA", "capture_columns", "host_columns"]

CAPTURE_SCHEMA: Final = pa.schema([("host", pa.string()), ("domain", pa.string()), ("url_key", pa.int64())])


def capture_columns(uris: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return host, domain and url_key of each URL; null where there is none or it has no host.

    Cost: 3 µs a URL, and 6 µs a host that the batch has for the first time.

    Args:
        uris: string [n].

    >>> capture_columns(pa.array(["https://User@WWW.Example.co.uk:443/?utm_id=1", "isbn 1", None])).to_pylist()[:2]
    [{'host': 'www.example.co.uk', 'domain': 'example.co.uk', 'url_key': -8685495196407951182}, {'host': None, 'domain': None, 'url_key': None}]
    """
    names: dict[str, str | None] = {}
    hosts: list[str | None] = []
    normal: list[str] = []
    for uri in uris.to_pylist():
        found = URL_PARTS.match(without_breaks(uri)) if uri else None
        host = None
        if found:
            given = found[2]
            if given not in names:
                names[given] = plain_host(given) or None
            host = names[given]
        hosts.append(host)
        if found and host:
            normal.append(normal_url(found, host))
    host_column = pa.array(hosts, pa.string()).dictionary_encode()
    domains = pa.array(list(map(registered_domain, host_column.dictionary.to_pylist())), pa.string())
    lacking = host_column.is_null().to_numpy(zero_copy_only=False)
    keys = np.zeros(len(hosts), np.int64)
    keys[~lacking] = short_hashes(normal)
    columns = [host_column.cast(pa.string()), domains.take(host_column.indices), pa.array(keys, mask=lacking)]
    return pa.table(columns, schema=CAPTURE_SCHEMA)


def host_columns(uris: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return host and registered_domain of each URL, as conditions of recipes read them; null where it has no host.

    >>> host_columns(pa.array(["https://a.example.org/", None])).to_pylist()
    [{'host': 'a.example.org', 'registered_domain': 'example.org'}, {'host': None, 'registered_domain': None}]
    """
    found = capture_columns(uris)
    return pa.table({"host": found["host"], "registered_domain": found["domain"]})
