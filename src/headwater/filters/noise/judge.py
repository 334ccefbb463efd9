"""Telling noise from text, line by line: boosted trees over the numbers of a line and of its three neighbours on each side.

Lines are measured into a room of fixed size and judged in blocks, so that a text of millions of lines takes no more memory.
Only filled lines count: a blank one is no neighbour. Beyond the first and the last line every number is `NOTHING`.

All is whole numbers, so the bits are the same on any CPU. Each tree asks three questions, of seven, and adds its answer to the
margin, the log odds of text in millionths; a line is noise where that is below 0. All lines of a block go through a tree at
once, seven comparisons each without a branch, which compiles to vector instructions.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.noise.features import (
    FARTHEST,
    N_FEATURES,
    NEXT_SOUND,
    PREVIOUS_SOUND,
    SIZE,
    is_sound,
    measure_line,
)
from headwater.filters.text.characters import character_classes
from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import Pieces, cut_tokens, make_pieces

__all__ = [
    "NEIGHBOURS",
    "NOTHING",
    "QUESTIONS",
    "NoiseRoom",
    "Trees",
    "find_noise",
    "make_noise_room",
    "measure_noise_features",
    "place_of",
]

NEIGHBOURS: Final = 3
"""Lines before and after that a tree may ask about."""
NOTHING: Final = -2
"""Every number of a line that is not there."""
QUESTIONS: Final = 7
"""Of a tree: number k is followed by 2 k + 1, or by 2 k + 2, and the last four by one of eight values."""
_HALO: Final = FARTHEST
_ROWS: Final = 1024


class Trees(NamedTuple):
    """The trees of a model for kernels.

    Attributes:
        places: int32 (trees, 7), what a question asks about, as `place_of` says.
        cuts: int32 (trees, 7), the answer is the lower one where the number is at most this.
        values: int32 (trees, 8), what a tree adds, millionths.
        bias: int32 (1,), what the margin begins with, millionths.
    """

    places: npt.NDArray[np.int32]
    cuts: npt.NDArray[np.int32]
    values: npt.NDArray[np.int32]
    bias: npt.NDArray[np.int32]


class NoiseRoom(NamedTuple):
    """Room for a block of lines, reused from text to text.

    Attributes:
        columns: int32 (19, 1024), numbers of lines, those of a line in a column.
        lines: int64 (1024,), number of each line; -1 of none.
        margins: int32 (1024,).
    """

    columns: npt.NDArray[np.int32]
    lines: npt.NDArray[np.int64]
    margins: npt.NDArray[np.int32]


def make_noise_room() -> NoiseRoom:
    """Return room for `find_noise`, 90 KB."""
    return NoiseRoom(
        columns=np.empty((N_FEATURES, _ROWS), np.int32),
        lines=np.empty(_ROWS, np.int64),
        margins=np.empty(_ROWS, np.int32),
    )


def place_of(number: int, line: int) -> int:
    """Return where a tree finds a number of the line so many after the judged one, counted from the judged line's first."""
    return number * _ROWS + line


@kernel
def _set_empty(room: NoiseRoom, begin: int, end: int) -> None:
    for number in range(N_FEATURES):
        for row in range(begin, end):
            room.columns[number, row] = NOTHING
    for row in range(begin, end):
        room.lines[row] = -1


@kernel
def _find_sound(columns: npt.NDArray[np.int32], n: int) -> None:
    """Write how far the nearest sound lines are, exactly for all rows but the first and the last `FARTHEST`."""
    distance = FARTHEST
    for row in range(n):
        columns[PREVIOUS_SOUND, row] = distance
        distance = 1 if is_sound(columns, row) else min(distance + 1, FARTHEST)
    distance = FARTHEST
    for row in range(n - 1, -1, -1):
        columns[NEXT_SOUND, row] = distance
        distance = 1 if is_sound(columns, row) else min(distance + 1, FARTHEST)


