"""Numbers that only look like personal data: nothing is found in them, whatever the language."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from headwater.filters.personal.find import find_personal
from headwater.filters.personal.phones import REGIONS

NEGATIVES = {
    "isbn": "ISBN 978-3-16-148410-0, 0-306-40615-2, 9783161484100",
    "issn": "ISSN 0317-8471 and 2049-3630",
    "doi": "doi:10.1000/182.123456789 https://doi.org/10.1038/s41586-020-2649-2",
    "arxiv": "arXiv:2501.01046v4, math/0309136, 1706.03762",
    "commits": "commit 3f2504e04f8911d39a0c0305e82c33019d4e5b1a (tag 1234567890abcdef1234567890abcdef12345678)",
    "uuid": "123e4567-e89b-12d3-a456-426614174000 and 00000000-0000-0000-0000-000000000000",
    "latex": r"$x_{12} = 1234567890^{2}$, \[\frac{314159265358979}{10^{14}}\] \ref{eq:0123456789}",
    "timestamps": "2023-11-27T20:50:07.123456Z 1700000000 1700000000000 20231127205007 27/Nov/2023:20:50:07 +0000",
    "prices": "$1,234,567.89 EUR 1.234.567,89 £ 12 345 678 ¥1234567890 1234567,00 kr",
    "chess": "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7 6. Re1 b5 7. Bb3 d6 1-0",
    "coordinates": "52.520008, 13.404954; -33.868820 151.209290; 40°42'46\"N 74°00'22\"W",
    "parts": "P/N 123-4567-890, X-030-1234567, REF: AB-1234-5678-90",
    "matrix": "1 0 0 0 0 1 0 0\n12 345 678 9 1011 1213\n0 0 1 0 255 255 255 255",
    "versions": "Version 10.0.19041.1, libfoo 2.34.1.8-1ubuntu3, v1.2.3.4, kernel 5.10.0.21",
    "mac": "00:1A:2B:3C:4D:5E 00-1A-2B-3C-4D-5E 001a.2b3c.4d5e",
    "times": "12:34:56.789 00:00:01,500 --> 00:00:04,000 8:30-17:45",
    "scopes": "std::vector<int>::iterator a::b::c ns::f(::g) x[1::2] dead::beef",
    "scores": "3-1, 2-0, 105-98, 112-110, 6-4 7-6(5) 6-3, 21:19 25:23",
    "statistics": "12.5 13.7 1024 2048 4096 | 1990 1991 1992 1993 1994 | 1,024 2,048 4,096",
    "bible": "John 3:16-18; 1 Kor 13:4-8; Gen 1:1-2:3; Ps 119:105",
    "sizes": "1073741824 bytes, 16777216 pixels, 0x7fffffff, 4294967295, -2147483648",
    "hex": "0xdeadbeefcafebabe 4c6f72656d20697073756d20646f6c6f72 sha256:9f86d081884c7d659a2feaa0c55ad015",
}


@pytest.mark.parametrize("name", NEGATIVES)
def test_nothing_is_found(name: str) -> None:
    """In every language, and in none."""
    languages = [*REGIONS, "und"]
    rows = find_personal(pa.array([NEGATIVES[name]] * len(languages)), languages).to_pylist()
    assert [(languages[row["row"]], row["operator"]) for row in rows] == []


def test_tables_of_random_numbers_hold_nothing() -> None:
    """A hundred thousand digits in columns of one to nine digits, in six languages: no number is an id, a card or an account."""
    rng = random.Random(2)
    lines = ["\t".join(str(rng.randrange(10 ** rng.randrange(1, 9))) for _ in range(12)) for _ in range(1500)]
    languages = ["en", "de", "zh", "pt", "tr", "pl"]
    assert find_personal(pa.array(["\n".join(lines)] * len(languages)), languages).num_rows == 0
