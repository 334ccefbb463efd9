"""Phone numbers by libphonenumber's metadata (package ``phonenumbers``): international form, else the regions of the text's language.

Precision before recall: a number in national form counts without a word for a phone before it only if it begins with a trunk 0, has its area code in
brackets, or has a shape that numbers of its language alone have, and if it is valid in one of that language's regions.
"""

from __future__ import annotations

import functools
import re
from typing import Final

import phonenumbers
from stdnum import isbn

from headwater.filters.personal.digits import plain
from headwater.filters.personal.types import HIGH, LOW, MEDIUM

__all__ = ["PHONE_SHAPES", "REGIONS", "check_phone"]

_SPOKEN: Final = """
ar EG SA AE MA DZ IQ JO|bn BD IN|cs CZ SK|da DK|de DE AT CH|el GR CY|en US GB AU IN IE NZ ZA|es ES MX AR CO CL PE|fa IR AF|fi FI|fr FR BE CH CA|he IL
hi IN|hu HU|id ID|it IT CH|ja JP|ko KR|nl NL BE|no NO|pl PL|pt BR PT|ro RO MD|ru RU KZ BY|sv SE FI|th TH|tr TR|uk UA|vi VN|zh CN TW HK
"""
REGIONS: Final[dict[str, tuple[str, ...]]] = {
    words[0]: tuple(words[1:]) for words in map(str.split, _SPOKEN.strip().replace("\n", "|").split("|"))
}
"""Language → regions, in the order in which they are tried."""

PHONE_SHAPES: Final[dict[str, tuple[str, ...]]] = {
    "en": ("ddd-ddd-dddd", "ddd.ddd.dddd", "d-ddd-ddd-dddd", "d.ddd.ddd.dddd"),
    "es": ("ddd-ddd-ddd", "ddd dd dd dd"),
    "fr": ("ddd-ddd-dddd",),
    "zh": ("ddddddddddd", "ddd-dddd-dddd", "ddd dddd dddd"),
    "hi": ("ddddd ddddd", "ddddd-ddddd"),
    "ru": ("d ddd ddd-dd-dd", "d-ddd-ddd-dd-dd", "d ddd ddd dd dd"),
    "pl": ("ddd-ddd-ddd",),
    "pt": ("dd ddddd-dddd", "dd dddd-dddd"),
    "tr": ("ddd ddd dd dd",),
    "el": ("ddd ddddddd", "ddd ddd dddd"),
    "it": ("ddd ddddddd", "ddd ddd dddd"),
}
"""Language → shapes of numbers without a trunk 0 that few other numbers of its texts have."""

_DATE: Final = re.compile(
    r"(?:19|20)\d\d([-./ ])\d\d?\1\d\d?(?!\d)|\d\d?([-./ ])\d\d?\2(?:19|20)\d\d(?!\d)|(?:19|20)\d\d ?- ?(?:19|20)\d\d(?!\d)"
)
_GROUPS: Final = re.compile(r"\d+")
_AMERICAN: Final = re.compile(r"(?:1[-. ]?)?(?:\([2-9]\d\d\)[-. ]?|[2-9]\d\d[-.])[2-9]\d\d[-.]\d{4}")
_POSTCODE: Final = re.compile(r"\d{5}-\d{4}")
_EXTENSION: Final = re.compile(r"x\d{1,6}$")
_MOST_TRIMMED: Final = 3
_MOST_GROUPS: Final = 6
_MOST_NATIONAL: Final = 12
_DECIMAL: Final = re.compile(r"(?:0|[1-9]\d{0,2})[.,]\d{4,}")
_AMOUNT: Final = re.compile(
    r"[\s\u00a0]?(?:Kč|kr\b|zł|€|EUR\b|USD\b|руб|₽|₴|грн|лв|lei\b|Ft\b|TL\b|₺|円|元|원|₫|đ|VND|Rp|₹|%|°|km\b|kg\b|MB\b|GB\b|ha\b|m²)",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=65_536)
def _valid(number: str, region: str | None) -> tuple[bool, bool]:
    """Return whether a number is possible, and whether it is valid."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False, False
    return phonenumbers.is_possible_number(parsed), phonenumbers.is_valid_number(parsed)


def check_phone(candidate: str, language: str, *, named: bool, near: bool, after: str = "") -> tuple[int, str] | None:
    """Return how many characters of a candidate are a phone number, and how sure that is; None if none are.

    Groups at its end are taken off, up to three, until what is left is valid: a year or a price may follow a number.

    Args:
        candidate: digits of any script with separators, perhaps a plus or an opening bracket before them.
        language: of the text.
        named: whether a word for a phone stands before it.
        near: whether one stands right before it.
        after: what follows the candidate, some characters: a currency or a unit says that it is an amount.

    >>> check_phone("+49 30 901820 2023", "en", named=False, near=False), check_phone("030 901820", "de", named=False, near=False)
    ((13, 'high'), (10, 'medium'))
    """
    if candidate[0] not in "+＋" and _AMOUNT.match(after):
        return None
    if extension := _EXTENSION.search(candidate):
        bare = check_phone(candidate[: extension.start()], language, named=named, near=near)
        return (len(candidate), bare[1]) if bare and bare[0] == extension.start() else bare
    ends = [match.end() for match in _GROUPS.finditer(candidate)]
    possible: tuple[int, str] | None = None
    for end in ends[: -_MOST_TRIMMED - 1 : -1]:
        if end < len(candidate) and not candidate[end].isspace():
            continue
        number = plain(candidate[:end].encode())
        digits = "".join(char for char in number if char.isdigit())
        if len(digits) < 7 or (_DATE.match(number.lstrip("(")) and not number.startswith("+")):
            continue
        if number.startswith("+") or number.lstrip("(").startswith("00"):
            may, is_valid = _valid("+" + digits.removeprefix("00"), None)
            sure = HIGH if number.startswith("+") or named else MEDIUM
            if is_valid:
                return end, sure
            if may and (near or (number.startswith("+") and len(digits) >= 9 and not number[1:].isdigit())):
                possible = possible or (end, LOW)
            continue
        if _DECIMAL.fullmatch(number) or (not named and _is_other(number, digits, language)):
            continue
        if len(digits) > _MOST_NATIONAL + near and number[0] != "+":
            continue
        regions = REGIONS.get(language, ())
        if any(_valid(number, region)[1] for region in regions):
            return end, HIGH if named else MEDIUM
        if _AMERICAN.fullmatch(number) and language in {"en", "es", "fr"}:
            return end, MEDIUM
        if near and 8 <= len(digits) <= 13 and any(_valid(number, region)[0] for region in regions):
            possible = possible or (end, LOW)
    return possible


def _is_other(number: str, digits: str, language: str) -> bool:
    """Return whether a number in national form is rather a book's, a postcode, a list or counted up: what no word names."""
    groups = _GROUPS.findall(number)
    if groups[0] == "0" and number[1:2] in {".", ",", "-"} and language != "tr":
        return True
    singles = sum(len(group) == 1 for group in groups[1:])
    if singles > (language == "hu") or len(groups) > _MOST_GROUPS or "/" in number.lstrip("(0123456789)").lstrip("/"):
        return True
    if digits in "01234567890123456789" or (language != "de" and _POSTCODE.fullmatch(number)):
        return True
    return len(digits) == 10 and (len(groups) == 1 or groups[0] == "0") and isbn.is_valid(digits)
