"""Which scripts each language is written in, and which languages a text can be in by its letters.

A label whose scripts have less than `LEAST_SHARE` of the letters that were read is not possible, however probable a model finds it: n-grams of bytes
know nothing of scripts, and lid.176 called decomposed Korean Estonian. The limit is not the dominant script: a page in Japanese about a program
has more Latin letters than kana and Han, and is Japanese (206 of 1,143 Japanese documents of the corpus are such, 251 of 1,323 Chinese ones).

A language that is not listed is written in Latin letters alone. Code, and nameless languages (``x-`` and a tag), which become ``und``, may be in any.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.language.script import SCRIPTS

__all__ = ["LEAST_SHARE", "Writing", "possible_labels", "scripts_of"]

LEAST_SHARE: Final = Fraction(1, 10)
"""Of a text's letters, those in the scripts of a language that it may be in."""

_ANY: Final = SCRIPTS[1:]
_BY_SCRIPTS: Final[dict[str, str]] = {
    "Cyrl": "ru uk bg be mk ky tg ba ce cv mhr mrj os sah lez myv bxr kv krc av xal rue tyv ab uz-Cyrl",
    "Cyrl Latn": "sr hr bs tt tk crh",
    "Cyrl Mong": "mn",
    "Cyrl Arab Latn": "kk uz az kmr",
    "Grek": "el",
    "Hebr": "he yi",
    "Hebr Latn": "lad",
    "Arab": "ar fa ur ps ckb arz azb ug pnb mzn lrc skr",
    "Arab Deva": "ks sd",
    "Arab Latn": "ha ms",
    "Deva": "hi mr ne sa mai bho new dty doi brx",
    "Deva Latn": "gom hif",
    "Beng": "bn as bpy",
    "Beng Zzzz": "mni",
    "Deva Beng Zzzz": "sat",
    "Guru": "pa",
    "Gujr": "gu",
    "Orya": "or",
    "Taml": "ta",
    "Telu": "te",
    "Knda": "kn",
    "Mlym": "ml",
    "Sinh": "si",
    "Thaa": "dv",
    "Thai": "th",
    "Laoo": "lo",
    "Mymr": "my",
    "Khmr": "km",
    "Tibt": "bo dz",
    "Ethi": "am",
    "Geor": "ka xmf",
    "Armn": "hy",
    "Cans Latn": "iu",
    "Hani Bopo": "zh yue wuu",
    "Hani Hira Kana": "ja",
    "Hang Hani": "ko",
}
_SCRIPTS_OF: Final = {tag: tuple(names.split()) for names, tags in _BY_SCRIPTS.items() for tag in tags.split()}


def scripts_of(tag: str) -> tuple[str, ...]:
    """The scripts that a language is written in, ISO 15924.

    >>> scripts_of("ja"), scripts_of("fi")
    (('Hani', 'Hira', 'Kana'), ('Latn',))
    """
    if tag == "zxx" or tag.startswith("x-"):
        return _ANY
    return _SCRIPTS_OF.get(tag, ("Latn",))


class Writing:
    """The scripts of a model's labels: languages with the same scripts share a set.

    Attributes:
        sets: int64 (labels,): the set of scripts of each label.
        members: the scripts of each set, as places in ``SCRIPTS``.
    """

    def __init__(self, tags: Sequence[str]) -> None:
        """Look up the scripts of each tag."""
        names = [scripts_of(tag) for tag in tags]
        distinct = sorted(set(names))
        self.sets = np.array([distinct.index(each) for each in names], np.int64)
        self.members = [[SCRIPTS.index(script) for script in each] for each in distinct]

    def possible(self, letters: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Whether each text has enough letters of each set: bool (texts, sets); a text without letters may be anything.

        Args:
            letters: from ``script.count_letters``.
        """
        by_script = np.ascontiguousarray(letters.T, np.int64)
        least = by_script.sum(axis=0) * LEAST_SHARE.numerator
        enough = np.empty((len(letters), len(self.members)), np.bool_)
        for place, members in enumerate(self.members):
            enough[:, place] = sum(by_script[script] for script in members) * LEAST_SHARE.denominator >= least
        return enough


def possible_labels(
    writing: Writing, labels: npt.NDArray[np.int32], letters: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Whether each text can be in the language of its label; False for no label (-1)."""
    possible = writing.possible(letters)
    found: npt.NDArray[np.bool_] = (labels >= 0) & possible[np.arange(len(labels)), writing.sets[labels]]
    return found
