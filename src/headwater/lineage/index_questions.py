"""Which samples have a URL, or exactly a text: by the families that are sorted by hashes."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.urls.hosts import without_credentials
from headwater.hashes import short_hashes
from headwater.lineage.host_questions import hosted
from headwater.lineage.index_rows import index_rows
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.made_indexes import hash_keys, indexed_fragments

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["at_uri", "with_hash"]

_Ints = npt.NDArray[np.int64]
_NO_TEXT: Final = blake2b(digest_size=16).digest()
"""What was taken down has it, and is in no index."""


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
    """Return the samples with exactly this text, by its BLAKE2b-128, ascending.

    Of fragments that have an index one row group a file is read, of the others all hashes, 16 bytes a sample.
    """
    indexed = np.empty(0, np.int64) if content_hash == _NO_TEXT else indexed_fragments(lookup.snapshot, "hash_index")
    found = _scanned(lookup, np.setdiff1d(lookup.snapshot.covered("content"), indexed), content_hash)
    if len(indexed):
        keys = hash_keys(pa.array([content_hash], pa.binary()))
        tables = list(index_rows(lookup, "hash_index", "hash_key", keys, ["sample_id"]))
        ids = np.unique(np.concatenate([np.empty(0, np.int64), *(table["sample_id"].to_numpy() for table in tables)]))
        ids = ids[np.isin(ids >> ROW_BITS, indexed)]
        hashes = lookup.table("content", ids, ["content_hash"])["content_hash"].to_pylist()
        found += [sample for sample, each in zip(ids.tolist(), hashes, strict=True) if each == content_hash]
    return sorted(found)


def _scanned(lookup: Lookup, fragments: _Ints, content_hash: bytes) -> list[int]:
    """Return the samples of some fragments with a text, by reading the hashes of all."""
    files = lookup.live.of("content")
    wanted = pa.scalar(content_hash, pa.binary())
    found: list[int] = []
    for fragment in fragments.tolist():
        for file in files.covering(fragment):
            path = files.path(file)
            for group in range(lookup.reader.groups(path)):
                same = pc.equal(lookup.reader.read(path, group, ["content_hash"])["content_hash"], wanted)
                if pc.any(same, min_count=0).as_py():
                    found += lookup.reader.read(path, group, ["sample_id"]).filter(same)["sample_id"].to_pylist()
    return found
