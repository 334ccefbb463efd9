"""The documents of the ablation: a mixed raw pool, and reference texts from sources or documents that are not in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench.ablation.page_text import page_text
from bench.records import read_records

__all__ = ["CLASSES", "Document", "Gathered", "cut", "gather", "hash_fraction", "take_bytes"]

CLASSES: Final = ("mathematics", "prose", "technical", "questions", "disliked")
"""Of reference texts; `disliked` is what the scores should not choose, so selection may be expected to lose there."""

_WHOLE: Final = {
    "gsm8k-test": "mathematics",
    "competition-math": "mathematics",
    "opensource-guide": "prose",
    "gnome-help": "technical",
    "mmlu-test": "questions",
}
"""Reference sources of which nothing is in the pool (of GSM8K the train split is: `worked-math`)."""
_PARTLY: Final = {
    "stacks-project": "mathematics",
    "wikipedia-leads": "prose",
    "debian-books": "technical",
    "package-descriptions": "disliked",
    "fortunes": "disliked",
}
"""Reference sources of which other documents are in the pool."""
_PAGES: Final = {
    "article": "prose",
    "documentation": "technical",
    "forum": "disliked",
    "product": "disliked",
    "service": "disliked",
}
"""Kinds of web pages of which the main text is reference, on sites that are not in the pool."""
_REFERENCE_SHARE: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A document or a piece of a long one.

    Attributes:
        key: 32 hexadecimal digits of BLAKE2b over source and text: what hashes and ties are drawn from.
        source: where it is from; ``web-main`` and ``web-raw`` for pages.
    """

    key: str
    source: str
    text: str

    @property
    def n_bytes(self) -> int:
        """Bytes of UTF-8 text."""
        return len(self.text.encode())


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """What was read.

    Attributes:
        references: documents by name of the reference text.
        classes: of `CLASSES`, by name of the reference text.
        held_out: by name of the reference text: ``source``, ``documents`` or ``sites`` are out of the pool.
    """

    pool: list[Document]
    references: dict[str, list[Document]]
    classes: dict[str, str]
    held_out: dict[str, str]


def gather(
    shared: Path, language: str, *, piece_bytes: int, most_pieces: int, source_bytes: int, reference_bytes: int
) -> Gathered:
    """Read the corpus, the evaluation sets and, in English, the web pages of `shared`; each text once.

    Args:
        shared: folder with ``corpus``, ``benchmarks`` and ``web``; what is missing is left out.
        language: the corpus' folder language.
        piece_bytes: longer documents are cut into pieces of about as many, at ends of lines.
        most_pieces: pieces of one document that are taken, the first ones.
        source_bytes: most that a source gives to the pool, by hash of the text; web pages are taken whole.
        reference_bytes: most that a reference text has, by hash of the text.
    """
    pool: list[Document] = []
    references: dict[str, list[Document]] = {}
    classes: dict[str, str] = {}
    held_out: dict[str, str] = {}

    def refer(name: str, kind: str, how: str, documents: list[Document]) -> None:
        if documents:
            references.setdefault(name, []).extend(documents)
            classes[name], held_out[name] = kind, how

    corpus = shared / "corpus"
    for path in sorted(corpus.glob(f"*/{language}.jsonl.zst")):
        source = path.parent.name
        texts: list[str] = list(dict.fromkeys(record["text"] for record in read_records(path)))
        is_reference = {text: hash_fraction("reference", text) < _REFERENCE_SHARE for text in texts}
        if source in _WHOLE:
            refer(source, _WHOLE[source], "source", _documents(source, texts, piece_bytes, most_pieces))
            continue
        if source in _PARTLY:
            chosen = [text for text in texts if is_reference[text]]
            refer(source, _PARTLY[source], "documents", _documents(source, chosen, piece_bytes, most_pieces))
        kept = [text for text in texts if source not in _PARTLY or not is_reference[text]]
        pool += take_bytes(_documents(source, kept, piece_bytes, most_pieces), source_bytes)
    if language == "en":
        for name, texts in _evaluation_sets(shared / "benchmarks"):
            refer(name, _WHOLE[name], "source", _documents(name, texts, piece_bytes, most_pieces))
        for page in read_records(shared / "web" / "pages_wcxb.jsonl.zst", missing_ok=True):
            # A few pages have no address: each is a site of its own.
            site, kind = urlsplit(page["url"] or f"//{page['id']}").netloc.removeprefix("www."), page["page_type"]
            if hash_fraction("site", site) < _REFERENCE_SHARE:
                if kind in _PAGES:
                    main = [page["main_content"]]
                    refer(f"web-{kind}", _PAGES[kind], "sites", _documents("web-main", main, piece_bytes, most_pieces))
                continue
            # A page is in the pool once: its main text as people marked it, or everything on it that a reader sees.
            raw = hash_fraction("raw", page["id"]) < 0.5
            text = page_text(page["html"]) if raw else page["main_content"]
            pool += _documents("web-raw" if raw else "web-main", [text], piece_bytes, most_pieces)
    return Gathered(
        pool=_each_once(pool),
        references={name: take_bytes(_each_once(documents), reference_bytes) for name, documents in references.items()},
        classes=classes,
        held_out=held_out,
    )


def cut(text: str, piece_bytes: int) -> list[str]:
    r"""Return the pieces of a text, none longer than `piece_bytes` unless one line is.

    >>> cut("one\ntwo\nthree\n", 8)
    ['one\ntwo\n', 'three\n']
    """
    pieces = [""]
    size = 0
    for line in text.splitlines(keepends=True):
        length = len(line.encode())
        if size and size + length > piece_bytes:
            pieces.append("")
            size = 0
        pieces[-1] += line
        size += length
    return pieces


def take_bytes(documents: list[Document], n_bytes: int) -> list[Document]:
    """Return the documents with the smallest keys that together have no more than `n_bytes`, at least one if there are any."""
    chosen: list[Document] = []
    size = 0
    for document in sorted(documents, key=lambda document: document.key):
        size += document.n_bytes
        if chosen and size > n_bytes:
            break
        chosen.append(document)
    return chosen


def hash_fraction(*words: str) -> float:
    """Return a number in [0, 1) that looks random and depends on the words alone."""
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / (1 << 64)


def _documents(source: str, texts: list[str], piece_bytes: int, most_pieces: int) -> list[Document]:
    pieces = [piece for text in texts for piece in cut(text, piece_bytes)[:most_pieces] if piece.strip()]
    return [
        Document(
            key=hashlib.blake2b(f"{source}\0{text}".encode(), digest_size=16).hexdigest(), source=source, text=text
        )
        for text in pieces
    ]


def _each_once(documents: list[Document]) -> list[Document]:
    once = {document.text: document for document in sorted(documents, key=lambda document: document.key, reverse=True)}
    return sorted(once.values(), key=lambda document: document.key)


def _evaluation_sets(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield name and texts: question, choices where there are some, answer."""
    if (path := folder / "gsm8k_test.jsonl.zst").exists():
        yield "gsm8k-test", [f"{record['question']}\n{record['answer']}\n" for record in read_records(path)]
    if (path := folder / "mmlu_test.jsonl.zst").exists():
        texts = []
        for record in read_records(path):
            choices = "".join(
                f"{letter}. {choice}\n" for letter, choice in zip("ABCD", record["choices"], strict=False)
            )
            texts.append(f"{record['question']}\n{choices}")
        yield "mmlu-test", texts
