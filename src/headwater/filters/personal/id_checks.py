"""Checksums and dates of national ids that python-stdnum lacks, or has otherwise than is wanted here; each takes a number without separators.

None asks the clock: a text says the same tomorrow. Worked examples use made-up numbers.
"""

from __future__ import annotations

import datetime
from typing import Final

from stdnum import luhn, verhoeff

__all__ = [
    "aadhaar",
    "bangladesh_nid",
    "british_insurance",
    "cpr",
    "egyptian_id",
    "hungarian_tax_id",
    "indian_person",
    "indonesian_nik",
    "iranian_id",
    "is_date",
    "saudi_id",
    "snils",
    "swedish_number",
    "taj",
    "thai_id",
    "ukrainian_record",
    "vietnamese_id",
]

_EGYPT: Final = {*range(1, 5), *range(11, 20), *range(21, 30), *range(31, 36), 88}
"""Codes of governorates in digits 8 and 9."""


def is_date(year: int, month: int, day: int) -> bool:
    """Return whether there is such a day from 1850 to 2049."""
    if not (1850 <= year <= 2049 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _short_date(day: str, month: str, year: str) -> bool:
    """Return whether there is such a day in either century."""
    return any(is_date(century + int(year), int(month), int(day)) for century in (1900, 2000))


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def aadhaar(number: str) -> bool:
    """India: 12 digits, the first 2 to 9, no palindrome, Verhoeff."""
    return number[0] not in "01" and number != number[::-1] and verhoeff.is_valid(number)


def indian_person(number: str) -> bool:
    """India's PAN of a person: five letters of which the fourth is P, four digits, a letter; the rest of PANs are of firms."""
    return number[3] == "P" and number[5:9] != "0000"


def hungarian_tax_id(number: str) -> bool:
    """Hungary's tax id: 10 digits, an 8, then days since 1867; the last is the weighted sum modulo 11 (law CL of 2017, annex 3)."""
    return number[0] == "8" and _weighted(number[:9], tuple(range(1, 10))) % 11 == int(number[9])


def taj(number: str) -> bool:
    """Hungary's social security number: 9 digits, the last is the sum of the others times 3 and 7 in turn, modulo 10."""
    return number != "000000000" and _weighted(number[:8], (3, 7) * 4) % 10 == int(number[8])


def iranian_id(number: str) -> bool:
    """Iran: 10 digits, not all the same; the sum of nine times 10 to 2 modulo 11."""
    rest = _weighted(number[:9], tuple(range(10, 1, -1))) % 11
    return len(set(number)) > 1 and int(number[9]) == (rest if rest < 2 else 11 - rest)


def egyptian_id(number: str) -> bool:
    """Egypt: 14 digits: century 2 or 3, year, month, day, governorate, serial; the rule of its check digit is not published."""
    return (
        number[0] in "23"
        and is_date(1700 + 100 * int(number[0]) + int(number[1:3]), int(number[3:5]), int(number[5:7]))
        and int(number[7:9]) in _EGYPT
    )


def saudi_id(number: str) -> bool:
    """Saudi Arabia: 10 digits, 1 for citizens and 2 for residents, Luhn."""
    return number[0] in "12" and luhn.is_valid(number)


def bangladesh_nid(number: str) -> bool:
    """Bangladesh: 10 digits, or 13, or 17 that begin with a year; no checksum."""
    if len(number) == 17:
        return 1900 <= int(number[:4]) <= 2010
    return number[0] != "0" and len(set(number)) > 2


def snils(number: str) -> bool:
    """Russia's insurance number: 11 digits; nine times 9 to 1, modulo 101, where 100 is 0."""
    return number[:9] > "001001998" and _weighted(number[:9], tuple(range(9, 0, -1))) % 101 % 100 == int(number[9:])


def british_insurance(number: str) -> bool:
    """Britain's insurance number: two letters (HMRC's manual NIM39110 says which), six digits, A to D."""
    prefix = number[:2].upper()
    return (
        not set(prefix) & set("DFIQUV")
        and prefix[1] != "O"
        and prefix not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
        and number[8].upper() in "ABCD"
    )


def ukrainian_record(number: str) -> bool:
    """Ukraine's number in the demographic register: year, month, day, four digits, and a check digit with weights 7, 3, 1 (ICAO 9303)."""
    return is_date(int(number[:4]), int(number[4:6]), int(number[6:8])) and _weighted(
        number[:12], (7, 3, 1) * 4
    ) % 10 == int(number[12])


def vietnamese_id(number: str) -> bool:
    """Vietnam: 12 digits: province 001 to 096, century and sex 0 to 3, year, serial; no checksum (circular 59/2021/TT-BCA)."""
    return 1 <= int(number[:3]) <= 96 and number[3] in "0123" and len(set(number)) > 3


def indonesian_nik(number: str) -> bool:
    """Indonesia: 16 digits: province, regency, district, day (40 more for women), month, year, serial; no checksum."""
    day = int(number[6:8])
    return (
        11 <= int(number[:2]) <= 97
        and number[2:4] != "00"
        and number[12:] != "0000"
        and _short_date(str(day - 40 if day > 40 else day), number[8:10], number[10:12])
    )


def cpr(number: str) -> bool:
    """Denmark: day, month, year and four digits; since 2007 the checksum modulo 11 is not kept to."""
    return _short_date(number[:2], number[2:4], number[4:6]) and number[6:] != "0000"


def swedish_number(number: str) -> bool:
    """Sweden: year, month, day (60 more for coordination numbers), three digits, Luhn over the last ten."""
    number = number[-10:]
    day = int(number[4:6])
    return _short_date(str(day - 60 if day > 60 else day), number[2:4], number[:2]) and luhn.is_valid(number)


def thai_id(number: str) -> bool:
    """Thailand: 13 digits, the first 1 to 8; twelve times 13 to 2, modulo 11."""
    return number[0] in "12345678" and (11 - _weighted(number[:12], tuple(range(13, 1, -1))) % 11) % 10 == int(
        number[12]
    )
