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

__all__ = ["registered_domain", "suffix_list_version"]

_NUMBER: Final = re.compile(r"[0-9]+")


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # reads its list at the first host: 0.1 s

    return PublicSuffixList()


def suffix_list_version() -> str:
    """Return the version of the package that holds the list, whose end is the date of the list."""
    from publicsuffixlist import __version__

    return str(__version__)


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
