"""What elements say of their content: their tags and the words of their attributes, inherited by all below: `mark_nodes`.

A *mark* is one of `MARKS`: an element around a node has this tag, or a class, id, role, itemprop or itemtype with one of a
few words that sites use everywhere, whatever their language ("comment", "sidebar"). Beside these, every word has *weights*
that a model learned: how much more, or less, of the text below elements with the word is main text than on the page as a
whole, for three groups of page kinds. A node has the least and the greatest weight on its way to the root, and the nearest.

Words are runs of letters, cut where a capital follows a small letter, and whole class names of several words; they are
known by 32-bit hashes. Words of `<html>` and `<body>` speak of the page, not of a part of it, and are left out.

>>> out = np.zeros(8, np.uint32)
>>> html = np.frombuffer(b'<div class="postBody" id="x-main">', np.uint8)
>>> n, _ = element_words(html, 4, len(html) - 1, out)
>>> [int(h) for h in out[:n]] == [word_hash(w) for w in ("post", "body", "=postbody", "main", "=xmain")]
True
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import equals, name_bytes, next_attribute
from headwater.filters.html.nodes import ELEMENT
from headwater.filters.html.tags import BODY, HTML, TAGS
from headwater.filters.text.compile import kernel

__all__ = ["MARKS", "N_GROUPS", "element_words", "hash_place", "hash_starts", "mark_nodes", "word_hash"]

N_GROUPS: Final = 3
"""Of page kinds that words have a weight for: articles and documentation; forums; all others."""

_TAG_MARKS: Final = {
    **{
        name: name
        for name in (
            "a article aside blockquote button dd details dialog dt fieldset figure footer form h1 h2 h3 header label li main "
            "nav ol ul p pre section small summary table td th time address noscript"
        ).split()
    },
    "caption": "caption figcaption",
    "code": "code kbd samp tt",
    "h4": "h4 h5 h6",
    "strong": "strong b",
    "em": "em i",
    "custom": "#custom",
}
_WORD_MARKS: Final = {
    "w_comment": "comment comments commentlist disqus respond kommentar kommentare commentaires comentarios commento commenti reacties",
    "w_nav": "nav navi navbar navigation menu submenu megamenu breadcrumb breadcrumbs crumbs pager pagination pagenav sitemap skip "
    "skiplink toc topbar tabs",
    "w_share": "share sharing social socials facebook twitter whatsapp pinterest addtoany sharedaddy teilen compartir follow",
    "w_related": "related recommended recommendations recommend similar recirc recirculation outbrain taboola popular trending more "
    "readmore upsell crosssell mehr suggested suggestions latest recent",
    "w_cookie": "cookie cookies consent gdpr onetrust cookiebot cmp privacy",
    "w_price": "price prices pricing cart basket checkout sku addtocart swatch variant quantity wishlist",
    "w_ad": "ad ads advert advertisement advertising sponsor sponsored promo promotion promoted banner werbung anzeige publicidad cta",
    "w_meta": "meta author byline date published timestamp tag tags category categories credit avatar bio datum autor",
    "w_login": "login signin signup register subscribe subscription newsletter form email account password search captcha",
    "w_side": "sidebar side aside rail widget widgets complementary secondary footer foot colophon copyright legal",
    "w_hidden": "hidden hide invisible screenreader offscreen collapsed sronly",
    "w_modal": "modal popup dialog overlay lightbox drawer tooltip dropdown flyout offcanvas toast snackbar",
    "w_body": "article articlebody content entry post body main text story markdown prose description richtext rte wysiwyg message",
}
MARKS: Final = (*sorted(_TAG_MARKS), *_WORD_MARKS)
"""Names of the marks, by number; a node's marks are a sum of powers of two."""

_START: Final = 2166136261
_FACTOR: Final = 16777619
_LOW: Final = 0xFFFFFFFF
_OF_ROLE: Final = 0x5BD1E995
_OF_NAME: Final = 0x9E3779B9
_MOST_WORDS: Final = 64
"""Of an element; what it has beyond them is left out."""


def word_hash(word: str) -> int:
    """Return the hash of a word as `element_words` gives it, of a name of several words where it begins with "="."""
    value = _START
    for byte in word.removeprefix("=").encode():
        value = ((value ^ byte) * _FACTOR) & _LOW
    return value ^ _OF_NAME if word.startswith("=") else value


def _tag_marks() -> npt.NDArray[np.uint64]:
    marks = np.zeros(256, np.uint64)
    for mark, names in _TAG_MARKS.items():
        for name in names.split():
            marks[TAGS.index(name)] |= np.uint64(1 << MARKS.index(mark))
    return marks


_PAIRS: Final = sorted(
    (word_hash(word), MARKS.index(mark)) for mark, words in _WORD_MARKS.items() for word in words.split()
)
_BY_TAG: Final = _tag_marks()
_HASHES: Final = np.array([pair[0] for pair in _PAIRS], np.uint32)
_NUMBERS: Final = np.array([pair[1] for pair in _PAIRS], np.uint8)
_BITS: Final = 14


