"""Decontamination again, slow and plain: lists of words, sets of tuples, nothing hashed, nothing rolled."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from headwater.filters.contamination.index import ItemSet

JOINERS = "'_’‘`´׳״"
WEIGHT_OF_SCRIPT = {"CJK": 2, "HIRAGANA": 2, "KATAKANA": 1, "THAI": 1}


@dataclass(frozen=True)
class Word:
    """A word: folded text, weight, first byte and byte after it."""

    text: str
    weight: int
    begin: int
    end: int


def fold(character: str) -> list[str]:
    """Return what a character stands for: letters and digits, a space, ``.`` for a sign, ``'`` for an apostrophe; nothing for a mark."""
    if character in JOINERS:
        return ["'"]
    if character.isspace():
        return [" "]
    found = []
    for part in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold()):
        kind = unicodedata.category(part)
        if unicodedata.combining(part) or kind in ("Cf", "Me") or (kind == "Mn" and "THAI" in unicodedata.name(part)):
            continue
        digit = unicodedata.decimal(part, None) if kind == "Nd" else None
        found.append(
            str(digit) if digit is not None else part if kind[0] in "LNM" else "." if not part.isspace() else " "
        )
    return found


def words_of(text: str, separators: str = " .") -> list[Word]:
    """Return the words of a text; ``separators`` are the kinds of signs that end one."""
    found: list[Word] = []
    letters, begin, end, at = "", 0, 0, 0
    for character in [*text, " "]:
        width = len(character.encode())
        folded = fold(character)
        if not folded and letters:
            end = at + width
        for part in folded:
            weight = next((w for name, w in WEIGHT_OF_SCRIPT.items() if unicodedata.name(part, "").startswith(name)), 0)
            if letters and ((part in " .'" and part in separators) or weight):
                found.append(Word(letters, 4, begin, end))
                letters = ""
            if weight:
                found.append(Word(part, weight, at, at + width))
            elif part not in " .'":
                begin = begin if letters else at
                letters += part
                end = at + width
        at += width
    return found


def weigh(words: Sequence[Word]) -> int:
    """Return the weight of words."""
    return sum(word.weight for word in words)


def spell(words: Sequence[Word]) -> tuple[str, ...]:
    """Return words without their places."""
    return tuple(word.text for word in words)


def windows(words: list[Word], n: int) -> list[tuple[int, int]]:
    """Return begin and end of the shortest run of words that ends at each word and weighs as much as n."""
    found = []
    for end in range(1, len(words) + 1):
        begins = [begin for begin in range(end) if weigh(words[begin:end]) >= 4 * n]
        if begins:
            found.append((max(begins), end))
    return found


