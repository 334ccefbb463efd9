"""Telling noise from text, line by line: boosted trees over the numbers of a line and of its three neighbours on each side.

Lines are measured into a room of fixed size and judged in blocks, so that a text of millions of lines takes no more memory.
Only filled lines count: a blank one is no neighbour. Beyond the first and the last line every number is `NOTHING`.

Each tree's value is added to the margin in the order of the file, in float64: the same bits on any CPU. A line is noise where the
margin, the log odds of text, is below 0.
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

__all__ = ["NEIGHBOURS", "NOTHING", "NoiseRoom", "Trees", "find_noise", "make_noise_room", "measure_noise_features"]

NEIGHBOURS: Final = 3
"""Lines before and after that a tree may ask about."""
NOTHING: Final = -2
"""Every number of a line that is not there."""
_HALO: Final = FARTHEST
_ROWS: Final = 1024


class Trees(NamedTuple):
    """The trees of a model for kernels; a leaf leads to itself.

    Attributes:
        places: int32, a node's number to look at: 19 times the lines after the judged one, plus its place.
        cuts: int32, the way is to `lows` where the number is at most this, else to the node after that one.
        lows: int32, node number.
        values: float64, what a leaf adds.
        roots: int32, the root of each tree.
        depths: int32, of each tree.
        bias: float64 (1,), what the margin begins with.
    """

    places: npt.NDArray[np.int32]
    cuts: npt.NDArray[np.int32]
    lows: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    roots: npt.NDArray[np.int32]
    depths: npt.NDArray[np.int32]
    bias: npt.NDArray[np.float64]


class NoiseRoom(NamedTuple):
    """Room for a block of lines, reused from text to text.

    Attributes:
        rows: int32 (1024, 19), numbers of lines in a row.
        lines: int64 (1024,), number of each row's line; -1 of none.
        margins: float64 (1024,).
    """

    rows: npt.NDArray[np.int32]
    lines: npt.NDArray[np.int64]
    margins: npt.NDArray[np.float64]


def make_noise_room() -> NoiseRoom:
    """Return room for `find_noise`, 94 KB."""
    return NoiseRoom(
        rows=np.empty((_ROWS, N_FEATURES), np.int32), lines=np.empty(_ROWS, np.int64), margins=np.empty(_ROWS)
    )


@kernel
def _set_empty(room: NoiseRoom, begin: int, end: int) -> None:
    room.rows[begin:end] = NOTHING
    room.lines[begin:end] = -1


@kernel
def _find_sound(rows: npt.NDArray[np.int32], n: int) -> None:
    """Write how far the nearest sound lines are, exactly for all rows but the first and the last `FARTHEST`."""
    distance = FARTHEST
    for i in range(n):
        rows[i, PREVIOUS_SOUND] = distance
        distance = 1 if is_sound(rows[i]) else min(distance + 1, FARTHEST)
    distance = FARTHEST
    for i in range(n - 1, -1, -1):
        rows[i, NEXT_SOUND] = distance
        distance = 1 if is_sound(rows[i]) else min(distance + 1, FARTHEST)


@kernel
def _add_trees(trees: Trees, rows: npt.NDArray[np.int32], n: int, margins: npt.NDArray[np.float64]) -> None:
    """Write the margins of the rows [FARTHEST, n - FARTHEST)."""
    places, cuts, lows, values = trees.places, trees.cuts, trees.lows, trees.values
    flat = rows.reshape(rows.size)
    margins[:n] = trees.bias[0]
    for tree in range(len(trees.roots)):
        root, depth = trees.roots[tree], trees.depths[tree]
        for i in range(_HALO, n - _HALO):
            at = np.int64(i) * N_FEATURES
            node = np.int64(root)
            for _ in range(depth):  # a leaf leads to itself, so no step asks whether it is one
                node = np.int64(lows[node]) + np.int64(flat[at + places[node]] > cuts[node])
            margins[i] += values[node]


@kernel
def find_noise(
    pieces: Pieces, classes: npt.NDArray[np.uint8], trees: Trees, room: NoiseRoom, noisy: npt.NDArray[np.uint8]
) -> tuple[int, int, int]:
    """Write 1 to `noisy` for each line of a text that is noise, else 0; return noisy lines, their size, the size of all.

    `noisy` has an entry a line, blank ones too. Cost: a step a token, and for each line and tree as many as the tree is
    deep.
    """
    rows, lines, margins = room.rows, room.lines, room.margins
    n_lines = pieces.totals[1]
    noisy[:n_lines] = 0
    _set_empty(room, 0, _HALO)
    filled, line, ended = _HALO, 0, False
    n_noisy, noisy_size, all_size = 0, 0, 0
    while not ended:
        while line < n_lines and filled < _ROWS:
            if pieces.line_tokens[line] != pieces.line_tokens[line + 1]:
                measure_line(pieces, classes, line, rows[filled])
                lines[filled] = line
                filled += 1
            line += 1
        if line == n_lines and filled + _HALO <= _ROWS:
            _set_empty(room, filled, filled + _HALO)
            filled += _HALO
            ended = True
        _find_sound(rows, filled)
        _add_trees(trees, rows, filled, margins)
        for i in range(_HALO, filled - _HALO):
            all_size += rows[i, SIZE]
            if margins[i] < 0.0:
                noisy[lines[i]] = 1
                n_noisy += 1
                noisy_size += rows[i, SIZE]
        begin = filled - 2 * _HALO
        for i in range(2 * _HALO):
            for place in range(N_FEATURES):
                rows[i, place] = rows[begin + i, place]
            lines[i] = lines[begin + i]
        filled = 2 * _HALO
    return n_noisy, noisy_size, all_size


@kernel
def _measure_all(pieces: Pieces, classes: npt.NDArray[np.uint8], rows: npt.NDArray[np.int32]) -> int:
    """Write the numbers of every filled line of a text; return how many there are."""
    filled = 0
    for line in range(pieces.totals[1]):
        if pieces.line_tokens[line] != pieces.line_tokens[line + 1]:
            measure_line(pieces, classes, line, rows[filled])
            filled += 1
    _find_sound(rows, filled)
    return filled


def measure_noise_features(text: str) -> npt.NDArray[np.int32]:
    r"""Return the numbers of each filled line of one text, int32 (lines, 19); for training and tests.

    >>> measure_noise_features("Log in | Help\n\nOne more line.")[:, :2].tolist()
    [[10, 3], [12, 3]]
    """
    data = np.frombuffer(text.encode(), np.uint8)
    pieces, classes = make_pieces(len(data)), character_classes()
    cut_tokens(data, 0, len(data), classes, pieces)
    rows = np.empty((int(pieces.totals[1]), N_FEATURES), np.int32)
    return rows[: _measure_all(pieces, classes, rows)]
