"""Evaluation items: read from files of benchmarks and handed to the lake as evaluation sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from headwater.errors import BadInputError, UsageError
from headwater.filters.contamination.items import Item, ItemFields, make_item
from headwater.lineage.evaluation_sets import StoredSet, store_set
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.inputs import list_inputs
from headwater.pipelines.ingest.json_lines import read_objects
from headwater.pipelines.ingest.refusals import REASONS

__all__ = ["add_benchmarks", "read_items"]

_SUFFIXES: Final = re.compile(r"(\.(jsonl|json|ndjson|zst|zstd|gz|bz2|xz))+$")
_MOST_ITEMS: Final = 1_000_000


def read_items(uri: str, fields: ItemFields, limits: Limits | None = None) -> tuple[Item, ...]:
    """Return the items of a JSON Lines file, plain or compressed.

    Raises:
        BadInputError: damaged, not JSON Lines, a record without a question, no item at all, or more than a million; an evaluation set is
            used whole or not at all.
        StorageError: the file cannot be read.
    """
    items: list[Item] = []
    for number, record in _records(uri, limits or Limits()):
        try:
            items.append(make_item(record, number, fields))
        except BadInputError as error:
            raise BadInputError(f"{uri}: record {number}: {error}", error.reason) from None
        if len(items) > _MOST_ITEMS:
            raise BadInputError(f"{uri}: expected at most {_MOST_ITEMS} items, found more; split the set", "too_many")
    if not items:
        raise BadInputError(f"{uri}: expected evaluation items as JSON Lines, found none", "no_items")
    names = [item.name for item in items]
    if len(set(names)) < len(names):  # ids that are not ids of items: their numbers tell them apart
        items = [Item(name=str(i), question=x.question, answers=x.answers, known=x.known) for i, x in enumerate(items)]
    return tuple(items)


def _records(uri: str, limits: Limits) -> Iterator[tuple[int, dict[str, object]]]:
    for number, record in read_objects(uri, limits):
        if not isinstance(record, str):
            yield number, record
        elif record == "record_too_large":
            raise BadInputError(f"{uri}: line {number + 1} is longer than {limits.max_record_bytes} bytes", "too_large")
        else:
            raise BadInputError(
                f"{uri}: line {number + 1}: expected a JSON object, found {record}: {REASONS[record]}", record
            )


def add_benchmarks(
    lake: str, paths: Sequence[str], fields: ItemFields | None = None, name: str | None = None
) -> list[StoredSet]:
    """Store each file as an evaluation set and return what was stored, in the order of the files.

    A set is named after its file. One that the lake has already, with the same items, is left alone; other items of the same name replace it.

    Args:
        paths: files and folders of JSON Lines files.
        fields: which fields are question and answer; by default the known names.
        name: of the set, where there is one file.

    Raises:
        BadInputError: see ``read_items``; sets of earlier files are stored then.
        UsageError: no file, two files that give one name, or a name that cannot be one.
    """
    files = [file.uri for file in list_inputs(paths)]
    if name is not None and len(files) != 1:
        raise UsageError(
            f"--name: expected one file with it, found {len(files)}: leave it out, sets are named after files"
        )
    names = [_check_name(name) if name is not None else _name_of(uri) for uri in files]
    for each in names:
        if names.count(each) > 1:
            raise UsageError(
                f"expected files of different names, found {each!r} more than once; add them one by one with --name"
            )
    return [
        store_set(lake, each, read_items(uri, fields or ItemFields())) for each, uri in zip(names, files, strict=True)
    ]


def _name_of(uri: str) -> str:
    return _check_name(re.sub(r"[^a-z0-9_.-]", "_", _SUFFIXES.sub("", PurePosixPath(uri).name.lower())))


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,62}", name):
        raise UsageError(
            f"expected a name of a-z, 0-9, _, . and - for an evaluation set, found {name!r}; give one with --name"
        )
    return name
