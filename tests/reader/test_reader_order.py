"""The order of an epoch is a permutation for any length, its own for each seed and epoch, and spread evenly."""

from __future__ import annotations

import numpy as np
import pytest

from headwater.reader.order import places_of, sequences_at

LENGTHS = [1, 2, 3, 5, 64, 4096, 4097, 5000, 8192, 8193, 20_001]


@pytest.mark.parametrize("length", LENGTHS)
def test_every_sequence_once(length: int) -> None:
    """Over all places each sequence comes exactly once, and places_of is the inverse."""
    order = sequences_at(np.arange(length), length, seed=3, epoch=1)
    assert sorted(order.tolist()) == list(range(length))
    assert np.array_equal(places_of(order, length, seed=3, epoch=1), np.arange(length))


@pytest.mark.parametrize("length", [100, 5000])
def test_each_place_by_itself(length: int) -> None:
    """A place's sequence does not depend on which other places are asked for."""
    whole = sequences_at(np.arange(length), length, seed=0, epoch=0)
    some = np.array([length - 1, 7, 0, 7])
    assert sequences_at(some, length, seed=0, epoch=0).tolist() == whole[some].tolist()


@pytest.mark.parametrize("length", [100, 5000])
def test_seed_and_epoch_change_the_order(length: int) -> None:
    """Two seeds or two epochs agree at about one place, as two random orders do."""
    orders = [
        sequences_at(np.arange(length), length, seed=seed, epoch=epoch) for seed, epoch in [(0, 0), (0, 1), (1, 0)]
    ]
    for first, second in [(0, 1), (0, 2), (1, 2)]:
        assert (orders[first] == orders[second]).sum() < 10  # the number has mean and variance 1


@pytest.mark.parametrize("length", [64, 4097, 1_000_003])
def test_places_are_spread(length: int) -> None:
    """Where a sequence stands is uniform, and says nothing of where the next one stands."""
    places = np.concatenate(
        [places_of(np.array([5, 6]), length, seed=seed, epoch=2)[None] for seed in range(2000)]
    ).astype(float)
    uniform: np.ndarray = places / length
    assert np.abs(uniform.mean(axis=0) - 0.5).max() < 5 * np.sqrt(1 / 12 / 2000)
    # The correlation of independent places has standard deviation 1/sqrt(2000) about -1/(length - 1).
    assert abs(np.corrcoef(uniform.T)[0, 1] + 1 / (length - 1)) < 5 / np.sqrt(2000)
    counts = np.bincount((uniform[:, 0] * 8).astype(int), minlength=8)
    assert ((counts - 250) ** 2 / 250).sum() < 40  # chi-squared, 7 degrees of freedom: 1e-6


def test_huge_stages_cost_nothing() -> None:
    """Ten billion sequences: a place's sequence is found at once, and back."""
    length = 10_000_000_000
    found = sequences_at(np.arange(1000) * 9_999_999, length, seed=1, epoch=0)
    assert (found >= 0).all()
    assert (found < length).all()
    assert len(np.unique(found)) == 1000
    assert np.array_equal(places_of(found, length, seed=1, epoch=0), np.arange(1000) * 9_999_999)