def hash_starts(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """Return where among sorted hashes those begin whose first 14 bits are each number, and where the last end, (16385,)."""
    return np.searchsorted(hashes, np.arange((1 << _BITS) + 1, dtype=np.uint64) << np.uint64(32 - _BITS)).astype(
        np.int32
    )


_STARTS: Final = hash_starts(_HASHES)
_CLASS, _ID, _ROLE, _PROPERTY, _TYPE = (name_bytes(name) for name in ("class", "id", "role", "itemprop", "itemtype"))


@kernel
def hash_place(hashes: npt.NDArray[np.uint32], value: int) -> int:
    """Return the place of a hash among sorted ones, -1 if it is not there."""
    low, high = 0, len(hashes)
    while low < high:
        middle = (low + high) >> 1
        if hashes[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if low < len(hashes) and hashes[low] == value else -1


@kernel
def _placed(hashes: npt.NDArray[np.uint32], starts: npt.NDArray[np.int32], value: int) -> int:
    """Return the place of a hash among sorted ones, -1 if it is not there, in constant time."""
    bucket = np.int64(value) >> (32 - _BITS)
    for place in range(starts[bucket], starts[bucket + 1]):
        if hashes[place] == value:
            return place
    return -1


@kernel
def element_words(html: npt.NDArray[np.uint8], begin: int, finish: int, out: npt.NDArray[np.uint32]) -> tuple[int, int]:
    """Write the hashes of the words of an element's attributes `html[begin:finish]` to `out`.

    Returns:
        How many there are, and a hash of its class attribute without digits, 0 without one.
    """
    found, name, at = 0, 0, begin
    while True:
        name_begin, name_end, value_begin, value_end = next_attribute(html, at, finish)
        if name_begin < 0:
            return found, name
        at = value_end + 1 if value_begin > name_end else name_end
        is_class = equals(html, name_begin, name_end, _CLASS)
        is_role = (
            equals(html, name_begin, name_end, _ROLE)
            or equals(html, name_begin, name_end, _PROPERTY)
            or equals(html, name_begin, name_end, _TYPE)
        )
        if not is_class and not is_role and not equals(html, name_begin, name_end, _ID):
            continue
        if is_class:
            name = _START
        word, letters, whole, parts, before = _START, 0, _START, 0, 0
        for place in range(value_begin, value_end + 1):
            byte = int(html[place]) if place < value_end else 0x20
            if is_class and place < value_end and not 0x30 <= byte <= 0x39:
                name = ((name ^ byte) * _FACTOR) & _LOW
            small = byte | 0x20
            letter = 0x61 <= small <= 0x7A
            if letters and (not letter or (0x41 <= byte <= 0x5A and 0x61 <= before <= 0x7A)):
                if letters > 1 and found < len(out):
                    out[found] = word ^ _OF_ROLE if is_role else word
                    found += 1
                parts += 1
                word, letters = _START, 0
            if letter:
                word = ((word ^ small) * _FACTOR) & _LOW
                whole = ((whole ^ small) * _FACTOR) & _LOW
                letters += 1
            elif byte <= 0x20:
                if parts > 1 and found < len(out):
                    out[found] = whole ^ _OF_NAME
                    found += 1
                whole, parts = _START, 0
            before = byte


@kernel
def mark_nodes(
    html: npt.NDArray[np.uint8],
    kind: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    hashes: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    marks: npt.NDArray[np.uint64],
    form: npt.NDArray[np.uint64],
    around: npt.NDArray[np.float32],
    words: npt.NDArray[np.uint32],
    word_nodes: npt.NDArray[np.int32],
    span: npt.NDArray[np.float32],
) -> int:
    """Fill what every node inherits, in document order.

    Args:
        html: the page.
        kind: the table's arrays, as are tag, parent, begin and finish.
        hashes: of the words with weights, sorted.
        starts: where hashes of the same beginning stand (`hash_starts`).
        weights: theirs, (words, N_GROUPS).
        marks: to fill, (nodes,).
        form: to fill, (nodes,): an element's tag and class as one number, 0 for texts.
        around: to fill, (nodes, 3 N_GROUPS): of each group the least weight, the greatest and the nearest.
        words: to fill with all words met, for training; at least 64 long, and no more are kept than fit.
        word_nodes: to fill with the element of each.
        span: room for the kernel's own use, (N_GROUPS, 2).

    Returns:
        How many words were kept.
    """
    kept = 0
    for node in range(len(kind)):
        above = parent[node]
        found = np.uint64(0)
        if above >= 0:
            found = marks[above]
            for place in range(3 * N_GROUPS):
                around[node, place] = around[above, place]
        else:
            for place in range(3 * N_GROUPS):
                around[node, place] = 0
        form[node] = 0
        if kind[node] == ELEMENT:
            found |= _BY_TAG[tag[node]]
            n_words, name = 0, 0
            if finish[node] > begin[node] + 3:
                n_words, name = element_words(html, begin[node], finish[node], words[kept : kept + _MOST_WORDS])
            form[node] = np.uint64(tag[node]) | (np.uint64(name) << np.uint64(8))
            if tag[node] != HTML and tag[node] != BODY:
                met = False
                for place in range(kept, kept + n_words):
                    number = _placed(_HASHES, _STARTS, words[place])
                    if number >= 0:
                        found |= np.uint64(1) << np.uint64(_NUMBERS[number])
                    number = _placed(hashes, starts, words[place])
                    if number >= 0:
                        if not met:
                            met = True
                            for group in range(N_GROUPS):
                                span[group, 0] = span[group, 1] = 0
                        for group in range(N_GROUPS):
                            span[group, 0] = min(span[group, 0], weights[number, group])
                            span[group, 1] = max(span[group, 1], weights[number, group])
                for group in range(N_GROUPS if met else 0):
                    first, least, most = 3 * group, span[group, 0], span[group, 1]
                    around[node, first] = min(around[node, first], least)
                    around[node, first + 1] = max(around[node, first + 1], most)
                    if least != 0 or most != 0:
                        around[node, first + 2] = least + most
                if kept + n_words + _MOST_WORDS < len(words):
                    for place in range(kept, kept + n_words):
                        word_nodes[place] = node
                    kept += n_words
        marks[node] = found
    return kept
