"""The loop of BPE training: take the best pair, ask the rules, merge it; `bpe.py` is its front."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from headwater.arrays import Int32s, Int64s
from headwater.errors import UsageError
from headwater.tokenize.names import MAX_DOCUMENTS, MAX_SOURCES
from headwater.tokenize.train import kernels
from headwater.tokenize.train.heap import FREE, Heap, Pairs, Tokens, best_pair, first_heap

__all__ = ["RULES", "Learner", "TokenRules", "encode_slowly"]

RULES: Final = ("known", "characters", "cut character", "documents", "sources", "other encoding")
"""Why a pair was refused, in the order in which the rules are asked."""

_Ranks = dict[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRules:
    """What may become a token.

    Attributes:
        min_sources: least number of sources a token occurs in; at most 3, as many as the counts keep.
        min_documents: least number of documents it occurs in; at most 50.
        max_characters: most characters it may have.

    And a token is whole characters, or a part of one: parts of two would keep the characters around them from merging.
    """

    min_sources: int = 3
    min_documents: int = 50
    max_characters: int = 16

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("min_sources", self.min_sources, 1, MAX_SOURCES),
            ("min_documents", self.min_documents, 1, MAX_DOCUMENTS),
            ("max_characters", self.max_characters, 1, 1 << 20),
        ):
            if not low <= value <= high:
                raise UsageError(f"training: expected {name} between {low} and {high}, found {value}")


def encode_slowly(symbols: list[int], ranks: _Ranks) -> list[int]:
    """Return the symbols after all merges, the one of the lowest rank first, leftmost first; for short tokens.

    Args:
        symbols: ids of the bytes.
        ranks: rank and id made by pair.

    >>> encode_slowly([97, 98, 99, 98], {(97, 98): (0, 256), (256, 99): (1, 257)})
    [257, 98]
    """
    while len(symbols) > 1:
        found = [ranks[pair] for pair in zip(symbols, symbols[1:], strict=False) if pair in ranks]
        if not found:
            break
        rank, made = min(found)
        at = next(
            i for i, pair in enumerate(zip(symbols, symbols[1:], strict=False)) if ranks.get(pair, (-1, -1))[0] == rank
        )
        symbols = [*symbols[:at], made, *symbols[at + 2 :]]
    return symbols


class Learner:
    """The pieces as they are cut so far, and the candidates.

    Args:
        tokens: the bytes of each id that exists; ids that stand for no text are empty.
        ranks: the merges that exist, rank and id made by pair.
        symbols: int32, the pieces cut by them; overwritten.
        offsets: int64 [n pieces + 1].
        weights: int64 [n pieces].
        sets: offsets and values of the pieces' sources, then of their documents.
        settings: the rules.
        least: pairs of a lower count are forgotten.
    """

    def __init__(
        self, tokens: list[bytes], ranks: _Ranks, symbols: Int32s, offsets: Int64s,
        weights: Int64s, sets: tuple[Int64s, ...], settings: TokenRules, least: int,
    ) -> None:  # fmt: skip
        self._tokens, self._ranks, self._settings, self._least = tokens, dict(ranks), settings, max(least, 1)
        self._known = set(tokens)
        self._byte_ids = {token[0]: i for i, token in enumerate(tokens) if len(token) == 1}
        self._pieces = kernels.CutPieces(symbols, offsets, np.diff(offsets).astype(np.int32), weights)
        self._sets = sets
        self._pairs: Pairs
        self._index: Int32s
        self._pairs, self._index, self._n_pairs = kernels.first_pairs(self._pieces, self._least)
        self._used = len(self._index)
        self._texts = Tokens(np.empty(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))

    def learn(self, first_id: int, n_ids: int, refused: dict[str, int] | None) -> Int32s:
        """Return merges that make the ids from `first_id` to `n_ids - 1`, as long as there are pairs, int32 [n, 2].

        Raises:
            UsageError: `n_ids` is below `first_id`.
        """
        if n_ids < first_id:
            raise UsageError(f"training: expected at least the {first_id} ids that exist already, found {n_ids}")
        self._hold_tokens(n_ids)
        dense = kernels.Dense(np.zeros(2 * n_ids, dtype=np.int64), np.zeros(2 * n_ids, dtype=np.int64))
        heap, n_heap = first_heap(self._pairs, self._texts)
        counts: Counter[str] = Counter(dict.fromkeys(RULES, 0))
        merges: list[tuple[int, int]] = []
        made = first_id
        while made < n_ids:
            n_heap, key, _ = best_pair(heap, n_heap, self._pairs, self._least, self._texts)
            if key == FREE:
                break
            left, right = int(key) >> 32, int(key) & 0xFFFFFFFF
            reason = self._refuse(key, left, right, made)
            if reason is not None:
                counts[reason] += 1
                continue
            self._add_token(left, right, made)
            merges.append((left, right))
            arisen = kernels.rewrite(key, made, self._pieces, self._pairs, self._index, dense)
            heap = self._make_room(heap, n_heap, len(arisen.codes), len(arisen.distinct))
            self._used, n_heap, entered = kernels.commit_pairs(
                made, arisen, self._least, dense, self._pairs, self._index, self._used, heap, n_heap, self._texts
            )
            self._n_pairs += entered
            made += 1
        if refused is not None:
            refused.update(counts)
        return np.array(merges, dtype=np.int32).reshape(-1, 2)

    def _refuse(self, key: np.uint64, left: int, right: int, made: int) -> str | None:
        """Return the rule that the token of a pair breaks, or None."""
        token, rules = self._tokens[left] + self._tokens[right], self._settings
        if token in self._known:
            return "known"
        n_begun = sum(byte & 0xC0 != 0x80 for byte in token)
        if n_begun > rules.max_characters:
            return "characters"
        if (token[0] & 0xC0 == 0x80 and n_begun > 0) or (n_begun > 1 and _ends_cut(token)):
            return "cut character"
        place = (key, self._pairs, self._index, self._pieces)
        if kernels.count_support(*place, *self._sets[2:], rules.min_documents) < rules.min_documents:
            return "documents"
        if kernels.count_support(*place, *self._sets[:2], rules.min_sources) < rules.min_sources:
            return "sources"
        self._ranks[left, right] = (made, made)  # ranks of new merges follow all others: their ids do
        if encode_slowly([self._byte_ids[byte] for byte in token], self._ranks) != [made]:
            del self._ranks[left, right]
            return "other encoding"
        return None

    def _add_token(self, left: int, right: int, made: int) -> None:
        token = self._tokens[left] + self._tokens[right]
        self._tokens.append(token)
        self._known.add(token)
        text, offsets = self._texts
        begin = int(offsets[made])
        if begin + len(token) > len(text):
            text = np.concatenate([text, np.empty_like(text)])
            self._texts = Tokens(text, offsets)
        text[begin : begin + len(token)] = np.frombuffer(token, dtype=np.uint8)
        offsets[made + 1] = begin + len(token)

    def _hold_tokens(self, n_ids: int) -> None:
        lengths = np.array([len(token) for token in self._tokens], dtype=np.int64)
        offsets = np.zeros(n_ids + 1, dtype=np.int64)
        offsets[1 : len(lengths) + 1] = np.cumsum(lengths)
        text = np.zeros(int(lengths.sum()) + 24 * n_ids + 1024, dtype=np.uint8)
        text[: int(lengths.sum())] = np.frombuffer(b"".join(self._tokens), dtype=np.uint8)
        self._texts = Tokens(text, offsets)

    def _make_room(self, heap: Heap, n_heap: int, n_places: int, n_new: int) -> Heap:
        """Let the index take `n_places` more places, and table and heap `n_new` more pairs; return the heap."""
        if self._used + n_places > len(self._index):
            self._index, self._used = kernels.pack_index(self._pairs.values, self._index, n_places + (1 << 20))
        if 2 * (self._n_pairs + n_new) > len(self._pairs.keys):
            live = int(np.count_nonzero(self._pairs.values[:, 0])) + n_new
            self._pairs = kernels.grow_pairs(self._pairs, 1 << (4 * live).bit_length())
            self._n_pairs = live - n_new
        if n_heap + n_new <= len(heap.counts):
            return heap
        more = n_new + n_heap // 2
        return Heap(
            np.concatenate([heap.counts, np.empty(more, dtype=np.int64)]),
            np.concatenate([heap.keys, np.empty(more, dtype=np.uint64)]),
        )


def _ends_cut(token: bytes) -> bool:
    """Return whether bytes end in the middle of a character."""
    for back, byte in enumerate(reversed(token[-4:]), start=1):
        if byte & 0xC0 != 0x80:
            width = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back < width
    return True
