"""Numbers among near-duplicates: never exact duplicates, folded in prose alone."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from number_reference import reference_signs
from test_minhash import reference_units

from headwater.buffers import text_buffers
from headwater.errors import UsageError
from headwater.filters.duplicates.agreement import signature_matrix
from headwater.filters.duplicates.minhash import MIN_SHINGLES, measure_minhash
from headwater.filters.duplicates.normalize import normalize
from headwater.filters.duplicates.number_settings import DEFAULT_NUMBERS, FOLD, KEEP, NUMBER_TEXTS
from headwater.filters.duplicates.numbers import count_number_shingles, find_numbers, keeps_numbers, number_signs
from headwater.filters.duplicates.pairs import elect_winners
from headwater.filters.duplicates.shingles import unit_kinds
from headwater.filters.language import identify as language
from headwater.filters.signals.kinds import CODE, MATH, PROSE, kinds
from headwater.filters.signals.measure import measure_signals
from headwater.hashes import content_hashes, halves_of_hashes

FOLD_ALL = dict.fromkeys(NUMBER_TEXTS, FOLD)
KEEP_ALL = dict.fromkeys(NUMBER_TEXTS, KEEP)
_NAMES = ["Tom", "Ann", "Ravi", "Mei", "Olga", "Kofi", "Lena", "Omar"]


def kept(texts: list[str], numbers: Mapping[str, str] = DEFAULT_NUMBERS, min_agreement: int = 84) -> int:
    """How many texts stay where all are in one cluster, their kinds found as annotate finds them."""
    array = pa.array(texts, pa.large_string())
    languages = language.identify(array, language.load_model())["language"]
    measured = measure_minhash(array, kinds(measure_signals(array, languages)), numbers)
    winner, _ = elect_winners(
        signature_matrix(measured["signature"]),
        np.array([0, len(texts)]),
        halves_of_hashes(content_hashes(array)),
        halves_of_hashes(measured["normalized_hash"], missing_as_zeros=True),
        measured["n_shingles"].to_numpy() < MIN_SHINGLES,
        min_agreement,
    )
    return int((winner < 0).sum())


def problems(n: int) -> list[str]:
    """Worked problems from one template: other numbers, other answers, no sign of mathematics."""
    draw = random.Random(3)
    found = []
    for _ in range(n):
        a, b, c = draw.randrange(100, 500), draw.randrange(100, 500), draw.randrange(10, 100)
        found.append(
            f"A baker has {a} loaves in the shop in the morning. During the day a cart brings {b} more loaves from the mill house, and people who "
            f"come to the shop buy {c} of them before noon. How many loaves does the baker have at noon? The baker has {a} plus {b}, which is "
            f"{a + b} loaves. Then {a + b} minus {c} is {a + b - c}. The answer is {a + b - c}."
        )
    return found


def sums() -> list[str]:
    """Three short sums."""
    return [f"What is {a} and {b} together? The answer is {a + b}." for a, b in ((3, 4), (12, 5), (20, 22))]


def lists() -> list[str]:
    """Thirty lists of a hundred numbers."""
    draw = random.Random(4)
    return [", ".join(str(draw.randrange(1000)) for _ in range(100)) for _ in range(30)]


def pages() -> list[str]:
    """Twenty pages of prose that differ in a date and a count."""
    draw = random.Random(5)
    words = [draw.choice("abcdefgh") + draw.choice("aeiou") + draw.choice("lmnrst") for _ in range(150)]
    return [
        " ".join([*words[:40], f"on {day} May", *words[40:90], f"{day * 37} people", *words[90:]]) for day in range(20)
    ]


@pytest.mark.parametrize("numbers", [DEFAULT_NUMBERS, KEEP_ALL, FOLD_ALL])
@pytest.mark.parametrize("min_agreement", [84, 112])
def test_three_sums_are_three(numbers: Mapping[str, str], min_agreement: int) -> None:
    """Short texts that differ in their numbers are never duplicates, whatever near comparison does with digits."""
    assert kept(sums(), numbers, min_agreement) == 3


def test_worked_problems_from_a_template() -> None:
    """All of two hundred stay, though they are in plain words; folding leaves one; no text goes at a similarity of 1."""
    assert kept(problems(200)) == 200
    assert kept(problems(200), FOLD_ALL) == 1
    assert kept(problems(200), FOLD_ALL, 112) == 200


def test_thirty_lists_of_numbers() -> None:
    """Lists of numbers are dense in them: thirty stay. Folded they are one shingle, and exact comparison still tells them apart."""
    assert kept(lists()) == 30
    assert kept(lists(), FOLD_ALL) == 30
    assert kept(lists(), DEFAULT_NUMBERS, 112) == 30


def test_prose_is_folded() -> None:
    """Pages of prose that differ in a date are near-duplicates, of a similarity below 1."""
    assert kept(pages()) == 1
    assert kept(pages(), DEFAULT_NUMBERS, 112) == 20


def test_kinds_decide_where_numbers_are_few() -> None:
    """A text with a number in some shingles is folded as prose and keeps its numbers as mathematics or code, as the table says."""
    texts = pa.array(
        [
            f"alpha beta gamma delta epsilon zeta eta theta iota kappa {n} lambda mu nu xi omicron pi rho sigma tau upsilon"
            for n in (7, 8)
        ]
    )

    def equal(kind: str | None, numbers: Mapping[str, str] = DEFAULT_NUMBERS) -> bool:
        one, two = measure_minhash(texts, pa.array([kind] * 2, pa.string()), numbers)["signature"].to_pylist()
        return bool(one == two)

    assert [equal(kind) for kind in (PROSE, CODE, MATH, None)] == [True, False, False, True]
    assert equal("math", DEFAULT_NUMBERS | {"math": FOLD})
    assert not equal("prose", DEFAULT_NUMBERS | {"prose": KEEP})


def test_every_kind_has_a_setting() -> None:
    """The kinds of text are those that signals tell apart, and dense."""
    assert set(NUMBER_TEXTS) == {PROSE, CODE, MATH, "dense"} == set(DEFAULT_NUMBERS)


@pytest.mark.parametrize(
    ("numbers", "words", "is_dense"),
    [(1, 18, True), (1, 19, False), (2, 32, True), (2, 33, False), (0, 1, False), (1, 0, True)],
)
def test_a_third_is_dense(numbers: int, words: int, is_dense: bool) -> None:
    """Five of fifteen shingles are a third, of sixteen less; a number alone is one shingle that holds one."""
    units = ["word"] * words
    for k in range(numbers):
        units.insert(5 + 10 * k, "7")
    array = normalize(pa.array([" ".join(units)]))
    holds, dense = find_numbers(*text_buffers(array), unit_kinds())
    assert (holds.tolist(), dense.tolist()) == ([numbers > 0], [is_dense])
    assert keeps_numbers(dense, None, DEFAULT_NUMBERS).tolist() == [is_dense]
    assert not keeps_numbers(dense, None, DEFAULT_NUMBERS | {"dense": FOLD}).any()
    assert keeps_numbers(dense, None, KEEP_ALL).all()


def test_wrong_kinds_are_named() -> None:
    """An unknown kind and a missing one are errors."""
    texts = pa.array(["a", "b"])
    with pytest.raises(UsageError, match="expected kinds among prose, code, math"):
        measure_minhash(texts, pa.array(["math", "maths"]))
    with pytest.raises(UsageError, match="expected a kind for each of 2 texts, found 1"):
        measure_minhash(texts, pa.array(["math"]))


_UNITS = st.lists(st.sampled_from(["a", "b7", "42", "é", "語", "七", "ไ", "ที่", "한국", "3語", " ", " "]), max_size=40)


@settings(max_examples=300, deadline=None)
@given(_UNITS.map("".join))
def test_shingles_with_a_number_equal_reference(text: str) -> None:
    """Counts are those of listing every window of five units."""
    array = normalize(pa.array([text]))
    units = reference_units(array[0].as_py())
    windows = [units[k : k + 5] for k in range(len(units) - 4)] or ([units] if units else [])
    holding = sum(
        any(character.isascii() and character.isdigit() for unit in window for character in unit) for window in windows
    )
    data, offsets = text_buffers(array)
    assert count_number_shingles(data, offsets[0], offsets[1], unit_kinds()) == (holding, len(windows))
    holds, dense = find_numbers(data, offsets, unit_kinds())
    assert (holds[0], dense[0]) == (holding > 0, holding > 0 and 3 * holding >= len(windows))


def signs(text: str) -> bytes:
    """The signs of one text through the kernel."""
    return number_signs(*text_buffers(pa.array([text])), np.array([True]))[0].tobytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 - 3 and -5 + 3", b"0-0-0+0"),
        ("1.5", b"0.0"),
        ("3. Then 4", b""),
        ("\u2212\u0665", b"-0"),
        ("- 5 apples\n* 6 pears", b""),
        ("10² = 100", b"0^0"),
        ("½", b"/"),
        ("50%, 50 percent", b"0%0"),
        ("x^2", b"^0"),
        ("no number - none", b""),
    ],
)
def test_signs_of_numbers(text: str, expected: bytes) -> None:
    """What makes another number of the same digits counts; bullets, full stops and dashes do not."""
    assert signs(text) == expected == reference_signs(text)


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("12٣7²½ \t\n\u2028x漢-−+*×/^%.,:é\u3000"), max_size=25))
def test_signs_equal_reference(text: str) -> None:
    """Any mixture of digits, signs and blanks gives what the patterns give."""
    assert signs(text) == reference_signs(text)


@pytest.mark.parametrize(
    ("one", "two"), [("5 - 3", "5 + 3"), ("-5", "5"), ("1.5", "1 5"), ("10²", "102"), ("3/4", "3.4"), ("5", "5%")]
)
def test_other_numbers_of_the_same_digits_are_not_exact_duplicates(one: str, two: str) -> None:
    """A sign, a decimal point, a power or a fraction bar is part of a number; the script of its digits is not."""
    hashes = measure_minhash(pa.array([f"It is {text} today" for text in (one, two)]))["normalized_hash"].to_pylist()
    assert hashes[0] != hashes[1]


def test_a_folded_text_is_another_node() -> None:
    """Equal hashes mean equal signatures: the same words as prose and as mathematics are not one exact text, without a number they are."""
    measured = measure_minhash(
        pa.array(["It is 5 today"] * 2 + ["It is today"] * 2),
        pa.array(["prose", "math"] * 2),
        DEFAULT_NUMBERS | {"dense": FOLD},
    )
    hashes = measured["normalized_hash"].to_pylist()
    assert hashes[0] != hashes[1]
    assert hashes[2] == hashes[3]
