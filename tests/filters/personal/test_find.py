"""What is found together: borders of texts, marks apart, huge and hostile texts, overlaps; the kernel against a slow reading of its rules."""

from __future__ import annotations

import random
import re
import time
import unicodedata

import numpy as np
import pyarrow as pa
import pytest

from headwater.buffers import text_buffers
from headwater.errors import UsageError
from headwater.filters.personal.digits import plain
from headwater.filters.personal.find import find_personal
from headwater.filters.personal.found import Found, settle
from headwater.filters.personal.scan import COLUMNS, NUMBER, make_classes, scan
from headwater.filters.personal.shapes import EVERY_LANGUAGE, Rule, make_trie
from headwater.filters.personal.words import topic_bits, word_automaton

HOSTILE = {
    "digits": "1",
    "digits and spaces": "1 ",
    "digits and dots": "1.",
    "digits and hyphens": "12-",
    "groups": "1234 5678 9012 ",
    "zeros": "0123456789 ",
    "at signs": "@",
    "letters and at signs": "a@",
    "unfinished addresses": "a@b.",
    "colons": ":",
    "groups of hex": "2a00:",
    "pluses": "+1",
    "brackets": "(12)",
    "octets": "1.2.3.",
    "accounts": "DE12 ",
    "Arabic digits": "١",
    "wide digits": "１",
    "letters": "a",
    "Thai": "ไทย",
    "marks": "e\u0301",
    "phones": "phone 030 901820 ",
    "long labels": "x@" + "a-" * 100 + ".",
    "eleven digits": "12345678911 ",
}


def pieces(text: str, language: str | None = "en") -> list[tuple[str, str]]:
    """Return type and text of what is found."""
    data = text.encode()
    rows = find_personal(pa.array([text]), [language]).to_pylist()
    return [(row["operator"].partition(":")[2], data[row["span_begin"] : row["span_end"]].decode()) for row in rows]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "ann@example.org"),
        ("ip", "93.184.216.34"),
        ("iban", "DE89370400440532013000"),
        ("card", "4111111111111111"),
        ("phone", "+1 212 736 5000"),
    ],
)
def test_at_the_borders_of_a_text(kind: str, value: str) -> None:
    """Alone, first, last, between lines: the same bytes; and nothing of a neighbouring text is read."""
    for text in (value, f"{value} x", f"x {value}", f"x\n{value}\ny"):
        assert pieces(text) == [(kind, value)], text
    rows = find_personal(pa.array(["x" + value[:5], value[5:], None, "", value]), ["en"] * 5).to_pylist()
    assert [(row["row"], row["span_begin"], row["span_end"]) for row in rows if row["row"] == 4] == [(4, 0, len(value))]
    assert [row for row in rows if row["row"] in {2, 3}] == []


def test_slices_and_kinds_of_arrays_give_the_same() -> None:
    """A slice, large_string and several chunks are read alike."""
    texts = ["nothing", "ann@example.org", "tel +1 212 736 5000"]
    wanted = find_personal(pa.array(texts), ["en"] * 3)
    assert find_personal(pa.array(["x", *texts])[1:], ["en"] * 3).equals(wanted)
    assert find_personal(pa.array(texts, pa.large_string()), pa.array(["en"] * 3)).equals(wanted)
    assert find_personal(pa.chunked_array([texts[:1], texts[1:]]), ["en"] * 3).equals(wanted)
    with pytest.raises(UsageError, match="string"):
        find_personal(pa.array([1]), ["en"])


def test_marks_apart() -> None:
    """A text whose marks stand apart (NFD) gives the same values, and words with marks still name numbers."""
    text = "Téléphone : 01 42 68 53 00, écrivez à zoë@example.org; numéro de sécurité sociale 1 51 02 46102 043 25"
    apart = unicodedata.normalize("NFD", text)
    found = [(kind, unicodedata.normalize("NFC", value)) for kind, value in pieces(apart, "fr")]
    assert found == pieces(text, "fr")
    assert [kind for kind, _ in found] == ["phone", "email", *["national_id"] * (len(found) - 2)]


def test_a_huge_text_is_searched_to_its_end() -> None:
    """Ten megabytes with an address in the middle and one at the end."""
    text = "word " * 1_000_000 + "ann@example.org" + " word" * 1_000_000 + " bob@example.org"
    assert [value for _, value in pieces(text)] == ["ann@example.org", "bob@example.org"]


