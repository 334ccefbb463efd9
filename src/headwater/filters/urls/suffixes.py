"""The registered domain of a host by the Public Suffix List (https://publicsuffix.org/list/), its private section included.

The list comes with the package ``publicsuffixlist``. Whoever has a name under ``github.io`` or ``blogspot.com`` is as much an owner of pages as
one under ``com``, so those count as suffixes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

__all__ = ["has_suffix", "registered_domain"]

_NUMBER: Final = re.compile(r"[0-9]+")


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # reads its list at the first host: 0.1 s

    return PublicSuffixList()


def has_suffix(host: str) -> bool:
    """Return whether a host ends in a public suffix that the list has.

    Args:
        host: in small letters.

    >>> has_suffix("example.co.uk"), has_suffix("example.tld")
    (True, False)
    """
    return _suffixes().publicsuffix(host, accept_unknown=False) is not None


def registered_domain(host: str) -> str:
    """Return the domain under which a host was registered: its public suffix and one label; the host itself where it has none.

    Addresses, single names and hosts that are a public suffix stand for themselves. Under a suffix that the list lacks the last label counts
    as one, as the list's algorithm says.

    Args:
        host: in the form of ``hosts.plain_host``.

    >>> [registered_domain(host) for host in ("www.example.co.uk", "a.b.github.io", "co.uk", "10.0.0.1", "localhost")]
    ['example.co.uk', 'b.github.io', 'co.uk', '10.0.0.1', 'localhost']
    """
    if host.startswith("[") or _NUMBER.fullmatch(host.rpartition(".")[2]):
        return host
    return _suffixes().privatesuffix(host) or host
