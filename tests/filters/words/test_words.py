"""The cut into words and symbols, the classes of characters, and the numbering of equal keys."""

from __future__ import annotations

import doctest
import importlib
import unicodedata

import numpy as np
import pytest
from class_reference import CLASS_LETTERS, class_letter
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_reference import cut
from word_reference import word_starts

from headwater.filters.signals.lexicon import CONNECTIVES, STEP_WORDS, STOP_WORDS, UNSPACED
from headwater.filters.signals.repetition import make_numbering, number_keys
from headwater.filters.signals.word_measures import _LONGEST_ENTRY
from headwater.filters.text.characters import DIGIT, HAN, LETTER, MARK, SPACE, SYMBOL, character_classes
from headwater.filters.words.cut import cut_text, hash_word


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("well-known facts", ["well", "-", "known", "facts"]),
        ("don't 1,000.5 3. x_y _x_", ["don't", "1,000.5", "3", ".", "x_y", "_", "x", "_"]),
        ("--- ... !?", ["---", "...", "!", "?"]),
        ("cafe\u0301 cafe\u0301", ["cafe\u0301", "cafe\u0301"]),
        ("我们都很高兴", ["我们", "都", "很", "高兴"]),
        ("食べたいものがある", ["食べ", "たい", "もの", "が", "ある"]),
        ("コンピューター", ["コンピューター"]),
        ("ภาษาที่มีระดับเสียง", ["ภาษา", "ที่", "มี", "ระดับ", "เสียง"]),
        ("か\u3099", ["か\u3099"]),
        ("中ที่", ["中", "ที่"]),
        ("កម្ពុជា ម្ម", ["កម្ពុជា", "ម្ម"]),
        ("می\u200cخواهم کـتاب", ["می\u200cخواهم", "کـتاب"]),
        ("בית־ספר צה״ל ג׳ירפה שָׁלוֹם", ["בית", "־", "ספר", "צה״ל", "ג׳ירפה", "שָׁלוֹם"]),
        ("Donau\u00addampf \u2066אבג\u2069 \u0642\u0656", ["Donau\u00addampf", "\u2066אבג\u2069", "\u0642\u0656"]),
        ("क्\u200dष কর্‍ম", ["क्\u200dष", "কর্‍ম"]),
        ("ที่นี่", ["ที่นี่"]),
        ("GPT中文4", ["GPT", "中文", "4"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("שלום,עולם", ["שלום", ",", "עולם"]),
    ],
)
def test_cut(text: str, tokens: list[str]) -> None:
    """Words keep their marks and joiners, scripts without spaces are cut by the table, symbols by character."""
    assert [token for token, _ in cut_text(text)] == tokens


_UNSPACED = "的是我们在中国人民不了有和东京都文書日本語のにはをがですますした食べるコンピュータープログラムกขคงจฉเแโไาะิี่้ป็ົເລາວກະសខ្មរ\u1039မြန်"


@settings(deadline=None)  # the first call compiles
@given(st.text(alphabet=_UNSPACED + "\u3099\u200d a。", max_size=80))
def test_cut_of_unspaced_runs_is_the_references(text: str) -> None:
    """Every word of a script without spaces is what plain Python over the stored weights says."""
    assert [token for token, _ in cut_text(text)] == [token.text for token in cut(text)]


@given(st.text(alphabet=_UNSPACED[:46], min_size=12, max_size=40), st.text(alphabet=_UNSPACED[:46], max_size=7))
def test_equal_passages_are_cut_equally(passage: str, before: str) -> None:
    """Where a word begins in a passage does not depend on what stands more than three characters away."""
    assert [start for start in word_starts(passage) if 3 <= start <= len(passage) - 3] == [
        start - len(before)
        for start in word_starts(before + passage + before)
        if 3 <= start - len(before) <= len(passage) - 3
    ]


@pytest.mark.parametrize("character", ["的", "の", "ー", "ก", "ကျ", "ເ", "か\u3099", "ក្"])
def test_words_of_unspaced_scripts_are_bounded(character: str) -> None:
    """A run without any other boundary is cut after 16 letters, marks not counted, in time linear in the run."""
    marks = sum(unicodedata.category(point).startswith("M") for point in character)
    tokens = [token for token, _ in cut_text(character * 20_000)]
    assert "".join(tokens) == character * 20_000
    assert max(len(token) for token in tokens) <= 16 * len(character) // (len(character) - marks)


