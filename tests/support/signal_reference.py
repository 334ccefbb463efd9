"""The signals written for clarity: plain Python, one text at a time, tokens as strings and no hashes."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from class_reference import class_letter
from kinds_reference import reference_text_kinds
from noise_reference import reference_noise
from word_reference import cut_run

_LISTS = tomllib.loads((files("headwater.filters") / "data" / "word_lists.toml").read_text("utf-8"))
_CODE_WORDS = (
    "async await break case catch class const continue def define echo elif else elsif end enum except export "
    "fn for from func function if impl import include int interface lambda let namespace package print "
    "private protected public raise return self static struct switch template throw try type use var void "
    "while with yield"
)
_WORD = re.compile(r"[MDULC](?:[MDULC]|J(?=[DULC])|(?<=D)N(?=D))*")
_RUN = re.compile(r"[HIK][HIKM]*|T[TM]*|R[RM]*")
_QUOTES = "\"'\u201d\u2019\u00bb\u300d\u300f\uff02\u201c\u203a"
_ALONE = "\u0964\u0965\u061f\u06d4\u104a\u104b\u17d4\u0589\u037e\u3002\uff01\uff1f\uff0e\uff61"
_BULLETS = "\u2013\u2022\u2023\u25a0\u25a1\u25aa\u25ab\u25b6\u25c0\u25e6"
_COUNTED = "likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views|followers"
_POLICY = (
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)


@dataclass
class Token:
    """A token, the class letter of each of its characters, and where it begins."""

    text: str
    shape: str
    begin: int
    spaced: bool

    @property
    def is_word(self) -> bool:
        """Whether it is no run of symbols."""
        return self.shape[0] in "MDULCHIKTR"

    @property
    def has_letter(self) -> bool:
        """Whether it has a letter."""
        return self.is_word and any(letter in "LCHIKTR" for letter in self.shape)

    @property
    def is_capital(self) -> bool:
        """Whether it has letters, all of upper case."""
        return self.is_word and {letter for letter in self.shape if letter in "LCHIKT"} == {"C"}

    @property
    def size(self) -> int:
        """Characters, without the marks that a symbol swallowed."""
        return len(self.text) if self.is_word else self.text.count(self.text[0])


def cut(text: str) -> list[Token]:
    """Tokens of a text, in order; begin counts characters."""
    shape = _shape(text)
    tokens: list[Token] = []
    at, spaced = 0, True
    while at < len(text):
        if shape[at] in " \n":
            at, spaced = at + 1, True
            continue
        if match := _RUN.match(shape, at):
            names = next(names for names in ("HIK", "T", "R") if shape[at] in names)
            for word in cut_run(text[at : match.end()], match[0], names):
                tokens.append(Token(word, shape[at : at + len(word)], at, spaced))
                at, spaced = at + len(word), False
            continue
        if match := _WORD.match(shape, at):
            end = match.end()
        else:
            end = at + 1
            while end < len(text) and (text[end] == text[at] or shape[end] == "M"):
                end += 1
        tokens.append(Token(text[at:end], shape[at:end], at, spaced))
        at, spaced = end, False
    return tokens


def _shape(text: str) -> str:
    return "".join(map(class_letter, text))


def _lower_ascii(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _top(words: list[str], n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    if not grams:
        return 0
    gram, times = Counter(grams).most_common(1)[0]
    return len(" ".join(gram)) * times


def _repeated(words: list[str], n: int) -> int:
    seen, total, at = set(), 0, 0
    while at + n <= len(words):
        gram = tuple(words[at : at + n])
        if gram in seen:
            total += len("".join(gram))
            at += n
        else:
            seen.add(gram)
            at += 1
    return total


def _top_without_spaces(words: list[str], n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    gram, times = Counter(grams).most_common(1)[0] if grams else ((), 0)
    return len("".join(gram)) * times if times > 1 else 0


def _in_repeated(words: list[str], n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    times = Counter(grams)
    inside = {i + j for i, gram in enumerate(grams) if times[gram] > 1 for j in range(n)}
    return sum(len(words[i]) for i in inside)


def _ellipsis(inside: list[Token]) -> bool:
    last = inside[-1]
    return not last.is_word and (last.text[0] == "…" or (last.text[0] == "." and last.size >= 3))


def _ended(inside: list[Token]) -> bool:
    last = inside[-1]
    return not last.is_word and (last.text[0] in ".!?…" or last.text[0] in _ALONE or last.text[0] in _QUOTES)


def _runs(line: str) -> list[str]:
    return "".join(" " if class_letter(c) in " \n" else c for c in line).split(" ")


def removed_by_c4(line: str) -> bool:
    """Whether C4's line rules remove a filled line."""
    inside, lowered = cut(line), _lower_ascii(line)
    return (
        not _ended(inside)
        or _ellipsis(inside)
        or sum(t.is_word for t in inside) < 3
        or max(map(len, _runs(line))) > 1000
        or any(phrase in lowered for phrase in _POLICY)
    )


