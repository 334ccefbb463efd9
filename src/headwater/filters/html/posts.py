"""Posts of forums and readers' comments, counted and set apart by what their class says: `is_post`."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import equals, find_attribute, name_bytes
from headwater.filters.text.compile import kernel

__all__ = ["is_post"]

_CLASS: Final = name_bytes("class")
_WORDS: Final = tuple(
    name_bytes(word)
    for word in (
        "post",
        "message",
        "comment",
        "reply",
        "answer",
        "question",
        "topic-post",
        "crawler-post",
        "postcontainer",
    )
)


@kernel
def is_post(html: npt.NDArray[np.uint8], begin: int, finish: int) -> bool:
    """Tell whether an element with the attributes `html[begin:finish]` is a post: by a word of its class, in the singular."""
    at, end = find_attribute(html, begin, finish, _CLASS)
    while at < end:
        stop = at
        while stop < end and html[stop] > 0x20:
            stop += 1
        if 4 < stop - at < 14 or stop - at == 4:
            for word in _WORDS:
                if equals(html, at, stop, word):
                    return True
        at = stop + 1
    return False
