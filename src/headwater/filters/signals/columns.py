"""The signals: name, Arrow type and definition of every column of the family `signals`.

Pure data, so that the schema of the table, the rules and the kernels read one list. How a definition is computed is
in `signals`; where ours differs from the publication it is named after, the description says so.

Shared terms. *Chars* are Unicode code points. A *token* is what `words` cuts: a word, or a run of one punctuation or
symbol character; a *word* is a token that is not such a run. A *line* is what newlines separate (a newline at the end
of the text opens no line); a *filled line* has a character that is not white space. A fraction of nothing is 0.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from headwater.filters.signals.definitions import (
    CASE,
    CHARS,
    COUNT,
    ENGLISH,
    ENTRIES,
    LINES,
    NOISE,
    PUBLISHED,
    REAL,
    UNITS,
    Signal,
)
from headwater.filters.signals.text_kinds import TEXT_KINDS

__all__ = ["COLUMNS", "DESCRIPTIONS", "SIGNALS"]

_RPV2: Final = "RedPajama v2, arXiv 2411.12372"
_OWN: Final = "Headwater"
_OWN_NOISE: Final = "Headwater; docs/cards/line-noise.md"

COLUMNS: Final[tuple[Signal, ...]] = (
    *PUBLISHED,
    Signal("rpv2_lines", COUNT, "lines", LINES, "lines, blank ones too", _RPV2),
    Signal("rpv2_curly_bracket_ratio", REAL, "per char", CHARS, "occurrences of { and } per char", _RPV2),
    Signal(
        "rpv2_all_caps_words_fraction",
        REAL,
        "fraction",
        CASE,
        "words with letters, all of upper case, per token",
        _RPV2,
    ),
    Signal("rpv2_no_alph_words_fraction", REAL, "fraction", UNITS, "tokens without a letter, per token", _RPV2),
    Signal(
        "rpv2_lorem_ipsum_ratio",
        REAL,
        "per char",
        ENGLISH,
        "occurrences of lorem ipsum in any ASCII case, per char",
        _RPV2,
    ),
    Signal(
        "rpv2_stop_word_fraction",
        REAL,
        "fraction",
        ENTRIES,
        "words in the language's stop list, per token",
        _RPV2 + "; own lists",
    ),
    Signal("rpv2_symbol_to_word_ratio", REAL, "per token", UNITS, "occurrences of #, ... and … per token", _RPV2),
    Signal("rpv2_unique_words_fraction", REAL, "fraction", UNITS, "distinct words per word, case kept", _RPV2),
    Signal(
        "rpv2_unigram_entropy",
        REAL,
        "nats",
        UNITS,
        "entropy of the distribution of words, case kept: -sum of p ln p",
        _RPV2,
    ),
    Signal(
        "rpv2_num_sentences",
        COUNT,
        "sentences",
        UNITS,
        "stretches with a word between terminal marks of any script",
        _RPV2,
    ),
    Signal(
        "rpv2_terminal_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "lines that end in a terminal mark of their script or in ”, per line",
        _RPV2,
    ),
    Signal(
        "rpv2_javascript_per_line",
        REAL,
        "per line",
        ENGLISH,
        "occurrences of javascript in any ASCII case, per line",
        _RPV2,
    ),
    Signal("rpv2_words_per_line", REAL, "words", UNITS, "words per line", _RPV2),
    Signal(
        "rpv2_numerical_chars_fraction",
        REAL,
        "fraction",
        CHARS,
        "mean over lines of the share of chars that are numbers",
        _RPV2,
    ),
    Signal(
        "rpv2_bullet_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "lines whose first visible char is one of • ‣ ▶ ◀ ◦ ■ □ ▪ ▫ –, per line",
        _RPV2,
    ),
    Signal(
        "rpv2_uppercase_letter_fraction",
        REAL,
        "fraction",
        CASE,
        "mean over lines of the share of chars that are letters of upper case",
        _RPV2,
    ),
    *(
        Signal(
            f"rpv2_top_{n}gram_chars_fraction",
            REAL,
            "fraction",
            UNITS,
            f"chars of the most frequent {n}-gram of tokens times its count, 0 if that is 1, per char of the tokens",
            _RPV2,
        )
        for n in (2, 3, 4)
    ),
    *(
        Signal(
            f"rpv2_dup_{n}gram_chars_fraction",
            REAL,
            "fraction",
            UNITS,
            f"chars of tokens in {n}-grams that occur twice or more, per char of the tokens",
            _RPV2,
        )
        for n in (5, 6, 7, 8, 9, 10)
    ),
    Signal("hw_chars", COUNT, "chars", CHARS, "chars of the text", _OWN),
    Signal(
        "hw_letter_fraction",
        REAL,
        "fraction",
        CHARS,
        "letters and combining marks per char that is no white space",
        _OWN,
    ),
    Signal(
        "hw_digit_fraction",
        REAL,
        "fraction",
        CHARS,
        "decimal digits of any script per char that is no white space",
        _OWN,
    ),
    Signal(
        "hw_latex_fraction",
        REAL,
        "fraction",
        CHARS,
        "chars of LaTeX control words (\\ and the word after it) and $ per char that is no white space",
        _OWN,
    ),
    Signal(
        "hw_math_symbols_per_kb",
        REAL,
        "per 1000 bytes",
        CHARS,
        "mathematical symbols (Unicode Sm without < > | ~, and ^) per 1000 bytes of text",
        _OWN,
    ),
    Signal(
        "hw_equations",
        COUNT,
        "occurrences",
        CHARS,
        "= after a word or closing bracket, not right before \" or ' (attributes of HTML), and no part of == <= >= != := =>",
        _OWN,
    ),
    Signal(
        "hw_code_fraction", REAL, "fraction", LINES, "filled lines that look like source code, per filled line", _OWN
    ),
    Signal(
        "hw_indented_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "filled lines that begin with a tab or two spaces, per filled line",
        _OWN,
    ),
    Signal(
        "hw_dialogue_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "filled lines that open with a quotation mark or a speaker's dash",
        _OWN,
    ),
    Signal("hw_question_marks", COUNT, "chars", CHARS, "question marks of any script", _OWN),
    Signal(
        "hw_step_markers",
        COUNT,
        "lines",
        LINES,
        "lines that open with a number and . ) or :, or with a word for step",
        _OWN,
    ),
    Signal(
        "hw_connectives_per_kword",
        REAL,
        "per 1000 words",
        ENTRIES,
        "reasoning connectives of the language per 1000 words",
        _OWN,
    ),
    Signal("hw_stop_words_fraction", REAL, "fraction", ENTRIES, "words in the language's stop list, per word", _OWN),
    Signal(
        "hw_distinct_words_fraction",
        REAL,
        "fraction",
        UNITS,
        "distinct words among the first 1000, per word of these",
        _OWN,
    ),
    Signal("hw_long_words_fraction", REAL, "fraction", UNITS, "words of 8 chars or more, per word", _OWN),
    Signal("hw_urls", COUNT, "occurrences", CHARS, "occurrences of ://", _OWN),
    *TEXT_KINDS,
    Signal(
        "hw_noise_lines_fraction",
        REAL,
        "fraction",
        NOISE,
        "filled lines that a model takes for noise, not text (navigation, buttons, prices, dates), per filled line",
        _OWN_NOISE,
    ),
    Signal(
        "hw_noise_chars_fraction",
        REAL,
        "fraction",
        NOISE,
        "chars of these lines per char, both without white space; Han characters as 3, kana and Korean syllables as 2",
        _OWN_NOISE,
    ),
)
"""Every signal in the order of its column."""

SIGNALS: Final[dict[str, pa.DataType]] = {signal.name: signal.kind for signal in COLUMNS}
"""Ordered: name of the column to its Arrow type."""

DESCRIPTIONS: Final[dict[str, str]] = {signal.name: f"{signal.meaning} [{signal.source}]" for signal in COLUMNS}
"""Name of the column to its definition and source."""
