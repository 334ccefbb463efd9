"""What a vocabulary is made of, and what it does to text: bytes a token by language, tokens that are never used, letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.tokenize.encode.encoder import encode, encodes_to_itself, has_kernel
from headwater.tokenize.encode.grammar import COMMON_LETTER, SCRIPTS, character_classes
from headwater.tokenize.vocabulary.content import Vocabulary, token_strings

__all__ = ["TextCounts", "TextReport", "VocabularyFacts", "add_texts", "describe_vocabulary", "report_text"]


class TextReport(TypedDict):
    """What a vocabulary does to text; of each language its bytes, bytes a token by vocabulary, and letters."""

    languages: list[dict[str, object]]
    mean_bytes_a_token: dict[str, float]
    tokens: int
    unused_tokens: int
    under_trained_tokens: int
    under_trained_means_fewer_than: int


class VocabularyFacts(TypedDict):
    """What a vocabulary is made of; ``headwater vocab inspect`` adds the text's report, or others to set it against."""

    vocabulary: str
    fingerprint: str
    ids: int
    highest_ordinary_id: int
    base_ids: int
    next_id: int
    model_size: int
    end_of_text: int
    beginning_of_text: int | None
    specials: int
    longest_token_bytes: int
    kernel: bool
    not_encoding_to_themselves: int
    tokens_by_script: dict[str, int]
    text: NotRequired[TextReport]
    against: NotRequired[list[VocabularyFacts]]


@dataclass(kw_only=True, slots=True)
class TextCounts:
    """Counts over the text seen so far.

    Attributes:
        n_bytes: bytes by language.
        n_tokens: tokens by language, a mapping for each vocabulary.
        ids: int64 [model_size] of the first vocabulary: how often each id was met.
        letters: by language, how often each letter was met.
    """

    n_bytes: dict[str, int] = field(default_factory=dict)
    n_tokens: list[dict[str, int]] = field(default_factory=list)
    ids: npt.NDArray[np.int64]
    letters: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)


def add_texts(
    counts: TextCounts, texts: pa.Array, languages: Sequence[str], vocabularies: Sequence[Vocabulary]
) -> None:
    """Add a batch of texts and their languages to the counts; the first vocabulary is the one inspected."""
    lengths = [len(text.encode()) for text in texts.to_pylist()]
    while len(counts.n_tokens) < len(vocabularies):
        counts.n_tokens.append({})
    is_letter = character_classes() >= COMMON_LETTER
    for language in sorted(set(languages)):
        rows = [row for row, found in enumerate(languages) if found == language]
        counts.n_bytes[language] = counts.n_bytes.get(language, 0) + sum(lengths[row] for row in rows)
        chosen = texts.take(pa.array(rows))
        joined = "".join(chosen.to_pylist()).encode("utf-32-le")
        points = np.bincount(np.frombuffer(joined, dtype=np.uint32), minlength=0x110000)
        points[~is_letter] = 0
        counts.letters[language] = counts.letters.get(language, 0) + points
        for number, vocabulary in enumerate(vocabularies):
            ids, _ = encode(chosen, vocabulary)
            found_tokens = counts.n_tokens[number]
            found_tokens[language] = found_tokens.get(language, 0) + len(ids)
            if number == 0:
                counts.ids += np.bincount(ids, minlength=len(counts.ids))


def describe_vocabulary(vocabulary: Vocabulary) -> VocabularyFacts:
    """Return what needs no text: ids, special tokens, tokens by script, tokens that no text can have."""
    tokens = token_strings(vocabulary)
    alone = encodes_to_itself(vocabulary)
    ordinary = [i for i, token in enumerate(tokens) if token]
    classes = character_classes()
    by_script = dict.fromkeys((*SCRIPTS, "other letters", "no letters", "cut characters"), 0)
    for i in ordinary:
        by_script[_script_of(tokens[i], classes)] += 1
    return {
        "vocabulary": vocabulary.name,
        "fingerprint": vocabulary.fingerprint,
        "ids": len(ordinary),
        "highest_ordinary_id": vocabulary.n_ids - 1,
        "base_ids": vocabulary.base_ids,
        "next_id": vocabulary.next_id,
        "model_size": vocabulary.model_size,
        "end_of_text": vocabulary.end_of_text,
        "beginning_of_text": vocabulary.beginning_of_text,
        "specials": len(vocabulary.specials),
        "longest_token_bytes": max(map(len, tokens)),
        "kernel": has_kernel(vocabulary),
        "not_encoding_to_themselves": sum(not alone[i] for i in ordinary),
        "tokens_by_script": {script: n for script, n in by_script.items() if n},
    }


def report_text(
    counts: TextCounts, vocabularies: Sequence[Vocabulary], *, under_trained: int, min_letter: int
) -> TextReport:
    """Return what the text shows.

    Args:
        counts: of `add_texts`.
        vocabularies: the same as there.
        under_trained: a token met fewer times is under-trained.
        min_letter: a letter met fewer times in a language does not count as one of its letters.
    """
    tokens = token_strings(vocabularies[0])
    ordinary = np.array([i for i, token in enumerate(tokens) if token])
    alone = encodes_to_itself(vocabularies[0])
    whole = {token.decode() for i, token in enumerate(tokens) if token and alone[i] and _is_one_character(token)}
    met = counts.ids[ordinary]
    rows: list[dict[str, object]] = []
    names = [_column(vocabulary, vocabularies) for vocabulary in vocabularies]
    rates: list[dict[str, float]] = []
    for language in sorted(counts.n_bytes):
        n_bytes = counts.n_bytes[language]
        rates.append(
            {
                name: round(n_bytes / max(found[language], 1), 3)
                for name, found in zip(names, counts.n_tokens, strict=True)
            }
        )
        letters = np.flatnonzero(counts.letters[language] >= min_letter).tolist()
        rows.append(
            {
                "language": language,
                "bytes": n_bytes,
                **rates[-1],
                "letters": len(letters),
                "letters_one_token": sum(chr(letter) in whole for letter in letters),
            }
        )
    return {
        "languages": rows,
        "mean_bytes_a_token": {
            name: round(sum(found[name] for found in rates) / len(rates), 3) for name in names if rates
        },
        "tokens": int(counts.ids.sum()),
        "unused_tokens": int((met == 0).sum()),
        "under_trained_tokens": int((met < under_trained).sum()),
        "under_trained_means_fewer_than": under_trained,
    }


def _column(vocabulary: Vocabulary, vocabularies: Sequence[Vocabulary]) -> str:
    same: Mapping[str, int] = {other.name: i for i, other in enumerate(vocabularies)}
    short = vocabulary.name.rpartition("/")[2]
    return short if sum(name.rpartition("/")[2] == short for name in same) == 1 else vocabulary.name


def _is_one_character(token: bytes) -> bool:
    try:
        return len(token.decode()) == 1
    except UnicodeDecodeError:
        return False


def _script_of(token: bytes, classes: npt.NDArray[np.uint8]) -> str:
    try:
        kinds = {int(classes[ord(letter)]) for letter in token.decode()}
    except UnicodeDecodeError:
        return "cut characters"
    letters = sorted(kind for kind in kinds if kind >= COMMON_LETTER)
    if not letters:
        return "no letters"
    first = letters[-1] - COMMON_LETTER - 1
    return SCRIPTS[first] if 0 <= first < len(SCRIPTS) else "other letters"