@kernel
def _add_trees(
    trees: Trees, numbers: npt.NDArray[np.int32], begin: int, n: int, margins: npt.NDArray[np.int32]
) -> None:
    """Write the margins of the `n` rows from `begin` on; `numbers` are the columns, one after the other."""
    places, cuts, values = trees.places, trees.cuts, trees.values
    for row in range(n):
        margins[np.uint64(row)] = trees.bias[0]
    for tree in range(len(places)):
        p0, p1, p2 = (
            np.uint64(places[tree, 0] + begin),
            np.uint64(places[tree, 1] + begin),
            np.uint64(places[tree, 2] + begin),
        )
        p3, p4 = np.uint64(places[tree, 3] + begin), np.uint64(places[tree, 4] + begin)
        p5, p6 = np.uint64(places[tree, 5] + begin), np.uint64(places[tree, 6] + begin)
        c0, c1, c2, c3 = cuts[tree, 0], cuts[tree, 1], cuts[tree, 2], cuts[tree, 3]
        c4, c5, c6 = cuts[tree, 4], cuts[tree, 5], cuts[tree, 6]
        v0, v1, v2, v3 = values[tree, 0], values[tree, 1], values[tree, 2], values[tree, 3]
        v4, v5, v6, v7 = values[tree, 4], values[tree, 5], values[tree, 6], values[tree, 7]
        for i in range(n):
            row = np.uint64(i)  # an unsigned index: no look at negative ones
            low = (
                (v0 if numbers[p3 + row] <= c3 else v1)
                if numbers[p1 + row] <= c1
                else (v2 if numbers[p4 + row] <= c4 else v3)
            )
            high = (
                (v4 if numbers[p5 + row] <= c5 else v5)
                if numbers[p2 + row] <= c2
                else (v6 if numbers[p6 + row] <= c6 else v7)
            )
            margins[row] += low if numbers[p0 + row] <= c0 else high


@kernel
def find_noise(
    pieces: Pieces, classes: npt.NDArray[np.uint8], trees: Trees, room: NoiseRoom, noisy: npt.NDArray[np.uint8]
) -> tuple[int, int, int]:
    """Write 1 to `noisy` for each line of a text that is noise, else 0; return noisy lines, their size, the size of all.

    `noisy` has an entry a line, blank ones too. Cost: a step a token, and for each line and tree some instructions.
    """
    columns, lines, margins = room.columns, room.lines, room.margins
    numbers = columns.reshape(columns.size)
    n_lines = pieces.totals[1]
    noisy[:n_lines] = 0
    _set_empty(room, 0, _HALO)
    filled, line, ended = _HALO, 0, False
    n_noisy, noisy_size, all_size = 0, 0, 0
    while not ended:
        while line < n_lines and filled < _ROWS:
            if pieces.line_tokens[line] != pieces.line_tokens[line + 1]:
                measure_line(pieces, classes, line, columns, filled)
                lines[filled] = line
                filled += 1
            line += 1
        if line == n_lines and filled + _HALO <= _ROWS:
            _set_empty(room, filled, filled + _HALO)
            filled += _HALO
            ended = True
        _find_sound(columns, filled)
        n = filled - 2 * _HALO
        _add_trees(trees, numbers, _HALO, n, margins)
        for i in range(n):
            row = _HALO + i
            all_size += columns[SIZE, row]
            if margins[i] < 0:
                noisy[lines[row]] = 1
                n_noisy += 1
                noisy_size += columns[SIZE, row]
        if not ended:
            for row in range(2 * _HALO):  # the last lines are neighbours of the next ones, and some are not judged yet
                for number in range(N_FEATURES):
                    columns[number, row] = columns[number, n + row]
                lines[row] = lines[n + row]
            filled = 2 * _HALO
    return n_noisy, noisy_size, all_size


@kernel
def _measure_all(pieces: Pieces, classes: npt.NDArray[np.uint8], columns: npt.NDArray[np.int32]) -> int:
    """Write the numbers of every filled line of a text; return how many there are."""
    filled = 0
    for line in range(pieces.totals[1]):
        if pieces.line_tokens[line] != pieces.line_tokens[line + 1]:
            measure_line(pieces, classes, line, columns, filled)
            filled += 1
    _find_sound(columns, filled)
    return filled


def measure_noise_features(text: str) -> npt.NDArray[np.int32]:
    r"""Return the numbers of each filled line of one text, int32 (lines, 19); for training and tests.

    >>> measure_noise_features("Log in | Help\n\nOne more line.")[:, :2].tolist()
    [[10, 3], [12, 3]]
    """
    data = np.frombuffer(text.encode(), np.uint8)
    pieces, classes = make_pieces(len(data)), character_classes()
    cut_tokens(data, 0, len(data), classes, pieces)
    columns = np.empty((N_FEATURES, int(pieces.totals[1])), np.int32)
    n = _measure_all(pieces, classes, columns)
    return columns[:, :n].T.copy()
