"""Build the table of frequent words: src/headwater/filters/data/word_ranks.npz.

    pip install wordfreq==3.1.1 && pip install --no-deps pythainlp==5.4.0
    python -m bench.word_ranks src/headwater/filters/data/word_ranks.npz

The words and frequencies are those of `wordfreq` (its largest list of each language), for Thai those of the Thai National
Corpus, which `pythainlp` carries. Each word is written as the kernel writes it (lower case, without what Hebrew and Arabic
leave out) and cut as `words` cuts text; a piece has the sum of the frequencies of the words that it is cut from. The 10,000
most frequent pieces that have letters are kept as the upper 31 bits of their hashes, never as words. The same lists give the
same bytes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
from collections import defaultdict
from collections.abc import Mapping
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from headwater.filters.signals.lexicon import STOP_WORDS
from headwater.filters.signals.word_ranks import N_COMMON, N_FREQUENT, fold
from headwater.filters.words.cut import cut_text, hash_word

__all__ = ["main"]

_MOST_WORDS = 60_000
"""Of a list that are read: the pieces of rarer words change nothing among the 10,000 most frequent."""


def _frequencies(language: str) -> Mapping[str, float]:
    if language == "th":
        lines = (resources.files("pythainlp") / "corpus" / "tnc_freq.txt").read_text("utf-8").splitlines()
        return {word: float(times) for word, _, times in (line.rpartition("\t") for line in lines) if word}
    import wordfreq

    found: dict[str, float] = wordfreq.get_frequency_dict("nb" if language == "no" else language, "best")
    return found


def frequent_words(language: str) -> list[str]:
    """Return the most frequent words of a language as the kernel looks them up, the most frequent first, ties in order of code points."""
    listed = sorted(_frequencies(language).items(), key=lambda item: (-item[1], item[0]))
    summed: dict[str, float] = defaultdict(float)
    for word, frequency in islice(listed, _MOST_WORDS):
        for piece, _ in cut_text(fold(word, language)):
            if any(character.isalpha() for character in piece):
                summed[piece] += frequency
    return sorted(summed, key=lambda piece: (-summed[piece], piece))[:N_FREQUENT]


def _halves(words: list[str]) -> npt.NDArray[np.uint32]:
    return np.unique(np.array([hash_word(word) >> 33 << 1 for word in words], np.uint32))


def main() -> None:
    """Write the table and print the versions, and for each language how many words it has."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    arguments = parser.parse_args()
    print({name: importlib.metadata.version(name) for name in ("wordfreq", "pythainlp")})
    table = {}
    for language in STOP_WORDS:
        words = frequent_words(language)
        parts = _halves(words[:N_COMMON]), _halves(words[N_COMMON:])
        assert len(parts[0]) == N_COMMON, "two words have one hash"
        table[language] = np.diff(np.concatenate(parts), prepend=np.uint32(0)).astype(np.uint32)
        print(language, len(parts[0]), len(parts[1]), flush=True)
    np.savez_compressed(arguments.table, **table)  # type: ignore[arg-type]  # the stub takes any array for its flag


if __name__ == "__main__":
    main()