def refinedweb_rules(line: str) -> list[bool]:
    """Which of RefinedWeb's line rules a filled line falls under: upper case, numbers, counter, one word, phrase."""
    inside, lowered = cut(line), _lower_ascii(line)
    shape = _shape(line)
    words = [t for t in inside if t.is_word]
    bare = " ".join(_runs(lowered)).strip()
    counter = len(words) == 2 and re.fullmatch(
        rf"[0-9][0-9,.]*[kmb]? +(?:{_COUNTED})",
        " ".join(_runs(lowered[words[0].begin : words[1].begin + words[1].size])),
    )
    return [
        2 * shape.count("C") > len(line),
        (shape.count("D") + shape.count("U")) / len(line) > 0.999999,
        bool(counter),
        len(words) < 2,
        len(words) <= 10
        and (bare.startswith("sign-in") or bare.endswith("read more...") or "items in cart" in lowered),
    ]


def _equal_to_earlier(items: Sequence[tuple[object, int]]) -> tuple[int, int]:
    seen: set[object] = set()
    count = chars = 0
    for key, size in items:
        if key in seen:
            count, chars = count + 1, chars + size
        seen.add(key)
    return count, chars


def _sentences(tokens: list[Token]) -> int:
    count, open_words = 0, False
    for i, token in enumerate(tokens):
        mark = token.text[0]
        if token.is_word:
            open_words = True
        elif open_words and (mark in ".!?…" or mark in _ALONE):
            following = tokens[i + 1] if i + 1 < len(tokens) else None
            if following is None or following.spaced or mark in _ALONE or following.text[0] in _QUOTES:
                count, open_words = count + 1, False
    return count + open_words


def _is_code(tokens: list[Token], indented: bool) -> bool:
    if tokens[0].text[0] in "-*\\|•#":
        return False
    marks = sum(not t.is_word and t.text[0] in "()[]{}=;_<>&|@+*" for t in tokens)
    closing = "" if tokens[-1].is_word else tokens[-1].text[0]
    keyword = tokens[0].text in _CODE_WORDS.split()
    points = 0
    if closing and closing in "{}":
        points += 2
    elif closing == ";" or (closing and closing in "([:" and (keyword or marks)):
        points += 1
    points += (4 * marks >= len(tokens)) + keyword + indented
    return points >= 2 and (marks > 0 or keyword)


def _forms(words: str) -> dict[str, int]:
    return {form: i for i, word in enumerate(words.split()) for form in (word, word[0].upper() + word[1:])}


