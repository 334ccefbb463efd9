"""Block lists ready for comparing, one copy a worker; apart from `lineage.blocklists`, since it needs the compiler and recipes do not."""

from __future__ import annotations

import functools

from headwater.filters.blocklists.match import BlockList, make_block_list
from headwater.lineage.blocklists import read_list

__all__ = ["list_of"]


@functools.lru_cache(maxsize=16)
def list_of(lake: str, sha256: str, kind: str) -> BlockList:
    """Return a lake's block list ready for comparing; the same object every time in a process."""
    return make_block_list(read_list(lake, sha256, kind))
