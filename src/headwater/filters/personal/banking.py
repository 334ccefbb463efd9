"""Accounts and cards: IBAN by its country's length and ISO 7064 mod 97-10, payment cards by their issuer's numbers, length and Luhn.

Lengths of IBANs: SWIFT's IBAN registry, release 99. Issuers: ISO/IEC 7812 and the card schemes' own publications.
"""

from __future__ import annotations

from typing import Final

from stdnum import ean, luhn

from headwater.filters.personal.types import HIGH, MEDIUM

__all__ = ["CARD_SHAPES", "IBAN_LENGTHS", "check_card", "check_iban"]

_BY_LENGTH: Final = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTHS: Final = {country: length for length, countries in _BY_LENGTH.items() for country in countries.split()}

CARD_SHAPES: Final = (
    *("d" * n for n in range(12, 20)),
    *("dddd dddd dddd dddd", "dddd-dddd-dddd-dddd", "dddd.dddd.dddd.dddd", "dddddd ddddddddddddd"),
    *("dddd dddddd ddddd", "dddd-dddddd-ddddd", "dddd dddddd dddd", "dddd-dddddd-dddd"),
    *("dddd dddd dddd dddd ddd", "dddd-dddd-dddd-dddd-ddd", "dddd dddd dddd d", "dddd-dddd-dddd-d"),
)
_SEVERAL: Final = (16, 17, 18, 19)
_USUAL: Final = (15, 16)
_ISSUERS: Final[tuple[tuple[int, int, tuple[int, ...], bool], ...]] = (
    (4000, 4999, (16,), True),
    (4000, 4999, (13, 19), True),
    (1800, 1800, (15,), True),
    (2131, 2131, (15,), True),
    (5100, 5599, (16,), True),
    (2221, 2720, (16,), True),
    (3400, 3499, (15,), True),
    (3700, 3799, (15,), True),
    (6011, 6011, _SEVERAL, True),
    (6440, 6599, _SEVERAL, True),
    (3000, 3059, (14,), True),
    (3095, 3095, (14,), True),
    (3600, 3699, (14,), True),
    (3800, 3999, (14,), True),
    (3500, 3599, _SEVERAL, True),
    (6200, 6299, _SEVERAL, True),
    (2200, 2204, (16,), True),
    (5000, 5099, (12, 13, 14, 15, *_SEVERAL), False),
    (5600, 6999, (12, 13, 14, 15, *_SEVERAL), False),
    (8100, 8299, (16,), False),
    (9792, 9792, (16,), False),
)
"""First four digits from and to, lengths, and whether few other numbers look so that no word need stand before one written without gaps."""


def check_iban(candidate: str) -> int:
    """Return how many characters of what looks like an IBAN are one, 0 if none are.

    >>> check_iban("DE89 3704 0044 0532 0130 00 EUR"), check_iban("DE88 3704 0044 0532 0130 00")
    (27, 0)
    """
    length = IBAN_LENGTHS.get(candidate[:2].upper())
    if length is None:
        return 0
    ends = [place for place, char in enumerate(candidate, 1) if char.isalnum()]
    if len(ends) < length:
        return 0
    end = ends[length - 1]
    if candidate[end : end + 1].isalnum():
        return 0
    number = "".join(char for char in candidate[:end] if char.isalnum())
    if not (number.isupper() or number.islower()):
        return 0
    number = number.upper()
    moved = number[4:] + number[:4]
    return end if int("".join(str(int(char, 36)) for char in moved)) % 97 == 1 else 0


def check_card(number: str, *, named: bool, grouped: bool) -> str | None:
    """Return how sure it is that digits are a card's number; None if they are none.

    Args:
        number: ASCII digits.
        named: whether a word for a card stands before it.
        grouped: whether it is written in groups.

    >>> check_card("4111111111111111", named=False, grouped=False), check_card("4111111111111112", named=True, grouped=True)
    ('high', None)
    """
    prefix = int(number[:4])
    if len(number) == 13 and not named and ean.is_valid(number):
        return None
    for low, high, lengths, distinct in _ISSUERS:
        if low <= prefix <= high and len(number) in lengths and (distinct or named or grouped):
            return (
                (HIGH if named or (distinct and len(number) in _USUAL) else MEDIUM)
                if luhn.is_valid(number) and len(set(number)) > 1
                else None
            )
    return None
