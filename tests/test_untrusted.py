"""Texts of strangers as TOML and as numbers: what Python's own parsers take and cannot write again is refused where it is read."""

from __future__ import annotations

import pytest

from headwater.untrusted import parse_decimal, parse_toml

_LONG = "0x" + 9000 * "f"


@pytest.mark.parametrize(
    "text",
    [
        f"a = {_LONG}",
        f"a = {9000 * '9'}",
        f"a = 0b{64 * '1'}",
        f"a = -{2**63 + 1}",
        f"[[b]]\n[b.c]\na = [1, [{_LONG}]]",
        f"a = {{ b = [{{ c = {2**63} }}] }}",
    ],
)
def test_integers_beyond_64_bits(text: str) -> None:
    """They are refused wherever they stand and however they are written, in a short line."""
    with pytest.raises(ValueError, match="expected integers within 64 bits, found one of [0-9a-z]") as caught:
        parse_toml(text)
    assert len(str(caught.value)) < 120


def test_integers_of_64_bits() -> None:
    """Both ends are taken, and so are numbers with a fraction however large."""
    assert parse_toml(f"a = {2**63 - 1}\nb = [-{2**63}]\nc = 1e300\nd = true") == {
        "a": 2**63 - 1,
        "b": [-(2**63)],
        "c": 1e300,
        "d": True,
    }


@pytest.mark.parametrize(
    "text", ["", "1_0", "\u0663", "\u0661.5", "0x10", "nan", "inf", "1e100", "1 0", "1,5", "--1", ".", 101 * "1"]
)
def test_no_number_in_plain_digits(text: str) -> None:
    """What ``Decimal`` would take in other scripts, with underscores or with an endless exponent is no number here."""
    with pytest.raises(ValueError, match="no number"):
        parse_decimal(text)
