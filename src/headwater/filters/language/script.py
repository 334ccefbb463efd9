"""The dominant writing system of a text, as an ISO 15924 code.

The letters of each script are counted in the windows of ``headwater.filters.language.windows``; combining marks within a script's range count with
it. The script with most of them wins; on a tie the one that comes first in ``SCRIPTS``. Three codes are not scripts by themselves:

- ``Jpan``: Han and kana together are most, and a share of at least ``KANA_SHARE`` of them is kana. A Chinese text with a single の
  stays ``Hani``.
- ``Zzzz``: letters of a script that is not listed are most.
- ``Zyyy``: no letters at all: empty, digits, punctuation, emoji.

What it loses: simplified and traditional Chinese are both ``Hani``; Korean is ``Hang`` by its Hangul, not ``Kore``; rare scripts
are ``Zzzz``.

The ranges follow Unicode's Scripts.txt and are written down here: Python has none, and its letter tables change with its version.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

__all__ = ["KANA_SHARE", "SCRIPTS", "count_letters", "find_scripts"]

SCRIPTS = (
    "Zyyy", "Latn", "Cyrl", "Grek", "Arab", "Hebr", "Deva", "Beng", "Thai", "Hani", "Hira", "Kana", "Hang", "Armn", "Geor", "Guru",
    "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Laoo", "Tibt", "Mymr", "Ethi", "Khmr", "Syrc", "Thaa", "Mong", "Bopo",
    "Cher", "Cans", "Zzzz",
)  # fmt: skip
"""Codes that are distinguished, by their place in ``count_letters``; the first stands for all but letters, the last for other scripts."""

KANA_SHARE = 0.05

_RANGES: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    (
        "Latn",
        (
            (0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2B8), (0x1D00, 0x1D25),
            (0x1D62, 0x1D65), (0x1D6B, 0x1D77), (0x1D79, 0x1DBE), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA722, 0xA7FF),
            (0xAB30, 0xAB64), (0xFB00, 0xFB06), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A),
        ),
    ),
    ("Cyrl", ((0x400, 0x481), (0x483, 0x52F), (0x1C80, 0x1C88), (0x2DE0, 0x2DFF), (0xA640, 0xA69F))),
    (
        "Grek",
        (
            (0x370, 0x373), (0x376, 0x37D), (0x37F, 0x37F), (0x386, 0x386), (0x388, 0x3E1), (0x3F0, 0x3FF), (0x1F00, 0x1FBC),
            (0x1FC2, 0x1FFC),
        ),
    ),
    (
        "Arab",
        (
            (0x610, 0x61A), (0x620, 0x63F), (0x641, 0x65F), (0x66E, 0x6D3), (0x6D5, 0x6DC), (0x6DF, 0x6EF), (0x6FA, 0x6FF),
            (0x750, 0x77F), (0x870, 0x8E1), (0x8E3, 0x8FF), (0xFB50, 0xFD3D), (0xFD50, 0xFDFF), (0xFE70, 0xFEFC),
        ),
    ),
    ("Hebr", ((0x591, 0x5F4), (0xFB1D, 0xFB4F))),
    ("Deva", ((0x900, 0x950), (0x955, 0x963), (0x971, 0x97F), (0xA8E0, 0xA8FF))),
    ("Beng", ((0x980, 0x9E3), (0x9F0, 0x9F1), (0x9FC, 0x9FC))),
    ("Thai", ((0xE01, 0xE3A), (0xE40, 0xE4E))),
    ("Hani", ((0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAD9))),
    ("Hira", ((0x3041, 0x3096), (0x309D, 0x309F))),
    ("Kana", ((0x30A1, 0x30FA), (0x30FD, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF6F), (0xFF71, 0xFF9D))),
    ("Hang", ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97C), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FB), (0xFFA0, 0xFFDC))),
    ("Armn", ((0x531, 0x556), (0x559, 0x588), (0xFB13, 0xFB17))),
    ("Geor", ((0x10A0, 0x10FA), (0x10FC, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2D))),
    ("Guru", ((0xA01, 0xA5E), (0xA70, 0xA75))),
    ("Gujr", ((0xA81, 0xAE3), (0xAF9, 0xAFF))),
    ("Orya", ((0xB01, 0xB63), (0xB71, 0xB71))),
    ("Taml", ((0xB82, 0xBD7),)),
    ("Telu", ((0xC00, 0xC63),)),
    ("Knda", ((0xC80, 0xCE3), (0xCF1, 0xCF3))),
    ("Mlym", ((0xD00, 0xD57), (0xD5F, 0xD63), (0xD7A, 0xD7F))),
    ("Sinh", ((0xD81, 0xDDF), (0xDF2, 0xDF3))),
    ("Laoo", ((0xE81, 0xECE), (0xEDC, 0xEDF))),
    ("Tibt", ((0xF00, 0xF00), (0xF18, 0xF19), (0xF35, 0xF39), (0xF40, 0xFBC))),
    ("Mymr", ((0x1000, 0x103F), (0x1050, 0x108F), (0x109A, 0x109D), (0xA9E0, 0xA9EF), (0xA9FA, 0xA9FE), (0xAA60, 0xAA7F))),
    ("Ethi", ((0x1200, 0x135F), (0x1380, 0x138F), (0x2D80, 0x2DDE), (0xAB01, 0xAB2E))),
    ("Khmr", ((0x1780, 0x17D3), (0x17D7, 0x17D7), (0x17DC, 0x17DD))),
    ("Syrc", ((0x710, 0x74F), (0x860, 0x86A))),
    ("Thaa", ((0x780, 0x7B1),)),
    ("Mong", ((0x1820, 0x18AA),)),
    ("Bopo", ((0x2EA, 0x2EB), (0x3105, 0x312F), (0x31A0, 0x31BF))),
    ("Cher", ((0x13A0, 0x13FD), (0xAB70, 0xABBF))),
    ("Cans", ((0x1400, 0x166C), (0x166F, 0x167F), (0x18B0, 0x18F5))),
    (
        "Zzzz",
        (
            (0x7CA, 0x7F5), (0x800, 0x858), (0x1681, 0x169A), (0x16A0, 0x16EA), (0x1700, 0x1734), (0x1740, 0x1773), (0x1900, 0x1A7C),
            (0x1B00, 0x1C7D), (0x2C00, 0x2C5F), (0x2C80, 0x2CF3), (0x2D30, 0x2D7F), (0xA000, 0xA62B), (0xA6A0, 0xA6F1),
            (0xA800, 0xA873), (0xA880, 0xA8C5), (0xA90A, 0xA953), (0xA980, 0xA9CF), (0xAA00, 0xAA4D), (0xAA80, 0xAAF6), (0xABC0, 0xABED),
        ),
    ),
)  # fmt: skip

_PLANE = 0x10000
_HANI = SCRIPTS.index("Hani")
_HIRA = SCRIPTS.index("Hira")
_KANA = SCRIPTS.index("Kana")


@functools.cache
def _script_table() -> npt.NDArray[np.uint8]:
    """The place in ``SCRIPTS`` of each code point of the basic plane, uint8 (65536,)."""
    table = np.zeros(_PLANE, dtype=np.uint8)
    for script, ranges in _RANGES:
        for first, last in ranges:
            table[first : last + 1] = SCRIPTS.index(script)
    return table


@njit(cache=True, nogil=True)
def _count_letters(
    data: npt.NDArray[np.uint8],
    windows: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int32],
) -> None:
    for row in range(len(windows)):
        for window in range(0, windows.shape[1], 2):
            at, end = windows[row, window], windows[row, window + 1]
            while at < end:
                byte = np.int64(data[at])
                at += 1
                if byte < 0x80:
                    counts[row, table[byte]] += 1
                    continue
                if byte < 0xC2:  # a continuation byte without its start
                    continue
                n_more = 1 if byte < 0xE0 else (2 if byte < 0xF0 else 3)
                point = byte & (0x3F >> n_more)
                while n_more > 0 and at < end and (data[at] & 0xC0) == 0x80:
                    point = (point << 6) | (np.int64(data[at]) & 0x3F)
                    at += 1
                    n_more -= 1
                if n_more > 0:
                    continue
                if point < 0x10000:
                    counts[row, table[point]] += 1
                elif 0x20000 <= point < 0x32400:
                    counts[row, _HANI] += 1  # its supplementary planes


def count_letters(data: npt.NDArray[np.uint8], windows: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Letters of each script in each document's windows, int32 (n, len(SCRIPTS)); the first column is 0.

    Args:
        data: UTF-8 bytes of all documents; what is not UTF-8 counts for nothing.
        windows: (n, 2k): begin and end of each of a document's k windows.
    """
    counts = np.zeros((len(windows), len(SCRIPTS)), dtype=np.int32)
    _count_letters(data, windows, _script_table(), counts)
    counts[:, 0] = 0
    return counts


def find_scripts(counts: npt.NDArray[np.int32]) -> pa.StringArray:
    """The dominant script of each document, ISO 15924.

    Worked example: three kana and two Han are Japanese.

    >>> text = "日本のこと".encode()
    >>> counts = count_letters(np.frombuffer(text, np.uint8), np.array([[0, len(text)]]))
    >>> find_scripts(counts).to_pylist()
    ['Jpan']

    Args:
        counts: from ``count_letters``.
    """
    kana = counts[:, _HIRA] + counts[:, _KANA]
    grouped = counts.copy()
    grouped[:, _HANI] += kana
    grouped[:, [_HIRA, _KANA]] = 0
    places = grouped.argmax(axis=1)
    codes = np.array([*SCRIPTS, "Jpan"], dtype=object)
    is_japanese = (places == _HANI) & (kana >= KANA_SHARE * grouped[:, _HANI])
    return pa.array(codes[np.where(is_japanese, len(SCRIPTS), places)], pa.string())