def seconds(unit: str, n_bytes: int) -> float:
    """Return the least processor time of two runs."""
    texts = pa.array([unit * (n_bytes // len(unit.encode()))])
    least = float("inf")
    for _ in range(2):
        begun = time.process_time()
        find_personal(texts, ["de"], secrets=False)
        least = min(least, time.process_time() - begun)
    return least


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear(name: str) -> None:
    """Eight times the text takes less than 32 times as long."""
    assert seconds(HOSTILE[name], 160_000) < 32 * max(seconds(HOSTILE[name], 20_000), 0.001)


def test_of_what_overlaps_the_surer_stays() -> None:
    """Surer, longer, earlier, then by name; neighbours and other rows do not overlap."""

    def found(begin: int, end: int, operator: str, confidence: str = "high", row: int = 0) -> Found:
        return Found(row=row, begin=begin, end=end, operator=operator, confidence=confidence)

    assert settle([found(0, 5, "b", "low"), found(3, 9, "a")]) == [found(3, 9, "a")]
    assert settle([found(0, 9, "b"), found(3, 9, "a")]) == [found(0, 9, "b")]
    assert settle([found(0, 9, "b"), found(0, 9, "a")]) == [found(0, 9, "a")]
    assert len(settle([found(0, 5, "a"), found(5, 9, "a"), found(0, 5, "a", row=1)])) == 3


SHAPES = ("ddddddddd", "ddd.ddd.ddd-dd", "dddd dddd", "LLdddd", "dddddd-dddL", "d-dd", "dd/dd")


def slow_numbers(text: str) -> list[tuple[int, int]]:
    """Return begin and end of the numbers of ``SHAPES``, by reading each character from the rules as they are written."""
    found = []
    for run in re.finditer(r"[A-Za-z0-9]+", text):
        begin = run.start()
        letters = re.match(r"[A-Za-z]*", run.group()).end()  # type: ignore[union-attr] # it always matches
        if not re.search(r"\d", run.group()) or letters > 6 or not begins(text, begin):
            continue
        best = 0
        for end in range(begin + 1, min(begin + 24, len(text)) + 1):
            shape = re.sub(r"\d", "d", re.sub(r"[A-Za-z]", "L", text[begin:end]))
            if shape in SHAPES and ends(text, end):
                best = end
        if best:
            found.append((begin, best))
    return found


def begins(text: str, at: int) -> bool:
    """Return whether what stands before a number is no part of it."""
    before = text[:at]
    if not before:
        return True
    if before[-1] in "_#$^\\~+%@&-/":
        return False
    if before[-1] == ".":
        return re.search(r"(?:^|[\n\r (\">])[A-Za-z]{1,11}\.$", before) is not None
    if before[-1] in ", :":
        return re.search(r"\d[,: ]$|\$ $", before) is None
    return True


def ends(text: str, at: int) -> bool:
    """Return whether what follows a number is no more of it."""
    after = text[at:]
    return re.match(r"[A-Za-z0-9_@%]|[,./:-]\d|-[A-Za-z]", after) is None


def test_numbers_equal_a_slow_reading() -> None:
    """In texts of digits, letters and separators the kernel finds the same begins and ends as regular expressions do."""
    trie, _ = make_trie([Rule(kind=shape, shape=shape, languages=EVERY_LANGUAGE, topics=0) for shape in SHAPES])
    rng = random.Random(4)
    parts = [
        "123",
        "1234",
        "12",
        "1",
        "123456789",
        "AB",
        "Z",
        "x",
        " ",
        "-",
        ".",
        "/",
        ",",
        ":",
        "\n",
        "_",
        "$",
        "No",
        "(",
        '"',
        "abcdefgh",
    ]
    texts = ["".join(rng.choices(parts, k=rng.randrange(1, 12))) for _ in range(8000)]
    data, offsets = text_buffers(pa.array(texts))
    found = np.empty((200_000, COLUMNS), np.int64)
    bits = np.ones(len(texts), np.uint64)
    count = scan(data, offsets, bits, make_classes(), trie, word_automaton(), np.uint64(topic_bits()["phone"]), found)
    numbers: list[list[tuple[int, int]]] = [[] for _ in texts]
    for row, kind, begin, end, _, _ in found[:count].tolist():
        if kind == NUMBER:
            numbers[row].append((begin, end))
    for text, each in zip(texts, numbers, strict=True):
        assert each == slow_numbers(text), text


def test_digits_of_every_script_are_digits() -> None:
    """Full-width, Arabic, Persian, Devanagari, Bengali and Thai digits, and every dash and space between them."""
    for zero in ("0", "٠", "۰", "०", "০", "๐", "０"):
        digits = "".join(chr(ord(zero) + int(digit)) for digit in "4111111111111111")
        assert pieces(f"card {digits} ") == [("card", digits)]
        assert plain(digits.encode()) == "4111111111111111"
    for space in ("\u00a0", "\u202f", "\u2009", "\u3000"):
        value = space.join(["4111", "1111", "1111", "1111"])
        assert pieces(f"card {value}.") == [("card", value)]
    for dash in ("\u2010", "\u2011", "\u2013", "\uff0d"):
        value = dash.join(["4111", "1111", "1111", "1111"])
        assert pieces(f"card {value}.") == [("card", value)]
