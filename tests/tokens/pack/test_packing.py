"""Packing: everything placed exactly once and in order, copies apart, no dependence on anything but the input."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import UsageError
from headwater.tokenize.names import STRATEGIES
from headwater.tokenize.pack.placing import place_first_fit
from headwater.tokenize.pack.strategies import Packed, pack, shuffle_order

BEGIN = 888_888
END = 999_999
PADDING = 777_777
SPECIALS = ((None, END), (BEGIN, END), (BEGIN, None), (None, None))


def pack_lengths(
    lengths: list[int],
    groups: list[int],
    context: int,
    strategy: str,
    seed: int = 7,
    specials: tuple[int | None, int | None] = (None, END),
) -> tuple[Packed, npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Pack documents whose tokens are all different, so that every one can be found again."""
    offsets = np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]).astype(np.int64)
    tokens = np.arange(int(offsets[-1]), dtype=np.uint32)
    packed = pack(
        tokens, offsets, np.array(groups, dtype=np.int64),
        context=context, strategy=strategy, beginning_of_text=specials[0], end_of_text=specials[1], padding=PADDING, seed=seed, bucket=3,
    )  # fmt: skip
    return packed, tokens, offsets


@st.composite
def buckets(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    """Draw lengths, groups with copies, and a context."""
    lengths = draw(st.lists(st.integers(0, 40), max_size=60))
    groups = [draw(st.integers(0, 30)) for _ in lengths]
    return lengths, groups, draw(st.integers(2, 17))


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=150, deadline=None)
@given(bucket=buckets(), specials=st.sampled_from(SPECIALS))
def test_every_token_is_placed_once_and_in_order(
    strategy: str, bucket: tuple[list[int], list[int], int], specials: tuple[int | None, int | None]
) -> None:
    """Reading a document's pieces in order gives its tokens between its beginning and end of text; all the rest is padding."""
    lengths, groups, context = bucket
    packed, tokens, offsets = pack_lengths(lengths, groups, context, strategy, specials=specials)
    first = 0 if specials[0] is None else -1
    read: dict[int, list[int]] = defaultdict(list)
    covered = np.zeros(packed.sequences.shape, dtype=bool)
    whole = [
        [
            *([] if specials[0] is None else [BEGIN]),
            *tokens[offsets[d] : offsets[d + 1]].tolist(),
            *([] if specials[1] is None else [END]),
        ]
        for d in range(len(lengths))
    ]
    for i in np.lexsort((packed.document_begin, packed.document)):
        d, row, at, n = packed.document[i], packed.sequence[i], packed.begin[i], packed.length[i]
        assert n > 0
        assert packed.document_begin[i] == len(read[d]) + first
        assert packed.begins[i] == (not read[d])
        assert not covered[row, at : at + n].any()
        covered[row, at : at + n] = True
        read[d].extend(packed.sequences[row, at : at + n].tolist())
        assert packed.ends[i] == (len(read[d]) == len(whole[d]))
    for d in range(len(lengths)):
        assert read[d] == whole[d]
    assert (packed.sequences[~covered] == PADDING).all()
    assert packed.n_padding == (~covered).sum()
    assert packed.n_tokens == sum(len(document) for document in whole)
    assert packed.n_documents == sum(len(document) > 0 for document in whole)
    assert packed.longest == max((len(document) for document in whole), default=0)
    pieces = np.bincount(packed.document, minlength=len(lengths))
    assert packed.n_cut_documents == sum(n > 1 for n in pieces)
    assert packed.n_cut_tokens == sum(len(whole[d]) for d in range(len(lengths)) if pieces[d] > 1)
    alone = [row for row in range(len(packed.sequences)) if (packed.sequence == row).sum() == 1 and covered[row].all()]
    assert packed.n_full_sequences == len(alone)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=150, deadline=None)
@given(bucket=buckets())
def test_copies_are_never_together(strategy: str, bucket: tuple[list[int], list[int], int]) -> None:
    """No sequence holds pieces of two documents of one group, and pieces come sorted."""
    lengths, groups, context = bucket
    packed, _, _ = pack_lengths(lengths, groups, context, strategy)
    holder: dict[tuple[int, int], int] = {}
    for d, row in zip(packed.document.tolist(), packed.sequence.tolist(), strict=True):
        assert holder.setdefault((groups[d], row), d) == d
    places = list(zip(packed.sequence.tolist(), packed.begin.tolist(), strict=True))
    assert places == sorted(places)


