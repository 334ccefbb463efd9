"""What single characters mean to the signals: ends of sentences, questions, quotation, bullets."""

from __future__ import annotations

from headwater.filters.text.compile import inlined

__all__ = [
    "ends_alone",
    "is_bracket_end",
    "is_bullet",
    "is_closing_quote",
    "is_question",
    "is_terminal",
    "opens_dialogue",
]

# Terminal marks by script: ASCII . ! ?; Devanagari and Bengali danda; Arabic question mark and full stop; Khmer, Burmese
# and Armenian full stops; full-width and CJK marks; the Greek question mark of its own code point (U+037E; the more
# usual ; is left out, since it ends no sentence in other languages).
_ALONE = (
    0x0964,
    0x0965,
    0x061F,
    0x06D4,
    0x104A,
    0x104B,
    0x17D4,
    0x0589,
    0x037E,
    0x3002,
    0xFF01,
    0xFF1F,
    0xFF0E,
    0xFF61,
)
_QUOTES = (0x22, 0x27, 0x201D, 0x2019, 0xBB, 0x300D, 0x300F, 0xFF02, 0x201C, 0x203A)


@inlined
def ends_alone(point: int) -> bool:
    """Tell whether a mark ends a sentence whatever follows it: all terminal marks but . ! ? and the ellipsis."""
    return point in _ALONE


@inlined
def is_terminal(point: int) -> bool:
    """Tell whether a mark ends a sentence: . ! ? and their kin in other scripts; the ellipsis … is among them."""
    return point in (0x2E, 0x21, 0x3F, 0x2026) or (point > 0x0300 and point in _ALONE)


@inlined
def is_closing_quote(point: int) -> bool:
    """Tell whether a mark closes a quotation in one of the 30 languages; straight quotes are among them."""
    return point in _QUOTES


@inlined
def is_bracket_end(point: int) -> bool:
    """Tell whether a mark closes a bracket: ) ] } and the full-width forms."""
    return point in (0x29, 0x5D, 0x7D, 0xFF09, 0x3011)


@inlined
def is_bullet(point: int) -> bool:
    """Tell whether a mark is one of RedPajama v2's bullets: • ‣ ▶ ◀ ◦ ■ □ ▪ ▫ and the en dash –."""
    return point >= 0x2013 and point in (
        0x2013,
        0x2022,
        0x2023,
        0x25A0,
        0x25A1,
        0x25AA,
        0x25AB,
        0x25B6,
        0x25C0,
        0x25E6,
    )


@inlined
def is_question(point: int) -> bool:
    """Tell whether a mark is a question mark: ? and the Arabic, full-width and Greek ones."""
    return point in (0x3F, 0x061F, 0xFF1F, 0x037E)


@inlined
def opens_dialogue(point: int) -> bool:
    """Tell whether a line that begins with this mark opens with speech: quotation marks and the dashes — and ―."""
    return point in (0x22, 0x201C, 0x201E, 0xAB, 0xBB, 0x300C, 0x300E, 0x2039, 0x2014, 0x2015)
