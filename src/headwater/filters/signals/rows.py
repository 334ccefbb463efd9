"""One text's row of signals, made of the counts that the measuring kernels left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from headwater.filters.signals.word_measures import entropy_term
from headwater.filters.text.characters import DIGIT, LETTER, MARK, MATH, NEWLINE, SPACE
from headwater.filters.text.kernel import kernel
from headwater.filters.words.cut import Pieces

__all__ = ["write_row"]


@kernel
def _share(part: float, whole: float) -> float:
    """Return part / whole, 0 where there is nothing to share."""
    return part / whole if whole else 0.0


@kernel
def _write_gopher(
    pieces: Pieces,
    lines: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int64],
    hits: npt.NDArray[np.int64],
    ngrams: npt.NDArray[np.int64],
    row: npt.NDArray[np.float64],
) -> None:
    n_tokens, n_lines, chars = pieces.totals[0], pieces.totals[1], pieces.totals[2]
    row[0] = tokens[0]
    row[1] = _share(tokens[1], tokens[0])
    row[2] = _share(tokens[4], n_tokens)
    row[3] = _share(tokens[5], n_tokens)
    row[4] = _share(lines[1], n_lines)
    row[5] = _share(lines[2], n_lines)
    row[6] = _share(tokens[2], n_tokens)
    row[7] = hits[0]
    row[8] = _share(lines[14], lines[0])
    row[9] = _share(lines[17], lines[16])
    row[10] = _share(lines[15], chars)
    row[11] = _share(lines[18], chars)
    for i in range(9):
        row[12 + i] = _share(ngrams[i], chars)


@kernel
def _write_c4(
    pieces: Pieces, lines: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64], row: npt.NDArray[np.float64]
) -> None:
    """Write the signals of C4."""
    filled = lines[0]
    row[21] = filled
    row[22] = _share(lines[3], filled)
    row[23] = _share(lines[5], filled)
    row[24] = lines[7]
    row[25] = min(lines[8], 1)
    row[26] = tokens[6]
    row[27] = lines[9]
    row[28] = pieces.totals[3]
    row[29] = _share(lines[19], filled)
    row[30] = _share(lines[20], pieces.totals[2])
    row[31] = tokens[16]
    row[32] = lines[21]


@kernel
def _write_fineweb_and_refinedweb(
    pieces: Pieces, lines: npt.NDArray[np.int64], words: int, row: npt.NDArray[np.float64]
) -> None:
    """Write the signals of FineWeb and RefinedWeb."""
    filled, newlines = lines[0], pieces.classes[NEWLINE]
    row[33] = _share(lines[4], filled)
    row[34] = _share(lines[6], filled)
    row[35] = _share(lines[15], pieces.totals[2] - newlines)
    row[36] = _share(newlines, pieces.totals[0])
    for i in range(5):
        row[37 + i] = _share(lines[23 + i], filled)
    row[42] = _share(lines[28], words)


@kernel
def _write_rpv2(
    pieces: Pieces,
    terms: npt.NDArray[np.float64],
    lines: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int64],
    hits: npt.NDArray[np.int64],
    ngrams: npt.NDArray[np.int64],
    token_chars: int,
    entropy: float,
    row: npt.NDArray[np.float64],
) -> None:
    """Write the signals of RedPajama v2."""
    n_tokens, n_lines, chars = pieces.totals[0], pieces.totals[1], pieces.totals[2]
    words = tokens[0]
    row[43] = n_lines
    row[44] = _share(tokens[6] + tokens[15], chars)
    row[45] = _share(tokens[14], n_tokens)
    row[46] = _share(n_tokens - tokens[2], n_tokens)
    row[47] = _share(lines[8], chars)
    row[48] = _share(hits[1], n_tokens)
    row[49] = _share(tokens[4] + tokens[5], n_tokens)
    row[50] = _share(tokens[13], words)
    # sum of -p ln p with p = c / n is (n ln n - sum of c ln c) / n
    row[51] = max(_share(entropy_term(words, terms) - entropy, words), 0.0)
    row[52] = tokens[17]
    row[53] = _share(lines[30], n_lines)
    row[54] = _share(lines[22], n_lines)
    row[55] = _share(words, n_lines)
    row[56] = _share(shares[1], n_lines)
    row[57] = _share(lines[29], n_lines)
    row[58] = _share(shares[0], n_lines)
    for i in range(9):
        row[59 + i] = _share(ngrams[9 + i], token_chars)


@kernel
def _write_own(
    n_bytes: int,
    pieces: Pieces,
    lines: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int64],
    hits: npt.NDArray[np.int64],
    row: npt.NDArray[np.float64],
) -> None:
    """Write the signals of Headwater."""
    chars, counts, filled, words = pieces.totals[2], pieces.classes, lines[0], tokens[0]
    visible = chars - counts[SPACE] - counts[NEWLINE]
    letters = counts[MARK]
    for kind in range(LETTER, len(counts)):
        letters += counts[kind]
    row[68] = chars
    row[69] = _share(letters, visible)
    row[70] = _share(counts[DIGIT], visible)
    row[71] = _share(tokens[7], visible)
    row[72] = _share(1000 * counts[MATH], n_bytes)
    row[73] = tokens[8]
    row[74] = _share(lines[11], filled)
    row[75] = _share(lines[10], filled)
    row[76] = _share(lines[12], filled)
    row[77] = tokens[9]
    row[78] = lines[13] + hits[3]
    row[79] = _share(1000 * hits[2], words)
    row[80] = _share(hits[1], words)
    row[81] = _share(tokens[12], tokens[11])
    row[82] = _share(tokens[3], words)
    row[83] = tokens[10]


@kernel
def write_row(
    n_bytes: int,
    pieces: Pieces,
    terms: npt.NDArray[np.float64],
    lines: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int64],
    hits: npt.NDArray[np.int64],
    ngrams: npt.NDArray[np.int64],
    token_chars: int,
    entropy: float,
    row: npt.NDArray[np.float64],
) -> None:
    """Write one text's signals to `row` in the order of `SIGNALS`.

    `lines`, `tokens`, `hits` and `ngrams` are counts in the order of `LINE_MEASURES`, `TOKEN_MEASURES`,
    `LEXICON_MEASURES` and `measure_ngrams`; `shares` the sums of `measure_lines`; `entropy` the sum of
    `measure_tokens`. Cost: a division a signal, whatever the text.
    """
    _write_gopher(pieces, lines, tokens, hits, ngrams, row)
    _write_c4(pieces, lines, tokens, row)
    _write_fineweb_and_refinedweb(pieces, lines, tokens[0], row)
    _write_rpv2(pieces, terms, lines, shares, tokens, hits, ngrams, token_chars, entropy, row)
    _write_own(n_bytes, pieces, lines, tokens, hits, row)