@pytest.mark.parametrize("strategy", ["best_fit", "first_fit"])
@settings(max_examples=100, deadline=None)
@given(bucket=buckets())
def test_what_fits_is_kept_whole(strategy: str, bucket: tuple[list[int], list[int], int]) -> None:
    """A document with its end of text up to the context is one piece; a longer one is cut at multiples of the context only."""
    lengths, groups, context = bucket
    packed, _, _ = pack_lengths(lengths, groups, context, strategy)
    pieces = np.bincount(packed.document, minlength=len(lengths))
    assert pieces.tolist() == [-(-(n + 1) // context) for n in lengths]
    assert (packed.document_begin % context == 0).all()


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(0, 30), max_size=50), context=st.integers(2, 20))
def test_best_fit_equals_the_obvious_search(lengths: list[int], context: int) -> None:
    """Without copies, as many sequences are needed as a plain scan over all open ones for the smallest sufficient room."""
    free: list[int] = []
    whole = sum((n + 1) // context for n in lengths)
    for size in sorted(((n + 1) % context for n in lengths), reverse=True):
        if size == 0:
            continue
        fits = [room for room in free if room >= size]
        if fits:
            free[free.index(min(fits))] -= size
        else:
            free.append(context - size)
    packed, _, _ = pack_lengths(lengths, list(range(len(lengths))), context, "best_fit")
    assert len(packed.sequences) == whole + len(free)


@settings(max_examples=100, deadline=None)
@given(bucket=buckets())
def test_first_fit_equals_the_obvious_search(bucket: tuple[list[int], list[int], int]) -> None:
    """In their order, each rest lies in the first open sequence with room and without a copy of its document."""
    lengths, groups, context = bucket
    opened: list[tuple[int, set[int]]] = []
    expected: list[tuple[int, int]] = []
    for n, group in zip(lengths, groups, strict=True):
        size = (n + 1) % context
        if size == 0:
            continue
        fits = (at for at, (used, held) in enumerate(opened) if used + size <= context and group not in held)
        at = next(fits, len(opened))
        if at == len(opened):
            opened.append((0, set()))
        used, held = opened[at]
        opened[at] = (used + size, held | {group})
        expected.append((at, used))
    offsets = np.array([n + 1 for n in lengths], np.int64)
    document, sequence, begin, length, _, total = place_first_fit(offsets, np.array(groups, np.int64), context)
    whole = int((offsets // context).sum())
    rest = length < context
    assert list(zip((sequence[rest] - whole).tolist(), begin[rest].tolist(), strict=True)) == expected
    assert document[rest].tolist() == [d for d, n in enumerate(lengths) if (n + 1) % context]
    assert total == whole + len(opened)


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(0, 30), max_size=50), context=st.integers(2, 20))
def test_concatenate_pads_only_the_last_sequence(lengths: list[int], context: int) -> None:
    """Without copies there is less padding than one sequence."""
    packed, _, _ = pack_lengths(lengths, list(range(len(lengths))), context, "concatenate")
    assert packed.n_padding < context
    assert len(packed.sequences) == -(-(sum(lengths) + len(lengths)) // context)


def test_worked_example() -> None:
    """Documents of 3, 1 and 2 tokens with their end of text in sequences of 4: concatenated, the second one is cut."""
    packed, _, _ = pack_lengths([2, 3, 0], [0, 1, 2], 4, "concatenate")
    assert sorted(packed.sequences.tolist()) == [[0, 1, END, 2], [3, 4, END, END]]
    packed, _, _ = pack_lengths([2, 3, 0], [0, 1, 2], 4, "first_fit")
    assert sorted(packed.sequences.tolist()) == [[0, 1, END, END], [2, 3, 4, END]]
    packed, _, _ = pack_lengths([2, 3, 0], [0, 1, 2], 4, "best_fit")
    assert sorted(packed.sequences.tolist()) == [[0, 1, END, END], [2, 3, 4, END]]
    assert packed.n_cut_documents == 0


def test_shuffle_is_a_permutation_fixed_for_ever() -> None:
    """The order depends on seed and bucket, and is the same on every machine and with every library version."""
    assert shuffle_order(8, seed=1, bucket=2).tolist() == [5, 4, 2, 6, 1, 0, 7, 3]
    assert sorted(shuffle_order(1000, seed=1, bucket=2).tolist()) == list(range(1000))
    assert shuffle_order(1000, seed=1, bucket=2).tolist() != shuffle_order(1000, seed=1, bucket=3).tolist()
    assert shuffle_order(1000, seed=1, bucket=2).tolist() != shuffle_order(1000, seed=2, bucket=2).tolist()


@pytest.mark.parametrize(("context", "strategy"), [(1, "concatenate"), (8, "best-fit")])
def test_wrong_settings_are_refused(context: int, strategy: str) -> None:
    """An unknown strategy or a context of one token is a usage error."""
    with pytest.raises(UsageError, match="packing: expected"):
        pack_lengths([3], [0], context, strategy)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_many_equal_documents_stay_linear(strategy: str) -> None:
    """A bucket of 200,000 short documents of one length is packed at once."""
    packed, _, _ = pack_lengths([6] * 200_000, list(range(200_000)), 4096, strategy)
    assert packed.n_padding < 4096 + len(packed.sequences)
