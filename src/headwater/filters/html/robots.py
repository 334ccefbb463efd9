"""What a page tells machines to leave, in one form: directives for robots, reservations of text and data mining.

A mark is a directive in small letters, after ``agent:`` where it is meant for one program alone: ``noindex``, ``gptbot:noai``,
``max-snippet:50``, ``tdm-reservation:1``. Sources: RFC 9309 names the file, not these; Google, "Robots meta tag, data-nosnippet, and
X-Robots-Tag specifications"; DeviantArt for ``noai`` and ``noimageai``; W3C, "TDM Reservation Protocol", final report of 2024-05-10.
Headwater records what stands there and obeys none of it by itself: rules do.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LONGEST_MARK", "ROBOT_NAMES", "robot_marks", "tdm_marks"]

ROBOT_NAMES: Final = frozenset(
    "ai2bot amazonbot anthropic-ai applebot applebot-extended baiduspider bingbot bytespider ccbot chatgpt-user claude-web claudebot cohere-ai "
    "diffbot duckduckbot facebookbot google-extended googlebot googlebot-image googlebot-news googleother gptbot ia_archiver "
    "meta-externalagent msnbot oai-searchbot perplexitybot petalbot slurp teoma timpibot yandex yandexbot yahoo youbot".split()
)
"""Names of programs that meta tags address; those of a header are whatever stands before a colon."""
LONGEST_MARK: Final = 256
_WITH_VALUE: Final = ("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after")
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.+ /-]*")
_CUT_DATE: Final = re.compile(r"(?:.*:)?unavailable_after:[a-z]+")
"""A date of which the comma after its weekday is the end."""
_MOST_PIECES: Final = 1000


def robot_marks(content: str, agent: str | None = None) -> list[str]:
    """Return the directives of a meta tag's content or of a header's value, in the order in which they stand.

    A name before a colon holds for all that follows it, up to the next name. What is no directive's form is left out.

    Args:
        agent: for which program the meta tag is; None for all.

    >>> robot_marks("NOINDEX, max-snippet: 50, googlebot: nofollow, noai")
    ['noindex', 'max-snippet:50', 'googlebot:nofollow', 'googlebot:noai']
    >>> robot_marks("unavailable_after: Friday, 25-Jun-10 15:00:00 PST", "bingbot")
    ['bingbot:unavailable_after:friday, 25-jun-10 15:00:00 pst']
    """
    marks: list[str] = []
    for raw in re.split(r"[,;\n]", content.lower(), maxsplit=_MOST_PIECES)[:_MOST_PIECES]:
        piece = raw.strip()
        if marks and _CUT_DATE.fullmatch(marks[-1]) and piece[:1].isdigit():
            marks[-1] = f"{marks[-1]}, {piece}"[:LONGEST_MARK]
            continue
        name, colon, value = (part.strip() for part in piece.partition(":"))
        if colon and name not in _WITH_VALUE:
            if not _NAME.fullmatch(name):
                continue
            agent, piece = name, value
            name, colon, value = (part.strip() for part in piece.partition(":"))
        before = "" if agent is None else f"{agent}:"
        if colon and name in _WITH_VALUE:
            marks.append(f"{before}{name}:{value}"[:LONGEST_MARK])
        elif _WORD.fullmatch(piece):
            marks.append(f"{before}{piece}"[:LONGEST_MARK])
    return marks


def tdm_marks(reservation: str | None, policy: str | None) -> list[str]:
    """Return the marks of a reservation of text and data mining: 1 reserved, 0 not; and where the terms are.

    >>> tdm_marks(" 1 ", "https://example.org/tdm.json"), tdm_marks("yes", None)
    (['tdm-reservation:1', 'tdm-policy:https://example.org/tdm.json'], [])
    """
    marks = []
    if reservation is not None and reservation.strip() in {"0", "1"}:
        marks.append(f"tdm-reservation:{reservation.strip()}")
    if policy is not None and re.match(r"https?://\S+$", policy.strip()):
        marks.append(f"tdm-policy:{policy.strip()}"[:LONGEST_MARK])
    return marks
