"""Addresses and file names: what a reader knows before it opens a file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import CorruptLakeError, UsageError
from headwater.warehouse.fragments import (
    batch_name,
    expand_masks,
    file_name,
    fragment_mask,
    fragment_of,
    fragments_of,
    parse_name,
    sample_ids,
)

_LAST_FRAGMENT = 2**39 - 1
_SHA = "ab" * 32


@given(st.integers(0, _LAST_FRAGMENT), st.integers(0, 2**24 - 1))
def test_an_address_names_fragment_and_row(fragment: int, row: int) -> None:
    """sample_id = fragment << 24 | row, in 63 bits."""
    (address,) = sample_ids(fragment, row, row + 1).tolist()
    assert address == fragment << 24 | row
    assert address < 2**63
    assert fragment_of(address) == fragment


def test_addresses_of_no_rows_are_an_empty_int64_array() -> None:
    """An empty fragment has addresses too: none."""
    ids = sample_ids(5, 0, 0)
    assert ids.dtype == np.int64
    assert len(ids) == 0


@given(st.integers(0, 2**39), st.sets(st.integers(0, 63), min_size=1))
def test_a_mask_gives_its_fragments_back(base: int, offsets: set[int]) -> None:
    """Base and mask name up to 64 fragments exactly; the base is one of them."""
    fragments = sorted(base + offset for offset in offsets)
    first, mask = fragment_mask(reversed(fragments))
    assert first == fragments[0]
    assert mask & 1
    assert fragments_of(first, mask) == fragments


def test_a_fragment_named_twice_is_in_the_mask_once() -> None:
    """A repeated fragment must not carry into its neighbour's bit."""
    assert fragment_mask([5, 5, 7]) == (5, 0b101)


@pytest.mark.parametrize(("last", "fits"), [(62, True), (63, True), (64, False)])
def test_a_file_covers_64_neighbours_at_most(last: int, fits: bool) -> None:
    """The 64th fragment from the base fits, the 65th does not."""
    if fits:
        assert fragments_of(*fragment_mask([0, last])) == [0, last]
    else:
        with pytest.raises(ValueError, match="do not fit"):
            fragment_mask([0, last])


@given(st.lists(st.tuples(st.integers(0, 2**39), st.integers(0, 2**64 - 1)), max_size=20))
def test_expanded_masks_equal_the_plain_expansion(files: list[tuple[int, int]]) -> None:
    """The array version lists, file by file, what fragments_of lists."""
    base = np.array([each[0] for each in files], dtype=np.int64)
    mask = np.array([each[1] for each in files], dtype=np.uint64)
    numbers, owner = expand_masks(base, mask)
    plain = [(number, at) for at, each in enumerate(files) for number in fragments_of(*each)]
    assert list(zip(numbers.tolist(), owner.tolist(), strict=True)) == plain
    assert numbers.dtype == owner.dtype == np.int64


@given(
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**64 - 1),
    st.text("0123456789abcdef", min_size=16, max_size=32),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)
def test_a_name_says_what_was_put_into_it(base: int, mask: int, operator: str, sha256: str) -> None:
    """family, batch, base, mask, the operator's first 16 digits and the SHA-256 come back from a path."""
    path = f"family=language/batch=web-001/{file_name(base, mask, operator, sha256)}"
    assert parse_name(path) == ("language", "web-001", base, mask, operator[:16], sha256)


@pytest.mark.parametrize(
    "path",
    [
        "part-00000.parquet",
        f"family=language/{file_name(0, 1, 'a' * 16, _SHA)}",
        f"family=language/batch=b/x{file_name(0, 1, 'a' * 16, _SHA)}",
        f"family=language/batch=b/{file_name(0, 1, 'a' * 16, _SHA)}\n",
        f"family=language/batch=b/{file_name(0, 1, 'a' * 16, _SHA[:-1])}",
        f"family=language/batch=b/{file_name(0, 1, 'A' * 16, _SHA)}",
        f"family=language/batch=b/../{file_name(0, 1, 'a' * 16, _SHA)}",
        "",
    ],
)
def test_a_foreign_name_is_refused(path: str) -> None:
    """A path that Headwater cannot have made is a corrupt lake, named in the message."""
    with pytest.raises(CorruptLakeError, match="another program"):
        parse_name(path)


@pytest.mark.parametrize("name", ["web-001", "A_b.2", "x", "9" * 128])
def test_names_that_can_stand_in_a_path_are_kept(name: str) -> None:
    """Letters, digits, dot, dash and underscore, up to 128 of them."""
    assert batch_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a b", "a=b", "ä", "9" * 129, "a\n", "a\\b", "a%2f"])
def test_names_that_could_lead_elsewhere_are_refused(name: str) -> None:
    """Nothing that leaves the folder, hides in it, needs escaping or ends in a line break."""
    with pytest.raises(UsageError, match="choose another name"):
        batch_name(name)


@pytest.mark.parametrize(
    "name", ["runs", "Runs", "__HIVE_DEFAULT_PARTITION__", "__hive_default_partition__", "null", "NULL"]
)
def test_reserved_names_are_refused(name: str) -> None:
    """A partition that readers take for no name, or that is the lake's own, is no name of a batch or a build."""
    with pytest.raises(UsageError, match=f"expected another name than '{name}'"):
        batch_name(name)


@pytest.mark.parametrize("name", ["runs-1", "my_runs", "_HIVE_DEFAULT_PARTITION_", "nullable"])
def test_names_like_reserved_ones_are_names(name: str) -> None:
    """Only the whole name is reserved."""
    assert batch_name(name) == name
