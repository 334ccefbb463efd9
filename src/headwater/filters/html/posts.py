"""Posts of forums and readers' comments, counted and set apart by what their class says: `is_post`."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import find_attribute, listed_word, name_bytes, word_list
from headwater.filters.text.compile import kernel

__all__ = ["is_post"]

_CLASS: Final = name_bytes("class")
_WORDS, _ENDS = word_list(
    (
        *("post", "message", "comment", "reply", "answer", "question", "topic-post", "crawler-post", "postcontainer"),
        *("cpost", "ipscomment", "ipsentry--post", "blockpost", "tpost", "thread-post", "forum-post", "postitem"),
        *("js-messagecard", "threadview-post", "comment-node"),
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
        if listed_word(html, at, stop, _WORDS, _ENDS) >= 0:
            return True
        at = stop + 1
    return False
