"""Packing: documents with their end of text laid into sequences of one length, then shuffled.

Two strategies, on the documents of one packing bucket in their final order:

- ``concatenate``: one document after the other, cut wherever a sequence is full. Cost: only the last sequence is padded; about
  one document a sequence is cut in two.
- ``best_fit``: a document that fits stays whole, a longer one is cut into whole sequences and a rest; the longest go first, each
  into the fullest sequence that has room. Cost: nothing shorter than the context is cut; padding where no document is short
  enough to fill the last room, well under 1 % with natural lengths.

Two documents of one group (copies of one sample) are never in one sequence, whatever padding that takes. A budget counts
documents' tokens and their end of text, not padding. Memory: the tokens once more, and 48 bytes a piece.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.tokenize.placing import fill_sequences, place_best_fit, place_concatenated

__all__ = ["STRATEGIES", "Packed", "pack", "shuffle_order"]

STRATEGIES: Final = ("best_fit", "concatenate")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Packed:
    """Sequences and what lies in them; pieces are sorted by sequence, then by place in it.

    Attributes:
        sequences: uint32 [n_sequences, context].
        document: int64 [n_pieces], which document of the bucket.
        sequence: int64 [n_pieces], which sequence.
        begin: int64 [n_pieces], first token in the sequence.
        length: int64 [n_pieces], tokens, the end of text included where the piece holds it.
        document_begin: int64 [n_pieces], first token within the document's own tokens.
        ends: bool [n_pieces], whether the last token is the document's end of text.
        n_tokens: tokens that are no padding, ends of text included.
        n_padding: padding tokens.
        n_cut_documents: documents in more than one piece.
    """

    sequences: npt.NDArray[np.uint32] = field(repr=False)
    document: npt.NDArray[np.int64] = field(repr=False)
    sequence: npt.NDArray[np.int64] = field(repr=False)
    begin: npt.NDArray[np.int64] = field(repr=False)
    length: npt.NDArray[np.int64] = field(repr=False)
    document_begin: npt.NDArray[np.int64] = field(repr=False)
    ends: npt.NDArray[np.bool_] = field(repr=False)
    n_tokens: int
    n_padding: int
    n_cut_documents: int


def pack(
    tokens: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    *,
    context: int,
    strategy: str,
    end_of_text: int,
    padding: int,
    seed: int,
    bucket: int,
) -> Packed:
    """Return the documents of one bucket packed and shuffled; every token and one end of text a document exactly once.

    Args:
        tokens: uint32, of all documents, in their final order.
        offsets: int64 [n + 1] into `tokens`.
        groups: int64 [n]; documents with equal numbers are copies of one sample.
        context: tokens a sequence.
        strategy: one of `STRATEGIES`.
        end_of_text: id put after each document.
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
    lengths = np.diff(offsets) + 1
    dense_groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    place = place_best_fit if strategy == "best_fit" else place_concatenated
    placed: tuple[Any, ...] = place(lengths, dense_groups, context)
    document, sequence, begin, length, document_begin, n_sequences = placed

    order = shuffle_order(int(n_sequences), seed=seed, bucket=bucket)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    sequence = position[sequence]
    sorted_pieces = np.lexsort((begin, sequence))
    document, sequence, begin, length, document_begin = (
        column[sorted_pieces] for column in (document, sequence, begin, length, document_begin)
    )

    sequences = np.full((int(n_sequences), context), padding, dtype=np.uint32)
    fill_sequences(sequences, tokens, offsets, document, sequence, begin, length, document_begin, end_of_text)
    n_tokens = int(length.sum())
    pieces_of = np.bincount(document, minlength=len(lengths))
    return Packed(
        sequences=sequences,
        document=document,
        sequence=sequence,
        begin=begin,
        length=length,
        document_begin=document_begin,
        ends=document_begin + length == lengths[document],
        n_tokens=n_tokens,
        n_padding=sequences.size - n_tokens,
        n_cut_documents=int((pieces_of > 1).sum()),
    )


def shuffle_order(n_sequences: int, *, seed: int, bucket: int) -> npt.NDArray[np.int64]:
    """Return which sequence stands at each position: sorted by a 64-bit hash of (seed, bucket, number), ties by number.

    The hash is SplitMix64 (Steele, Lea and Flood 2014) at a start drawn from BLAKE2b of seed and bucket, so the order depends
    on no library's random generator.
    """
    start = hashlib.blake2b(f"headwater shuffle {seed} {bucket}".encode(), digest_size=8).digest()
    with np.errstate(over="ignore"):
        z = np.arange(1, n_sequences + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(int.from_bytes(start, "little"))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.argsort(z, kind="stable").astype(np.int64)
