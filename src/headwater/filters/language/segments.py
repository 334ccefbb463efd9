"""Segments: the short stretches of a document whose languages are identified one by one.

Of what ``headwater.filters.language.windows`` leaves of a document two selections are made:

- a *survey*: the beginning, the middle and the end of it, ``SURVEY_BYTES`` each. What has at most ``2 * SURVEY_BYTES`` bytes in all is one
  segment; up to ``3 * SURVEY_BYTES`` it is cut into three equal parts.
- a *reading*: the windows cut into stretches of ``SEGMENT_BYTES``, of more than ``MOST_SEGMENTS`` every second.

A border inside a text moves back, by at most a quarter of the size, to just behind the last line feed, else to white space or, failing
that, to the first byte of a character, by the rule of ``windows``. So a segment is some 110 to 340 bytes: one to three lines, enough for a
model, and too little to hold two languages unless they alternate within a line.

Cost: a few steps a segment. What it loses: a survey does not see what lies between its parts, nor a reading of a long text every second stretch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.language.windows import move_begin, move_end

__all__ = ["MOST_SEGMENTS", "SEGMENT_BYTES", "SURVEY_BYTES", "find_segments"]

SEGMENT_BYTES = 224
SURVEY_BYTES = 128
MOST_SEGMENTS = 7

_Longs = npt.NDArray[np.int64]
_LINE_FEED = 10
_PARTS = 3


@njit(cache=True, nogil=True)
def _find_border(data: npt.NDArray[np.uint8], at: int, size: int) -> int:
    """Where a segment of ``size`` bytes that would end at ``at`` ends: at most a quarter of its size earlier."""
    first = at - size // 4
    for place in range(at, first, -1):
        if data[place - 1] == _LINE_FEED:
            return place
    return int(move_end(data, at, first))


@njit(cache=True, nogil=True)
def _cut(data: npt.NDArray[np.uint8], begin: int, end: int, size: int, segments: _Longs, n_segments: int) -> int:
    """Appends ``[begin, end)`` in stretches of about ``size`` bytes; the last is at most half as long again. Returns the new count."""
    while end - begin > size + size // 2:
        border = _find_border(data, begin + size, size)
        segments[n_segments, 0], segments[n_segments, 1] = begin, border
        n_segments += 1
        begin = border
    if end > begin:
        segments[n_segments, 0], segments[n_segments, 1] = begin, end
        n_segments += 1
    return n_segments


@njit(cache=True, nogil=True)
def _survey(data: npt.NDArray[np.uint8], windows: _Longs, segments: _Longs, n_segments: int) -> int:
    """Appends the survey of one document; returns the new count."""
    begin, end = windows[0], windows[1]
    size = SURVEY_BYTES
    if windows[3] == windows[2] and windows[5] == windows[4]:  # read whole
        if end - begin <= 2 * size:
            return int(_cut(data, begin, end, 2 * size, segments, n_segments))
        if end - begin <= _PARTS * size:
            return int(_cut(data, begin, end, (end - begin) // _PARTS + 1, segments, n_segments))
        middle_begin, middle_end = begin, end
        last_begin, last_end = begin, end
    else:
        middle_begin, middle_end = windows[2], windows[3]
        last_begin, last_end = windows[4], windows[5]
    segments[n_segments, 0], segments[n_segments, 1] = begin, _find_border(data, begin + size, size)
    at = middle_begin + max(0, (middle_end - middle_begin - size) // 2)
    at = move_begin(data, at, middle_end) if at > middle_begin else at
    segments[n_segments + 1, 0] = at
    segments[n_segments + 1, 1] = _find_border(data, at + size, size) if at + size < middle_end else middle_end
    at = max(last_begin, last_end - size)
    segments[n_segments + 2, 0] = move_begin(data, at, last_end) if at > last_begin else at
    segments[n_segments + 2, 1] = last_end
    return n_segments + _PARTS


@njit(cache=True, nogil=True)
def _find_segments(
    data: npt.NDArray[np.uint8], windows: _Longs, rows: _Longs, survey: bool, segments: _Longs, owners: _Longs
) -> int:
    n_segments = 0
    for place in range(len(rows)):
        before = n_segments
        of_row = windows[rows[place]]
        if survey:
            n_segments = _survey(data, of_row, segments, n_segments)
        else:
            for window in range(0, 6, 2):
                n_segments = _cut(data, of_row[window], of_row[window + 1], SEGMENT_BYTES, segments, n_segments)
            if n_segments - before > MOST_SEGMENTS:
                n_kept = (n_segments - before + 1) // 2
                for i in range(n_kept):
                    segments[before + i, 0] = segments[before + 2 * i, 0]
                    segments[before + i, 1] = segments[before + 2 * i, 1]
                n_segments = before + n_kept
        owners[before:n_segments] = place
    return n_segments


def find_segments(data: npt.NDArray[np.uint8], windows: _Longs, rows: _Longs, *, survey: bool) -> tuple[_Longs, _Longs]:
    """Begin and end of each segment, and whose it is.

    Args:
        data: UTF-8 bytes of all documents.
        windows: (n, 6), from ``find_windows``.
        rows: which documents, (k,).
        survey: three segments a document instead of all.

    Returns:
        int64 (segments, 6): begin and end as offsets into ``data``, the rest an empty window, as the kernels take them; int64 (segments,),
        ascending: the place in ``rows`` of the document that each belongs to.
    """
    lengths = windows[rows, 1::2] - windows[rows, ::2]
    # No stretch but the last of a window is shorter than three quarters of the size, so three parts stay three.
    most = _PARTS * len(rows) if survey else int((lengths // (SEGMENT_BYTES - SEGMENT_BYTES // 4) + 1).sum())
    segments = np.zeros((most, 6), dtype=np.int64)
    owners = np.zeros(most, dtype=np.int64)
    n_segments = _find_segments(data, windows, rows, survey, segments, owners)
    return segments[:n_segments], owners[:n_segments]