class Reference:
    """Evaluation sets, ready to be looked for."""

    def __init__(self, sets: Sequence[ItemSet], n: int) -> None:
        self.n = n
        self.units: list[dict[str, Any]] = []
        self.answers: dict[tuple[str, int], list[tuple[int, tuple[str, ...], int]]] = defaultdict(list)
        for each in sorted(sets, key=lambda each: each.name):
            self._add(each)

    def _add(self, each: ItemSet) -> None:
        units = []
        asked = [set(spell(words_of(item.question))) for item in each.items]
        common = Counter(word for words in asked for word in words)
        limit = max(8, len(each.items) // 100)
        for number, item in enumerate(each.items):
            for part, texts in enumerate(((item.question,), item.answers)):
                plain = [words_of(text) for text in texts]
                for place, separators in enumerate((" .", " ", " .'")):
                    read = [words_of(text, separators) for text in texts]
                    if place and [spell(words) for words in read] == [spell(words) for words in plain]:
                        continue
                    changed = [spell(a) != spell(b) for a, b in zip(read, plain, strict=True)]
                    grams = {
                        spell(words[begin:end])
                        for words in read
                        for begin, end in windows(words, self.n)
                        if len(set(spell(words[begin:end]))) >= -(-self.n // 3)
                    }
                    short = [(i, words) for i, words in enumerate(read) if 0 < weigh(words) < 4 * self.n]
                    if part:
                        del changed
                        self.answers[each.name, number] += [(i, spell(words), weigh(words)) for i, words in short]
                    unit: dict[str, Any] = {
                        "set": each,
                        "number": number,
                        "part": part,
                        "reading": place,
                        "grams": grams,
                        "whole": None,
                    }
                    if not part and short and weigh(short[0][1]) >= 12:
                        unit |= {"whole": spell(short[0][1]), "heavy": weigh(short[0][1])}
                        unit["rare"] = sum(common[word] <= limit for word in asked[number])
                    units.append(unit)
        for unit in units:
            if unit["whole"]:
                same = {other["number"] for other in units if other["whole"] == unit["whole"]}
                unit["alone"] = (unit["rare"] > 0 or unit["heavy"] >= 32) and len(same) <= 2
        holders = defaultdict(set)
        for unit in units:
            for gram in unit["grams"]:
                holders[gram].add(unit["number"])
        for unit in units:
            shared = {gram: len(holders[gram]) for gram in unit["grams"]}
            unit["weights"] = {gram: (1 << 20) // count**2 for gram, count in shared.items() if count <= 50}
        self.units += units

    def find(self, text: str, least: float, reach: int) -> list[tuple[str, str, str, float, int, int, int]]:
        """Return set, item, part, overlap, n-grams and bytes of what a text has."""
        words = words_of(text)
        best: dict[tuple[str, int, int], tuple[Any, ...]] = {}
        for unit in self.units:
            hit = self._whole(unit, words, reach) if unit["whole"] else self._grams(unit, words, least, reach)
            if hit is None or float(hit[0]) < least:
                continue
            key = (unit["set"].name, unit["number"], unit["part"])
            rank = (hit[0], hit[4], -unit["reading"])
            if key not in best or rank > (best[key][0], best[key][4], -best[key][-1]):
                best[key] = (*hit, unit.get("alone", True), unit["reading"])
        found = []
        for name, number in sorted({key[:2] for key in best}):
            item = next(unit["set"] for unit in self.units if unit["set"].name == name).items[number]
            question, answer = best.get((name, number, 0)), best.get((name, number, 1))
            if question and not question[7]:
                answered = max(question[4], answer[0] if answer else 0)
                if answered < 0.5 or not (answer or question[6] >= 24):
                    question = None
            if question:
                found.append((name, item.name, "question", *question[:4]))
            if question and question[4] >= least and (not answer or question[4] > answer[0]):
                found.append((name, item.name, "answer", question[4], 1, *question[5]))
            elif answer:
                found.append((name, item.name, "answer", *answer[:4]))
        return [(*row[:3], float(row[3]), *row[4:]) for row in found]

    def _grams(self, unit: dict[str, Any], words: list[Word], least: float, reach: int) -> tuple[Any, ...] | None:
        seen: list[tuple[int, int]] = []
        grams = set()
        for begin, end in windows(words, self.n):
            gram = spell(words[begin:end])
            if gram in unit["weights"] and gram not in grams:
                grams.add(gram)
                seen.append((begin, end))
        if not seen:
            return None
        overlap = Fraction(sum(unit["weights"][gram] for gram in grams), sum(unit["weights"].values()))
        first, last = seen[0][0], seen[-1][1]
        near = (0, None, 0)
        if unit["part"] == 0 and overlap * 100 >= round(100 * least):
            near = self._near(unit, words, first, last, reach)[1:]
        return (overlap, len(grams), words[first].begin, words[last - 1].end, *near)

    def _whole(self, unit: dict[str, Any], words: list[Word], reach: int) -> tuple[Any, ...] | None:
        length = len(unit["whole"])
        places = [
            end - length for end in range(length, len(words) + 1) if spell(words[end - length : end]) == unit["whole"]
        ]
        best: tuple[Any, ...] | None = None
        for first in places[:8]:
            near = self._near(unit, words, first, first + length, reach)
            if best is None or near[0] > best[0]:
                best = (near[0], words[first].begin, words[first + length - 1].end, *near[1:])
        if best is None:
            return None
        _, begin, end, share, span, weight = best
        return (Fraction(unit["heavy"], 4 * self.n), 1, begin, end, share, span, weight + unit["heavy"])

    def _near(self, unit: dict[str, Any], words: list[Word], first: int, last: int, reach: int) -> tuple[Any, ...]:
        """Return how good the answers near a question are, their share, the bytes of the first one and the weight of all."""
        answers = self.answers[unit["set"].name, unit["number"]]
        low = min(begin for begin in range(first + 1) if weigh(words[begin:first]) <= 4 * reach)
        high = max(end for end in range(last, len(words) + 1) if weigh(words[last:end]) <= 4 * reach)
        hits: dict[int, tuple[int, tuple[int, int]]] = {}
        for number, text, weight in sorted(answers, key=lambda answer: answer[0]):
            for begin in range(low, high - len(text) + 1):
                end = begin + len(text)
                apart = end <= first or begin >= last
                if number not in hits and apart and spell(words[begin:end]) == text:
                    hits[number] = (weight, (words[begin].begin, words[end - 1].end))
        if not hits:
            return 0, 0, None, 0
        known = unit["set"].items[unit["number"]].known
        share = Fraction(len(hits), len({answer[0] for answer in answers}))
        right = 0 in hits
        return (
            len(hits) + right,
            1 if right and known else share,
            hits[min(hits)][1],
            sum(hit[0] for hit in hits.values()),
        )
