"""What the shipped vocabulary is trained on: counts of a folder's text, and frequencies of words from two packages.

A stratum is ``language|source``; its weight makes the languages' shares and, inside a language, the sources' shares less
unequal than their sizes. Kept out of training, so that the card's figures are of text it never saw: the sources of ``HELD_OUT``
whole, and of all others the documents whose hash begins with a byte below ``HELD_OUT_BYTES``.

Text of manuals and scriptures says little of which words are common elsewhere. So words of `wordfreq` (lists merged from
subtitles, news, web pages, books and others; 29 of the 30 languages) and, for Thai, of the Thai National Corpus as
`pythainlp` has it, are pieces too, with counts that follow their frequencies. Conservatively, a list stands for one source, though
it was merged from three or more, so a token of its words needs two sources of the folder beside it; a word above
``LEAST_FREQUENCY`` stands for the 50 documents that a token needs.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.tokenize.names import MAX_DOCUMENTS
from headwater.tokenize.train.piece_counts import SCHEMA, count_pieces, merge_counts

__all__ = ["HELD_OUT", "LANGUAGES", "count_folder", "count_words", "is_held_out", "read_folder", "weigh_strata"]

HELD_OUT = frozenset({"opensource-guide", "tatoeba"})
HELD_OUT_BYTES = 16
LEAST_FREQUENCY = 2e-6
WORDS_COUNTED = 1e7
LANGUAGES = ("ar bn cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh").split()
_JOINED = {"ja", "zh", "th"}
CAPITALIZED_SHARE = 0.14
LANGUAGE_POWER = 0.2
SOURCE_POWER = 0.6
WORDS_SHARE = 0.5
BATCH_DOCUMENTS = 2000


def read_folder(folder: Path) -> Iterator[tuple[str, str, bytes, str]]:
    """Yield language, source, hash and text of each document; exact duplicates once, at the first file by name."""
    seen: set[bytes] = set()
    for path in sorted(folder.glob("*/*.jsonl.zst")):
        with pa.input_stream(str(path), compression="zstd") as stream:
            lines = stream.read().splitlines()
        for line in lines:
            text = json.loads(line)["text"]
            key = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if key not in seen:
                seen.add(key)
                yield path.name.removesuffix(".jsonl.zst"), path.parent.name, key, text


def is_held_out(source: str, key: bytes) -> bool:
    """Whether a document is kept out of training."""
    return source in HELD_OUT or key[0] < HELD_OUT_BYTES


def count_folder(folder: Path, sizes: dict[str, int]) -> pa.Table:
    """Return the counts of what trains, and write bytes by stratum into ``sizes``."""
    tables, batch = [], list[tuple[str, str, bytes, str]]()
    for document in read_folder(folder):
        if not is_held_out(document[1], document[2]):
            batch.append(document)
            stratum = f"{document[0]}|{document[1]}"
            sizes[stratum] = sizes.get(stratum, 0) + len(document[3].encode())
        if len(batch) == BATCH_DOCUMENTS:
            tables.append(_count(batch))
            batch.clear()
    return merge_counts([*tables, *([_count(batch)] if batch else [])])


def count_words() -> pa.Table:
    """Return the words of the packages as pieces: after a blank, capitalized or not, where the language has blanks."""
    words: list[str] = []
    owners: list[str] = []
    counts: list[float] = []
    for language in LANGUAGES:
        for word, frequency in sorted(_frequencies(language).items()):
            if frequency < LEAST_FREQUENCY:
                continue
            capitalized = word[0].upper() + word[1:]
            if language in _JOINED:
                forms = [(word, 1.0)]
            elif capitalized == word:
                forms = [(f" {word}", 1.0)]
            else:
                forms = [(f" {word}", 1 - CAPITALIZED_SHARE), (f" {capitalized}", CAPITALIZED_SHARE)]
            for form, share in forms:
                words.append(form)
                owners.append(f"{language}|words")
                counts.append(frequency * share * WORDS_COUNTED)
    numbers = pa.array([str(i) for i in range(len(words))])
    same = pa.array([""] * len(words))
    cut = count_pieces(pa.array(words, pa.large_string()), same, same, numbers)
    word_of = np.array(cut["language"].to_pylist()).astype(np.int64)
    occurrences = np.maximum(1, np.round(np.array(counts)[word_of])).astype(np.int64) * cut["count"].to_numpy()
    documents = np.sort(np.frombuffer(hashlib.shake_128(b"words").digest(8 * MAX_DOCUMENTS), dtype="<i8"))
    n = len(cut)
    columns = [
        pa.array(np.array(owners)[word_of]),
        cut["piece"],
        pa.array(occurrences),
        pa.LargeListArray.from_arrays(pa.array(np.arange(n + 1)), pa.array(np.zeros(n, dtype=np.int64))),
        pa.LargeListArray.from_arrays(
            pa.array(np.arange(n + 1) * MAX_DOCUMENTS), pa.array(np.tile(documents, n).astype(np.int64))
        ),
    ]
    return merge_counts([pa.table(columns, schema=SCHEMA)])


def weigh_strata(counts: pa.Table, boost: dict[str, float]) -> dict[str, float]:
    """Return the weight of each stratum.

    Args:
        counts: of the folder and the words.
        boost: what a language's share is multiplied by.
    """
    grouped = counts.group_by("language").aggregate([("count", "sum")]).sort_by("language")
    by_language: dict[str, dict[str, int]] = defaultdict(dict)
    for stratum, n in zip(grouped["language"].to_pylist(), grouped["count_sum"].to_pylist(), strict=True):
        by_language[stratum.split("|")[0]][stratum.split("|")[1]] = n
    whole = {key: sum(n for source, n in of.items() if source != "words") for key, of in by_language.items()}
    scale = sum(whole.values()) / sum(n**LANGUAGE_POWER for n in whole.values())
    weights = {}
    for language, of in by_language.items():
        share = scale * whole[language] ** LANGUAGE_POWER * boost.get(language, 1.0)
        powers = {source: n**SOURCE_POWER for source, n in of.items() if source != "words"}
        for source, n in of.items():
            if source == "words":
                weights[f"{language}|{source}"] = share * WORDS_SHARE / n
            else:
                rest = 1 - WORDS_SHARE if "words" in of else 1.0
                weights[f"{language}|{source}"] = share * rest * powers[source] / sum(powers.values()) / n
    return weights


def _count(batch: list[tuple[str, str, bytes, str]]) -> pa.Table:
    languages, sources, keys, texts = zip(*batch, strict=True)
    strata = [f"{language}|{source}" for language, source in zip(languages, sources, strict=True)]
    columns = [pa.array([key.hex() for key in keys]), pa.array(sources), pa.array(strata)]
    return count_pieces(pa.array(texts, pa.large_string()), *columns)


def _frequencies(language: str) -> dict[str, float]:
    """Return the frequency of each word, as a share of all words."""
    if language != "th":
        import wordfreq

        return dict(wordfreq.get_frequency_dict("nb" if language == "no" else language, "best"))
    lines = (resources.files("pythainlp") / "corpus" / "tnc_freq.txt").read_text(encoding="utf-8").splitlines()
    found = {word.strip(): int(n) for word, _, n in (line.partition("\t") for line in lines) if n.strip().isdigit()}
    total = sum(found.values())
    return {word: n / total for word, n in found.items() if word}
