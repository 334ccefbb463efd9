"""Kernels that read an address from where it shows: e-mail around an ``@``, IPv4 at its first digit, IPv6 at its first colon.

Each reads a bounded number of bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

__all__ = ["domain_end", "ip4_end", "ip6_end", "is_alphanumeric", "is_letter", "local_begin", "looks_like_ip4"]

_MOST_LOCAL: Final = 64
_MOST_DOMAIN: Final = 255


@kernel
def is_letter(byte: np.uint8) -> bool:
    """Return whether a byte is an ASCII letter."""
    return bool(65 <= byte <= 90 or 97 <= byte <= 122)


@kernel
def is_alphanumeric(byte: np.uint8) -> bool:
    """Return whether a byte is an ASCII letter or digit."""
    return bool(48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122)


@kernel
def looks_like_ip4(data: npt.NDArray[np.uint8], at: int, end: int) -> bool:
    """Return whether a dot follows the one to three bytes from here, as in an IPv4 address."""
    return bool(
        (at + 1 < end and data[at + 1] == 46)
        or (at + 2 < end and data[at + 2] == 46)
        or (at + 3 < end and data[at + 3] == 46)
    )


@kernel
def ip4_end(data: npt.NDArray[np.uint8], begin: int, at: int, end: int) -> int:
    """Return the end of the IPv4 address that begins here, `at` itself if there is none."""
    first = at
    if at > begin:
        byte = data[at - 1]
        if (
            is_alphanumeric(byte)
            or byte in (95, 43, 36, 94, 92)
            or (byte == 45 and not (at - 1 > begin and data[at - 2] >= 0x80))
            or (byte in (46, 44) and at - 1 > begin and 48 <= data[at - 2] <= 57)
        ):
            return at
    for octet in range(4):
        start, value = at, 0
        while at < end and 48 <= data[at] <= 57 and at - start < 4:
            value = value * 10 + int(data[at] - 48)
            at += 1
        if at == start or value > 255 or (at - start > 1 and data[start] == 48):
            return first
        if octet < 3:
            if at >= end or data[at] != 46:
                return first
            at += 1
    if at < end:
        byte = data[at]
        if is_alphanumeric(byte) or byte in (95, 37):
            return first
        if (
            byte in (46, 45, 44, 43, 126) and at + 1 < end and is_alphanumeric(data[at + 1])
        ):  # - and ~ of a package's version
            return first
    return at


@kernel
def _is_hex(byte: np.uint8) -> bool:
    return bool(48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102)


@kernel
def ip6_end(data: npt.NDArray[np.uint8], begin: int, at: int, end: int) -> tuple[int, int]:
    """Return where the IPv6 address whose first colon is here begins and ends; `at` twice if there is none.

    A shortened one (``::``) has four digits first, a 2 or a 3 the first of them: 2000::/3. A full one has eight groups, half of them of three digits
    or more, which tells it from hardware addresses and times.
    """
    first = at
    while first > begin and at - first < 5 and _is_hex(data[first - 1]):
        first -= 1
    if not 1 <= at - first <= 4:
        return at, at
    if first > begin:
        byte = data[first - 1]
        if is_alphanumeric(byte) or byte in (95, 58, 46):
            return at, at
        if byte == 45 and not (first - 1 > begin and data[first - 2] >= 0x80):
            return at, at
    place, doubled, groups, length, wide = at, 0, 1, at - first, int(at - first >= 3)
    while place < end and place - first < 46:
        byte = data[place]
        if byte == 58:
            if groups == 8 and doubled == 0:  # a port follows
                break
            if place + 1 < end and data[place + 1] == 58:
                doubled += 1
            length = 0
        elif _is_hex(byte):
            groups += length == 0
            length += 1
            wide += length == 3
            if length > 4:
                return at, at
        else:
            break
        place += 1
    while place > at and data[place - 1] == 58 and data[place - 2] != 58:
        place -= 1
    if place < end:
        byte = data[place]
        if is_alphanumeric(byte) or (byte in (95, 46) and place + 1 < end and is_alphanumeric(data[place + 1])):
            return at, at
    shortened = doubled == 1 and 2 <= groups <= 7 and at - first == 4 and data[first] in (50, 51)
    full = doubled == 0 and groups == 8 and wide >= 4
    return (first, place) if shortened or full else (at, at)


@kernel
def local_begin(data: npt.NDArray[np.uint8], at: int, begin: int) -> int:
    """Return where the local part before the @ at `at` begins, `at` itself if there is none; not before `begin`."""
    first = at
    while first > begin and at - first < _MOST_LOCAL:
        byte = data[first - 1]
        if is_alphanumeric(byte) or byte in (46, 95, 37, 43, 45):  # . _ % + -
            first -= 1
        elif (
            byte & 0xC0 == 0x80 and first - 2 >= begin and 0xC3 <= data[first - 2] <= 0xD4
        ):  # a letter of two bytes: Latin, Greek, Cyrillic
            first -= 2
        else:
            break
    if first > begin and data[first - 1] == 64:
        return at
    while first < at and not (is_alphanumeric(data[first]) or data[first] >= 0xC3 or data[first] == 95):
        first += 1
    return first


@kernel
def domain_end(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Return the end of the domain after the @ at `at`, `at` itself if there is none; the last label has two letters or more."""
    place = at + 1
    label = place
    letters, last, labels = 0, at, 0
    wide = (
        place < end and 0xE3 <= data[place] <= 0xED
    )  # only a domain that begins so goes on so: other text follows without a space
    while place <= end and place - at <= _MOST_DOMAIN:
        byte = data[place] if place < end else np.uint8(0)
        if is_letter(byte):
            letters += 1
            place += 1
            continue
        if 48 <= byte <= 57 or byte == 45:
            place += 1
            continue
        if 0xC3 <= byte <= 0xD4 and place + 1 < end:
            letters += 2
            place += 2
            continue
        if wide and 0xE3 <= byte <= 0xED and place + 2 < end and not (byte == 0xE3 and data[place + 1] == 0x80):
            letters += 2
            place += 3
            continue
        if place == label or data[label] == 45:
            break
        if labels and letters >= 2 and data[place - 1] != 45:
            last = place
        labels += 1
        if byte != 46:
            break
        place += 1
        label, letters = place, 0
    return last
