"""How many bytes of each language and domain train a vocabulary: integers from integers, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import NamedTuple

from headwater.pipelines.recipe.shares import exact
from headwater.pipelines.recipe.stages import REST
from headwater.pipelines.recipe.vocabulary import SampleSettings

__all__ = ["TextCell", "sample_targets"]

_DIGITS = 20
"""Decimal digits of a root: its power is computed by software, to twice as many, so that no processor's rounding has a say."""


class TextCell(NamedTuple):
    """A language and domain of the lake."""

    language: str
    domain: str


def sample_targets(there: Mapping[TextCell, int], sample: SampleSettings) -> dict[TextCell, int]:
    """Return the bytes asked of each cell: at most what the lake has, in sum at most ``sample.text_bytes``.

    A language with a share of its own gets it; the others divide the rest in proportion to bytes^(1/T). Inside a language its domains divide its
    bytes by their shares, those of ``*`` and of no table in proportion to what the lake has. What a language or domain cannot give goes to
    the others in the same proportions; of a language with a share, to the languages without.

    Args:
        there: bytes by cell, each document at most ``max_document_bytes``.

    >>> there = {TextCell("en", "web"): 8000, TextCell("fi", "web"): 1000, TextCell("th", "web"): 1}
    >>> sample_targets(there, SampleSettings(text_bytes=1000, temperature=3.0))
    {TextCell(language='en', domain='web'): 666, TextCell(language='fi', domain='web'): 333, TextCell(language='th', domain='web'): 1}
    """
    by_language: dict[str, dict[str, int]] = {}
    for cell, size in sorted(there.items()):
        if size > 0:
            by_language.setdefault(cell.language, {})[cell.domain] = size
    sums = {language: sum(domains.values()) for language, domains in by_language.items()}
    given = {
        language: min(int(exact(share) * sample.text_bytes), sums.get(language, 0))
        for language, share in sample.languages.items()
    }
    rest = sample.text_bytes - sum(given.values())
    others = {language: size for language, size in sums.items() if language not in given}
    asked = given | _divide(rest, others, {name: _root(size, sample.temperature) for name, size in others.items()})
    targets: dict[TextCell, int] = {}
    for language, domains in by_language.items():
        shares = _domain_shares(domains, sample.domains)
        for domain, size in _divide(asked[language], domains, shares).items():
            targets[TextCell(language, domain)] = size
    return targets


def _domain_shares(there: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, Fraction]:
    if not shares:
        return {domain: Fraction(size) for domain, size in there.items()}
    unnamed = sum(size for domain, size in there.items() if domain not in shares)
    rest = exact(shares.get(REST, 0.0))
    return {
        domain: exact(shares[domain]) if domain in shares else rest * Fraction(size, unnamed)
        for domain, size in there.items()
    }


def _divide(total: int, there: Mapping[str, int], weights: Mapping[str, Fraction]) -> dict[str, int]:
    """Return ``total`` divided by weights, nobody more than is there; what is cut off is divided again among the others."""
    got: dict[str, int] = dict.fromkeys(there, 0)
    open_ = {name for name in there if weights[name] > 0}
    while open_:
        left = total - sum(got[name] for name in there if name not in open_)
        weight = sum((weights[name] for name in open_), Fraction(0))
        full = {name for name in open_ if left * weights[name] >= there[name] * weight}
        if not full:
            return got | {name: int(left * weights[name] / weight) for name in open_}
        got |= {name: there[name] for name in full}
        open_ -= full
    return got


def _root(size: int, temperature: float) -> Fraction:
    """Return size^(1/T) to twenty digits."""
    with localcontext() as context:
        context.prec = 2 * _DIGITS
        root = Decimal(size) ** (1 / Decimal(repr(temperature)))
        context.prec = _DIGITS
        return Fraction(+root)
