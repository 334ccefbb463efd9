"""Which field of a record is its text, its URL or id, its source, its date and its licence; the others become ``meta``.

The names are those of Dolma, FineWeb, RedPajama 1 and 2, C4, DCLM, The Pile and the data sets of the Hugging Face hub. In a row the
first name that the record has wins; each row is tried in exact spelling first, then without regard to case. A name after a dot is
sought in the record's ``metadata`` or ``meta`` object, after all plain names.

| column | names, in this order |
|---|---|
| text | text, content, raw_content |
| uri (URL) | url, uri, source_url, target_uri, warc_target_uri, .url, .uri, .source_url, .warc-target-uri |
| uri (id) | id, _id, doc_id, document_id, uuid |
| source | source, dataset, data_source, source_name, .source, .dataset, .pile_set_name, .redpajama_set_name |
| collected_at | date_download, crawl_date, collected_at, date, timestamp, added, created, and each of these after a dot, .warc-date |
| license | license, licence, and both after a dot |

The text is the first of these fields that is not null. The URL is preferred to the id, since it says where a document came from in
whatever file it lies; a user and password in it are dropped. A value that cannot fill its column (null, an empty string, true, a list,
an object, a string of which a character had to be replaced) is passed over and stays in ``meta``; numbers and dates become strings. A
value that fills a column is not repeated in ``meta``, which is canonical JSON (sorted keys, no white space) or null when nothing is left.

Numbers are exact: an id of 24 digits fills its column with all of them, and an integer in ``meta`` has the digits that the record gives.
What has a fraction is in ``meta`` the nearest double.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable
from typing import Final

import orjson

from headwater.filters.urls.hosts import without_credentials
from headwater.pipelines.ingest.exact_numbers import Number

__all__ = [
    "FIELD_NAMES",
    "NESTED_IN",
    "PLACED",
    "REPLACED",
    "FieldPlacer",
    "PlacedFields",
    "find_name",
    "find_names",
    "nesting_depth",
    "note_replaced",
]

_DATES = ("date_download", "crawl_date", "collected_at", "date", "timestamp", "added", "created")
FIELD_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text", "content", "raw_content"),
    "uri": (
        *(
            "url",
            "uri",
            "source_url",
            "target_uri",
            "warc_target_uri",
            ".url",
            ".uri",
            ".source_url",
            ".warc-target-uri",
        ),
        *("id", "_id", "doc_id", "document_id", "uuid"),
    ),
    "source": (
        *("source", "dataset", "data_source", "source_name"),
        *(".source", ".dataset", ".pile_set_name", ".redpajama_set_name"),
    ),
    "collected_at": (*_DATES, *(f".{name}" for name in _DATES), ".warc-date"),
    "license": ("license", "licence", ".license", ".licence"),
}
"""Column → names of its field, best first; a leading dot means inside ``metadata`` or ``meta``."""

NESTED_IN: Final = ("metadata", "meta")
PLACED: Final = ("source", "uri", "collected_at", "license")
"""Columns that ``FieldPlacer.place`` fills, in its order; ``meta`` follows."""
REPLACED: Final = "headwater_replaced"
"""Key of ``meta`` that names the fields of a record in which something had to be replaced, each with its fault."""

_MOST_LAYOUTS = 1024
PlacedFields = tuple[str | None, str | None, str | None, str | None, str | None]
"""Source, uri, collected_at, license and meta of a record."""

_Layout = tuple[tuple[tuple[bool, str], ...], ...]


def find_name(names: Iterable[str], wanted: Iterable[str]) -> str | None:
    """Return the first of ``wanted`` among ``names`` as spelt there: exactly first, then without regard to case.

    >>> find_name(["Content", "id"], FIELD_NAMES["text"])
    'Content'
    """
    return next(iter(find_names(names, wanted)), None)


def find_names(names: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Return all of ``wanted`` that are among ``names``, in the order in which ``find_name`` would prefer them.

    >>> find_names(["Content", "id", "raw_content"], FIELD_NAMES["text"])
    ('raw_content', 'Content')
    """
    present = list(names)
    candidates = list(wanted)
    exact = [candidate for candidate in candidates if candidate in present]
    folded = {name.lower(): name for name in reversed(present)}
    return tuple(dict.fromkeys([*exact, *(folded[candidate] for candidate in candidates if candidate in folded)]))


