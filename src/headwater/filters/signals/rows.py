"""One text's row of signals, made of the counts that the measuring kernels left."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from headwater.filters.signals import counts, marks, places
from headwater.filters.signals.word_measures import entropy_term
from headwater.filters.text.characters import DIGIT, LETTER, MARK, MATH, NEWLINE, SPACE
from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import Pieces

__all__ = ["write_noise", "write_row", "write_text_kinds"]


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
    """Write the signals of Gopher."""
    n_tokens, n_lines, chars = pieces.totals[0], pieces.totals[1], pieces.totals[2]
    row[places.GOPHER_WORDS] = tokens[counts.WORDS]
    row[places.GOPHER_MEAN_WORD_LENGTH] = _share(tokens[counts.WORD_CHARS], tokens[counts.WORDS])
    row[places.GOPHER_HASH_RATIO] = _share(tokens[counts.HASH_SIGNS], n_tokens)
    row[places.GOPHER_ELLIPSIS_RATIO] = _share(tokens[counts.ELLIPSES], n_tokens)
    row[places.GOPHER_BULLET_LINES_FRACTION] = _share(lines[counts.BULLET_LINES], n_lines)
    row[places.GOPHER_ELLIPSIS_LINES_FRACTION] = _share(lines[counts.ELLIPSIS_LINES], n_lines)
    row[places.GOPHER_ALPHA_WORDS_FRACTION] = _share(tokens[counts.ALPHA_TOKENS], n_tokens)
    row[places.GOPHER_STOP_WORDS] = hits[counts.DISTINCT_STOP_WORDS]
    row[places.GOPHER_DUP_LINES_FRACTION] = _share(lines[counts.EQUAL_LINES], lines[counts.FILLED_LINES])
    row[places.GOPHER_DUP_PARAGRAPHS_FRACTION] = _share(lines[counts.EQUAL_PARAGRAPHS], lines[counts.PARAGRAPHS])
    row[places.GOPHER_DUP_LINES_CHARS_FRACTION] = _share(lines[counts.EQUAL_LINES_CHARS], chars)
    row[places.GOPHER_DUP_PARAGRAPHS_CHARS_FRACTION] = _share(lines[counts.EQUAL_PARAGRAPHS_CHARS], chars)
    for i in range(9):
        row[places.GOPHER_TOP_2GRAM_CHARS_FRACTION + i] = _share(ngrams[counts.GOPHER_NGRAMS + i], chars)


@kernel
def _write_c4(
    pieces: Pieces, lines: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64], row: npt.NDArray[np.float64]
) -> None:
    """Write the signals of C4."""
    filled = lines[counts.FILLED_LINES]
    row[places.C4_LINES] = filled
    row[places.C4_UNTERMINATED_LINES_FRACTION] = _share(lines[counts.UNTERMINATED_LINES], filled)
    row[places.C4_SHORT_LINES_FRACTION] = _share(lines[counts.LINES_UNDER_3_WORDS], filled)
    row[places.C4_POLICY_LINES] = lines[counts.POLICY_LINES]
    row[places.C4_LOREM_IPSUM] = min(lines[counts.LOREM_IPSUMS], 1)
    row[places.C4_CURLY_BRACKETS] = tokens[counts.OPENING_BRACES]
    row[places.C4_SENTENCES] = lines[counts.LINE_SENTENCES]
    row[places.C4_LONGEST_WORD] = pieces.totals[3]
    row[places.C4_REMOVED_LINES_FRACTION] = _share(lines[counts.C4_REMOVED_LINES], filled)
    row[places.C4_REMOVED_CHARS_FRACTION] = _share(lines[counts.C4_REMOVED_CHARS], pieces.totals[2])
    row[places.C4_CITATION_MARKS] = tokens[counts.CITATIONS]
    row[places.C4_LONG_LINES] = lines[counts.LINES_FROM_200_CHARS]


@kernel
def _write_fineweb_and_refinedweb(
    pieces: Pieces, lines: npt.NDArray[np.int64], words: int, row: npt.NDArray[np.float64]
) -> None:
    """Write the signals of FineWeb and RefinedWeb."""
    filled, newlines = lines[counts.FILLED_LINES], pieces.classes[NEWLINE]
    row[places.FINEWEB_PUNCT_LINES_FRACTION] = _share(lines[counts.PUNCTUATED_LINES], filled)
    row[places.FINEWEB_SHORT_LINES_FRACTION] = _share(lines[counts.LINES_UP_TO_30_CHARS], filled)
    row[places.FINEWEB_DUP_CHARS_FRACTION] = _share(lines[counts.EQUAL_LINES_CHARS], pieces.totals[2] - newlines)
    row[places.FINEWEB_NEWLINES_PER_WORD] = _share(newlines, pieces.totals[0])
    row[places.REFINEDWEB_UPPERCASE_LINES_FRACTION] = _share(lines[counts.UPPERCASE_LINES], filled)
    row[places.REFINEDWEB_NUMERIC_LINES_FRACTION] = _share(lines[counts.NUMERIC_LINES], filled)
    row[places.REFINEDWEB_COUNTER_LINES_FRACTION] = _share(lines[counts.COUNTER_LINES], filled)
    row[places.REFINEDWEB_ONE_WORD_LINES_FRACTION] = _share(lines[counts.ONE_WORD_LINES], filled)
    row[places.REFINEDWEB_PHRASE_LINES_FRACTION] = _share(lines[counts.SHORT_PHRASE_LINES], filled)
    row[places.REFINEDWEB_REMOVED_WORDS_FRACTION] = _share(lines[counts.REFINEDWEB_REMOVED_WORDS], words)


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
    words = tokens[counts.WORDS]
    row[places.RPV2_LINES] = n_lines
    row[places.RPV2_CURLY_BRACKET_RATIO] = _share(tokens[counts.OPENING_BRACES] + tokens[counts.CLOSING_BRACES], chars)
    row[places.RPV2_ALL_CAPS_WORDS_FRACTION] = _share(tokens[counts.CAPITAL_WORDS], n_tokens)
    row[places.RPV2_NO_ALPH_WORDS_FRACTION] = _share(n_tokens - tokens[counts.ALPHA_TOKENS], n_tokens)
    row[places.RPV2_LOREM_IPSUM_RATIO] = _share(lines[counts.LOREM_IPSUMS], chars)
    row[places.RPV2_STOP_WORD_FRACTION] = _share(hits[counts.STOP_WORDS], n_tokens)
    row[places.RPV2_SYMBOL_TO_WORD_RATIO] = _share(tokens[counts.HASH_SIGNS] + tokens[counts.ELLIPSES], n_tokens)
    row[places.RPV2_UNIQUE_WORDS_FRACTION] = _share(tokens[counts.DISTINCT_WORDS], words)
    # sum of -p ln p with p = c / n is (n ln n - sum of c ln c) / n
    row[places.RPV2_UNIGRAM_ENTROPY] = max(_share(entropy_term(words, terms) - entropy, words), 0.0)
    row[places.RPV2_NUM_SENTENCES] = tokens[counts.SENTENCES]
    row[places.RPV2_TERMINAL_LINES_FRACTION] = _share(lines[counts.TERMINAL_LINES], n_lines)
    row[places.RPV2_JAVASCRIPT_PER_LINE] = _share(lines[counts.JAVASCRIPTS], n_lines)
    row[places.RPV2_WORDS_PER_LINE] = _share(words, n_lines)
    row[places.RPV2_NUMERICAL_CHARS_FRACTION] = _share(shares[counts.NUMBER_SHARES], n_lines)
    row[places.RPV2_BULLET_LINES_FRACTION] = _share(lines[counts.ROUND_BULLET_LINES], n_lines)
    row[places.RPV2_UPPERCASE_LETTER_FRACTION] = _share(shares[counts.UPPER_SHARES], n_lines)
    for i in range(9):
        row[places.RPV2_TOP_2GRAM_CHARS_FRACTION + i] = _share(ngrams[counts.RPV2_NGRAMS + i], token_chars)


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
    chars, classes, filled, words = pieces.totals[2], pieces.classes, lines[counts.FILLED_LINES], tokens[counts.WORDS]
    visible = chars - classes[SPACE] - classes[NEWLINE]
    letters = classes[MARK]
    for kind in range(LETTER, len(classes)):
        letters += classes[kind]
    row[places.HW_CHARS] = chars
    row[places.HW_LETTER_FRACTION] = _share(letters, visible)
    row[places.HW_DIGIT_FRACTION] = _share(classes[DIGIT], visible)
    row[places.HW_LATEX_FRACTION] = _share(tokens[counts.LATEX_CHARS], visible)
    row[places.HW_MATH_SYMBOLS_PER_KB] = _share(1000 * classes[MATH], n_bytes)
    row[places.HW_EQUATIONS] = tokens[counts.EQUATIONS]
    row[places.HW_CODE_FRACTION] = _share(lines[counts.CODE_LINES], filled)
    row[places.HW_INDENTED_LINES_FRACTION] = _share(lines[counts.INDENTED_LINES], filled)
    row[places.HW_DIALOGUE_LINES_FRACTION] = _share(lines[counts.DIALOGUE_LINES], filled)
    row[places.HW_QUESTION_MARKS] = tokens[counts.QUESTION_MARKS]
    row[places.HW_STEP_MARKERS] = lines[counts.NUMBERED_LINES] + hits[counts.STEP_LINES]
    row[places.HW_CONNECTIVES_PER_KWORD] = _share(1000 * hits[counts.CONNECTIVES], words)
    row[places.HW_STOP_WORDS_FRACTION] = _share(hits[counts.STOP_WORDS], words)
    row[places.HW_DISTINCT_WORDS_FRACTION] = _share(tokens[counts.DISTINCT_FIRST_WORDS], tokens[counts.FIRST_WORDS])
    row[places.HW_LONG_WORDS_FRACTION] = _share(tokens[counts.LONG_WORDS], words)
    row[places.HW_URLS] = tokens[counts.URLS]


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
    """Write one text's signals to `row`, each in its place of `places`.

    `lines`, `shares`, `tokens`, `hits` and `ngrams` are what the measuring kernels left, in the places of `counts`; `entropy`
    is the sum of `measure_tokens`. Cost: a division a signal, whatever the text.
    """
    _write_gopher(pieces, lines, tokens, hits, ngrams, row)
    _write_c4(pieces, lines, tokens, row)
    _write_fineweb_and_refinedweb(pieces, lines, tokens[counts.WORDS], row)
    _write_rpv2(pieces, terms, lines, shares, tokens, hits, ngrams, token_chars, entropy, row)
    _write_own(n_bytes, pieces, lines, tokens, hits, row)


@kernel
def write_text_kinds(
    tokens: npt.NDArray[np.int64],
    structure: npt.NDArray[np.int64],
    mark_counts: npt.NDArray[np.int64],
    rarity: npt.NDArray[np.int64],
    cues: npt.NDArray[np.int64],
    row: npt.NDArray[np.float64],
) -> None:
    """Write one text's signals of `text_kinds` to `row`, each in its place of `places`, from the counts of its kernels."""
    words = tokens[counts.WORDS]
    row[places.HW_EXCLAMATIONS_PER_KWORD] = _share(1000 * mark_counts[marks.EXCLAMATION], words)
    row[places.HW_COMMAS_PER_KWORD] = _share(1000 * mark_counts[marks.COMMA], words)
    row[places.HW_QUOTES_PER_KWORD] = _share(1000 * mark_counts[marks.QUOTE], words)
    row[places.HW_BRACKETS_PER_KWORD] = _share(1000 * mark_counts[marks.BRACKET], words)
    row[places.HW_COLONS_PER_KWORD] = _share(1000 * (mark_counts[marks.COLON] - tokens[counts.URLS]), words)
    row[places.HW_SEMICOLONS_PER_KWORD] = _share(1000 * mark_counts[marks.SEMICOLON], words)
    row[places.HW_DASHES_PER_KWORD] = _share(1000 * mark_counts[marks.DASH], words)
    row[places.HW_ELLIPSES_PER_KWORD] = _share(1000 * tokens[counts.ELLIPSES], words)
    row[places.HW_CURRENCY_PER_KWORD] = _share(1000 * mark_counts[marks.CURRENCY], words)
    row[places.HW_PERCENTS_PER_KWORD] = _share(1000 * mark_counts[marks.PERCENT], words)
    row[places.HW_PICTURES_PER_KWORD] = _share(1000 * mark_counts[marks.PICTURE], words)
    row[places.HW_EMAILS_PER_KWORD] = _share(1000 * structure[counts.ADDRESSES], words)
    row[places.HW_NUMBERS_PER_KWORD] = _share(1000 * structure[counts.NUMBERS], words)
    row[places.HW_YEARS_PER_KWORD] = _share(1000 * rarity[counts.YEARS], words)
    row[places.HW_NAMES_PER_KWORD] = _share(1000 * structure[counts.NAMES], words)
    # n sum of x² less the square of the sum of x is exact as far as a float64 holds whole numbers, and a square root rounds
    # as IEEE says on any CPU
    sentences, squares = float(structure[counts.CLOSED_SENTENCES]), float(structure[counts.SENTENCE_SQUARES])
    spread = max(sentences * squares - float(words) * float(words), 0.0)
    row[places.HW_SENTENCE_WORDS] = _share(words, sentences)
    row[places.HW_SENTENCE_WORDS_DEVIATION] = _share(math.sqrt(spread), sentences)
    row[places.HW_COMMON_WORDS_FRACTION] = _share(rarity[counts.COMMON_WORDS], words)
    row[places.HW_RARE_WORDS_FRACTION] = _share(rarity[counts.RARE_WORDS], words)
    for category in range(len(cues)):
        row[places.HW_CUE_FIRST_PERSON_PER_KWORD + category] = _share(1000 * cues[category], words)


@kernel
def write_noise(
    noise_lines: int, noise_size: int, size: int, lines: npt.NDArray[np.int64], row: npt.NDArray[np.float64]
) -> None:
    """Write one text's signals of line noise to `row`, from what `find_noise` returned."""
    row[places.HW_NOISE_LINES_FRACTION] = _share(noise_lines, lines[counts.FILLED_LINES])
    row[places.HW_NOISE_CHARS_FRACTION] = _share(noise_size, size)
