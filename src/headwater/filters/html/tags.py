"""The names of elements as small numbers, and what each means to the reading of a page: `TAGS`, `TAG_FACTS`, `tag_number`.

A name that is not listed is `OTHER`, or `CUSTOM` if it has a hyphen (a custom element, "HTML", section 4.13). Facts are
those of the standard's own style sheet ("HTML", section 15.3), since a page's style sheets are not read.

>>> TAGS[DIV], TAGS[tag_number(np.frombuffer(b"<table border", np.uint8), 1, 6)], bool(TAG_FACTS[TD] & BLOCK)
('div', 'table', True)
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

# One name a line would be 170 lines, here and below.
# fmt: off
__all__ = [
    "ABBR", "ADDRESS", "ANNOTATION", "ANNOTATION_XML", "AREA", "ARTICLE", "ASIDE", "AUDIO", "BASE", "BDI",
    "BDO", "BIG", "BLOCK", "BLOCKQUOTE", "BODY", "BR", "BUTTON", "CANVAS", "CAPTION", "CENTER", "CITE", "CODE",
    "COL", "COLGROUP", "CUSTOM", "DATA", "DATALIST", "DD", "DEL", "DETAILS", "DFN", "DIALOG", "DIR", "DIV",
    "DL", "DT", "EM", "EMBED", "FIELDSET", "FIGCAPTION", "FIGURE", "FONT", "FOOTER", "FORM", "FRAME",
    "FRAMESET", "H1", "H2", "H3", "H4", "H5", "H6", "HEAD", "HEADER", "HGROUP", "HR", "HTML", "IFRAME", "IMG",
    "INPUT", "INS", "ITALIC", "KBD", "LABEL", "LEGEND", "LI", "LINK", "LISTING", "MAIN", "MAP", "MARK", "MATH",
    "MENCLOSE", "MENU", "MERROR", "META", "METER", "MFENCED", "MFRAC", "MI", "MLABELEDTR", "MMULTISCRIPTS",
    "MN", "MO", "MOVER", "MPADDED", "MPHANTOM", "MPRESCRIPTS", "MROOT", "MROW", "MS", "MSPACE", "MSQRT",
    "MSTYLE", "MSUB", "MSUBSUP", "MSUP", "MTABLE", "MTD", "MTEXT", "MTR", "MUNDER", "MUNDEROVER", "NAV", "NOBR",
    "NOEMBED", "NOFRAMES", "NONE", "NOSCRIPT", "OBJECT", "OL", "OPTGROUP", "OPTION", "OTHER", "OUTPUT", "PARAM",
    "PICTURE", "PLAINTEXT", "PRE", "PROGRESS", "RAW", "RB", "RP", "RT", "RTC", "RUBY", "SAMP", "SCRIPT",
    "SEARCH", "SECTION", "SELECT", "SEMANTICS", "SLOT", "SMALL", "SOURCE", "SPAN", "STRIKE", "STRONG", "STYLE",
    "SUB", "SUMMARY", "SUP", "SVG", "TABLE", "TAGS", "TAG_FACTS", "TBODY", "TD", "TEMPLATE", "TEXT", "TEXTAREA",
    "TFOOT", "TH", "THEAD", "TIME", "TITLE", "TR", "TRACK", "TT", "UL", "UNSEEN", "VAR", "VERBATIM", "VIDEO",
    "VOID", "WBR", "XMP", "A", "B", "P", "Q", "S", "U", "tag_number",
]
# fmt: on

TEXT: Final = 0
OTHER: Final = 1
CUSTOM: Final = 2
# fmt: off
(
    A, ABBR, ADDRESS, AREA, ARTICLE, ASIDE, AUDIO, B, BASE, BDI, BDO, BIG, BLOCKQUOTE, BODY, BR, BUTTON, CANVAS,
    CAPTION, CENTER, CITE, CODE, COL, COLGROUP, DATA, DATALIST, DD, DEL, DETAILS, DFN, DIALOG, DIR, DIV, DL, DT,
    EM, EMBED, FIELDSET, FIGCAPTION, FIGURE, FONT, FOOTER, FORM, FRAME, FRAMESET, H1, H2, H3, H4, H5, H6, HEAD,
    HEADER, HGROUP, HR, HTML, ITALIC, IFRAME, IMG, INPUT, INS, KBD, LABEL, LEGEND, LI, LINK, LISTING, MAIN, MAP,
    MARK, MENU, META, METER, NAV, NOBR, NOEMBED, NOFRAMES, NOSCRIPT, OBJECT, OL, OPTGROUP, OPTION, OUTPUT, P,
    PARAM, PICTURE, PLAINTEXT, PRE, PROGRESS, Q, RB, RP, RT, RTC, RUBY, S, SAMP, SCRIPT, SEARCH, SECTION,
    SELECT, SLOT, SMALL, SOURCE, SPAN, STRIKE, STRONG, STYLE, SUB, SUMMARY, SUP, SVG, TABLE, TBODY, TD,
    TEMPLATE, TEXTAREA, TFOOT, TH, THEAD, TIME, TITLE, TR, TRACK, TT, U, UL, VAR, VIDEO, WBR, XMP, MATH,
    ANNOTATION, ANNOTATION_XML, SEMANTICS, MI, MN, MO, MTEXT, MS, MROW, MFRAC, MSQRT, MROOT, MSUP, MSUB,
    MSUBSUP, MUNDER, MOVER, MUNDEROVER, MTABLE, MTR, MTD, MLABELEDTR, MFENCED, MSTYLE, MPADDED, MPHANTOM,
    MENCLOSE, MSPACE, MERROR, MMULTISCRIPTS, MPRESCRIPTS, NONE,
) = range(4, 167)
# fmt: on

TAGS: Final[tuple[str, ...]] = (
    "#text",
    "#other",
    "#custom",
    "#unused",
    *(
        "a abbr address area article aside audio b base bdi bdo big blockquote body br button canvas caption center "
        "cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption "
        "figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd "
        "label legend li link listing main map mark menu meta meter nav nobr noembed noframes noscript object ol "
        "optgroup option output p param picture plaintext pre progress q rb rp rt rtc ruby s samp script search section "
        "select slot small source span strike strong style sub summary sup svg table tbody td template textarea tfoot "
        "th thead time title tr track tt u ul var video wbr xmp math annotation annotation-xml semantics mi mn mo mtext "
        "ms mrow mfrac msqrt mroot msup msub msubsup munder mover munderover mtable mtr mtd mlabeledtr mfenced mstyle "
        "mpadded mphantom menclose mspace merror mmultiscripts mprescripts none "
    ).split(),
)
"""The names by number."""

BLOCK: Final = 1
"""Begins and ends a line of its own: an element of which the standard's style sheet says `display: block` and its kin."""
VOID: Final = 2
"""Has neither content nor end tag."""
RAW: Final = 4
"""Holds one text, in which nothing is escaped, up to its end tag."""
UNSEEN: Final = 8
"""Its content is never seen as text."""
VERBATIM: Final = 16
"""White space stands for itself."""

