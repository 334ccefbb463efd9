"""Signals by which kinds of text show, written for clarity: marks, sentences, names, rarity, cues."""

from __future__ import annotations

import functools
import io
import math
import tomllib
import unicodedata
from collections.abc import Sequence
from importlib.resources import files
from typing import Protocol

import numpy as np
from noise_reference import TERMINAL
from noise_reference import Token as BareToken

from headwater.filters.words.cut import hash_word

_OLD = unicodedata.ucd_3_2_0
_MARKS = {
    "exclamations": "!！﹗‼",
    "commas": ",،、，﹐﹑､︐︑",
    "quotes": '"«»“”„‟‹›「」『』〝〞〟＂｢｣﹁﹂﹃﹄״',
    "brackets": "(（﹙",
    "colons": ":：﹕︓",
    "semicolons": ";；﹔︔؛",
    "percents": "%％﹪٪‰",
}
_DASHES = "‒–—―⸺⸻﹘"


class Token(BareToken, Protocol):
    """What is read of a token of `signal_reference`."""

    spaced: bool


def _is_picture(mark: str) -> bool:
    blocks = (
        (0x2190, 0x21FF),
        (0x2300, 0x23FF),
        (0x2580, 0x27BF),
        (0x2900, 0x297F),
        (0x2B00, 0x2BFF),
        (0x1F000, 0x1FAFF),
    )
    return mark in "•‣⁃" or any(first <= ord(mark) <= last for first, last in blocks)


def _is_currency(mark: str) -> bool:
    return _OLD.category(mark) == "Sc" or 0x20A0 <= ord(mark) <= 0x20CF


def _is_year(word: str) -> bool:
    digits = [_OLD.decimal(character, None) for character in word]
    if len(digits) != 4 or None in digits:
        return False
    return 1000 <= int("".join(str(digit) for digit in digits)) <= 2099


def _lines_of_tokens(lines: Sequence[tuple[str, Sequence[Token]]]) -> dict[str, float]:
    """Counts that need the tokens beside a token."""
    found = dict.fromkeys(["dashes", "currency", "emails", "names", *_MARKS, "pictures"], 0)
    lengths: list[int] = []
    for _, tokens in lines:
        length = 0
        for i, token in enumerate(tokens):
            mark = token.text[0]
            before = tokens[i - 1] if i else None
            after = tokens[i + 1] if i + 1 < len(tokens) else None
            touching = after if after is not None and not after.spaced else None
            if token.is_word:
                found["names"] += token.shape[0] == "C" and length > 0
                length += 1
                continue
            for name, marks in _MARKS.items():
                found[name] += token.size if mark in marks else 0
            found["pictures"] += token.size if _is_picture(mark) else 0
            if mark == "$":
                beside = [near for near in (before, touching) if near is not None]
                found["currency"] += token.size if any(near.shape[0] == "D" for near in beside) else 0
            elif _is_currency(mark):
                found["currency"] += token.size
            if mark in _DASHES:
                found["dashes"] += 1
            if mark == "-" and token.size <= 2 and before is not None:
                found["dashes"] += token.spaced and touching is None
            if mark == "@" and token.size == 1 and not token.spaced:
                found["emails"] += before is not None and before.is_word and touching is not None and touching.is_word
            if mark in TERMINAL and length:
                lengths.append(length)
                length = 0
        if length:
            lengths.append(length)
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    deviation = math.sqrt(sum((n - mean) ** 2 for n in lengths) / len(lengths)) if lengths else 0.0
    return found | {"sentence_words": mean, "sentence_words_deviation": deviation}


@functools.cache
def _cues(language: str) -> dict[str, list[str]]:
    content = tomllib.loads((files("headwater.filters") / "data" / "cues" / f"{language}.toml").read_text("utf-8"))
    return {name: words.split() for name, words in content["cues"].items()}


def _has_lists(language: str) -> bool:
    return (files("headwater.filters") / "data" / "cues" / f"{language}.toml").is_file()


def _capital(entry: str) -> set[str]:
    forms = {entry, entry[0].upper() + entry[1:]}
    return forms | {form.replace("'", "’") for form in forms}


@functools.cache
def _entries(language: str, category: str) -> tuple[set[str], set[str]]:
    """Whole words, and beginnings of words (or of the text at any character in a language without spaces)."""
    entries = _cues(language)[category]
    whole = [entry for entry in entries if not entry.endswith("*")]
    if language in ("zh", "ja", "th"):
        stems = [entry for entry in whole if any(_is_unspaced(character) for character in entry)]
        whole = [entry for entry in whole if entry not in stems]
    else:
        stems = [entry[:-1] for entry in entries if entry.endswith("*")]
    return {form for entry in whole for form in _capital(entry)}, {form for entry in stems for form in _capital(entry)}


