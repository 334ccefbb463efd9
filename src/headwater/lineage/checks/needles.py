r"""What a search for absence looks for: each line of a list in every form in which a lake may hold it.

A text may stand as its UTF-8 bytes, escaped in JSON, in the letters by which vocabularies of GPT-2's kind write bytes, or by its hash: BLAKE2b-128
(``content_hash``) or 64 bits (``uri_hash``, ``host_hash``), which is also looked for among whole numbers. A line of 16 hexadecimal digits or
more is also taken for the bytes that they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError

__all__ = ["Needles", "make_needles"]

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){8,}")
LEAST_BYTES: Final = 6
"""Shortest string that is looked for: a shorter one is in every lake by chance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needles:
    """Forms of some lines.

    Attributes:
        lines: how many lines there were.
        texts: UTF-8 of each line → its number, from 1; what is looked for in decoded tokens.
        forms: bytes → number of their line; what is looked for in every file.
        numbers: int64 [n], hashes of 64 bits as numbers, ascending; with the numbers of their lines.
        longest: bytes of the longest form.
    """

    lines: int
    texts: dict[bytes, int]
    forms: dict[bytes, int]
    numbers: npt.NDArray[np.int64]
    of_numbers: npt.NDArray[np.int64]
    longest: int

    def found_in(self, data: bytes | memoryview, texts_only: bool = False) -> Iterator[int]:
        """Yield the numbers of the lines of which a form stands in some bytes."""
        held = bytes(data) if isinstance(data, memoryview) else data
        for form, line in (self.texts if texts_only else self.forms).items():
            if form in held:
                yield line

    def among(self, values: npt.NDArray[np.int64]) -> Iterator[int]:
        """Yield the numbers of the lines of which a hash of 64 bits is among some numbers."""
        if len(self.numbers):
            at = np.minimum(np.searchsorted(self.numbers, values), len(self.numbers) - 1)
            hits = at[self.numbers[at] == values]
            yield from np.unique(self.of_numbers[hits]).tolist()


def make_needles(lines: Iterable[str]) -> Needles:
    """Return what some lines stand for; empty lines are passed over, spaces at the ends too.

    Raises:
        UsageError: no line, or one too short to mean anything.
    """
    forms: dict[bytes, int] = {}
    texts: dict[bytes, int] = {}
    numbers: dict[int, int] = {}
    count = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        data = text.encode()
        if len(data) < LEAST_BYTES:
            raise UsageError(
                f"--absent: expected lines of at least {LEAST_BYTES} bytes, found {len(data)} in line {number}; what is shorter is found by chance"
            )
        count += 1
        texts[data] = number
        digests = [blake2b(data, digest_size=size).digest() for size in (16, 8)]
        if _HEX.fullmatch(text):
            digests.append(bytes.fromhex(text))
            forms.setdefault(text.lower().encode(), number)
        escaped = {json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode() for ascii_only in (True, False)}
        for form in (
            data,
            *sorted(escaped),
            _letters(data).encode(),
            digests[0],
            digests[0].hex().encode(),
            digests[1].hex().encode(),
            *digests[2:],
        ):
            forms.setdefault(form, number)
        for digest in digests:
            if len(digest) == 8:
                numbers.setdefault(int.from_bytes(digest, "big", signed=True), number)
    if not count:
        raise UsageError("--absent: expected a string or a hexadecimal hash a line, found no line")
    ordered = sorted(numbers)
    return Needles(
        lines=count,
        texts=texts,
        forms=forms,
        numbers=np.array(ordered, np.int64),
        of_numbers=np.array([numbers[each] for each in ordered], np.int64),
        longest=max(map(len, forms)),
    )


def _letters(data: bytes) -> str:
    """Return bytes in the letters of GPT-2's vocabularies, in which a space is Ġ.

    >>> _letters(b"a b")
    'aĠb'
    """
    return "".join(_LETTERS[byte] for byte in data)


def _byte_letters() -> list[str]:
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


_LETTERS: Final = _byte_letters()
