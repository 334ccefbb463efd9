"""Kernel that finds the merges which ranks imply: of each token, the two parts that merging by lower ranks leaves.

Cost: one merge of each token's own bytes, O(n²) in its length; 0.3 s for 200,000 tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from headwater.tokenize.encode.merging import EMPTY, FILTER_BITS, merge_short, pair_hash

__all__ = ["find_rank_merges"]


@njit(cache=True, nogil=True)
def find_rank_merges(
    data: Any, offsets: Any, made: Any, byte_ids: Any, pairs: Any, filled: Any, byte_pairs: Any, merges: Any
) -> tuple[int, int]:
    """Fill the pair of each token; return the row that failed and in how many parts it was left, or -1 and 0.

    Args:
        data: uint8, the bytes of the tokens of two bytes or more, by rank.
        offsets: int64 [n + 1].
        made: int32 [n], the id of each.
        byte_ids: int32 [256].
        pairs: uint64 [power of two], all `EMPTY`: the table of `merging.build_pair_tables`, filled on the way.
        filled: uint64 [2^FILTER_BITS / 64], all 0: its filter.
        byte_pairs: int64 [65536], all `NO_RANK`.
        merges: int32 [n, 2], filled.
    """
    longest = 2
    for row in range(len(made)):
        longest = max(longest, offsets[row + 1] - offsets[row])
    ids = np.empty(longest, dtype=np.int32)
    scratch = np.empty(longest, dtype=np.int32)
    mask = np.uint64(len(pairs) - 1)
    for row in range(len(made)):
        begin = offsets[row]
        n = int(offsets[row + 1] - begin)
        left = merge_short(data, begin, n, ids, scratch, made, byte_ids, pairs, filled, byte_pairs)
        if left != 2:
            return row, left
        merges[row, 0] = ids[0]
        merges[row, 1] = ids[1]
        pair = (np.uint64(ids[0]) << np.uint64(20)) | np.uint64(ids[1])
        h = pair_hash(pair)
        bit = h >> np.uint64(64 - FILTER_BITS)
        filled[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = h & mask
        while pairs[slot] != EMPTY:
            slot = (slot + np.uint64(1)) & mask
        pairs[slot] = (pair << np.uint64(20)) | np.uint64(row)
        if n == 2:
            byte_pairs[np.int64(data[begin]) << 8 | np.int64(data[begin + 1])] = row
    return -1, 0
