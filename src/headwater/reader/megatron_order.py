"""The order in which Megatron reads a stage: which sequences it takes at each index of its training data set.

What megatron-core 0.16 does, as far as it concerns documents of exactly one sequence each, which is what a stage's ``.idx`` lists
(``megatron/core/datasets/gpt_dataset.py``, ``blended_dataset.py``, ``helpers.cpp``):

- One prefix (``GPTDataset``): a document index, the documents once an epoch, shuffled by NumPy's ``RandomState(seed)``; samples cut from it in order,
  here one a document; a shuffle index over the samples by the same generator. The last of several epochs is shuffled apart where less
  than four fifths of it are wanted.
- Several prefixes with weights (``BlendedDataset``): each prefix is a data set of its own, with half a percent more samples than its weight asks
  for; an index takes them in turn, always the one that lags furthest behind its weight.

With ``add_extra_token_to_sequence`` (Megatron's default) a sample is its sequence and the first token of the next document in the index, whose only
use is the label of the last token: of another sequence, and not masked. Without it that label is padding, and masked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError

__all__ = ["blend_order", "prefix_order", "stage_order"]

_Ints = npt.NDArray[np.int64]
_SEPARATE_BELOW = 0.80
_SURPLUS = 0.005


def prefix_order(
    sequences: int, *, context: int, samples: int | None, seed: int, extra_token: bool = True, train_share: float = 1.0
) -> _Ints:
    """Return the sequence that ``GPTDataset`` reads at each index, int64: its shuffle index taken through its document index.

    Args:
        sequences: of the prefix's ``.idx``.
        context: tokens a sequence, which must be Megatron's ``sequence_length``.
        samples: how many the data set is asked for; None: one epoch.
        seed: ``random_seed``.
        extra_token: ``add_extra_token_to_sequence``.
        train_share: of the prefix, from its beginning: the first number of ``split`` over their sum.

    Raises:
        UsageError: no sequence is left for training.

    >>> prefix_order(6, context=4, samples=None, seed=1234, extra_token=False).tolist()
    [2, 4, 0, 5, 3, 1]
    """
    documents = np.arange(round(train_share * float(sequences)), dtype=np.int32)
    extra, n = int(extra_token), len(documents)
    if n * context - extra < context:
        raise UsageError(
            f"expected more sequences than {n} for Megatron's training split, which reads {extra} token beyond each"
        )
    wanted = 0 if samples is None else samples * context + extra
    epochs = max(1, -(-wanted // (n * context)))
    total = (epochs * n * context - extra) // context
    first = ((epochs - 1) * n * context - extra) // context
    rest = 0 if samples is None else samples - first
    apart = epochs > 1 and rest < int(_SEPARATE_BELOW * ((n * context - extra) // context))

    state = np.random.RandomState(seed)
    indices = []
    for repeats in (epochs - 1, 1) if apart else (epochs,):
        index = np.tile(documents, repeats)
        state.shuffle(index)
        indices.append(index)
    document_index = np.concatenate(indices)
    kind = np.uint32 if total < np.iinfo(np.uint32).max - 1 else np.int64
    shuffled = []
    for begin, end in ((0, first), (first, total)) if apart else ((0, total),):
        order = np.arange(begin, end, dtype=kind)
        state.shuffle(order)
        shuffled.append(order)
    return document_index[np.concatenate(shuffled)].astype(np.int64)


def blend_order(weights: Sequence[float], size: int) -> tuple[_Ints, _Ints]:
    """Return which data set ``BlendedDataset`` takes at each index, and which of its samples.

    Args:
        weights: float64, of sum 1.
        size: how many indices.

    >>> blend_order([0.5, 0.25, 0.25], 5)[0].tolist()
    [0, 1, 2, 0, 0]
    """
    shares = np.asarray(weights, dtype=np.float64)
    taken = np.zeros(len(shares))
    chosen = np.empty(size, dtype=np.int64)
    sample = np.empty(size, dtype=np.int64)
    for index in range(size):
        behind = int(np.argmax(shares * max(float(index), 1.0) - taken))
        chosen[index], sample[index] = behind, int(taken[behind])
        taken[behind] += 1
    return chosen, sample


def stage_order(
    counts: Sequence[int], *, context: int, samples: int, seed: int, extra_token: bool = True, train_share: float = 1.0
) -> _Ints:
    """Return the stage's sequence, shards in order, that Megatron trains on at each index of ``samples``, int64.

    Megatron is given every shard's prefix, in order, with its number of sequences as weight: ``--data-path 120 shard-00000 118 shard-00001 …``, or
    the one prefix alone.

    Args:
        counts: sequences of each shard.
        context: tokens a sequence.
        samples: training samples that Megatron is asked for: iterations times the global batch size.
        seed: ``--seed``.
        extra_token: ``add_extra_token_to_sequence``.
        train_share: of each shard; the first number of ``--split`` over their sum.

    Raises:
        UsageError: a shard has no sequence for training, or the surplus of samples that Megatron builds for each shard does not suffice.
    """
    if len(counts) == 1:
        options = {"context": context, "samples": samples, "seed": seed, "extra_token": extra_token}
        return prefix_order(counts[0], **options, train_share=train_share)[:samples]  # type: ignore[arg-type] # named apart above
    weights = _normalized(np.array(counts, dtype=np.float64))
    targets = [math.ceil(samples * weight) for weight in weights.tolist()]
    built = [math.ceil(target * (1 + _SURPLUS)) for target in targets]
    chosen, sample = blend_order(_normalized(weights).tolist(), sum(targets))  # BlendedDataset divides once more
    first = np.concatenate([[0], np.cumsum(counts)])
    order = np.empty(len(chosen), dtype=np.int64)
    for shard, count in enumerate(counts):
        mine = np.flatnonzero(chosen == shard)
        found = prefix_order(
            count, context=context, samples=built[shard], seed=seed, extra_token=extra_token, train_share=train_share
        )
        if len(mine) > len(found):
            raise UsageError(
                f"expected at most {len(found)} samples of shard {shard}, as many as Megatron builds, found {len(mine)} in the blend: "
                "Megatron refuses it; ask for more samples, or give fewer shards"
            )
        order[mine] = first[shard] + found[sample[mine]]
    return order[:samples]


def _normalized(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return weights / np.sum(weights)