def reference_signals(text: str, language: str) -> dict[str, float]:
    """Every signal of one text, by its name."""
    shape = _shape(text)
    tokens = cut(text)
    words = [t for t in tokens if t.is_word]
    strings = [t.text if t.is_word else t.text[0] * t.size for t in tokens]
    visible = len(text) - shape.count(" ") - shape.count("\n")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    filled: list[tuple[str, list[Token]]] = []
    equal_lines: list[tuple[object, int]] = []
    paragraphs: list[list[tuple[object, int]]] = [[]]
    for line in lines:
        inside = cut(line)
        if not inside:
            paragraphs.append([])
            continue
        key = tuple((t.text[0] * t.size if not t.is_word else t.text, len(line[: t.begin].encode())) for t in inside)
        filled.append((line, inside))
        equal_lines.append((key, len(line)))
        paragraphs[-1].append((key, len(line)))
    groups = [group for group in paragraphs if group]
    equal_paragraphs = [
        (tuple(key for key, _ in group), sum(size for _, size in group) + len(group) - 1) for group in groups
    ]
    dup_lines, dup_line_chars = _equal_to_earlier(equal_lines)
    dup_paragraphs, dup_paragraph_chars = _equal_to_earlier(equal_paragraphs)

    def indented(line: str, inside: list[Token]) -> bool:
        return line[0] == "\t" or len(line[: inside[0].begin].encode()) >= 2

    lowered = [_lower_ascii(line) for line, _ in filled]
    policy = [any(phrase in line for phrase in _POLICY) for line in lowered]
    n_words_by_line = [sum(t.is_word for t in inside) for _, inside in filled]

    stop, connectives, steps = (
        _forms(_LISTS[kind].get(language, "")) for kind in ("stop_words", "connectives", "step_words")
    )
    if language in ("zh", "ja", "th"):
        stop_hits = [n for at in range(len(text)) for form, n in stop.items() if _stands(text, shape, at, form)]
        n_connectives = sum(_stands(text, shape, at, form) for at in range(len(text)) for form in connectives)
    else:
        stop_hits = [stop[t.text] for t in words if t.text in stop]
        n_connectives = sum(t.text in connectives for t in words)

    equations = latex = urls = 0
    for i, token in enumerate(tokens):
        following = tokens[i + 1] if i + 1 < len(tokens) and not tokens[i + 1].spaced else None
        mark = "" if token.is_word else token.text[0]
        if mark == "$":
            latex += token.size
        if mark == "\\" and token.size == 1 and following and following.has_letter:
            latex += 1 + following.size
        if mark == "=" and token.size == 1 and i:
            term = tokens[i - 1].is_word or tokens[i - 1].text[0] in ")]}）】"
            equations += term and not (following and following.text[0] in ">~\"'")
        urls += mark == ":" and token.size == 1 and following is not None and following.text.startswith("//")

    c4 = [removed_by_c4(line) for line, _ in filled]
    refinedweb = [refinedweb_rules(line) for line, _ in filled]
    in_removed = sum(n for n, rules in zip(n_words_by_line, refinedweb, strict=True) if any(rules))
    times = Counter(t.text for t in words)
    stretches = re.split(f"[.!?…{_ALONE}]", "".join(t.text[0] if not t.is_word else "w" for t in tokens))

    first = [t.text for t in words[:1000]]
    n_tokens, n_filled, n_words = len(tokens), len(filled), len(words)
    numbered = sum(
        inside[0].is_word and not inside[0].has_letter and len(inside) > 1 and inside[1].text[0] in ".):"
        for _, inside in filled
    )
    return {
        "gopher_words": n_words,
        "gopher_mean_word_length": _share(sum(t.size for t in words), n_words),
        "gopher_hash_ratio": _share(sum(t.size for t in tokens if t.text[0] == "#"), n_tokens),
        "gopher_ellipsis_ratio": _share(
            sum(t.size // 3 if t.text[0] == "." else t.size for t in tokens if t.text[0] in ".…"), n_tokens
        ),
        "gopher_bullet_lines_fraction": _share(sum(inside[0].text[0] in "•-" for _, inside in filled), len(lines)),
        "gopher_ellipsis_lines_fraction": _share(sum(_ellipsis(inside) for _, inside in filled), len(lines)),
        "gopher_alpha_words_fraction": _share(sum(t.has_letter for t in tokens), n_tokens),
        "gopher_stop_words": len(set(stop_hits)),
        "gopher_dup_lines_fraction": _share(dup_lines, n_filled),
        "gopher_dup_paragraphs_fraction": _share(dup_paragraphs, len(groups)),
        "gopher_dup_lines_chars_fraction": _share(dup_line_chars, len(text)),
        "gopher_dup_paragraphs_chars_fraction": _share(dup_paragraph_chars, len(text)),
        **{f"gopher_top_{n}gram_chars_fraction": _share(_top(strings, n), len(text)) for n in (2, 3, 4)},
        **{f"gopher_dup_{n}gram_chars_fraction": _share(_repeated(strings, n), len(text)) for n in range(5, 11)},
        "c4_lines": n_filled,
        "c4_unterminated_lines_fraction": _share(sum(not _ended(x) or _ellipsis(x) for _, x in filled), n_filled),
        "c4_short_lines_fraction": _share(sum(n < 3 for n in n_words_by_line), n_filled),
        "c4_policy_lines": sum(policy),
        "c4_lorem_ipsum": int("lorem ipsum" in _lower_ascii(text)),
        "c4_curly_brackets": text.count("{"),
        "c4_sentences": sum(
            _sentences(inside)
            for (_, inside), n, dropped in zip(filled, n_words_by_line, policy, strict=True)
            if n >= 3 and not dropped
        ),
        "c4_longest_word": max((len(run) for run in re.split("[ \n]", shape)), default=0),
        "c4_removed_lines_fraction": _share(sum(c4), n_filled),
        "c4_removed_chars_fraction": _share(
            sum(len(line) for (line, _), gone in zip(filled, c4, strict=True) if gone), len(text)
        ),
        "c4_citation_marks": len(re.findall(r"\[(?:[0-9]*|edit|citation needed)\]", text)),
        "c4_long_lines": sum(len(line) >= 200 for line, _ in filled),
        "fineweb_punct_lines_fraction": _share(sum(_ended(inside) for _, inside in filled), n_filled),
        "fineweb_short_lines_fraction": _share(sum(len(line) <= 30 for line, _ in filled), n_filled),
        "fineweb_dup_chars_fraction": _share(dup_line_chars, len(text.replace("\n", ""))),
        "fineweb_newlines_per_word": _share(text.count("\n"), n_tokens),
        "refinedweb_uppercase_lines_fraction": _share(sum(rules[0] for rules in refinedweb), n_filled),
        "refinedweb_numeric_lines_fraction": _share(sum(rules[1] for rules in refinedweb), n_filled),
        "refinedweb_counter_lines_fraction": _share(sum(rules[2] for rules in refinedweb), n_filled),
        "refinedweb_one_word_lines_fraction": _share(sum(rules[3] for rules in refinedweb), n_filled),
        "refinedweb_phrase_lines_fraction": _share(sum(rules[4] for rules in refinedweb), n_filled),
        "refinedweb_removed_words_fraction": _share(in_removed, n_words),
        "rpv2_lines": len(lines),
        "rpv2_curly_bracket_ratio": _share(text.count("{") + text.count("}"), len(text)),
        "rpv2_all_caps_words_fraction": _share(sum(t.is_capital for t in tokens), n_tokens),
        "rpv2_no_alph_words_fraction": _share(sum(not t.has_letter for t in tokens), n_tokens),
        "rpv2_lorem_ipsum_ratio": _share(_lower_ascii(text).count("lorem ipsum"), len(text)),
        "rpv2_stop_word_fraction": _share(len(stop_hits), n_tokens),
        "rpv2_symbol_to_word_ratio": _share(
            sum(t.size // 3 if t.text[0] == "." else t.size for t in tokens if t.text[0] in ".…#"), n_tokens
        ),
        "rpv2_unique_words_fraction": _share(len(times), n_words),
        "rpv2_unigram_entropy": max(math.fsum(-n / n_words * math.log(n / n_words) for n in times.values()), 0.0),
        "rpv2_num_sentences": sum("w" in stretch for stretch in stretches),
        "rpv2_terminal_lines_fraction": _share(
            sum(not x[-1].is_word and (x[-1].text[0] in ".!?…”" or x[-1].text[0] in _ALONE) for _, x in filled),
            len(lines),
        ),
        "rpv2_javascript_per_line": _share(_lower_ascii(text).count("javascript"), len(lines)),
        "rpv2_words_per_line": _share(n_words, len(lines)),
        "rpv2_numerical_chars_fraction": _share(
            math.fsum(sum(s in "DU" for s in _shape(line)) / len(line) for line, _ in filled), len(lines)
        ),
        "rpv2_bullet_lines_fraction": _share(sum(x[0].text[0] in _BULLETS for _, x in filled), len(lines)),
        "rpv2_uppercase_letter_fraction": _share(
            math.fsum(_shape(line).count("C") / len(line) for line, _ in filled), len(lines)
        ),
        **{
            f"rpv2_top_{n}gram_chars_fraction": _share(_top_without_spaces(strings, n), sum(map(len, strings)))
            for n in (2, 3, 4)
        },
        **{
            f"rpv2_dup_{n}gram_chars_fraction": _share(_in_repeated(strings, n), sum(map(len, strings)))
            for n in range(5, 11)
        },
        "hw_chars": len(text),
        "hw_letter_fraction": _share(sum(shape.count(c) for c in "MLCHIKTR"), visible),
        "hw_digit_fraction": _share(shape.count("D"), visible),
        "hw_latex_fraction": _share(latex, visible),
        "hw_math_symbols_per_kb": _share(1000 * shape.count("+"), len(text.encode())),
        "hw_equations": equations,
        "hw_code_fraction": _share(sum(_is_code(inside, indented(line, inside)) for line, inside in filled), n_filled),
        "hw_indented_lines_fraction": _share(sum(indented(line, inside) for line, inside in filled), n_filled),
        "hw_dialogue_lines_fraction": _share(
            sum(inside[0].text[0] in '"“„«»「『‹—―' for _, inside in filled), n_filled
        ),
        "hw_question_marks": sum(text.count(mark) for mark in "?؟？\u037e"),
        "hw_step_markers": numbered + sum(inside[0].text in steps for _, inside in filled),
        "hw_connectives_per_kword": _share(1000 * n_connectives, n_words),
        "hw_stop_words_fraction": _share(len(stop_hits), n_words),
        "hw_distinct_words_fraction": _share(len(set(first)), len(first)),
        "hw_long_words_fraction": _share(sum(t.size >= 8 for t in words), n_words),
        "hw_urls": urls,
        **reference_text_kinds(
            text,
            language,
            filled,
            urls,
            sum(t.size // 3 if t.text[0] == "." else t.size for t in tokens if t.text[0] in ".…"),
        ),
        **reference_noise([(_shape(line), inside) for line, inside in filled]),
    }


def _stands(text: str, shape: str, at: int, form: str) -> bool:
    """Whether an entry of a language without spaces stands at a character, all of it in such a script."""
    return text.startswith(form, at) and shape[at] in "HIKTR" and all(c in "HIKTRM" for c in shape[at : at + len(form)])
