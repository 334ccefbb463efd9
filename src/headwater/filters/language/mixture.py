"""Mixed documents: which languages hold a substantial share of a document's letters, judged by its segments.

Each segment of ``headwater.filters.language.segments`` has a label and a probability. The rule:

- A segment whose label is sure (``MIN_PROBABILITY``) counts for its language with all its letters; one that is not, and code, counts for none.
- Languages that are written alike (``ALIKE``) count for that of them that has most: a Norwegian document with three segments that
  could be Danish is Norwegian.
- A document is mixed if a second language has at least ``MIN_SHARE`` of the letters of the sure segments, and ``MIN_LETTERS`` letters.

So a foreign name, a quotation of one sentence in a page, code words and a menu line do not make a document mixed; two halves do.

What it loses: languages that alternate within a segment of some 200 bytes; a second language below a fifth; Danish next to Norwegian, and
every other pair of languages that are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ALIKE", "MIN_LETTERS", "MIN_PROBABILITY", "MIN_SHARE", "Mixture", "find_mixtures", "group_tags"]

MIN_SHARE = 0.2
MIN_LETTERS = 40
MIN_PROBABILITY = 0.8
_LISTED_SHARE = 0.05
_NO_LANGUAGE = frozenset({"und", "zxx"})

ALIKE: tuple[frozenset[str], ...] = (
    frozenset({"no", "nn", "da", "sv", "fo"}),
    frozenset({"id", "ms", "jv", "su"}),
    frozenset({"cs", "sk"}),
    frozenset({"hr", "bs", "sr-Latn", "sl"}),
    frozenset({"ru", "uk", "be", "bg", "mk", "sr"}),
    frozenset({"es", "pt", "gl", "ast", "an", "ca", "oc"}),
    frozenset({"it", "co", "sc", "lij", "fur", "vec", "nap", "la"}),
    frozenset({"nl", "af", "fy", "nds", "de"}),
    frozenset({"tr", "az", "crh"}),
    frozenset({"fi", "et", "se"}),
    frozenset({"hi", "mr", "ne", "mai", "brx"}),
    frozenset({"bn", "as"}),
    frozenset({"fa", "ur", "ks", "skr", "ar", "ckb", "ug"}),
    frozenset({"en", "sco", "pcm", "ia", "ie"}),
    frozenset({"zh", "ja", "yue"}),
)
"""Languages that are never parts of one mixture, since a short stretch of one is easily taken for another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """The languages of one mixed document.

    Attributes:
        shares: language to its share of the letters of the segments that were read; what no language is sure of is missing from the sum.
        score: the sum of the letters of these languages' segments, each times its probability, divided by all letters: 0 to 1.
    """

    shares: dict[str, float]
    score: float


def group_tags(tags: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number for each tag, the same for languages of one set of ``ALIKE``; ``x-`` and a tag belongs with that tag."""
    groups: dict[frozenset[str], int] = {}
    numbers = []
    for tag in tags:
        bare = tag.removeprefix("x-")
        own = next((group for group in ALIKE if bare in group), frozenset({bare}))
        numbers.append(groups.setdefault(own, len(groups)))
    return np.array(numbers, dtype=np.int64)


def find_mixtures(
    owners: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    letters: npt.NDArray[np.int64],
    tags: Sequence[str],
    groups: npt.NDArray[np.int64],
) -> dict[int, Mixture]:
    """The documents that are mixed.

    Args:
        owners: the document of each segment, ascending.
        labels: the label of each segment, a place in ``tags``, -1 for none.
        probabilities: of these labels.
        letters: how many letters each segment has.
        tags: the BCP 47 tag of each label; ``und`` and ``zxx`` count for no language.
        groups: of each label, from ``group_tags``.

    Returns:
        By document; one that is not mixed is missing.
    """
    found: dict[int, Mixture] = {}
    borders = np.flatnonzero(np.diff(owners, prepend=-1, append=-1))
    for begin, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        by_group: dict[int, dict[str, int]] = {}
        weighted: dict[int, float] = {}
        total = 0
        for segment in range(begin, end):
            total += int(letters[segment])
            label, probability = int(labels[segment]), float(probabilities[segment])
            if label < 0 or probability < MIN_PROBABILITY or tags[label] in _NO_LANGUAGE:
                continue
            group = int(groups[label])
            by_tag = by_group.setdefault(group, {})
            by_tag[tags[label]] = by_tag.get(tags[label], 0) + int(letters[segment])
            weighted[group] = weighted.get(group, 0.0) + probability * int(letters[segment])
        counts = {group: sum(by_tag.values()) for group, by_tag in by_group.items()}
        sure = sum(counts.values())
        if len(counts) < 2 or sorted(counts.values())[-2] < max(MIN_LETTERS, MIN_SHARE * sure):
            continue
        listed = [group for group, count in counts.items() if count >= _LISTED_SHARE * total]
        named = {group: max(sorted(by_group[group]), key=by_group[group].__getitem__) for group in listed}
        shares = {named[group]: counts[group] / total for group in listed}
        found[int(owners[begin])] = Mixture(
            shares=dict(sorted(shares.items(), key=lambda item: (-item[1], item[0]))),
            score=sum(weighted[group] for group in listed) / total,
        )
    return found
