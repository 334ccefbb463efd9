"""Addresses in networks: e-mail whose domain can exist, and IP addresses that are public and no version number.

Which IP ranges are public: IANA's special-purpose address registries (RFC 6890 and its updates), written out, since Python's own list changes with
its release. Top-level domains: the public suffix list, by ``filters.urls.suffixes``.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Final

from headwater.filters.personal.types import HIGH, MEDIUM
from headwater.filters.urls.suffixes import has_suffix

__all__ = ["check_email", "check_ip4", "check_ip6", "is_public"]

_RESERVED: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        *(
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
        ),
        *(
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
        ),
        *("203.0.113.0/24", "224.0.0.0/3"),
        *(
            "::/8",
            "100::/8",
            "64:ff9b::/48",
            "5f00::/16",
            "fc00::/7",
            "fe80::/9",
            "ff00::/8",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)
_RANGES: Final = {
    version: [(int(each[0]), int(each[-1])) for each in _RESERVED if each.version == version] for version in (4, 6)
}
_FEW: Final = 32
"""Four numbers below it are more likely a version or a section than an address, unless a word says otherwise."""
_OF_FILES: Final = re.compile(rb"[0-9]x\.")
_NOBODY: Final = frozenset({b"git", b"hg", b"svn"})
_FOR_EXAMPLES: Final = frozenset({"example", "invalid", "test"})
"""Top-level domains of RFC 2606: nobody's, and yet written as an address."""


@functools.lru_cache(maxsize=65_536)
def _can_exist(domain: bytes) -> bool:
    name = domain.decode("utf-8", "replace").lower()
    return name.rpartition(".")[2] in _FOR_EXAMPLES or has_suffix(name)


def check_email(address: bytes, before: bytes) -> int:
    """Return how many bytes of what looks like an e-mail address are one: 0 if none, fewer than all where a sentence goes on without a space.

    Args:
        address: a local part, an @ and at least two labels.
        before: the bytes before it, some forty.

    >>> check_email(b"ann@example.org.The", b"write to "), check_email(b"logo@2x.png", b""), check_email(b"git@example.org", b"")
    (15, 0, 0)
    """
    local, _, domain = address.rpartition(b"@")
    if local.lower() in _NOBODY or _OF_FILES.match(domain) or before.endswith(b"//"):
        return 0
    if before.endswith(b":") and b"//" in before.split()[-1]:  # a password in a URL
        return 0
    while b"." in domain:
        if _can_exist(domain):
            return len(local) + 1 + len(domain)
        domain = domain.rpartition(b".")[0]
    return 0


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether packets to an address cross the internet to one host.

    >>> is_public(ipaddress.ip_address("9.9.9.9")), is_public(ipaddress.ip_address("192.168.0.1"))
    (True, False)
    """
    number = int(address)
    return not any(first <= number <= last for first, last in _RANGES[address.version])


def check_ip4(address: str, *, named: bool, near: bool, version: bool) -> str | None:
    """Return how sure it is that four numbers with dots are a public address; None if they are none.

    Args:
        named: whether a word for an address stands before it.
        near: whether one stands right before it.
        version: whether one for a version or a section does.

    >>> check_ip4("1.2.3.4", named=True, near=False, version=False), check_ip4("93.184.216.34", named=False, near=False, version=False)
    (None, 'medium')
    """
    if not is_public(ipaddress.IPv4Address(address)) or (version and not near):
        return None
    numbers = [int(number) for number in address.split(".")]
    if not near and max(numbers) < _FEW and len(set(numbers)) > 1:
        return None
    return HIGH if named else MEDIUM


def check_ip6(address: str) -> str | None:
    """Return how sure it is that groups of hexadecimal digits are a public address; None if they are none.

    >>> check_ip6("2a00:1450:4001:82a::200e"), check_ip6("2001:db8::1"), check_ip6("2000::2")
    ('high', None, None)
    """
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return None
    groups = [group for group in address.split(":") if group]
    if not is_public(parsed) or (
        len(groups) < 3 and address.isascii() and not re.search("[a-f]", groups[0], re.IGNORECASE)
    ):
        return None
    return HIGH
