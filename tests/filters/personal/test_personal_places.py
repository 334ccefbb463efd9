"""Places of secrets and obfuscated addresses in any mixture of their parts: inside their text, between characters, the same whatever is beside it."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from headwater.filters.personal.found import Found
from headwater.filters.personal.obfuscated import find_obfuscated
from headwater.filters.personal.secrets import find_secrets

ODD = ["\n", " ", "é", "漢", "🙂", "：", "\\", '"', "'", "{", "&", "**", ")"]
SECRET_PARTS = [
    *ODD, "password", "Passwort", "token", "api_key", "=", ":", ": ", ' = "', "://", "@", "user", "ghp_", "sk-", "eyJ", "AKIA",
    "-----BEGIN ", "PRIVATE KEY-----", "-----END ", "Kz7vQm2xWp9LtB4n", "x7Qm2vK9pLs4Tn8RbW3cZd6FgH1jYe5Ua0Ri", "8Q~", "12345678:AA", "Bearer ",
]  # fmt: skip
ADDRESS_PARTS = [
    *ODD,
    "a",
    ".",
    "jane",
    " at ",
    "[at]",
    "(at)",
    " AT ",
    "example",
    " dot ",
    "[dot]",
    "org",
    "&#64;",
    " point ",
    "собака",
]


@pytest.mark.parametrize(("find", "parts"), [(find_secrets, SECRET_PARTS), (find_obfuscated, ADDRESS_PARTS)])
def test_places_in_mixtures(
    find: Callable[[npt.NDArray[np.uint8], npt.NDArray[np.int64]], list[Found]], parts: list[str]
) -> None:
    """A place begins and ends between characters of its text, is not empty, and does not depend on the texts around it."""
    rng = random.Random(7)
    texts = ["".join(rng.choices(parts, k=rng.randint(0, 30))).encode() for _ in range(4000)]
    offsets = np.cumsum([0, *map(len, texts)])
    found = find(np.frombuffer(b"".join(texts), np.uint8), offsets)
    assert len(found) > 15
    for each in found:
        text = texts[each.row]
        assert 0 <= each.begin < each.end <= len(text)
        text[each.begin : each.end].decode()
    for row in range(0, 4000, 40):
        alone = find(np.frombuffer(texts[row], np.uint8), np.array([0, len(texts[row])]))
        assert [(each.begin, each.end, each.operator) for each in alone] == [
            (each.begin, each.end, each.operator) for each in found if each.row == row
        ]


def test_more_than_there_is_room_for() -> None:
    """A text of nothing but secrets, or addresses, is read again with room for all of them."""
    for find, unit in ((find_secrets, b"pwd=Kz7vQm2xWp;"), (find_obfuscated, b"jane(at)ab.org ")):
        assert len(find(np.frombuffer(unit * 5000, np.uint8), np.array([0, len(unit) * 5000]))) == 5000