def nesting_depth(value: object) -> int:
    """Return how deep arrays and objects are nested in ``value``: 0 for a scalar, 1 for ``{}``; uses no recursion.

    >>> nesting_depth({"a": [1, {"b": 2}]})
    3
    """
    depth = 0
    level = [value]
    while level:
        below: list[object] = []
        found = False
        for item in level:
            if isinstance(item, dict):
                found = True
                below.extend(item.values())
            elif isinstance(item, list | tuple):
                found = True
                below.extend(item)
        depth += found
        level = below
    return depth


def note_replaced(record: dict[str, object], faults: dict[str, str]) -> dict[str, object]:
    """Return the record with its faults (field → reason) under ``REPLACED``, or under a longer name where it has that key itself."""
    if not faults:
        return record
    key = REPLACED
    while key in record:
        key += "_"
    return record | {key: faults}


class FieldPlacer:
    """Places the fields of records, remembering which names matter for each set of keys, since few sets recur for millions of records.

    Args:
        max_nesting: deepest nesting allowed, the record itself being 1.
    """

    def __init__(self, max_nesting: int) -> None:
        self._max_nesting = max_nesting
        self._layouts: dict[tuple[tuple[str, ...], tuple[str, ...]], _Layout] = {}
        self._text_names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def text_name(self, record: dict[str, object]) -> str | None:
        """Return which key of a record holds its text: the first under a known name that is not null, or the first, if all are."""
        keys = tuple(record)
        names = self._text_names.get(keys)
        if names is None:
            if len(self._text_names) >= _MOST_LAYOUTS:
                self._text_names.clear()
            names = self._text_names[keys] = find_names(keys, FIELD_NAMES["text"])
        for name in names:
            if record[name] is not None:
                return name
        return names[0] if names else None

    def place(
        self, record: dict[str, object], exactly: Callable[[], dict[str, object]] | None = None
    ) -> PlacedFields | None:
        """Return what fills the columns, or None if the record is nested too deeply.

        Takes what it places out of ``record``, whose text must have been taken out before.

        Args:
            record: its numbers may be rounded to doubles.
            exactly: gives the same record with exact numbers; asked only where one that matters may have been rounded.
        """
        placed, is_rounded = self._place(record)
        return self._place(exactly())[0] if is_rounded and exactly is not None else placed

    def _place(self, record: dict[str, object]) -> tuple[PlacedFields | None, bool]:
        """Return what fills the columns, and whether a double may stand there in place of another number."""
        is_rounded = False
        nested: dict[str, object] = {}
        for parent in NESTED_IN:
            value = record.get(parent)
            if type(value) is dict:
                nested = value
                break
        keys = (tuple(record), tuple(nested))
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[keys] = _find_layout(*keys)
        found: list[str | None] = []
        for choices in layout:
            chosen = None
            for inside, name in choices:
                owner = nested if inside else record
                value = owner[name]
                chosen = (value or None) if type(value) is str else _scalar(value)
                if chosen is not None:
                    is_rounded = is_rounded or type(value) is float
                    del owner[name]
                    break
            found.append(chosen)
        if keys[1] and not nested:
            del record[parent]
        meta = None
        if record:
            try:
                packed = orjson.dumps(record, default=_plain, option=orjson.OPT_SORT_KEYS)
            except orjson.JSONEncodeError:
                if nesting_depth(record) > self._max_nesting:
                    return None, False
                raise
            if (
                packed.count(b"{") + packed.count(b"[") > self._max_nesting
                and nesting_depth(record) > self._max_nesting
            ):
                return None, False
            # An integer beyond 64 bits is a double of at least 2^63, and those have an exponent.
            is_rounded = is_rounded or b"e+" in packed
            meta = packed.decode()
        source, uri, collected_at, declared = found
        if uri is not None:
            uri = without_credentials(uri)
        return (source, uri, collected_at, declared, meta), is_rounded


def _find_layout(keys: tuple[str, ...], nested_keys: tuple[str, ...]) -> _Layout:
    spelt = {(False, name): name for name in keys} | {(True, name): name for name in nested_keys}
    folded = {(nested, name.lower()): name for (nested, name) in reversed(spelt)}
    layout = []
    for column in PLACED:
        wanted = [(name.startswith("."), name.removeprefix(".")) for name in FIELD_NAMES[column]]
        choices = [
            (nested, names[nested, name])
            for names in (spelt, folded)
            for nested, name in wanted
            if (nested, name) in names
        ]
        layout.append(tuple(dict.fromkeys(choices)))
    return tuple(layout)


def _scalar(value: object) -> str | None:
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return str(value)
    if type(value) is Number:
        return value.written
    return value.isoformat() if isinstance(value, datetime.date) else None


def _plain(value: object) -> str | orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(value.written)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return str(value)
