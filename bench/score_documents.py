"""Documents that the shipped scores are trained and judged on: read from ``../shared``, never copied.

A document's labels are CORE registers (``IN NA OP HI ID IP SP LY``, hybrids have several) or, of material that CORE did not label, what its source
says of it. Line breaks are taken out of what trains genres, since CORE's documents have none. Order and choice depend on nothing but the files.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.records import read_records

__all__ = [
    "LANGUAGES",
    "Document",
    "broken",
    "corpus_sample",
    "guide",
    "lines",
    "pages",
    "parallel",
    "poems",
    "registers",
    "sentences",
    "texts_of_kinds",
]

LANGUAGES = tuple("ar bn cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split())
COURSES = ("course-azd", "course-edgeai")


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A text and what is known of it.

    Attributes:
        labels: registers, the main one first; empty where nobody named one.
        source: where it lies in ``../shared``.
        key: of parallel documents: the same in every language.
        share: of documents whose lines people marked: share of their letters in lines of text.
    """

    text: str
    language: str
    labels: tuple[str, ...]
    source: str
    key: str = ""
    share: float = 0.0


def registers(shared: Path) -> list[Document]:
    """Return the Swedish and French web documents with the registers that people gave them."""
    return [
        Document(
            text=each["text"],
            language=each["lang"],
            labels=tuple(dict.fromkeys(each["label"].split())),
            source="registers",
        )
        for each in read_records(shared / "registers" / "sv_fr.jsonl.zst")
    ]


def parallel(shared: Path, source: str, *, every: int = 1) -> list[Document]:
    """Return the documents of a source that is there in many languages, each ``every``-th by its number."""
    found = []
    for language in LANGUAGES:
        for each in _corpus(shared, source, language):
            key = each["id"].rpartition("/")[2]
            if int(key) % every == 0:
                found.append(Document(text=each["text"], language=language, labels=(), source=source, key=key))
    return found


def guide(shared: Path) -> list[Document]:
    """Return the chapters of opensource.guide, human translations, keyed by their picture and order; what was left in English is left out."""
    found = []
    for language in LANGUAGES:
        for each in _corpus(shared, "opensource-guide", language):
            head = each["text"][:800]
            if language != "en" and re.search(r"untranslated:\s*true", head):
                continue
            key = " ".join(m[1] for m in (re.search(rf"{name}:\s*(\S+)", head) for name in ("image", "order")) if m)
            body = each["text"].partition("\n---\n")[2]
            found.append(Document(text=body, language=language, labels=(), source="opensource-guide", key=key))
    return found


def sentences(shared: Path, size: int = 10) -> list[Document]:
    """Return the web sentences of each language, ``size`` to a document."""
    mine: dict[str, list[str]] = {}
    for each in read_records(shared / "sentences" / "75_languages.jsonl.zst"):
        mine.setdefault(each["lang"], []).append(each["text"])
    return [
        Document(
            text=" ".join(mine[language][at : at + size]), language=language, labels=(), source="sentences", key=str(at)
        )
        for language in LANGUAGES
        for at in range(0, len(mine[language]) - size + 1, size)
    ]


