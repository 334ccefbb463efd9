"""Words as a trie over their bytes, for kernels to walk."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["byte_trie"]


def byte_trie(
    words: Iterable[tuple[bytes, int]], *, nothing: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Return the steps of a trie, int16 [states, 256], 0 where nothing goes on; and what ends in each state, int16 [states].

    States are numbered as the words first reach them; of equal words the last counts.

    Args:
        words: bytes, and what a word stands for.
        nothing: stands where no word ends.

    >>> steps, ends = byte_trie([(b"ab", 7), (b"a", 5)], nothing=-1)
    >>> int(steps[0, ord("a")]), int(steps[1, ord("b")]), ends.tolist()
    (1, 2, [-1, 5, 7])
    """
    onward: list[dict[int, int]] = [{}]
    ends = [nothing]
    for word, meaning in words:
        state = 0
        for byte in word:
            if byte not in onward[state]:
                onward[state][byte] = len(onward)
                onward.append({})
                ends.append(nothing)
            state = onward[state][byte]
        ends[state] = meaning
    steps = np.zeros((len(onward), 256), np.int16)
    for state, following in enumerate(onward):
        for byte, to in following.items():
            steps[state, byte] = to
    return steps, np.array(ends, np.int16)
