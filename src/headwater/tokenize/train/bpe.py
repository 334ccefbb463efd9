"""Train byte-level BPE on counted pieces, or continue a vocabulary's, with rules about what may become a token.

The pair with the highest count is merged, again and again; among equals the one whose left part's bytes come first, then
whose right part's do. A pair whose token would break a rule is refused for good (`TokenRules`), and these always:
a token that exists already, and one whose own bytes would not encode to it. So every id stands for new text that occurs.

`extend` first cuts the pieces with the base's own merges and learns what comes after them. Appended merges apply after all
of the base's, so they can only join tokens of the base: no text gets more tokens than under the base.

    >>> import pyarrow as pa
    >>> from headwater.tokenize.train.piece_counts import count_pieces
    >>> texts, names = pa.array(["abab abab", "abc"]), pa.array(["x", "y"])
    >>> counts = count_pieces(texts, names, names, names)
    >>> train(counts, n_ids=259, settings=TokenRules(min_sources=1, min_documents=1)).tolist()
    [[97, 98], [256, 256], [32, 257]]

("ab" occurs five times; "ab" with "ab" comes next, then " " with "abab".)

Cost: the length of the pieces that hold a pair, for each merge; some 2 minutes of one core for 156,892 ids on 400 MB of text
in 30 languages. Memory: four bytes a byte of distinct pieces, eight to twelve for each place of a pair, eight for each hash of
`piece_counts`, twice that while languages are joined: 3 GB for 500 MB of text, 7.4 GB with word lists of 50 hashes a word.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import byte_buffers
from headwater.errors import BadInputError, UsageError
from headwater.tokenize.names import WEIGHT_UNIT
from headwater.tokenize.train.learner import Learner, TokenRules
from headwater.tokenize.train.piece_counts import merge_counts
from headwater.tokenize.train.segmentation import segment
from headwater.tokenize.vocabulary.content import Vocabulary

__all__ = ["TokenRules", "extend", "train"]


def train(
    counts: pa.Table, *, n_ids: int, settings: TokenRules | None = None,
    weights: Mapping[str, float] | None = None, refused: dict[str, int] | None = None,
) -> npt.NDArray[np.int32]:  # fmt: skip
    """Return the merges of a new vocabulary as pairs of ids, int32 [n, 2]: ids 0 to 255 are the bytes, merge i makes 256 + i.

    Args:
        counts: from `piece_counts.merge_counts`.
        n_ids: how many ids the result has; fewer where no pair is left that may become a token.
        settings: the rules.
        weights: what the counts of each language are multiplied by, in steps of 1/1024; 1 for languages not named.
        refused: if given, how many pairs each rule refused is written into it.

    Raises:
        UsageError: fewer than 256 ids, or a weight that is negative.
    """
    pieces, weighted, least = _weigh(counts, settings or TokenRules(), weights or {})
    data, offsets = byte_buffers(pieces["piece"])
    tokens = [bytes([byte]) for byte in range(256)]
    learner = Learner(
        tokens, {}, data.astype(np.int32), offsets, weighted, _sets(pieces), settings or TokenRules(), least
    )
    return learner.learn(256, n_ids, refused)


def extend(
    counts: pa.Table, base: Vocabulary, *, n_ids: int, settings: TokenRules | None = None,
    weights: Mapping[str, float] | None = None, refused: dict[str, int] | None = None,
) -> npt.NDArray[np.int32]:  # fmt: skip
    """Return the merges that continue a vocabulary, int32 [n, 2]: merge i makes id `base.next_id + i`.

    Args:
        counts: of the base's own pieces: from `piece_counts`, with `cut=library_pieces(base)` for another pre-tokenizer.
        base: the vocabulary.
        n_ids: how many ids the result has, those of the base and of its special tokens included.
        settings: the rules.
        weights: as in `train`.
        refused: as in `train`.

    Raises:
        UsageError: fewer ids than the base has, or a weight that is negative.
    """
    pieces, weighted, least = _weigh(counts, settings or TokenRules(), weights or {})
    symbols, offsets = segment(pieces["piece"], base)
    data, bounds = base.token_bytes.tobytes(), base.token_offsets.tolist()
    tokens = [data[bounds[i] : bounds[i + 1]] for i in range(base.n_ids)]
    tokens += [b""] * (base.next_id - base.n_ids)
    ranks = {(left, right): (rank, made) for rank, (left, right, made) in enumerate(base.merges.tolist())}
    learner = Learner(tokens, ranks, symbols, offsets, weighted, _sets(pieces), settings or TokenRules(), least)
    return learner.learn(base.next_id, n_ids, refused)


def _weigh(
    counts: pa.Table, settings: TokenRules, weights: Mapping[str, float]
) -> tuple[pa.Table, npt.NDArray[np.int64], int]:
    """Return the pieces of all languages together, their weights, and the least count of a pair in enough documents."""
    languages = _whole(counts["language"]).dictionary_encode()
    names = languages.dictionary.to_pylist()
    for name in names:
        if not weights.get(name, 1.0) >= 0:
            raise UsageError(f"training: expected a weight of at least 0 for {name}, found {weights[name]}")
    units = np.array([round(weights.get(name, 1.0) * WEIGHT_UNIT) for name in names], dtype=np.int64)
    factors = units[languages.indices.to_numpy()]
    if not factors.any():
        raise BadInputError(
            "training: expected pieces with a weight above 0, found none: no text, or all weights are 0"
        )
    weighted = pa.array(counts["count"].to_numpy() * factors)
    same = pa.nulls(len(counts), pa.string()).fill_null("")
    table = counts.set_column(0, "language", same).set_column(2, "count", weighted).filter(pa.array(factors > 0))
    merged = merge_counts([table])
    return merged, merged["count"].to_numpy(), int(units[units > 0].min()) * settings.min_documents


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _sets(pieces: pa.Table) -> tuple[npt.NDArray[np.int64], ...]:
    sources, documents = _whole(pieces["sources"]), _whole(pieces["documents"])
    return (
        sources.offsets.to_numpy(), sources.values.to_numpy(), documents.offsets.to_numpy(), documents.values.to_numpy()
    )  # fmt: skip
