"""Packing: documents with their beginning and end of text laid into sequences of one length, then shuffled.

Three strategies, on the documents of one packing bucket in their final order:

- ``concatenate``: one document after the other, cut wherever a sequence is full. Cost: only the last sequence is padded; about
  one document a sequence is cut in two.
- ``best_fit``: a document that fits stays whole, a longer one is cut into whole sequences and a rest (Ding et al. 2024, arXiv
  2404.10830); the longest go first, each into the fullest sequence that has room. Cost: nothing shorter than the context is cut;
  padding where no document is short enough to fill the last room, well under 1 % with natural lengths. Loses the mixture of
  lengths: long documents share a sequence with few others, short ones with many.
- ``first_fit``: whole and cut as in ``best_fit``, but in the final order, each into the first sequence that has room. Cost: more
  padding; each sequence mixes lengths as the stage does.

Two documents of one group (copies of one sample) are never in one sequence, whatever padding that takes. A budget counts
documents' tokens and their beginnings and ends of text, not padding. Memory: the tokens once more, and 48 bytes a piece.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.hashes import GOLDEN_GAMMA, splitmix64
from headwater.tokenize.names import STRATEGIES
from headwater.tokenize.pack.placing import Placed, fill_sequences, place_best_fit, place_concatenated, place_first_fit

__all__ = ["Packed", "pack", "shuffle_order"]

_PLACE: Final = {"best_fit": place_best_fit, "concatenate": place_concatenated, "first_fit": place_first_fit}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Packed:
    """Sequences and what lies in them; pieces are sorted by sequence, then by place in it.

    Attributes:
        sequences: uint32 [n_sequences, context].
        document: int64 [n_pieces], which document of the bucket.
        sequence: int64 [n_pieces], which sequence.
        begin: int64 [n_pieces], first token in the sequence.
        length: int64 [n_pieces], tokens, beginning and end of text included where the piece holds them.
        document_begin: int64 [n_pieces], first token within the document's own tokens, which are numbered from 0; -1 is its
            beginning of text.
        begins: bool [n_pieces], whether the document begins where the piece does.
        ends: bool [n_pieces], whether the document ends where the piece does.
        n_documents: documents with at least one token.
        n_tokens: tokens that are no padding, beginnings and ends of text included.
        n_padding: padding tokens.
        n_cut_documents: documents in more than one piece.
        n_cut_tokens: tokens of these documents.
        n_full_sequences: sequences that one document fills: one as long as the context, or a cut of a longer one.
        longest: tokens of the longest document.
    """

    sequences: npt.NDArray[np.uint32] = field(repr=False)
    document: npt.NDArray[np.int64] = field(repr=False)
    sequence: npt.NDArray[np.int64] = field(repr=False)
    begin: npt.NDArray[np.int64] = field(repr=False)
    length: npt.NDArray[np.int64] = field(repr=False)
    document_begin: npt.NDArray[np.int64] = field(repr=False)
    begins: npt.NDArray[np.bool_] = field(repr=False)
    ends: npt.NDArray[np.bool_] = field(repr=False)
    n_documents: int
    n_tokens: int
    n_padding: int
    n_cut_documents: int
    n_cut_tokens: int
    n_full_sequences: int
    longest: int


def pack(
    tokens: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    *,
    context: int,
    strategy: str,
    beginning_of_text: int | None = None,
    end_of_text: int | None,
    padding: int,
    seed: int,
    bucket: int,
) -> Packed:
    """Return the documents of one bucket packed and shuffled; every token, beginning and end of text exactly once.

    Args:
        tokens: uint32, of all documents, in their final order.
        offsets: int64 [n + 1] into `tokens`.
        groups: int64 [n]; documents with equal numbers are copies of one sample.
        context: tokens a sequence.
        strategy: one of `STRATEGIES`.
        beginning_of_text: id put before each document; None: nothing is.
        end_of_text: id put after each document; None: nothing is.
        padding: id that fills a sequence.
        seed: the build's seed.
        bucket: number of the bucket, for the shuffle.

    Raises:
        UsageError: an unknown strategy, a context below 2, or arrays that do not belong together.
    """
    if strategy not in STRATEGIES:
        raise UsageError(f"packing: expected a strategy of {', '.join(STRATEGIES)}, found {strategy!r}")
    if context < 2:  # a sequence of one token has nothing to predict
        raise UsageError(f"packing: expected a context of at least 2 tokens, found {context}")
    if len(offsets) != len(groups) + 1 or int(offsets[-1] - offsets[0]) > len(tokens):
        raise UsageError(f"packing: expected {len(groups) + 1} offsets into {len(tokens)} tokens, found {len(offsets)}")
    offsets = np.ascontiguousarray(offsets, dtype=np.int64)
    first = 0 if beginning_of_text is None else -1  # number of a document's first token; its own are numbered from 0
    lengths = np.diff(offsets) - first + (end_of_text is not None)
    dense_groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    placed = _shuffled(_PLACE[strategy](lengths, dense_groups, context), seed=seed, bucket=bucket)
    placed = placed._replace(document_begin=placed.document_begin + first)
    document, length = placed.document, placed.length

    sequences = np.full((placed.n_sequences, context), padding, dtype=np.uint32)
    specials = tuple(-1 if special is None else special for special in (beginning_of_text, end_of_text))
    fill_sequences(sequences, tokens, offsets, placed, *specials)
    n_tokens = int(length.sum())
    cut = np.bincount(document, minlength=len(lengths)) > 1
    return Packed(
        sequences=sequences,
        document=document,
        sequence=placed.sequence,
        begin=placed.begin,
        length=length,
        document_begin=placed.document_begin,
        begins=placed.document_begin == first,
        ends=placed.document_begin + length == lengths[document] + first,
        n_documents=int((lengths > 0).sum()),
        n_tokens=n_tokens,
        n_padding=sequences.size - n_tokens,
        n_cut_documents=int(cut.sum()),
        n_cut_tokens=int(lengths[cut].sum()),
        n_full_sequences=int((length == context).sum()),
        longest=int(lengths.max(initial=0)),
    )


def _shuffled(placed: Placed, *, seed: int, bucket: int) -> Placed:
    """Return the pieces with their sequences in another order, sorted by sequence, then by place in it."""
    order = shuffle_order(int(placed.n_sequences), seed=seed, bucket=bucket)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    sequence = position[placed.sequence]
    by_place = np.lexsort((placed.begin, sequence))
    return Placed(
        placed.document[by_place], sequence[by_place], placed.begin[by_place], placed.length[by_place],
        placed.document_begin[by_place], len(order),
    )  # fmt: skip


def shuffle_order(n_sequences: int, *, seed: int, bucket: int) -> npt.NDArray[np.int64]:
    """Return which sequence stands at each position: sorted by a 64-bit hash of (seed, bucket, number), ties by number.

    The hash is SplitMix64 (Steele, Lea and Flood 2014) at a start drawn from BLAKE2b of seed and bucket, so the order depends
    on no library's random generator.
    """
    start = hashlib.blake2b(f"headwater shuffle {seed} {bucket}".encode(), digest_size=8).digest()
    with np.errstate(over="ignore"):
        states = np.arange(1, n_sequences + 1, dtype=np.uint64) * GOLDEN_GAMMA + np.uint64(
            int.from_bytes(start, "little")
        )
    return np.argsort(splitmix64(states), kind="stable").astype(np.int64)