def _is_unspaced(character: str) -> bool:
    from class_reference import class_letter

    return class_letter(character) in "HIKTR"


@functools.cache
def _ranks(language: str) -> tuple[set[int], set[int]]:
    with np.load(io.BytesIO((files("headwater.filters") / "data" / "word_ranks.npz").read_bytes())) as content:
        halves = np.cumsum(content[language].astype(np.uint64)).astype(np.uint32).tolist()
    return set(halves[:1000]), set(halves)


def _folded(word: str, language: str) -> str:
    if _is_unspaced(word[0]):
        return word
    out = []
    for character in word:
        if (
            0x0591 <= ord(character) <= 0x05C7
            or 0x064B <= ord(character) <= 0x065F
            or character in "\u0640\u0670\u00ad"
        ):
            continue
        if character == "’":
            out.append("'")
        elif language == "tr" and character == "I":
            out.append("ı")
        elif _OLD.category(character) in ("Lu", "Lt") and ord(character) < 0x10000:
            out.append(character.lower()[0])
        else:
            out.append(character)
    return "".join(out)


def _parts(word: str, language: str) -> list[str]:
    """The word, and in languages that elide what follows each of its apostrophes."""
    places = [at for at, character in enumerate(word) if character in "'’"] if language in ("fr", "it") else []
    return [word, *(word[at + 1 :] for at in places)]


def _carried_numbers(tokens: Sequence[Token]) -> int:
    """Numbers that stood after an = before and stand elsewhere now."""
    results: set[str] = set()
    carried = 0
    after_equals = False
    for token in tokens:
        if token.is_word:
            if token.shape[0] == "D":
                carried += not after_equals and token.text in results
                results |= {token.text} if after_equals else set()
            after_equals = False
        else:
            after_equals = token.text == "=" or (after_equals and token.text[0] in "$+-({\\*~\u2212")
    return carried


def reference_text_kinds(
    text: str, language: str, lines: Sequence[tuple[str, Sequence[Token]]], urls: int, ellipses: int
) -> dict[str, float]:
    """The signals of `text_kinds` of one text, by name, from its filled lines with their tokens."""
    words = [token for _, tokens in lines for token in tokens if token.is_word]
    counted = _lines_of_tokens(lines)

    def per_kword(count: float) -> float:
        return 1000 * count / len(words) if words else 0.0

    with_lists = [token.text for token in words if token.has_letter] if _has_lists(language) else []
    common = rare = 0
    for word in with_lists:
        known = [{hash_word(_folded(part, language)) >> 33 << 1} for part in _parts(word, language)]
        common += any(part & _ranks(language)[0] for part in known)
        rare += not any(part & _ranks(language)[1] for part in known)

    cues: dict[str, float] = {}
    for category in _cues("en"):
        hits = 0
        if _has_lists(language):
            whole, stems = _entries(language, category)
            if language in ("zh", "ja", "th"):
                hits += sum(word in whole for word in with_lists)
                hits += sum(any(text.startswith(stem, at) for stem in stems) for at in range(len(text)))
            else:
                hits += sum(
                    any(part in whole or part.startswith(tuple(stems)) for part in _parts(word, language))
                    for word in with_lists
                )
        cues[f"hw_cue_{category}_per_kword"] = per_kword(hits)
    return {
        "hw_exclamations_per_kword": per_kword(counted["exclamations"]),
        "hw_commas_per_kword": per_kword(counted["commas"]),
        "hw_quotes_per_kword": per_kword(counted["quotes"]),
        "hw_brackets_per_kword": per_kword(counted["brackets"]),
        "hw_colons_per_kword": per_kword(counted["colons"] - urls),
        "hw_semicolons_per_kword": per_kword(counted["semicolons"]),
        "hw_dashes_per_kword": per_kword(counted["dashes"]),
        "hw_ellipses_per_kword": per_kword(ellipses),
        "hw_currency_per_kword": per_kword(counted["currency"]),
        "hw_percents_per_kword": per_kword(counted["percents"]),
        "hw_pictures_per_kword": per_kword(counted["pictures"]),
        "hw_emails_per_kword": per_kword(counted["emails"]),
        "hw_numbers_per_kword": per_kword(sum(token.shape[0] == "D" for token in words)),
        "hw_years_per_kword": per_kword(sum(_is_year(token.text) for token in words)),
        "hw_names_per_kword": per_kword(counted["names"]),
        "hw_sentence_words": counted["sentence_words"],
        "hw_sentence_words_deviation": counted["sentence_words_deviation"],
        "hw_common_words_fraction": common / len(words) if words else 0.0,
        "hw_rare_words_fraction": rare / len(words) if words else 0.0,
        **cues,
        "hw_carried_numbers_per_kword": per_kword(_carried_numbers([token for _, tokens in lines for token in tokens])),
    }
