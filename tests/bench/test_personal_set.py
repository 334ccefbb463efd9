"""The evaluation set of personal data is the same always, its spans hold what they say, and the score counts as its page says."""

from __future__ import annotations

import ipaddress
import random
from itertools import islice

import phonenumbers
import pytest
from bench.personal_card import score
from bench.personal_ids import IDS, NO_CHECK, make_id
from bench.personal_set import TEMPLATES, Sample, make_samples
from stdnum import iban, luhn


@pytest.mark.parametrize("hand", sorted(TEMPLATES))
def test_samples(hand: str) -> None:
    """A second run gives the same samples; each span is inside its text, between characters, and no two share bytes."""
    samples = list(islice(make_samples(hand), 250))
    assert samples == list(islice(make_samples(hand), 250))
    assert len({sample.id for sample in samples}) == 250
    assert sum(not sample.spans for sample in samples) > 50
    for sample in samples:
        data, done = sample.text.encode(), 0
        for begin, end, _, _, _ in sample.spans:
            assert done <= begin < end <= len(data)
            data[begin:end].decode()
            done = end


def test_values_pass_their_checks() -> None:
    """What the set calls a value passes the test of its kind by another library."""
    seen = set()
    for sample in islice(make_samples("tuning"), 900):
        for begin, end, kind, _, free in sample.spans:
            text = sample.text.encode()[begin:end].decode()
            seen.add(kind)
            if kind == "iban":
                assert iban.is_valid(text, check_country=False)
            elif kind == "card":
                assert luhn.is_valid(text.replace(" ", "").replace("-", ""))
            elif kind == "ip":
                assert ipaddress.ip_address(text).is_global
            elif kind == "email":
                assert text.count("@") == 1
            elif kind == "phone" and text.startswith("+") and "(0)" not in text:
                assert free or phonenumbers.is_valid_number(phonenumbers.parse(text))
    assert {"email", "phone", "ip", "iban", "card", "secret", "email_obfuscated"} <= seen


def test_wrong_ids_have_the_shape_of_right_ones() -> None:
    """Every kind of id is made, and where it has a check digit a wrong one too, with as many letters and digits."""
    rng = random.Random(1)
    for kind in IDS:
        right = make_id(rng, kind)
        assert right
        if kind not in NO_CHECK:
            wrong = make_id(rng, kind, valid=False)
            assert sum(map(str.isalnum, wrong)) == sum(map(str.isalnum, right)) or kind == "se_personnummer"


def test_score() -> None:
    """Half of the union of two places is right, less is not; what is free counts neither way; a span is matched once."""
    sample = Sample(
        id="a",
        language="de",
        hand="tuning",
        text="x" * 100,
        spans=[(0, 10, "email", "email", False), (20, 30, "phone", "p", True), (40, 50, "ip", "ipv4", False)],
    )
    sums, faulty = score([sample], [[(0, 10, "email"), (2, 10, "email"), (20, 29, "phone"), (44, 52, "ip")]])
    assert (sums["email", "de"].found, sums["email", "de"].right, sums["email", "de"].exact) == (2, 1, 1)
    assert ("phone", "de") not in sums
    assert (sums["p", "de"].free, sums["p", "de"].free_found) == (1, 1)
    assert (sums["ip", "de"].found, sums["ip", "de"].right, sums["ip", "de"].exact) == (1, 1, 0)
    assert faulty == [0]
