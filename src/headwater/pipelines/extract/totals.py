"""Totals of a comparison of extractors: tokens, verdicts and quality of each, of the recipe's choice, and of their union.

The union takes of each page the text of the highest quality among those that pass the rules, whichever extractor made it: what several extractors
can give at most, without counting a page twice. More text is easily had at lower quality, so it is told a second time at equal quality: its pages
from the best down, as far as their mean quality, weighted by tokens, is that of the single extractor that gives most tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from headwater.pipelines.extract.page_facts import Page, TextFacts
from headwater.plain import JsonObject

__all__ = ["CHOICE", "UNION", "totals"]

CHOICE = "(choice)"
UNION = "(union)"
_QUALITY = "quality"


def totals(pages: Sequence[Page], names: Sequence[str]) -> JsonObject:
    """Return totals of all pages, by kind of page and by language, and what the union gives.

    Kind and language of a page are those that the text has that the recipe takes.
    """
    return {
        "all": _by_extractor(pages, names),
        "page_kind": _split(pages, names, lambda text: text.page_kind),
        "language": _split(pages, names, lambda text: text.language),
        "union": _union(pages, names),
    }


def _split(
    pages: Sequence[Page], names: Sequence[str], key: Callable[[TextFacts], str | None]
) -> dict[str, list[JsonObject]]:
    parts: dict[str, list[Page]] = {}
    for page in pages:
        taken = _chosen(page)
        value = None if taken is None else key(taken)
        parts.setdefault(value or "(none)", []).append(page)
    return {value: _by_extractor(parts[value], names) for value in sorted(parts)}


def _by_extractor(pages: Sequence[Page], names: Sequence[str]) -> list[JsonObject]:
    rows = [_sums(name, [page.texts[number] for page in pages]) for number, name in enumerate(names)]
    rows.append(_sums(CHOICE, [text for page in pages if (text := _chosen(page)) is not None]))
    rows.append(_sums(UNION, [text for page in pages if (text := _best(page)) is not None]))
    for row in rows:
        row["pages"] = len(pages)
    for number, name in enumerate(names):
        rows[number]["taken"] = sum(page.chosen == name for page in pages)
    return rows


def _chosen(page: Page) -> TextFacts | None:
    return next((text for text in page.texts if text.extractor == page.chosen), None)


def _best(page: Page) -> TextFacts | None:
    """Return the text of the highest quality that passes; of equal ones the longer, then the first extractor's."""
    passing = [text for text in page.texts if text.passes]
    return max(passing, key=lambda text: (_quality(text), text.tokens), default=None)


def _quality(text: TextFacts) -> int:
    return (text.scores or {}).get(_QUALITY, 0)


def _sums(name: str, texts: Sequence[TextFacts]) -> JsonObject:
    there = [text for text in texts if text.fault is None]
    passing = [text for text in there if text.passes]
    return {
        "extractor": name,
        "with_text": len(there),
        "characters": sum(text.characters for text in there),
        "tokens": sum(text.tokens for text in there),
        "kept": len(passing),
        "kept_tokens": sum(text.tokens for text in passing),
        "quality": _mean_quality(passing),
    }


def _mean_quality(texts: Iterable[TextFacts]) -> float | None:
    """Return the mean quality of texts, 0 to 65535, each weighing as many as it has tokens; None of none."""
    weighed = [(text.tokens, _quality(text)) for text in texts]
    total = sum(tokens for tokens, _ in weighed)
    return sum(tokens * quality for tokens, quality in weighed) / total if total else None


def _union(pages: Sequence[Page], names: Sequence[str]) -> JsonObject:
    """Return how many more tokens the union keeps than the single extractor that keeps most, as it comes and at equal quality."""
    singles = [_sums(name, [page.texts[number] for page in pages]) for number, name in enumerate(names)]
    best = max(singles, key=lambda row: int(row["kept_tokens"]))
    texts = sorted(
        (text for page in pages if (text := _best(page)) is not None),
        key=lambda text: (-_quality(text), text.tokens),
    )
    tokens = sum(text.tokens for text in texts)
    equal = weight = reached = 0
    for text in texts:
        reached += text.tokens
        weight += text.tokens * _quality(text)
        if best["quality"] is not None and weight >= best["quality"] * reached:
            equal = reached
    kept = int(best["kept_tokens"])
    return {
        "best_single": best["extractor"],
        "best_single_tokens": kept,
        "tokens": tokens,
        "more": tokens / kept - 1 if kept else None,
        "tokens_at_equal_quality": equal,
        "more_at_equal_quality": equal / kept - 1 if kept else None,
    }
