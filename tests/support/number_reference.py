"""Slow references of what near-duplicate search does with numbers."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["reference_signs"]

_UNIFIED = {
    "-": "-−﹣－", "+": "+﹢＋", "*": "*×·∗⋅＊", "/": "/÷⁄∕／", "^": "^＾", "%": "%‰﹪％", ".": ".٫．", ",": ",٬’，", ":": ":∶：",
}  # fmt: skip
_SIGN = {character: sign for sign, characters in _UNIFIED.items() for character in characters}
_OWN = {"<super>": "^", "<sub>": ":", "<fraction>": "/"}
_BREAKS = "\n\v\f\r\x85\u2028\u2029"


def reference_signs(text: str) -> bytes:
    """The signs of a text's numbers by patterns over a transcript: d a digit, o a digit with a sign of its own, _ a blank, | a break, x the rest."""
    transcript, own = [], {}
    for place, character in enumerate(text):
        category = unicodedata.category(character)
        sign = _OWN.get(unicodedata.decomposition(character).split(" ")[0]) if category == "No" else None
        if sign:
            own[place] = sign
        if character in _SIGN:
            transcript.append(_SIGN[character])
        elif category == "Nd" or sign:
            transcript.append("o" if sign else "d")
        elif character in _BREAKS:
            transcript.append("|")
        else:
            transcript.append("_" if category == "Zs" or character == "\t" else "x")
    line = "".join(transcript)
    found = {place: sign.encode() for place, sign in own.items()}
    for match in re.finditer(r"(?<![do])d", line):
        found[match.start()] = b"0"
    for match in re.finditer(r"(?<=[do])[.,:](?=d)", line):
        found[match.start()] = match[0].encode()
    for match in re.finditer(r"([-+*/^])(_{0,16})(?=d)", line):
        leads = re.search(r"(?:^|\|)_{0,16}\Z", line[: match.start()]) is not None
        if not (leads and match[2]):
            found[match.start()] = match[1].encode()
    for match in re.finditer(r"(?<=[do])%", line):
        found[match.start()] = b"%"
    signs = b"".join(found[place] for place in sorted(found))
    return signs if signs.strip(b"0") else b""