_FACTS: Final = {
    BLOCK: """address article aside blockquote body caption center datalist dd details dialog dir div dl dt fieldset figcaption
        figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li listing main menu nav noscript ol optgroup
        option p plaintext pre search section select summary table tbody td textarea tfoot th thead title tr ul xmp""",
    VOID: "area base br col embed frame hr img input link meta param source track wbr",
    RAW: "iframe noembed noframes plaintext script style xmp",
    UNSEEN: """audio canvas datalist iframe noembed noframes object script select style svg template textarea title
        video""",
    VERBATIM: "listing plaintext pre textarea xmp",
}


def _facts() -> npt.NDArray[np.uint8]:
    facts = np.zeros(256, np.uint8)
    for fact, names in _FACTS.items():
        for name in names.split():
            facts[TAGS.index(name)] |= fact
    return facts


TAG_FACTS: Final = _facts()
"""Facts by number: the sum of BLOCK, VOID, RAW, UNSEEN, VERBATIM (uint8, 256 entries)."""

_LONGEST: Final = 16
_SLOTS: Final = 1024
_FACTOR: Final = 0x9E3779B1


def _table() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the number in each slot (0 for none), each name's bytes (256 x 16) and each name's length."""
    slots = np.zeros(_SLOTS, np.uint8)
    letters = np.zeros((256, _LONGEST), np.uint8)
    sizes = np.zeros(256, np.uint8)
    for number in range(4, len(TAGS)):
        name = TAGS[number].encode()
        letters[number, : len(name)] = np.frombuffer(name, np.uint8)
        sizes[number] = len(name)
        word = 0
        for byte in name:
            word = (word * 31 + byte) & 0xFFFFFFFF
        slot = ((word * _FACTOR) & 0xFFFFFFFF) >> 22
        while slots[slot]:
            slot = (slot + 1) % _SLOTS
        slots[slot] = number
    return slots, letters, sizes


_NUMBERS, _LETTERS, _SIZES = _table()


@kernel
def tag_number(html: npt.NDArray[np.uint8], begin: int, finish: int) -> int:
    """Return the number of the name `html[begin:finish]` (lower case, as a parser leaves it): OTHER or CUSTOM if not in TAGS.

    Cost: one walk of the name and, for nearly every name, one slot of the table.
    """
    size = finish - begin
    if size <= _LONGEST:
        word = 0
        for place in range(begin, finish):
            word = (word * 31 + html[place]) & 0xFFFFFFFF
        slot = ((word * _FACTOR) & 0xFFFFFFFF) >> 22
        while _NUMBERS[slot]:
            number = _NUMBERS[slot]
            if _SIZES[number] == size:
                same = True
                for place in range(size):
                    if _LETTERS[number, place] != html[begin + place]:
                        same = False
                        break
                if same:
                    return int(number)
            slot = (slot + 1) % _SLOTS
    for place in range(begin, finish):
        if html[place] == 0x2D:
            return CUSTOM
    return OTHER
