"""The host of a document, as the shares of the largest hosts and the samples of vocabularies count it."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["hosts"]

_HOST: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#:]+)"


def hosts(uri: pa.ChunkedArray, source: pa.ChunkedArray) -> pa.Array:
    """Return string[n]: the host of each document's URL; its source where it has none, and ``(none)`` where it has neither.

    >>> column = pa.chunked_array([["https://example.org:8080/a", "isbn 1", None]])
    >>> hosts(column, pa.chunked_array([["web", "books", None]])).to_pylist()
    ['example.org', 'books', '(none)']
    """
    parsed = pc.extract_regex(uri.combine_chunks(), _HOST)
    # The struct's own nulls count: its field alone holds an empty string where the pattern did not match.
    host = pc.struct_field(parsed, "host").cast(pa.string())
    return pc.coalesce(host, source.combine_chunks(), "(none)")
