"""Obfuscated addresses: the forms that are found, and sentences that have the same words."""

from __future__ import annotations

import numpy as np
import pytest

from headwater.filters.personal.obfuscated import find_obfuscated


def found_in(text: str) -> list[str]:
    """The values that are found in a text."""
    data = text.encode()
    return [
        data[each.begin : each.end].decode()
        for each in find_obfuscated(np.frombuffer(data, np.uint8), np.array([0, len(data)], np.int64))
    ]


@pytest.mark.parametrize(
    "address",
    [
        "jane.doe [at] example [dot] org", "jane(at)example.org", "jane (at) mail (dot) example (dot) co (dot) uk", "jane at example dot org",
        "jane&#64;example.org", "jane&#x40;example.org", "jane&commat;example.org", "jane_AT_example_DOT_org", "jane AT example DOT com",
        "jane {at} example {dot} org", "jane <at> example <dot> org", "jane -at- example -dot- org", "jane(@)example.org", "jane [ät] example.de",
        "jane @ example . org", "jane bei example punkt de", "jane (bei) example (punkt) de", "jane arobase exemple point fr",
        "jane arroba ejemplo punto es", "jane chiocciola esempio punto it", "jane małpa przyklad kropka pl", "jane собака example точка ru",
        "jane apenstaartje voorbeeld punt nl", "mesko dot jane at fsf dot hu", "jane+list [at] sub.example.org",
    ],
)  # fmt: skip
def test_forms_that_are_found(address: str) -> None:
    """Each form is found whole, alone, in a sentence and at the end of one."""
    for text in (address, f"Write to {address}.", f"({address})", f"Ἄνθρωπος: {address}, thanks"):
        assert found_in(text) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "look at example dot com", "Look at example dot com for more", "at this point in time", "I was at home dot", "we met at noon dot by dot",
        "array[at]", "f(at)", "equation-free-at-generic-point-fibre", "sizes @ 3 . 5", "meet me at the.place.org", "see you at example.org",
        "available at github dot com", "x at y", "bei uns punkt zwölf", "git@example.org", "a (at) b", "the dot at the end dot dot dot",
        "user_at_home", "100%40", "visit us at example dot org",
    ],
)  # fmt: skip
def test_sentences_that_are_none(text: str) -> None:
    """Prose with the words at and dot, names of variables and plain addresses are not obfuscated addresses."""
    assert found_in(text) == []


def test_surer_forms_say_so() -> None:
    """Entities are surer than brackets, and brackets than words."""
    text = b"a1&#64;example.org, b2 [at] example.org, c3 at example dot org"
    found = find_obfuscated(np.frombuffer(text, np.uint8), np.array([0, len(text)], np.int64))
    assert [(each.variant, each.confidence) for each in found] == [
        ("entity", "high"),
        ("brackets", "medium"),
        ("word", "low"),
    ]


def test_places_are_of_their_row() -> None:
    """Nothing reaches over the border of two texts."""
    texts = [b"jane [at] exam", b"ple [dot] org", b"jane [at] example [dot] org"]
    offsets = np.cumsum([0, *map(len, texts)])
    found = find_obfuscated(np.frombuffer(b"".join(texts), np.uint8), offsets)
    assert [(each.row, each.begin, each.end) for each in found] == [(2, 0, 27)]
