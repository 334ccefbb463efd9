"""What each signal after a published filter measures: name, type, unit, definition and source of its column, as data.

Where ours differs from the publication it is named after, the definition or `docs/reference/signals.md` says so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import pyarrow as pa

__all__ = ["CASE", "CHARS", "COUNT", "ENGLISH", "ENTRIES", "LINES", "NOISE", "PUBLISHED", "REAL", "UNITS", "Signal"]


class Signal(NamedTuple):
    """One column of the family `signals`.

    Attributes:
        name: of the column, prefixed by its source.
        kind: its Arrow type.
        unit: of its values.
        scripts: how it treats scripts without spaces, or without case.
        meaning: what it measures.
        source: the publication that it is taken from.
    """

    name: str
    kind: pa.DataType
    unit: str
    scripts: str
    meaning: str
    source: str


COUNT: Final = pa.int32()
REAL: Final = pa.float32()

UNITS: Final = "by the units that `words` cuts"
CHARS: Final = "by chars: the same"
LINES: Final = "by lines and marks: the same"
ENTRIES: Final = "by the entries of the lists"
ENGLISH: Final = "English, in ASCII: 0"
CASE: Final = "0 where there is no case"
NOISE: Final = "by lines; letters without case count as neither"

GOPHER: Final = "Gopher, arXiv 2112.11446, table A1"
C4: Final = "C4, arXiv 1910.10683, section 2.2"
FINEWEB: Final = "FineWeb, arXiv 2406.17557, section 3.6"
REFINEDWEB: Final = "RefinedWeb, arXiv 2306.01116, appendix G.2"

PUBLISHED: Final[tuple[Signal, ...]] = (
    Signal("gopher_words", COUNT, "words", UNITS, "words", GOPHER),
    Signal("gopher_mean_word_length", REAL, "chars", UNITS, "mean length of the words, in chars", GOPHER),
    Signal("gopher_hash_ratio", REAL, "per token", UNITS, "occurrences of # per token", GOPHER),
    Signal("gopher_ellipsis_ratio", REAL, "per token", UNITS, "occurrences of ... and … per token", GOPHER),
    Signal(
        "gopher_bullet_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "lines whose first visible char is • or -, per line",
        GOPHER,
    ),
    Signal("gopher_ellipsis_lines_fraction", REAL, "fraction", LINES, "lines that end in ... or …, per line", GOPHER),
    Signal("gopher_alpha_words_fraction", REAL, "fraction", UNITS, "tokens with a letter, per token", GOPHER),
    Signal(
        "gopher_stop_words",
        COUNT,
        "words",
        ENTRIES,
        "distinct words of the language's stop list that occur",
        GOPHER + "; own lists",
    ),
    Signal(
        "gopher_dup_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "filled lines equal to an earlier one, per filled line",
        GOPHER,
    ),
    Signal(
        "gopher_dup_paragraphs_fraction",
        REAL,
        "fraction",
        LINES,
        "paragraphs (split at blank lines) equal to an earlier one",
        GOPHER,
    ),
    Signal(
        "gopher_dup_lines_chars_fraction",
        REAL,
        "fraction",
        LINES,
        "chars in filled lines equal to an earlier one, per char",
        GOPHER,
    ),
    Signal(
        "gopher_dup_paragraphs_chars_fraction",
        REAL,
        "fraction",
        LINES,
        "chars in paragraphs equal to an earlier one, per char",
        GOPHER,
    ),
    *(
        Signal(
            f"gopher_top_{n}gram_chars_fraction",
            REAL,
            "fraction",
            UNITS,
            f"chars of the most frequent {n}-gram of tokens (the first such, with spaces) times its count, per char",
            GOPHER,
        )
        for n in (2, 3, 4)
    ),
    *(
        Signal(
            f"gopher_dup_{n}gram_chars_fraction",
            REAL,
            "fraction",
            UNITS,
            f"chars in {n}-grams of tokens seen earlier, each char counted once, spaces not counted, per char",
            GOPHER,
        )
        for n in (5, 6, 7, 8, 9, 10)
    ),
    Signal("c4_lines", COUNT, "lines", LINES, "filled lines", C4),
    Signal(
        "c4_unterminated_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "filled lines that do not end in a terminal mark or closing quote of their script, or end in an ellipsis",
        C4,
    ),
    Signal("c4_short_lines_fraction", REAL, "fraction", UNITS, "filled lines of fewer than 3 words", C4),
    Signal(
        "c4_policy_lines",
        COUNT,
        "lines",
        ENGLISH,
        "lines with javascript or a phrase of a cookie, terms or privacy notice",
        C4,
    ),
    Signal("c4_lorem_ipsum", COUNT, "0 or 1", ENGLISH, "1 if lorem ipsum occurs in any ASCII case, else 0", C4),
    Signal("c4_curly_brackets", COUNT, "chars", CHARS, "occurrences of {", C4),
    Signal(
        "c4_sentences",
        COUNT,
        "sentences",
        UNITS,
        "sentences in lines of 3+ words that are no policy lines (the rest of a line after its last mark is one)",
        C4,
    ),
    Signal("c4_longest_word", COUNT, "chars", CHARS, "chars of the longest run without white space", C4),
    Signal(
        "c4_removed_lines_fraction",
        REAL,
        "fraction",
        UNITS,
        "filled lines that C4's line rules remove (docs/reference/signals.md), per filled line",
        C4,
    ),
    Signal(
        "c4_removed_chars_fraction",
        REAL,
        "fraction",
        UNITS,
        "chars of the filled lines that C4's line rules remove, without newlines, per char",
        C4,
    ),
    Signal(
        "c4_citation_marks",
        COUNT,
        "occurrences",
        ENGLISH,
        "occurrences of [], [12], [edit] and [citation needed]",
        C4 + "; its released code",
    ),
    Signal(
        "c4_long_lines",
        COUNT,
        "lines",
        CHARS,
        "filled lines of 200 chars or more",
        "mC4, arXiv 2010.11934, section 3.1",
    ),
    Signal(
        "fineweb_punct_lines_fraction",
        REAL,
        "fraction",
        LINES,
        "filled lines that end in a terminal mark or closing quote, per filled line",
        FINEWEB,
    ),
    Signal(
        "fineweb_short_lines_fraction",
        REAL,
        "fraction",
        CHARS,
        "filled lines of at most 30 chars, per filled line",
        FINEWEB,
    ),
    Signal(
        "fineweb_dup_chars_fraction",
        REAL,
        "fraction",
        LINES,
        "chars in filled lines equal to an earlier one, per char that is no newline",
        FINEWEB,
    ),
    Signal("fineweb_newlines_per_word", REAL, "per token", UNITS, "newlines per token", FINEWEB),
    Signal(
        "refinedweb_uppercase_lines_fraction",
        REAL,
        "fraction",
        CASE,
        "filled lines more than half of whose chars are letters of upper case",
        REFINEDWEB,
    ),
    Signal(
        "refinedweb_numeric_lines_fraction",
        REAL,
        "fraction",
        CHARS,
        "filled lines all of whose chars are numbers (a share above 0.999999)",
        REFINEDWEB,
    ),
    Signal(
        "refinedweb_counter_lines_fraction",
        REAL,
        "fraction",
        ENGLISH,
        "filled lines that are a counter, as 3 likes or 1.2K views",
        REFINEDWEB,
    ),
    Signal(
        "refinedweb_one_word_lines_fraction", REAL, "fraction", UNITS, "filled lines of one word or none", REFINEDWEB
    ),
    Signal(
        "refinedweb_phrase_lines_fraction",
        REAL,
        "fraction",
        ENGLISH,
        "filled lines of 10 words or fewer with items in cart, sign-in first or read more... last",
        REFINEDWEB,
    ),
    Signal(
        "refinedweb_removed_words_fraction",
        REAL,
        "fraction",
        UNITS,
        "words in the filled lines that one of these five rules removes, per word",
        REFINEDWEB,
    ),
)
"""Gopher, C4, FineWeb and RefinedWeb, in the order of the columns."""
