"""Which samples have a URL, or exactly a text: by the families that are sorted by hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.urls.hosts import without_credentials
from headwater.hashes import short_hashes
from headwater.lineage.host_questions import hosted
from headwater.lineage.index_rows import index_rows

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["at_uri", "with_hash"]

_Ints = npt.NDArray[np.int64]


def at_uri(lookup: Lookup, uri: str) -> list[int]:
    """Return the samples with a URI, ascending; a user and password in it do not matter.

    Each sample of the index with its hash is looked at, since hashes of two URIs may be equal. Lakes of earlier releases hold URLs with
    their credentials, hashed with them: those are found among the samples of their host.
    """
    plain = without_credentials(uri)
    hashes = np.unique(short_hashes(list(dict.fromkeys((plain, uri)))))
    tables = index_rows(lookup, "uri_index", "uri_hash", hashes, ["sample_id"])
    indexed = np.unique(np.concatenate([np.empty(0, np.int64), *(table["sample_id"].to_numpy() for table in tables)]))
    return _are_at(lookup, plain, indexed) or _are_at(lookup, plain, hosted(lookup, plain))


def _are_at(lookup: Lookup, plain: str, samples: _Ints) -> list[int]:
    uris = lookup.table("content", samples, ["uri"])["uri"].to_pylist()
    return [sample for sample, uri in zip(samples.tolist(), uris, strict=True) if uri == plain]


def with_hash(lookup: Lookup, content_hash: bytes) -> list[int]:
    """Return the samples with exactly this text, by its BLAKE2b-128, ascending: a scan of all hashes, 16 bytes a sample."""
    files = lookup.live.of("content")
    wanted = pa.scalar(content_hash, pa.binary())
    found: list[int] = []
    for file in range(len(files.base)):
        path = files.path(file)
        for group in range(lookup.reader.groups(path)):
            same = pc.equal(lookup.reader.read(path, group, ["content_hash"])["content_hash"], wanted)
            if pc.any(same, min_count=0).as_py():
                found += lookup.reader.read(path, group, ["sample_id"]).filter(same)["sample_id"].to_pylist()
    return sorted(found)