def broken(shared: Path) -> list[Document]:
    """Return texts that hold nothing, made of web sentences of each language: empty, a few words, words as lines, lines repeated."""
    found = []
    for each in sentences(shared, 2):
        number, words = int(each.key), each.text.split()
        if number % 10:
            continue
        times = 4 + number * 7 % 37
        line = " ".join(words[: 2 + number % 9])
        made = (
            "",
            " ".join(words[: 1 + number * 3 % 8]),
            "\n".join(words[: 10 + number % 30]),
            "\n".join([line] * times),
            " ".join([line] * times),
        )[number // 10 % 5]
        found.append(Document(text=made, language=each.language, labels=(), source="broken", key=each.key))
    return found


def poems(shared: Path) -> list[Document]:
    """Return poems of Hafez, and classical Chinese ones six to a document."""
    found = [
        Document(text=_flat(each["text"]), language="fa", labels=("LY",), source="hafez")
        for each in _corpus(shared, "hafez", "fa")
    ]
    chinese = [each["text"] for each in _corpus(shared, "chinese-poetry", "zh")][: 6 * 300]
    found += [
        Document(text=_flat(" ".join(chinese[at : at + 6])), language="zh", labels=("LY",), source="chinese-poetry")
        for at in range(0, len(chinese), 6)
    ]
    return found


def texts_of_kinds(shared: Path, most: int = 60) -> list[Document]:
    """Return articles of encyclopedias, pages of manuals and chapters of handbooks, at most so many a source and language, by hash."""
    kinds = {
        "wikipedia-leads": "encyclopedia",
        "wikipedia-slices": "encyclopedia",
        "manpages": "reference",
        "libreoffice-help": "reference",
        "debian-books": "book",
    }
    found = []
    for source, kind in kinds.items():
        for language in LANGUAGES:
            fit = [
                each
                for each in _corpus(shared, source, language)
                if len(each["text"]) >= 400 and "{" not in each["text"][:2000]
            ]
            fit.sort(key=lambda each: hashlib.sha256(each["id"].encode()).digest())
            found += [
                Document(text=_flat(each["text"][:20_000]), language=language, labels=(kind,), source=source)
                for each in fit[:most]
            ]
    return found


def corpus_sample(shared: Path, language: str, most: int) -> list[Document]:
    """Return of each source of the corpus at most so many texts in a language, by hash, their first 4000 characters."""
    found = []
    for path in sorted((shared / "corpus").glob(f"*/{language}.jsonl.zst")):
        source = path.parent.name
        mine = sorted(
            {each["text"][:4000] for each in read_records(path)},
            key=lambda text: hashlib.sha256(text.encode()).digest(),
        )
        found += [Document(text=text, language=language, labels=(), source=source) for text in mine[:most]]
    return found


def lines(shared: Path) -> list[Document]:
    """Return the web documents whose lines people marked as text or noise."""
    found = []
    for each in read_records(shared / "line_noise" / "de_en_es_fi_sv.jsonl.zst"):
        sizes = [len(line) for line in each["text"]]
        good = sum(size for size, label in zip(sizes, each["labels"], strict=True) if label == "1")
        found.append(
            Document(
                text="\n".join(each["text"]),
                language=each["lang"],
                labels=(),
                source="line_noise",
                share=good / max(sum(sizes), 1),
            )
        )
    return found


def pages(shared: Path) -> list[Document]:
    """Return of each English web page three texts: its main text as people marked it, all its text, and what is not main text.

    ``labels`` hold the kind of page, ``source`` is ``main``, ``full`` or ``rest``, ``key`` names the page.
    """
    found = []
    for each in read_records(shared / "web" / "pages_wcxb.jsonl.zst"):
        full, main = _visible(each["html"]), each["main_content"]
        marked = {line.strip() for line in main.split("\n")}
        run = re.sub(r"\W+", " ", main)
        rest = [
            line for line in full.split("\n") if line not in marked and re.sub(r"\W+", " ", line).strip() not in run
        ]
        found += [
            Document(text=text, language="en", labels=(each["page_type"],), source=source, key=each["id"])
            for source, text in (("main", main), ("full", full), ("rest", "\n".join(rest)))
        ]
    return found


def _visible(page: str) -> str:
    """All text of a page, block elements as lines: no extraction, so that menus and footers stay."""
    page = re.sub(r"(?is)<(script|style|noscript|svg|head|template)\b.*?</\1>", " ", page)
    page = re.sub(r"(?s)<!--.*?-->", " ", page)
    blocks = "p|div|li|ul|ol|tr|td|th|h\\d|section|article|header|footer|nav|table|aside|main|form|option|button|a"
    page = re.sub(rf"(?i)<(br|/?({blocks})\b)[^>]*>", "\n", page)
    page = html.unescape(re.sub(r"(?s)<[^>]+>", "", page))
    return "\n".join(line for line in (re.sub(r"[ \t\r\xa0]+", " ", raw).strip() for raw in page.split("\n")) if line)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _corpus(shared: Path, source: str, language: str) -> Iterator[dict[str, Any]]:  # Any: what JSON holds
    return read_records(shared / "corpus" / source / f"{language}.jsonl.zst", missing_ok=True)
