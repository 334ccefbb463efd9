"""Which samples are of a host or a registered domain: by family ``host_index``, by a scan of URLs only where a fragment has no index yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.urls.hosts import HOST_PATTERN, UNUSUAL_HOST, host_of, plain_host, with_parents
from headwater.filters.urls.suffixes import registered_domain
from headwater.hashes import short_hashes
from headwater.lineage.index_rows import index_rows
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["hosted", "of_domain", "of_host", "unindexed_fragments"]

_BATCH_SAMPLES: Final = 65_536
_Ints = npt.NDArray[np.int64]


def unindexed_fragments(snapshot: Snapshot) -> _Ints:
    """Return the fragments that have no index of hosts, so that questions about hosts read all their URLs: ascending int64."""
    return np.setdiff1d(snapshot.covered("content"), snapshot.covered("host_index"))


def _host(name: str) -> str:
    found = host_of(name if "://" in name else f"https://{name}")
    if found is None:
        raise UsageError(f"expected a host such as example.org, found {name!r}")
    return found


def _domain(domain: str) -> str:
    wanted = _host(domain)
    if (registered := registered_domain(wanted)) != wanted:
        raise UsageError(
            f"expected a registered domain, found {wanted!r}, a host of {registered!r}; ask for --domain {registered} or --host {wanted}"
        )
    return wanted


def of_host(lookup: Lookup, host: str) -> Iterator[_Ints]:
    """Yield the samples of a host as ``Lookup.samples_of_host`` says.

    Hashes of 64 bits stand for hosts: of a hundred million hosts, the chance that another one has the hash of one is below 10⁻¹¹.
    """
    wanted = _host(host)
    return _batches(_of_host(lookup, wanted))


def of_domain(lookup: Lookup, domain: str) -> Iterator[_Ints]:
    """Yield the samples of a domain as ``Lookup.samples_of_domain`` says."""
    wanted = _domain(domain)
    hashes = short_hashes([wanted])
    found = [
        table["sample_id"].to_numpy()
        for table in index_rows(lookup, "host_index", "domain_hash", hashes, ["sample_id"])
    ]
    found += _unindexed(lookup, None, lambda name: registered_domain(name) == wanted)
    return _batches(found)


def hosted(lookup: Lookup, uri: str) -> _Ints:
    """Return samples among which all are whose URL is this one with a user and password before its host, ascending.

    Args:
        uri: without them.
    """
    if "://" not in uri:
        return np.empty(0, np.int64)
    host = host_of(uri)
    if host is None:  # what has none in any form is in no index
        return _whole(_scan(lookup, lookup.snapshot.covered("content"), uri))
    return _whole([*_indexed_host(lookup, host), *_scan(lookup, unindexed_fragments(lookup.snapshot), uri)])


def _of_host(lookup: Lookup, wanted: str) -> list[_Ints]:
    return [*_indexed_host(lookup, wanted), *_unindexed(lookup, [wanted, wanted + "."], lambda name: name == wanted)]


def _indexed_host(lookup: Lookup, wanted: str) -> list[_Ints]:
    # The domain of a host is one of its ends, whatever list of suffixes ingest had, and the index is sorted by it.
    ends, host = short_hashes(with_parents(wanted)), int(short_hashes([wanted])[0])
    tables = index_rows(lookup, "host_index", "domain_hash", ends, ["sample_id", "host_hash"])
    return [table.filter(pc.equal(table["host_hash"], host))["sample_id"].to_numpy() for table in tables]


def _whole(found: Sequence[_Ints]) -> _Ints:
    return np.unique(np.concatenate([np.empty(0, np.int64), *found]))


def _batches(found: Sequence[_Ints]) -> Iterator[_Ints]:
    whole = _whole(found)
    return (whole[begin : begin + _BATCH_SAMPLES] for begin in range(0, len(whole), _BATCH_SAMPLES))


def _uris(lookup: Lookup, fragments: _Ints) -> Iterator[pa.Table]:
    """Yield sample_id and uri, as it is stored, of the samples of some fragments that have one."""
    files = lookup.live.of("content")
    for fragment in fragments.tolist():
        for file in files.covering(fragment):
            path = files.path(file)
            for group in range(lookup.reader.groups(path)):
                table = lookup.reader.read(path, group, ["sample_id", "uri"])
                yield table.filter(table["uri"].is_valid())


def _scan(lookup: Lookup, fragments: _Ints, uri: str) -> list[_Ints]:
    """Return the samples of some fragments whose URL ends as one does after its scheme: without credentials it may be that one."""
    end = uri.partition("://")[2]
    return [table.filter(pc.ends_with(table["uri"], end))["sample_id"].to_numpy() for table in _uris(lookup, fragments)]


def _unindexed(lookup: Lookup, forms: Sequence[str] | None, is_wanted: Callable[[str], bool]) -> list[_Ints]:
    """Return the samples whose host is wanted, of the fragments that have no index.

    Args:
        forms: hosts as URLs may write them, besides unusual forms, among which alone to look; None for all.
    """
    found: list[_Ints] = []
    names: dict[str, bool] = {}
    for table in _uris(lookup, unindexed_fragments(lookup.snapshot)):
        parsed = pc.extract_regex(table["uri"].combine_chunks(), HOST_PATTERN)
        host = pc.utf8_lower(pc.struct_field(parsed, "host").cast(pa.string())).dictionary_encode()
        wanted = []
        for name in host.dictionary.to_pylist():
            if name not in names:
                usual = (
                    forms is None or name in forms or pc.match_substring_regex(pa.scalar(name), UNUSUAL_HOST).as_py()
                )
                names[name] = bool(usual and plain_host(name) and is_wanted(plain_host(name)))
            wanted.append(names[name])
        mine = pa.array(wanted, pa.bool_()).take(host.indices)
        found.append(table["sample_id"].filter(mine).to_numpy())
    return found
