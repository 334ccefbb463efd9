"""A draft of the public summary of training content that Article 53(1)(d) of the EU's AI Act asks for, by the headings of its template.

The template is the Commission's of July 2025: general information, the list of data sources by kind, data processing. The lake fills what it
knows of one build. What only the provider knows is said as such: nothing is guessed, neither that a data set is public nor that a licence is valid.
"""

from __future__ import annotations

from typing import Final

from headwater.plain import JsonObject, Row, ValuesByName

__all__ = ["public_summary", "size_range"]

_BILLION: Final = 10**9
_LARGE: Final = 0.03
"""Share of the bytes of all data sets from which on the template asks for one by name."""
_SME_MOST: Final = 1000
_NOT_KNOWN: Final = "not known to the lake: "


def size_range(tokens: int) -> str:
    """Return the template's range of a size of text.

    >>> size_range(999_999_999), size_range(10**9), size_range(10**13 + 1)
    ('less than 1 billion tokens', '1 billion to 10 trillion tokens', 'more than 10 trillion tokens')
    """
    if tokens < _BILLION:
        return "less than 1 billion tokens"
    return "1 billion to 10 trillion tokens" if tokens <= 10_000 * _BILLION else "more than 10 trillion tokens"


def public_summary(card: ValuesByName) -> list[JsonObject]:
    """Return the sections of the template in their order: ``number``, ``heading`` and ``entries`` of label and value.

    A value is a text, or rows of a table; one that begins with "not known to the lake" is the provider's to fill in.

    Args:
        card: the rest of the card.
    """
    return [
        _section("1.1", "Provider identification", _provider()),
        _section("1.2", "Model identification", _model()),
        _section("1.3", "Modalities, overall training data size and other characteristics", _general(card)),
        _section("2.1", "Publicly available datasets", _datasets(card)),
        _section("2.2", "Private non-publicly available datasets obtained from third parties", _private()),
        _section("2.3", "Data crawled and scraped from online sources", _crawled(card)),
        _section("2.4", "User data", [("User data", _unknown("whether any source is data of the provider's users"))]),
        _section("2.5", "Synthetic data", _synthetic(card)),
        _section(
            "2.6",
            "Other sources of data",
            [("Other sources", _unknown("sources of other kinds, which the build's inputs do not name"))],
        ),
        _section("3.1", "Respect of reservation of rights from text and data mining", _rights(card)),
        _section("3.2", "Removal of illegal content", _illegal()),
        _section("3.3", "Other information", _processing(card)),
    ]


def _section(number: str, heading: str, entries: list[tuple[str, object]]) -> JsonObject:
    return {
        "number": number,
        "heading": heading,
        "entries": [{"label": label, "value": value} for label, value in entries],
    }


def _unknown(what: str) -> str:
    return f"{_NOT_KNOWN}{what}"


def _provider() -> list[tuple[str, object]]:
    return [
        ("Provider name and contact details", _unknown("the provider")),
        ("Authorised representative", _unknown("the representative in the Union, where the provider is outside of it")),
    ]


def _model() -> list[tuple[str, object]]:
    return [
        ("Versioned model names", _unknown("the models that are trained on this build")),
        ("Model dependencies", _unknown("the model, if any, that they are made from, and its summary")),
        ("Date of placement on the Union market", _unknown("the date")),
    ]


def _general(card: ValuesByName) -> list[tuple[str, object]]:
    totals, collected = card["totals"], card["collected"]
    last = collected["last"]
    return [
        ("Modality", "text; the lake holds no other"),
        (
            "Training data size",
            f"{size_range(totals['tokens'])}: {totals['tokens']:,} with every copy, {totals['text_bytes']:,} bytes of text",
        ),
        ("Types of content", _shares(card["domains"], "domain")),
        (
            "Latest date of data acquisition",
            f"{last}, by what records say; {collected['unknown']:,} of {totals['documents']:,} documents give no date"
            if last
            else _unknown("no record says when it was collected"),
        ),
        ("Linguistic characteristics", _shares(card["languages"], "language")),
        (
            "Data of other models' training, and whether training goes on",
            _unknown("what else the models are trained on, and until when"),
        ),
    ]


