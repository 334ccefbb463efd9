"""The dominant script of a text."""

from __future__ import annotations

import numpy as np
import pytest

from headwater.filters.language.script import SCRIPTS, count_letters, find_scripts


def _script(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    bounds = np.array([[0, len(data)]], dtype=np.int64)
    return str(find_scripts(count_letters(np.frombuffer(data, np.uint8), bounds))[0].as_py())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Straße über alles, ệ ắ ñ", "Latn"),
        ("Съешь же ещё этих мягких", "Cyrl"),
        ("Ξεσκεπάζω την ψυχοφθόρα", "Grek"),
        ("نص حكيم له سر قاطع", "Arab"),
        ("דגדברים עתיקים יומין", "Hebr"),
        ("ऋषियों को सताने वाले", "Deva"),
        ("বিষণ্ণ ঔদাসীন্যে ঊষা", "Beng"),
        ("เป็นมนุษย์สุดประเสริฐ", "Thai"),
        ("视野无限广", "Hani"),
        ("𠀀𠀁𠀂", "Hani"),
        ("いろはにほへと", "Jpan"),
        ("カタカナ", "Jpan"),
        ("키스의 고유조건은", "Hang"),
        ("Բել դղյակի", "Armn"),
        ("ꓐꓑꓒ ⲁⲃⲅ", "Zzzz"),
    ],
)
def test_script_of_each_language(text: str, expected: str) -> None:
    """Every script of the 30 languages, Han's supplementary plane and an unlisted script are named."""
    assert _script(text) == expected


@pytest.mark.parametrize("text", ["", "   ", "1234 5678", "!?… — «»", "😀😀", "٣٤٥"])
def test_script_without_letters_is_common(text: str) -> None:
    """Digits, punctuation and emoji belong to no script."""
    assert _script(text) == "Zyyy"


def test_script_kana_share_is_a_limit() -> None:
    """Kana makes Han text Japanese from one in twenty on, not below."""
    assert _script("漢" * 19 + "の") == "Jpan"
    assert _script("漢" * 20 + "の") == "Hani"


def test_script_kana_and_han_count_together() -> None:
    """Japanese is dominant when Han and kana together outnumber another script, though neither does alone."""
    assert _script("漢字" + "かな" + "abc") == "Jpan"


def test_script_ties_go_to_the_first_listed() -> None:
    """A tie falls to the script that SCRIPTS lists first."""
    assert SCRIPTS.index("Latn") < SCRIPTS.index("Cyrl")
    assert _script("яaяa") == "Latn"


@pytest.mark.parametrize("data", [b"\x80\x80", b"\xff\xfe\xff", b"\xe4\xb8", b"\xf0", b"\xc3(", b"\xed\xa0\x80"])
def test_script_bytes_that_are_not_utf8_count_for_nothing(data: bytes) -> None:
    """A stray, cut or surrogate sequence names no script and is not read past its end."""
    assert _script(data) == "Zyyy"


def test_script_counts_by_window() -> None:
    """Only what lies inside the windows counts."""
    data = np.frombuffer("abcдд漢".encode(), np.uint8)
    counts = count_letters(data, np.array([[0, 3, 7, 10], [3, 7, 7, 7]], dtype=np.int64))
    assert counts[:, [SCRIPTS.index(s) for s in ("Latn", "Cyrl", "Hani")]].tolist() == [[3, 0, 1], [0, 2, 0]]
