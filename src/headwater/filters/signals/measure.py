"""The signals of Gopher, C4, FineWeb and our own for every text of a batch.

Each text is cut once into tokens and lines (`words`); everything else walks those arrays. Definitions are in
`columns.DESCRIPTIONS`; they follow datatrove, whose thresholds the rules use, with these differences: words are
cut by character class instead of by spaCy, Stanza or Jieba (`words`); lines end at newlines only; repetition counts
filled lines only, and equality ignores which white space it is (`lines`); terminal marks and closing quotes of all 30
languages count (`symbols`); n-grams are compared token by token, so that "ab c" and "a bc" differ. C4's sentence is
what ends in a mark, so an abbreviation ends one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.errors import UsageError
from headwater.filters.noise.judge import NoiseRoom, Trees, find_noise, make_noise_room
from headwater.filters.noise.model import load_noise_model
from headwater.filters.signals import counts
from headwater.filters.signals.carried import count_carried_numbers
from headwater.filters.signals.columns import DESCRIPTIONS, SIGNALS
from headwater.filters.signals.cue_categories import CATEGORIES
from headwater.filters.signals.cues import Cues, load_cues
from headwater.filters.signals.distinct_words import measure_distinct_words
from headwater.filters.signals.lexicon import Lexicon, load_lexicon
from headwater.filters.signals.lines import measure_lines
from headwater.filters.signals.marks import N_MARKS, mark_kinds
from headwater.filters.signals.repetition import Numbering, make_numbering, measure_ngrams, number_keys
from headwater.filters.signals.rows import write_noise, write_row, write_text_kinds
from headwater.filters.signals.structure import measure_structure
from headwater.filters.signals.word_measures import (
    count_lexicon,
    entropy_terms,
    measure_tokens,
)
from headwater.filters.signals.word_ranks import Ranks, load_ranks
from headwater.filters.text.characters import character_classes
from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import Pieces, cut_tokens, make_pieces

__all__ = ["DESCRIPTIONS", "SIGNALS", "VERSION", "measure_signals"]

VERSION: Final = 6
"""Raised with any change that alters a stored signal."""


class _Tables(NamedTuple):
    """What is known of characters and words, the same for all texts; read only."""

    classes: npt.NDArray[np.uint8]
    marks: npt.NDArray[np.uint8]
    terms: npt.NDArray[np.float64]
    lexicon: Lexicon
    cues: Cues
    ranks: Ranks
    turkish: int
    noise: Trees


class _Scratch(NamedTuple):
    """Measures of one text and room for as many entries as it has lines."""

    lines: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]
    ngrams: npt.NDArray[np.int64]
    structure: npt.NDArray[np.int64]
    marks: npt.NDArray[np.int64]
    rarity: npt.NDArray[np.int64]
    cues: npt.NDArray[np.int64]
    seen: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int64]
    paragraphs: npt.NDArray[np.uint64]
    noise: NoiseRoom
    noisy: npt.NDArray[np.uint8]


def measure_signals(texts: pa.Array | pa.ChunkedArray, languages: pa.Array | pa.ChunkedArray) -> pa.RecordBatch:
    """Return the columns of `SIGNALS`, one row for each text; `languages` (BCP 47) choose the word lists.

    A null text counts as empty: counts and fractions of an empty text are 0. A language without word lists (`und`) has
    no stop words and no connectives. Cost: linear in the bytes. Scratch is touched only as far as a text's tokens and
    lines need it: 0.3 GB for ordinary text of 16 MiB, 1.0 GB for the worst one (16 MiB in which each byte is a token).

    Raises:
        UsageError: texts are not strings, or there are more or fewer languages than texts.

    >>> batch = measure_signals(pa.array(["The cat sat on the mat. The cat sat."]), pa.array(["en"]))
    >>> batch["gopher_words"].to_pylist(), batch["gopher_stop_words"].to_pylist(), batch["c4_sentences"].to_pylist()
    ([9], [1], [2])
    """
    if len(texts) != len(languages):
        raise UsageError(
            f"measure_signals: expected one language a text, found {len(languages)} for {len(texts)} texts"
        )
    data, offsets = text_buffers(texts)
    lexicon, rows_by_language = load_lexicon()
    rows = np.array([rows_by_language.get(language, 0) for language in languages.to_pylist()], np.int64)
    most_bytes = int(np.max(np.diff(offsets), initial=0))
    found = np.zeros((len(SIGNALS), len(texts)), np.float64)
    pieces = make_pieces(most_bytes)
    scratch = _Scratch(
        lines=np.zeros(counts.N_LINE_COUNTS, np.int64),
        shares=np.zeros(counts.N_LINE_SUMS, np.float64),
        tokens=np.zeros(counts.N_TOKEN_COUNTS, np.int64),
        hits=np.zeros(counts.N_LEXICON_COUNTS, np.int64),
        ngrams=np.zeros(counts.N_NGRAM_COUNTS, np.int64),
        structure=np.zeros(counts.N_STRUCTURE_COUNTS, np.int64),
        marks=np.zeros(N_MARKS, np.int64),
        rarity=np.zeros(counts.N_RARITY_COUNTS, np.int64),
        cues=np.zeros(len(CATEGORIES), np.int64),
        seen=np.zeros(256, np.uint8),
        sizes=np.empty(len(pieces.line_chars), np.int64),
        paragraphs=np.empty(len(pieces.line_chars), np.uint64),
        noise=make_noise_room(),
        noisy=np.empty(len(pieces.line_chars), np.uint8),
    )
    room = make_numbering(most_bytes)
    tables = _Tables(
        classes=character_classes(),
        marks=mark_kinds(),
        terms=entropy_terms(),
        lexicon=lexicon,
        cues=load_cues(),
        ranks=load_ranks(),
        turkish=rows_by_language["tr"],
        noise=load_noise_model().trees,
    )
    order = np.argsort(rows, kind="stable")  # by language: its tables stay in the cache
    _measure_all(data, offsets, tables, pieces, room, rows, order, scratch, found)
    places = np.argsort(order)
    columns = [
        pa.array(values.astype(kind.to_pandas_dtype())[places], kind)
        for values, kind in zip(found, SIGNALS.values(), strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=list(SIGNALS))


@kernel
def _measure_all(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    tables: _Tables,
    pieces: Pieces,
    room: Numbering,
    rows: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    scratch: _Scratch,
    found: npt.NDArray[np.float64],
) -> None:
    """Fill `found` (signals × texts), both in this order of the texts."""
    classes, terms, lexicon, cues, ranks = tables.classes, tables.terms, tables.lexicon, tables.cues, tables.ranks
    lines, tokens, hits, ngrams = scratch.lines, scratch.tokens, scratch.hits, scratch.ngrams
    structure, marks, rarity = scratch.structure, scratch.marks, scratch.rarity
    for place in range(len(order)):
        text = order[place]
        begin, end, row = offsets[text], offsets[text + 1], rows[text]
        cut_tokens(data, begin, end, classes, pieces)
        measure_lines(data, classes, begin, end, pieces, room, scratch.sizes, scratch.paragraphs, lines, scratch.shares)
        n_distinct = number_keys(pieces.hashes, pieces.totals[0], room)
        entropy = measure_tokens(data, pieces, room, terms, tokens)
        measure_structure(classes, tables.marks, pieces, structure, marks)
        measure_distinct_words(
            data,
            begin,
            end,
            pieces.points,
            pieces.kinds,
            pieces.begins,
            pieces.sizes,
            room.firsts,
            room.counts,
            room.distinct,
            room.keys,
            n_distinct,
            classes,
            cues,
            ranks,
            row,
            row == tables.turkish,
            rarity,
            scratch.cues,
        )
        count_lexicon(data, begin, end, classes, pieces, room, n_distinct, lexicon, row, scratch.seen, hits)
        carried = count_carried_numbers(classes, pieces, room, n_distinct, tokens[counts.EQUATIONS])
        measure_ngrams(pieces.sizes, pieces.totals[0], room, ngrams)
        token_chars = room.ends[pieces.totals[0]]
        write_row(
            end - begin,
            pieces,
            terms,
            lines,
            scratch.shares,
            tokens,
            hits,
            ngrams,
            token_chars,
            entropy,
            found[:, place],
        )
        write_text_kinds(tokens, structure, marks, rarity, scratch.cues, carried, found[:, place])
        noise_lines, noise_size, size = find_noise(pieces, classes, tables.noise, scratch.noise, scratch.noisy)
        write_noise(noise_lines, noise_size, size, lines, found[:, place])
