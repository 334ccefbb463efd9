"""Personal data and secrets of texts: what stands where, of what type, how sure; never a value.

One compiled pass (``scan``) finds candidates; what is left is rare, and Python looks at each: checksums, dates, registries, words before it. Every
type is looked for whatever a recipe does with it, so that another policy finds the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.filters.personal.addresses import check_email, check_ip4, check_ip6
from headwater.filters.personal.banking import CARD_SHAPES, check_card, check_iban
from headwater.filters.personal.digits import plain
from headwater.filters.personal.found import Found, settle
from headwater.filters.personal.id_kinds import ID_KINDS, IdKind
from headwater.filters.personal.obfuscated import find_obfuscated
from headwater.filters.personal.phones import PHONE_SHAPES, REGIONS, check_phone
from headwater.filters.personal.scan import COLUMNS, EMAIL, IBAN, IP4, IP6, PHONE, make_classes, scan
from headwater.filters.personal.secrets import find_secrets
from headwater.filters.personal.shapes import EVERY_LANGUAGE, Rule, ShapeTrie, make_trie
from headwater.filters.personal.types import CONFIDENCES, HIGH, MEDIUM, PERSONAL
from headwater.filters.personal.words import topic_bits, word_automaton

__all__ = ["REGISTRIES", "VERSION", "find_personal"]

VERSION: Final = 1
"""Raised with any change that alters what is found."""
REGISTRIES: Final = {name: version(name) for name in ("phonenumbers", "publicsuffixlist", "python-stdnum")}
"""Packages whose tables have a say in what is found → their versions."""

_LANGUAGES: Final = tuple(sorted({*REGIONS, *(language for kind in ID_KINDS for language in kind.home)}))
_BITS: Final = {language: 1 << number for number, language in enumerate(_LANGUAGES)}
_NO_LANGUAGE: Final = 1 << len(_LANGUAGES)
_CARD: Final = "card"
_PHONE: Final = "phone"
_SEPARATORS: Final = re.compile(r"[^0-9A-Za-z]")
_NOT_SIGNS: Final = re.compile(r"[^0-9A-Za-z+-]")
_BEFORE: Final = 80
_AFTER: Final = 12
_LEAST_ROOM: Final = 1024


class _Tables(NamedTuple):
    trie: ShapeTrie
    ends: Mapping[int, list[Rule]]
    kinds: Mapping[str, IdKind]
    classes: npt.NDArray[np.uint8]


def _bits(languages: tuple[str, ...]) -> int:
    return sum(_BITS[language] for language in languages)


@functools.cache
def _tables() -> _Tables:
    """Return the trie of all shapes; made at its first use, in milliseconds."""
    topics = topic_bits()
    rules = [Rule(kind=_CARD, shape=shape, languages=EVERY_LANGUAGE, topics=0) for shape in CARD_SHAPES]
    kinds = {}
    for number, kind in enumerate(ID_KINDS):
        kinds[str(number)] = kind
        home = _bits(kind.home)
        for shapes, languages in ((kind.anywhere, EVERY_LANGUAGE), (kind.at_home, home), (kind.named, 0)):
            rules += [
                Rule(
                    kind=str(number),
                    shape=shape,
                    languages=languages,
                    topics=topics[kind.name],
                    home=home,
                    home_topics=topics["id"],
                )
                for shape in shapes
            ]
    for language, shapes in PHONE_SHAPES.items():
        rules += [Rule(kind=_PHONE, shape=shape, languages=_BITS[language], topics=0) for shape in shapes]
    trie, ends = make_trie(rules)
    return _Tables(trie, ends, kinds, make_classes())


def find_personal(
    texts: pa.Array | pa.ChunkedArray,
    languages: pa.Array | pa.ChunkedArray | Sequence[str | None] | None,
    *,
    personal: bool = True,
    secrets: bool = True,
) -> pa.RecordBatch:
    """Return what personal data stands where: row int32, operator, span_begin and span_end int64 (bytes), variant, confidence.

    Sorted by row and begin and without overlap. Cost: a pass over the bytes, and some microseconds a candidate; memory: 48 bytes a candidate.

    Args:
        texts: string or large_string [n].
        languages: string [n], BCP 47; null, ``und`` and ``mul`` are no language; None where only secrets are looked for.
        personal: whether personal data are looked for.
        secrets: whether secrets are.

    Raises:
        UsageError: the texts are no array of text.

    >>> find_personal(pa.array(["Call +49 30 901820."]), pa.array(["en"])).to_pylist()
    [{'row': 0, 'operator': 'personal:phone', 'span_begin': 5, 'span_end': 18, 'variant': '', 'confidence': 'high'}]
    """
    data, offsets = text_buffers(texts)
    every: list[Found] = []
    if personal:
        names = (
            [(name or "").partition("-")[0] for name in _listed(languages)]
            if languages is not None
            else [""] * (len(offsets) - 1)
        )
        bits = np.array([_BITS.get(name, _NO_LANGUAGE) for name in names], np.uint64)
        every += _look(data, offsets, names, bits)
        every += find_obfuscated(data, offsets)
    if secrets:
        every += find_secrets(data, offsets)
    found = settle(every)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([each.row for each in found], pa.int32()),
            pa.array([each.operator for each in found], pa.string()),
            pa.array([each.begin for each in found], pa.int64()),
            pa.array([each.end for each in found], pa.int64()),
            pa.array([each.variant for each in found], pa.string()),
            pa.array([each.confidence for each in found], pa.string()),
        ],
        names=["row", "operator", "span_begin", "span_end", "variant", "confidence"],
    )


def _listed(languages: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> Sequence[str | None]:
    listed: Sequence[str | None] = (
        languages.to_pylist() if isinstance(languages, pa.Array | pa.ChunkedArray) else languages
    )
    return listed


def _candidates(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], bits: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """Return int64 [n, ``COLUMNS``]: what ``scan`` gives, read again with room for all where there are many."""
    tables, phone = _tables(), np.uint64(topic_bits()["phone"])
    room = _LEAST_ROOM + int(offsets[-1] - offsets[0]) // 64
    while True:
        found = np.empty((room, COLUMNS), np.int64)
        count = scan(data, offsets, bits, tables.classes, tables.trie, word_automaton(), phone, found)
        if count <= room:
            return found[:count]
        room = count


def _look(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], names: list[str], bits: npt.NDArray[np.uint64]
) -> Iterator[Found]:
    topics = topic_bits()
    for row, kind, begin, end, named, more in _candidates(data, offsets, bits).tolist():
        at = int(offsets[row])
        candidate = data[at + begin : at + end].tobytes()
        if kind == EMAIL:
            before = data[at + max(0, begin - _BEFORE) : at + begin].tobytes()
            if length := check_email(candidate, before):
                yield _found(row, begin, begin + length, "email", HIGH)
        elif kind == IP4:
            sure = check_ip4(
                candidate.decode(),
                named=bool(named & topics["ip"]),
                near=bool(more & topics["ip"]),
                version=bool(more & topics["version"]),
            )
            if sure:
                yield _found(row, begin, end, "ip", sure, "ipv4")
        elif kind == IP6:
            if sure := check_ip6(candidate.decode()):
                yield _found(row, begin, end, "ip", sure, "ipv6")
        elif kind == IBAN:
            text = candidate.decode()
            if length := check_iban(plain(candidate)):
                yield _found(row, begin, begin + len(text[:length].encode()), "iban", HIGH, text[:2].lower())
        elif kind == PHONE:
            after = data[at + end : min(at + end + _AFTER, int(offsets[row + 1]))].tobytes().decode("utf-8", "ignore")
            yield from _phone(row, begin, candidate, after, names[row], named, more)
        else:
            yield from _number(row, begin, candidate, names[row], int(bits[row]), named, _tables().ends[more])


def _found(row: int, begin: int, end: int, kind: str, confidence: str, variant: str = "") -> Found:
    return Found(row=row, begin=begin, end=end, operator=PERSONAL + kind, confidence=confidence, variant=variant)


def _phone(row: int, begin: int, candidate: bytes, after: str, language: str, named: int, near: int) -> Iterator[Found]:
    phone = topic_bits()["phone"]
    text = candidate.decode()
    is_near = bool(near & phone)
    if near and not is_near and text[0] not in "+＋":  # the last word names something else
        return
    found = check_phone(text, language, named=is_near or bool(named & phone), near=is_near, after=after)
    if found:
        yield _found(row, begin, begin + len(text[: found[0]].encode()), _PHONE, found[1])


def _number(
    row: int, begin: int, candidate: bytes, language: str, bit: int, named: int, rules: list[Rule]
) -> Iterator[Found]:
    """Yield the one thing that a number of a shape is: the surest, what a word names before what is only shaped so, then the first rule."""
    topics, kinds = topic_bits(), _tables().kinds
    number = plain(candidate)
    digits = _SEPARATORS.sub("", number)
    best: tuple[tuple[int, bool, int], Found] | None = None
    for order, rule in enumerate(rules):
        end = begin + len(candidate)
        if rule.kind == _CARD:
            is_named = bool(named & topics["card"])
            sure = check_card(digits, named=is_named, grouped=digits != number)
            each = _found(row, begin, end, "card", sure) if sure else None
        elif rule.kind == _PHONE:
            is_named = False
            phone = check_phone(number, language, named=False, near=False) if rule.languages & bit else None
            each = _found(row, begin, end, _PHONE, phone[1]) if phone and phone[0] == len(number) else None
        else:
            kind = kinds[rule.kind]
            is_named = bool(named & rule.topics or (rule.home & bit and named & rule.home_topics))
            if not is_named and (not rule.languages & bit or named & topics["card"]):
                continue
            if digits.upper() != digits and (digits.lower() != digits or not is_named):
                continue
            if not kind.check((_NOT_SIGNS.sub("", number) if kind.signs else digits).upper()):
                continue
            sure = (HIGH if kind.checksum else MEDIUM) if is_named else kind.sure
            each = _found(row, begin, end, "national_id", sure, kind.name)
        if each:
            rank = CONFIDENCES.index(each.confidence), not is_named, order
            if best is None or rank < best[0]:
                best = rank, each
    if best:
        yield best[1]