def test_marks_without_end_stay_with_their_letter() -> None:
    """A million combining marks after a letter are one word, whatever the script."""
    assert [len(token) for token, _ in cut_text("中" + "\u0301" * 10**6 + "文")] in ([10**6 + 1, 1], [10**6 + 2])


def test_equal_tokens_have_equal_hashes() -> None:
    """The hash of a token depends on its characters alone, the length of a run of symbols included."""
    values = [value for _, value in cut_text("cat dog cat --- -- ---")]
    assert values[0] == values[2] == hash_word("cat")
    assert values[3] == values[5]
    assert len(set(values)) == 4


@given(st.text(max_size=100))
def test_cut_loses_nothing(text: str) -> None:
    """The tokens hold every character that is no white space, in order."""
    spaces = {chr(point) for point in np.flatnonzero(np.isin(character_classes(), [1, 2]))}
    visible = "".join(character for character in text if character not in spaces)
    joined = "".join(token for token, _ in cut_text(text))
    assert "".join(character for character in joined if character not in spaces) == visible


def test_classes_agree_with_python() -> None:
    """Letters, digits and white space of the Basic Multilingual Plane are what this Python says, where 3.2 knew them."""
    classes = character_classes()
    old = unicodedata.ucd_3_2_0
    for point in range(0xFFF0):
        character = chr(point)
        if old.category(character) in ("Cn", "Cs") or unicodedata.category(character) != old.category(character):
            continue
        if character.isspace():
            assert classes[point] in (SPACE, 2), hex(point)
        elif character.isdecimal():
            assert classes[point] == DIGIT, hex(point)
        elif character.isalpha():
            assert classes[point] >= LETTER or 0x102B <= point <= 0x103E, hex(point)
        elif unicodedata.category(character)[0] in "PS":
            assert classes[point] < MARK, hex(point)
    assert classes[0x2A6D6] == HAN
    assert classes[0x1F600] == SYMBOL
    for point in (
        0xAD,
        0x061C,
        0x200D,
        0x2066,
        0x0656,
        0x08F0,
        0x1DC4,
    ):  # the soft hyphen, joiners, bidi controls, late marks
        assert classes[point] == MARK, hex(point)
    assert classes[0x09CE] == LETTER  # Bengali khanda ta, encoded in 4.1


def test_classes_equal_reference() -> None:
    """Code points have the classes that the plain reference says: all of the planes with letters, and the ends of the others."""
    points = [*range(0xD800), *range(0xE000, 0x40100), *range(0xDFFF0, 0xE0200), *range(0x10FFF0, 0x110000)]
    classes = character_classes()
    wrong = [hex(point) for point in points if CLASS_LETTERS[classes[point]] != class_letter(chr(point))]
    assert not wrong, wrong[:20]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=60))
def test_numbers_follow_first_occurrence(keys: list[int]) -> None:
    """Equal keys get equal numbers, new ones the next, and counts are how often each occurs."""
    room = make_numbering(len(keys))
    n = number_keys(np.array(keys, np.uint64), len(keys), room)
    distinct = list(dict.fromkeys(keys))
    assert n == len(distinct)
    assert room.numbers[: len(keys)].tolist() == [distinct.index(key) for key in keys]
    assert room.counts[:n].tolist() == [keys.count(key) for key in distinct]


def test_word_lists() -> None:
    """Each language has 15 to 40 different stop words, English Gopher's eight; words fit the look-up of their language."""
    for language, listed in STOP_WORDS.items():
        words = listed.split()
        assert len(words) == len(set(words)), language
        assert len(words) == 8 if language == "en" else 15 <= len(words) <= 40, language
        for lists in (listed, CONNECTIVES[language], STEP_WORDS[language]):
            for word in lists.split():
                whole = [token for token, _ in cut_text(word)] == [word]
                assert len(word) <= _LONGEST_ENTRY if language in UNSPACED else whole, word
    assert list(STOP_WORDS) == list(CONNECTIVES) == list(STEP_WORDS)
    assert len(STOP_WORDS) == 30


@pytest.mark.parametrize(
    "name",
    [
        "text.characters",
        "signals.repetition",
        "signals.phrases",
        "signals.measure",
        "spans.find",
        "text.exact_math",
        "words.boundaries",
        "words.cut",
    ],
)
def test_worked_examples(name: str) -> None:
    """The examples in the docstrings of kernels hold, and there are some."""
    result = doctest.testmod(importlib.import_module(f"headwater.filters.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
