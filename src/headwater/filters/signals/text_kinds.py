"""Signals by which kinds of text show: marks, sentences, names and numbers, rarity of words, cues; as data.

`cue_categories` says which cues there are; the words of each are in ``data/cues``.
"""

from __future__ import annotations

from typing import Final

from headwater.filters.signals.cue_categories import CATEGORIES
from headwater.filters.signals.definitions import CASE, CHARS, ENTRIES, REAL, UNITS, Signal

__all__ = ["TEXT_KINDS"]

_OWN: Final = "Headwater"
_RANKS: Final = "Headwater; lists of wordfreq 3.1.1"
_KWORD: Final = "per 1000 words"

_MARKS: Final = (
    ("exclamations", "exclamation marks of any script, not the opening one"),
    ("commas", "commas of any script, not those inside numbers"),
    ("quotes", "double, angle and corner quotation marks of any script; no single ones"),
    ("brackets", "opening round brackets"),
    ("colons", "colons, but those of ://"),
    ("semicolons", "semicolons of any script"),
    ("dashes", "runs of one dash (– — and kin), and - or -- between white space that do not open their line"),
    ("ellipses", "occurrences of ... and …"),
    ("currency", "signs of currencies (Unicode Sc); $ only beside a number"),
    ("percents", "percent signs of any script, and per mille"),
    ("pictures", "emoji, arrows, stars, shapes and other pictographs, and the bullets • ‣ ⁃"),
)

TEXT_KINDS: Final[tuple[Signal, ...]] = (
    *(Signal(f"hw_{name}_per_kword", REAL, _KWORD, CHARS, f"{what}, per 1000 words", _OWN) for name, what in _MARKS),
    Signal("hw_emails_per_kword", REAL, _KWORD, CHARS, "@ between two words that touch it, per 1000 words", _OWN),
    Signal("hw_numbers_per_kword", REAL, _KWORD, UNITS, "words that begin with a decimal digit, per 1000 words", _OWN),
    Signal(
        "hw_years_per_kword",
        REAL,
        _KWORD,
        UNITS,
        "words that are a whole number from 1000 to 2099 in decimal digits of any script, per 1000 words",
        _OWN,
    ),
    Signal(
        "hw_names_per_kword",
        REAL,
        _KWORD,
        CASE,
        "words that begin with a capital and are not the first of their sentence or line, per 1000 words",
        _OWN,
    ),
    Signal(
        "hw_sentence_words",
        REAL,
        "words",
        UNITS,
        "mean words of the sentences, which end at terminal marks of any script and at the end of their line",
        _OWN,
    ),
    Signal(
        "hw_sentence_words_deviation",
        REAL,
        "words",
        UNITS,
        "standard deviation of the words of these sentences, over all of them: 0 for one",
        _OWN,
    ),
    Signal(
        "hw_common_words_fraction",
        REAL,
        "fraction",
        UNITS,
        "words that in lower case are among the language's 1000 most frequent, per word; 0 where there is no list",
        _RANKS,
    ),
    Signal(
        "hw_rare_words_fraction",
        REAL,
        "fraction",
        UNITS,
        "words with letters that in lower case are not among the 10,000 most frequent, per word; 0 where there is no list",
        _RANKS,
    ),
    *(
        Signal(f"hw_cue_{name}_per_kword", REAL, _KWORD, ENTRIES, f"cues as {words}, per 1000 words", _OWN)
        for name, words in CATEGORIES.items()
    ),
)
"""In the order of the columns."""
