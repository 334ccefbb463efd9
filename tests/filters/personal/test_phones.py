"""Phone numbers: the language's regions, the form, the words before; what is no phone number."""

from __future__ import annotations

import random

import phonenumbers
import pyarrow as pa
import pytest

from headwater.filters.personal.find import find_personal
from headwater.filters.personal.phones import REGIONS

FORMATS = (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164)
WORDS = {
    "ar": "هاتف: ",
    "bn": "ফোন: ",
    "cs": "tel. ",
    "da": "tlf. ",
    "de": "Tel.: ",
    "el": "τηλ. ",
    "en": "phone ",
    "es": "teléfono ",
    "fa": "تلفن: ",
    "fi": "puh. ",
    "fr": "tél : téléphone ",
    "he": "טלפון: ",
    "hi": "फोन: ",
    "hu": "telefonszám: ",
    "id": "telepon ",
    "it": "tel. ",
    "ja": "電話：",
    "ko": "전화: ",
    "nl": "bel telefoon ",
    "no": "tlf. ",
    "pl": "telefon ",
    "pt": "telefone ",
    "ro": "telefon ",
    "ru": "тел. ",
    "sv": "telefon ",
    "th": "โทร ",
    "tr": "telefon: ",
    "uk": "тел. ",
    "vi": "điện thoại ",
    "zh": "电话：",
}


def phones(text: str, language: str) -> list[str]:
    """Return the phone numbers that are found."""
    data = text.encode()
    rows = find_personal(pa.array([text]), [language]).to_pylist()
    return [data[row["span_begin"] : row["span_end"]].decode() for row in rows if row["operator"] == "personal:phone"]


@pytest.mark.parametrize("language", sorted(REGIONS))
def test_the_example_numbers_of_each_region_are_found(language: str) -> None:
    """libphonenumber's own examples: in international form anywhere, in national form after a word in a language of the region."""
    for region in REGIONS[language]:
        for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, kind)
            assert number is not None
            for form in FORMATS:
                shown = phonenumbers.format_number(number, form)
                assert phones(f"... {shown}, ok", "en") == [shown], (region, shown)
            shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
            assert phones(f"{WORDS[language]}{shown}", language) == [shown], (region, shown)


@pytest.mark.parametrize(
    ("text", "language", "numbers"),
    [
        ("030 901820 or (030) 90 18 20", "de", ["030 901820", "(030) 90 18 20"]),
        ("01 42 68 53 00 le soir", "fr", ["01 42 68 53 00"]),
        ("at 212-736-5000 or (212) 736-5000", "en", ["212-736-5000", "(212) 736-5000"]),
        ("我的号码13812345678", "zh", ["13812345678"]),
        ("০১৭১২৩৪৫৬৭৮", "bn", ["০১৭১২৩৪৫৬৭৮"]),
        ("０３－１２３４－５６７８", "ja", ["０３－１２３４－５６７８"]),
        ("+1 212 736 5000 2023", "de", ["+1 212 736 5000"]),
        ("0049 30 901820", "de", ["0049 30 901820"]),
        ("030 901820", "en", []),
        ("901820", "de", []),
        ("fone (11) 91234-5678", "pt", ["(11) 91234-5678"]),
        ("+1-212-736-5000x123 and +1 212 736 5000xy", "en", ["+1-212-736-5000x123"]),
    ],
)
def test_forms_without_a_word(text: str, language: str, numbers: list[str]) -> None:
    """A trunk 0, an area code in brackets or a shape of the language suffice where the number is valid there."""
    assert phones(text, language) == numbers


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("0.123456789 1,234,567.89 12 345 678 habitants 71 107 714 Kč", "cs"),
        ("call on 2003-04-05 or 05.04.2003 10:20:30", "en"),
        ("phone for $1234567 or € 12345678", "en"),
        ("ISBN 0-306-40615-2 0306406152 ISSN 0317-8471", "en"),
        ("phone: see ISSN 0317-8471, EAN 4006381333931", "de"),
        ("https://doi.org/10.1016/j.cell.2024.08.273", "en"),
        ("lat 52.520008, 13.404954", "de"),
        ("1 2 3 4 5 6 7 8 9 10 11 12 (3 4 5) 6) 7 8 (9 10", "vi"),
        ("0 0 252 252 0 0 0 0", "fi"),
        ("x+4930901820 (a)+4930901820 10^+4930901820", "en"),
        ("MA 02110-1301, USA", "it"),
        ("f(0301234567) a_0301234567 id0301234567 #0301234567", "de"),
        ("range 0-4294967295", "zh"),
        ("1999-2003, 2024/2025", "en"),
    ],
)
def test_what_is_no_phone_number(text: str, language: str) -> None:
    """Amounts, dates, books, coordinates, lists, sums and names in code are none."""
    assert phones(text, language) == []


def test_random_numbers_are_rarely_phones() -> None:
    """Of plain numbers of five to twelve digits that do not begin with 0, in English, none is taken for a phone."""
    rng = random.Random(11)
    text = "\n".join(str(rng.randrange(10**4, 10**12)) for _ in range(5000))
    assert phones(text, "en") == []
