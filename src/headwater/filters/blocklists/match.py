"""Which samples are on block lists: `find_listed`.

A domain holds for its host and every host below it. A URL is compared in its normal form without the scheme; an entry that ends in `*` holds for
every URL that begins with it up to a slash, a `?` or its end. Words are compared in small letters, as Headwater cuts words (`filters.words`): a
whole word, or several in a row; in Chinese, Japanese and Thai wherever its characters stand, since a cut depends on what is around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.blocklists.read import Entries
from headwater.filters.blocklists.words import WordList, count_words, make_word_list
from headwater.filters.urls.hosts import with_parents
from headwater.filters.urls.normalize import hosts_and_urls
from headwater.hashes import short_hashes

__all__ = ["VERSION", "BlockList", "find_listed", "make_block_list"]

VERSION: Final = 1
"""Raised with any change that alters a stored row."""
_MOST_PREFIXES: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockList:
    """A list ready for comparing.

    Attributes:
        hashes: int64, sorted: of domains, or of URLs; of prefixes of URLs with their `*`.
        words: of a list of words.
    """

    kind: str
    hashes: npt.NDArray[np.int64]
    words: WordList | None = None


def make_block_list(entries: Entries) -> BlockList:
    """Return a list ready for comparing; 8 bytes an entry, of words about 40."""
    if entries.kind == "words":
        return BlockList(kind="words", hashes=np.empty(0, np.int64), words=make_word_list(entries.entries))
    return BlockList(kind=entries.kind, hashes=np.sort(short_hashes(entries.entries)))


def find_listed(
    lists: Mapping[str, BlockList], uris: pa.Array | pa.ChunkedArray | None, texts: pa.Array | None, n: int
) -> pa.RecordBatch:
    """Return column `listed`, map<string, int32> [n]: of each sample, list to hits, by name; lists without a hit are not named.

    Args:
        lists: by name.
        uris: string [n]; None where no list is of domains or URLs.
        texts: string [n], without nulls; None where no list is of words.
        n: how many samples.
    """
    hits = {}
    names = sorted(lists)
    hosts, urls = ([""] * n, [""] * n) if uris is None else hosts_and_urls(uris.to_pylist())
    urls = [url.partition("://")[2] for url in urls]
    lowered = None if texts is None else pc.utf8_lower(texts)
    for name in names:
        found = lists[name]
        if found.kind == "domains":
            hits[name] = _which(found.hashes, hosts, with_parents)
        elif found.kind == "urls":
            hits[name] = _which(found.hashes, urls, _beginnings)
        elif found.words is not None and lowered is not None:
            hits[name] = count_words(lowered, found.words)
    return pa.record_batch({"listed": _as_map(names, [hits[name] for name in names], n)})


def _beginnings(url: str) -> list[str]:
    """Return a URL and, with `*`, what it begins with up to each of its slashes, to its `?` and to its end.

    >>> _beginnings("a.example/b/c?d")
    ['a.example/b/c?d', 'a.example/b/c?d*', 'a.example/*', 'a.example/b/*', 'a.example/b/c*', 'a.example/b/c?*']
    """
    path, asked, _ = url.partition("?")
    found = [url, url + "*"]
    at = path.find("/")
    while at >= 0 and len(found) < _MOST_PREFIXES:
        found.append(path[: at + 1] + "*")
        at = path.find("/", at + 1)
    return [*found, path + "*", path + "?*"] if asked else found


def _which(
    hashes: npt.NDArray[np.int64], names: Sequence[str], candidates: Callable[[str], list[str]]
) -> npt.NDArray[np.int32]:
    """Return 1 for each name of which a candidate is among the hashes, int32 [n]; each different name is looked at once."""
    if len(hashes) == 0:
        return np.zeros(len(names), np.int32)
    number = {name: at for at, name in enumerate(dict.fromkeys(names))}
    asked: list[str] = []
    ends = []
    for name in number:
        asked += candidates(name) if name else []
        ends.append(len(asked))
    wanted = short_hashes(asked)
    at = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
    found = np.concatenate([[0], np.cumsum(hashes[at] == wanted)])
    bounds = np.array([0, *ends])
    per_name = found[bounds[1:]] > found[bounds[:-1]]
    return per_name[[number[name] for name in names]].astype(np.int32) if names else np.zeros(0, np.int32)


def _as_map(names: Sequence[str], hits: Sequence[npt.NDArray[np.int32]], n: int) -> pa.MapArray:
    """Return map<string, int32> [n] of what is not 0."""
    counts = np.stack(hits, axis=1) if hits else np.zeros((n, 0), np.int32)
    rows, columns = np.nonzero(counts)
    offsets = np.searchsorted(rows, np.arange(n + 1)).astype(np.int32)
    keys = pa.array(names, pa.string()).take(pa.array(columns, pa.int64()))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, pa.array(counts[rows, columns], pa.int32()))
