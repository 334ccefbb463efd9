"""The shipped vocabulary as arrays is the one of its compact form, and is used only with it."""

from __future__ import annotations

import dataclasses
import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from headwater.errors import BadInputError
from headwater.tokenize.forms.load import load_vocabulary, read_vocabulary, shipped_vocabularies
from headwater.tokenize.forms.ready import pack_ready, read_ready
from headwater.tokenize.vocabulary.content import Vocabulary

DATA = Path(str(resources.files("headwater.tokenize"))) / "data"
NAME = "headwater-156k"


def assert_same(found: Vocabulary, expected: Vocabulary) -> None:
    """Equal values, and arrays of the same kind: a kernel is compiled anew for another."""
    for field in dataclasses.fields(Vocabulary):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(other, np.ndarray):
            assert (one.dtype, one.flags.writeable) == (other.dtype, other.flags.writeable), field.name
            assert np.array_equal(one, other), field.name
        else:
            assert type(one) is type(other), field.name
            assert one == other, field.name


@pytest.mark.parametrize("name", shipped_vocabularies())
def test_the_shipped_arrays_are_the_vocabulary(name: str) -> None:
    """Field for field what the compact form gives; HEADWATER_REGENERATE=1 writes the arrays anew for a vocabulary that is meant."""
    compact = (DATA / f"{name}.json.xz").read_bytes()
    expected = read_vocabulary(name, compact)
    path = DATA / f"{name}.npz"
    if os.environ.get("HEADWATER_REGENERATE"):
        path.write_bytes(pack_ready(expected, compact))
    found = read_ready(name, path.read_bytes(), compact)
    assert found is not None
    assert_same(found, expected)
    assert_same(load_vocabulary(name), expected)


def test_arrays_of_another_compact_form_are_not_used() -> None:
    """A vocabulary that changed without its arrays is read from the compact form."""
    packed = (DATA / f"{NAME}.npz").read_bytes()
    assert read_ready(NAME, packed, b"another") is None


def test_damaged_arrays_are_told() -> None:
    """Cut off, changed by a byte in an array, or no arrays at all: the package is to be installed anew."""
    packed = (DATA / f"{NAME}.npz").read_bytes()
    compact = (DATA / f"{NAME}.json.xz").read_bytes()
    middle = len(packed) // 2
    changed = packed[:middle] + bytes([packed[middle] ^ 255]) + packed[middle + 1 :]
    for damaged in (packed[: middle * 2 - 100], changed, b"", b"no arrays"):
        with pytest.raises(
            BadInputError, match=f"vocabulary {NAME}: expected arrays, found damage; install the package anew"
        ):
            read_ready(NAME, damaged, compact)