def _datasets(card: ValuesByName) -> list[tuple[str, object]]:
    """Return the sources that are no web archive: which of them are public, the lake does not know."""
    given = [row for row in card["sources"] if not row["web"]]
    total = sum(row["text_bytes"] for row in given)
    named = [_dataset(row, total) for row in given if total and row["text_bytes"] >= _LARGE * total]
    rest = [row for row in given if not total or row["text_bytes"] < _LARGE * total]
    return [
        (
            "Which of these are publicly available, and where",
            _unknown("each of them belongs here, or in 2.2, 2.4, 2.5 or 2.6"),
        ),
        ("Datasets of 3 % of the size of all, or more", named or "none"),
        (
            "Other datasets",
            f"{len(rest):,}, with {sum(row['tokens'] for row in rest):,} tokens" if rest else "none",
        ),
    ]


def _dataset(row: ValuesByName, total: int) -> Row:
    return {
        "name": row["source"],
        "share": round(row["text_bytes"] / total, 6),
        "documents": row["documents"],
        "tokens": row["tokens"],
        "licences": ", ".join(row["licenses"]),
    }


def _private() -> list[tuple[str, object]]:
    return [
        (
            "2.2.1 Commercially licensed by rightsholders or their representatives",
            _unknown("whether any source is licensed"),
        ),
        ("2.2.2 Obtained from other third parties", _unknown("whether any source was obtained from others")),
    ]


def _crawled(card: ValuesByName) -> list[tuple[str, object]]:
    web = [row for row in card["sources"] if row["web"]]
    domains = card["registered_domains"]
    largest, n = domains["largest_tenth"], domains["domains"]
    few = min(-(-n // 20), _SME_MOST)
    collected = card["collected"]
    return [
        (
            "Were crawlers used",
            "yes, or archives of crawls of others: " + ", ".join(str(row["source"]) for row in web[:20])
            if web
            else "no web archive is among the inputs; " + _unknown("whether a source was crawled before it came here"),
        ),
        (
            "Names, purposes and behaviour of the crawlers",
            _unknown("who crawled, under which names, and which reservations they heeded"),
        ),
        (
            "Period of collection",
            f"{collected['first']} to {collected['last']}, by what records say"
            if collected["first"]
            else _unknown("no record gives a date"),
        ),
        ("Types of content and modality", "text; by genre and language see 1.3"),
        (
            f"Top 10 % of {n:,} domain names by size of content",
            [_domain(row) for row in largest] or "none: no document has a URL",
        ),
        (
            "For small and medium-sized providers: the top 5 % or 1,000, whichever is lower",
            f"the first {few:,} of these" if few else "none",
        ),
    ]


def _domain(row: ValuesByName) -> Row:
    return {"domain name": row["name"], "text bytes": row["text_bytes"], "documents": row["documents"]}


def _synthetic(card: ValuesByName) -> list[tuple[str, object]]:
    machine = [row for row in card["domains"] if row["domain"] == "machine-made"]
    share = (
        f"; {machine[0]['share']:.1%} of the tokens are of documents that look machine-made, which is a guess by their form"
        if machine
        else ""
    )
    return [("Synthetic data", _unknown("whether any source was generated by a model") + share)]


def _rights(card: ValuesByName) -> list[tuple[str, object]]:
    pages = card["page_licenses"]
    taken = sum(row["samples"] for row in card["takedowns"])
    return [
        (
            "Reservations of rights that were heeded",
            _unknown("what crawlers heeded; family captures has robots directives of pages"),
        ),
        ("Licences that files declare", _shares(card["licenses"], "license")),
        (
            "Licences that pages name",
            [{"licence": row["license"], "documents": row["documents"]} for row in pages] or "none",
        ),
        (
            "Taken down on request",
            f"{taken:,} samples in {len(card['takedowns']):,} takedowns" if taken else "nothing was",
        ),
    ]


def _illegal() -> list[tuple[str, object]]:
    return [
        (
            "Measures",
            _unknown("measures before the documents came here; rules and block lists of this build are under filters"),
        )
    ]


def _processing(card: ValuesByName) -> list[tuple[str, object]]:
    judged = card["judged"]
    removed = sum(row["removed"] for row in card["duplicates"])
    personal = card["personal"]
    actions = ", ".join(f"{name.partition(':')[2]} {action}" for name, action in sorted(personal["policy"].items()))
    return [
        ("Filters", f"of {judged['samples']:,} documents {judged['kept']:,} were kept; {removed:,} repeat another one"),
        ("Personal data and secrets", actions or "were not looked for"),
        ("Evaluation sets", ", ".join(card["contamination"]["looked_for"]) or "were not looked for"),
    ]


def _shares(found: list[Row], name: str) -> list[Row]:
    shown = "licence" if name == "license" else name
    return [{shown: row[name], "share of tokens": row["share"], "documents": row["documents"]} for row in found]
