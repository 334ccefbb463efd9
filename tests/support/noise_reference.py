"""Line noise written for clarity: plain Python over tokens as strings, trees walked as they are stored."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Protocol

__all__ = ["noise_numbers", "noisy_lines", "reference_noise"]

TERMINAL = ".!?…\u0964\u0965\u061f\u06d4\u104a\u104b\u17d4\u0589\u037e\u3002\uff01\uff1f\uff0e\uff61"
_QUOTES = "\"'\u201d\u2019\u00bb\u300d\u300f\uff02\u201c\u203a"
_ENDS = {"other": -1, "word": 0, "number": 1, "bracket": 2, "ellipsis": 3, "colon": 4, "sentence": 5, "comma": 6}
_FARTHEST = 48


class Token(Protocol):
    """What is asked of a token."""

    text: str
    shape: str

    @property
    def is_word(self) -> bool:
        """Whether it is no run of symbols."""

    @property
    def has_letter(self) -> bool:
        """Whether it has a letter."""

    @property
    def size(self) -> int:
        """Characters, without the marks that a symbol swallowed."""


@functools.cache
def _model() -> dict[str, Any]:
    model: dict[str, Any] = json.loads((files("headwater.filters") / "data" / "noise.json").read_text("utf-8"))
    return model


def _wide(token: Token) -> int:
    if not token.is_word:
        return token.size
    if token.shape[0] == "H":
        return 3 * token.size
    return token.size * (2 if token.shape[0] in "IK" or "가" <= token.text[0] <= "힣" else 1)


def _end(tokens: Sequence[Token]) -> str:
    last = tokens[-1]
    mark = last.text[0]
    if last.is_word:
        return "word" if last.has_letter else "number"
    if mark == "…" or (mark == "." and last.size >= 3):
        return "ellipsis"
    if mark in TERMINAL:
        return "sentence"
    if mark in ":：":
        return "colon"
    if mark in ",、،，":
        return "comma"
    if mark in _QUOTES:
        before = tokens[-2] if len(tokens) > 1 else None
        return "sentence" if before and not before.is_word and before.text[0] in TERMINAL else "bracket"
    return "bracket" if mark in ")]}）】" else "other"


def _start(token: Token) -> int:
    mark = token.text[0]
    if token.is_word:
        if not token.has_letter:
            return 2
        if token.shape[0] == "C":
            return 5
        return 4 if ord(mark) < 0x590 or 0x1E00 <= ord(mark) < 0x2000 else 6
    if mark in "-*–•‣▶◀◦■□▪▫":
        return 1
    return 3 if mark in '"“„«»「『‹—―' else 0


def _numbers_of_line(shape: str, tokens: Sequence[Token]) -> dict[str, int]:
    words = [token for token in tokens if token.is_word]
    symbols = [token for token in tokens if not token.is_word]
    lettered = [token for token in words if token.has_letter]
    capitals = sum(token.shape[0] == "C" for token in lettered)
    chars, size = sum(token.size for token in tokens), sum(map(_wide, tokens))
    marks = [token.text[0] for token in symbols]
    urls = sum(
        token.text[0] in ":：" and not token.is_word and after.text[0] == "/" and after.size == 2
        for token, after in zip(tokens[:-1], tokens[1:], strict=True)
    )
    return {
        "size": size,
        "words": len(words),
        "uppers": 1000 * shape.count("C") // chars,
        "digits": 1000 * (shape.count("D") + shape.count("U")) // chars,
        "symbols": 1000 * sum(token.size for token in symbols) // size,
        "word_size": 10 * sum(map(_wide, words)) // len(words) if words else 0,
        "closing": _ENDS[_end(tokens)],
        "opening": _start(tokens[0]),
        "terminals": sum(mark in TERMINAL for mark in marks),
        "commas": sum(mark in ",、،，" for mark in marks),
        "separators": sum(mark in "|»›·•>/«→" for mark in marks),
        "capital_words": 1000 * capitals // len(lettered) if lettered else -1,
        "lower_words": len(lettered) - capitals,
        "number_words": len(words) - len(lettered),
        "brackets": sum(mark in "([{（" for mark in marks),
        "colons": sum(mark in ":：" for mark in marks),
        "addresses": urls + marks.count("@"),
    }


def noise_numbers(lines: Sequence[tuple[str, Sequence[Token]]]) -> list[dict[str, int]]:
    """Return the numbers of each filled line, given as class letters and tokens."""
    rows = [_numbers_of_line(shape, tokens) for shape, tokens in lines]
    sound = [
        at
        for at, row in enumerate(rows)
        if row["size"] >= 250 or (row["closing"] == _ENDS["sentence"] and row["size"] >= 50 and row["words"] >= 7)
    ]
    for at, row in enumerate(rows):
        row["previous_sound"] = min([at - other for other in sound if other < at] + [_FARTHEST])
        row["next_sound"] = min([other - at for other in sound if other > at] + [_FARTHEST])
    return rows


def _is_noise(rows: list[dict[str, int]], at: int) -> bool:
    margin = _model()["bias"]
    for tree in _model()["trees"]:
        question = 0
        while question < 7:
            name, line, cut = tree["ask"][question]
            value = rows[at + line][name] if 0 <= at + line < len(rows) else -2
            question = 2 * question + (1 if value <= cut else 2)
        margin += tree["values"][question - 7]
    return bool(margin < 0)


def noisy_lines(lines: Sequence[tuple[str, Sequence[Token]]]) -> list[bool]:
    """Tell of each filled line whether it is noise."""
    rows = noise_numbers(lines)
    return [_is_noise(rows, at) for at in range(len(rows))]


def reference_noise(lines: Sequence[tuple[str, Sequence[Token]]]) -> dict[str, float]:
    """Return the two signals of a text."""
    noisy, sizes = noisy_lines(lines), [row["size"] for row in noise_numbers(lines)]
    lost = sum(size for size, gone in zip(sizes, noisy, strict=True) if gone)
    return {
        "hw_noise_lines_fraction": sum(noisy) / len(noisy) if noisy else 0.0,
        "hw_noise_chars_fraction": lost / sum(sizes) if sizes else 0.0,
    }
