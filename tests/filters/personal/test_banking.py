"""IBANs and cards against python-stdnum: valid ones are found, a wrong check digit is not."""

from __future__ import annotations

import random
import string

import pyarrow as pa
import pytest
from stdnum import ean, luhn
from stdnum import iban as stdnum_iban

from headwater.filters.personal.banking import CARD_SHAPES, IBAN_LENGTHS, check_card, check_iban
from headwater.filters.personal.find import find_personal


def made_iban(rng: random.Random, country: str) -> str:
    """Return an IBAN of a country's length, digits only, with its check digits."""
    rest = "".join(rng.choices(string.digits, k=IBAN_LENGTHS[country] - 4))
    check = 98 - int("".join(str(int(char, 36)) for char in f"{rest}{country}00")) % 97
    return f"{country}{check:02}{rest}"


def found(text: str) -> list[tuple[str, str]]:
    """Return operator and text of what is found."""
    data = text.encode()
    rows = find_personal(pa.array([text]), ["en"]).to_pylist()
    return [(row["operator"], data[row["span_begin"] : row["span_end"]].decode()) for row in rows]


@pytest.mark.parametrize("country", sorted(IBAN_LENGTHS))
def test_an_iban_of_each_country_is_found(country: str) -> None:
    """Plain and in groups of four; with a digit changed it is none."""
    number = made_iban(random.Random(country), country)
    grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    assert found(f"IBAN {number}, please") == [("personal:iban", number)]
    assert found(f"{grouped} BIC") == [("personal:iban", grouped)]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert "personal:iban" not in dict(found(f"IBAN {wrong}, please"))


def test_ibans_that_python_stdnum_takes_are_taken() -> None:
    """Those of its tests of each country's own rules are a part of ours: it looks into the national number besides."""
    for number in (
        "GR1601101050000010547023795",
        "DE89370400440532013000",
        "BE31435411161155",
        "FR1420041010050500013M02606",
        "GB29NWBK60161331926819",
    ):
        assert stdnum_iban.is_valid(number)
        assert check_iban(number) == len(number)
        assert check_iban(number.lower()) == len(number)
    assert check_iban("XX8937040044053201300") == 0


@pytest.mark.parametrize(
    ("prefix", "length"),
    [
        ("4", 16),
        ("51", 16),
        ("2221", 16),
        ("34", 15),
        ("37", 15),
        ("6011", 16),
        ("65", 16),
        ("3528", 16),
        ("62", 16),
        ("62", 19),
        ("2200", 16),
    ],
)
def test_cards_of_each_issuer_are_found(prefix: str, length: int) -> None:
    """By prefix, length and Luhn, plain and grouped; with another check digit it is none."""
    rng = random.Random(prefix)
    body = prefix + "".join(rng.choices(string.digits, k=length - 1 - len(prefix)))
    number = body + luhn.calc_check_digit(body)
    wrong = body + str((int(number[-1]) + 1) % 10)
    assert found(f"paid with {number}.") == [("personal:card", number)]
    assert found(f"paid with card {wrong}.") == []
    if length == 16:
        grouped = "-".join(number[at : at + 4] for at in range(0, 16, 4))
        assert found(f"no. {grouped} ok") == [("personal:card", grouped)]


def test_old_and_rare_cards_are_less_sure_without_a_word() -> None:
    """Thirteen digits of an old Visa, fourteen of Diners; twelve of Maestro need a word, and no article's number (EAN) is a card."""
    for number in ("4222222222222", "30569309025904"):
        assert luhn.is_valid(number)
        assert check_card(number, named=False, grouped=False) == "medium"
        assert check_card(number, named=True, grouped=False) == "high"
    assert check_card("676100000006", named=False, grouped=False) is None
    assert check_card("676100000006", named=True, grouped=False) == "high"
    articles = (f"4{n:011}{ean.calc_check_digit(f'4{n:011}')}" for n in range(9, 10**6))
    both = next(number for number in articles if luhn.is_valid(number))
    assert check_card(both, named=False, grouped=False) is None


def test_shapes_of_cards_have_twelve_to_nineteen_digits() -> None:
    """No shape is without an issuer that could have it."""
    assert {shape.count("d") for shape in CARD_SHAPES} == set(range(12, 20))
