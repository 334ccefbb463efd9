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

__all__ = ["DESCRIPTIONS", "SIGNALS"]

_GOPHER: Final = "Gopher, arXiv 2112.11446, table A1"
_C4: Final = "C4, arXiv 1910.10683, section 2.2"
_FINEWEB: Final = "FineWeb, arXiv 2406.17557, section 3.6"
_OWN: Final = "Headwater"

_COUNT: Final = pa.int32()
_REAL: Final = pa.float32()

_DEFINED: Final[tuple[tuple[str, pa.DataType, str, str], ...]] = (
    ("gopher_words", _COUNT, "words", _GOPHER),
    ("gopher_mean_word_length", _REAL, "mean length of the words, in chars", _GOPHER),
    ("gopher_hash_ratio", _REAL, "occurrences of # per token", _GOPHER),
    ("gopher_ellipsis_ratio", _REAL, "occurrences of ... and … per token", _GOPHER),
    (
        "gopher_bullet_lines_fraction",
        _REAL,
        "lines whose first visible char is • or -, per line",
        _GOPHER,
    ),
    (
        "gopher_ellipsis_lines_fraction",
        _REAL,
        "lines that end in ... or …, per line",
        _GOPHER,
    ),
    ("gopher_alpha_words_fraction", _REAL, "tokens with a letter, per token", _GOPHER),
    (
        "gopher_stop_words",
        _COUNT,
        "distinct words of the language's stop list that occur",
        _GOPHER + "; own lists",
    ),
    (
        "gopher_dup_lines_fraction",
        _REAL,
        "filled lines equal to an earlier one, per filled line",
        _GOPHER,
    ),
    (
        "gopher_dup_paragraphs_fraction",
        _REAL,
        "paragraphs (split at blank lines) equal to an earlier one",
        _GOPHER,
    ),
    (
        "gopher_dup_lines_chars_fraction",
        _REAL,
        "chars in filled lines equal to an earlier one, per char",
        _GOPHER,
    ),
    (
        "gopher_dup_paragraphs_chars_fraction",
        _REAL,
        "chars in paragraphs equal to an earlier one, per char",
        _GOPHER,
    ),
    *(
        (
            f"gopher_top_{n}gram_chars_fraction",
            _REAL,
            f"chars of the most frequent {n}-gram of tokens (the first such, with spaces) times its count, per char",
            _GOPHER,
        )
        for n in (2, 3, 4)
    ),
    *(
        (
            f"gopher_dup_{n}gram_chars_fraction",
            _REAL,
            f"chars in {n}-grams of tokens seen earlier, each char counted once, spaces not counted, per char",
            _GOPHER,
        )
        for n in (5, 6, 7, 8, 9, 10)
    ),
    ("c4_lines", _COUNT, "filled lines", _C4),
    (
        "c4_unterminated_lines_fraction",
        _REAL,
        "filled lines that do not end in a terminal mark or closing quote of their script, or end in an ellipsis",
        _C4,
    ),
    ("c4_short_lines_fraction", _REAL, "filled lines of fewer than 3 words", _C4),
    (
        "c4_policy_lines",
        _COUNT,
        "lines with javascript or a phrase of a cookie, terms or privacy notice",
        _C4,
    ),
    (
        "c4_lorem_ipsum",
        _COUNT,
        "1 if lorem ipsum occurs in any ASCII case, else 0",
        _C4,
    ),
    ("c4_curly_brackets", _COUNT, "occurrences of {", _C4),
    (
        "c4_sentences",
        _COUNT,
        "sentences in lines of 3+ words that are no policy lines (the rest of a line after its last mark is one)",
        _C4,
    ),
    ("c4_longest_word", _COUNT, "chars of the longest run without white space", _C4),
    (
        "fineweb_punct_lines_fraction",
        _REAL,
        "filled lines that end in a terminal mark or closing quote, per filled line",
        _FINEWEB,
    ),
    (
        "fineweb_short_lines_fraction",
        _REAL,
        "filled lines of at most 30 chars, per filled line",
        _FINEWEB,
    ),
    (
        "fineweb_dup_chars_fraction",
        _REAL,
        "chars in filled lines equal to an earlier one, per char that is no newline",
        _FINEWEB,
    ),
    ("fineweb_newlines_per_word", _REAL, "newlines per token", _FINEWEB),
    ("hw_chars", _COUNT, "chars of the text", _OWN),
    (
        "hw_letter_fraction",
        _REAL,
        "letters and combining marks per char that is no white space",
        _OWN,
    ),
    (
        "hw_digit_fraction",
        _REAL,
        "decimal digits of any script per char that is no white space",
        _OWN,
    ),
    (
        "hw_latex_fraction",
        _REAL,
        "chars of LaTeX control words (\\ and the word after it) and $ per char that is no white space",
        _OWN,
    ),
    (
        "hw_math_symbols_per_kb",
        _REAL,
        "mathematical symbols (Unicode Sm without < > | ~, and ^) per 1000 bytes of text",
        _OWN,
    ),
    (
        "hw_equations",
        _COUNT,
        "= after a word or closing bracket and no part of == <= >= != := =>",
        _OWN,
    ),
    (
        "hw_code_fraction",
        _REAL,
        "filled lines that look like source code, per filled line",
        _OWN,
    ),
    (
        "hw_indented_lines_fraction",
        _REAL,
        "filled lines that begin with a tab or two spaces, per filled line",
        _OWN,
    ),
    (
        "hw_dialogue_lines_fraction",
        _REAL,
        "filled lines that open with a quotation mark or a speaker's dash",
        _OWN,
    ),
    ("hw_question_marks", _COUNT, "question marks of any script", _OWN),
    (
        "hw_step_markers",
        _COUNT,
        "lines that open with a number and . ) or :, or with a word for step",
        _OWN,
    ),
    (
        "hw_connectives_per_kword",
        _REAL,
        "reasoning connectives of the language per 1000 words",
        _OWN,
    ),
    (
        "hw_stop_words_fraction",
        _REAL,
        "words in the language's stop list, per word",
        _OWN,
    ),
    (
        "hw_distinct_words_fraction",
        _REAL,
        "distinct words among the first 1000, per word of these",
        _OWN,
    ),
    ("hw_long_words_fraction", _REAL, "words of 8 chars or more, per word", _OWN),
    ("hw_urls", _COUNT, "occurrences of ://", _OWN),
)

SIGNALS: Final[dict[str, pa.DataType]] = {name: kind for name, kind, _, _ in _DEFINED}
"""Ordered: name of the column to its Arrow type."""

DESCRIPTIONS: Final[dict[str, str]] = {name: f"{text} [{source}]" for name, _, text, source in _DEFINED}
"""Name of the column to its definition, unit and source."""
