"""Evaluation sets of a lake: stored beside the table, chosen by a recipe, indexed once in each worker.

A set is stored as ``<lake>/benchmarks/<name>-<SHA-256>.jsonl.zst``: a line that describes it, then a line an item. The SHA-256 is that of
the lines, so the same items always have the same name, and the fingerprint of family ``contamination`` names exactly what was looked for.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa
from pyarrow import fs as pafs

from headwater.errors import BadInputError, CorruptLakeError, RecipeError, nearest, one_line, raise_of_file_system
from headwater.filters.contamination.index import ContaminationIndex, ItemSet, Matchable, build_index
from headwater.filters.contamination.items import Item
from headwater.untrusted import UNREADABLE
from headwater.warehouse.filesystem import delete_file, filesystem_of, join, write_file
from headwater.warehouse.real_files import refuse_links

__all__ = [
    "EVERY_SET",
    "FORMAT",
    "StoredSet",
    "chosen_sets",
    "count_matchable",
    "list_benchmarks",
    "load_benchmark",
    "load_index",
    "store_set",
]

FORMAT: Final = 1
"""Version of the stored file; readers accept exactly this one."""
EVERY_SET: Final = "*"
"""Stands in a recipe for all sets of the lake."""

MOST_BYTES: Final = 1 << 28
"""Most bytes of a set's lines, which a worker holds while it makes the index."""
_BLOCK_BYTES: Final = 1 << 20
_FOLDER: Final = "benchmarks"
_STORED: Final = re.compile(r"(?P<name>[a-z0-9][a-z0-9_.-]*)-(?P<sha256>[0-9a-f]{64})\.jsonl\.zst")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSet:
    """An evaluation set of a lake: its name, the SHA-256 of its lines, and its file."""

    name: str
    sha256: str
    uri: str


def store_set(lake: str, name: str, items: Sequence[Item]) -> StoredSet:
    """Store an evaluation set and return it; one with the same items is left alone, one with others is replaced."""
    head = {"format": FORMAT, "name": name, "items": len(items)}
    lines = [
        head,
        *({"item": i.name, "question": i.question, "answers": list(i.answers), "known": i.known} for i in items),
    ]
    data = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    if len(data) > MOST_BYTES:
        raise BadInputError(
            f"expected at most {MOST_BYTES:,} bytes of items in set {name}, found {len(data):,}; split the set"
        )
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"{name}-{sha256}.jsonl.zst"
    known = {found.sha256: found for found in list_benchmarks(lake) if found.name == name}
    if sha256 not in known:
        compressed = pa.Codec("zstd", compression_level=9).compress(data, asbytes=True)
        write_file(join(lake, _FOLDER), file, compressed, root=lake)
    for other, found in known.items():
        if other != sha256:
            filesystem, path = filesystem_of(found.uri)
            refuse_links(filesystem, filesystem_of(lake)[1], path)
            delete_file(filesystem, path)
    return StoredSet(name=name, sha256=sha256, uri=join(lake, _FOLDER, file))


def list_benchmarks(lake: str) -> list[StoredSet]:
    """Return the evaluation sets of a lake, by name."""
    folder = join(lake, _FOLDER)
    filesystem, path = filesystem_of(folder)
    entries = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    matches = [match for entry in entries if (match := _STORED.fullmatch(entry.base_name))]
    found = [StoredSet(name=m["name"], sha256=m["sha256"], uri=join(folder, m.string)) for m in matches]
    return sorted(found, key=lambda each: (each.name, each.sha256))


def load_benchmark(stored: StoredSet) -> ItemSet:
    """Return the items of a stored set.

    Raises:
        CorruptLakeError: the file is gone, or is not what was stored.
    """
    filesystem, path = filesystem_of(stored.uri)
    try:
        with filesystem.open_input_stream(path, compression="zstd") as stream:
            blocks, unpacked = [], 0
            while block := stream.read(_BLOCK_BYTES):
                blocks.append(block)
                unpacked += len(block)
                if unpacked > MOST_BYTES:
                    raise ValueError(f"more than {MOST_BYTES:,} bytes when unpacked")
    except FileNotFoundError as error:
        raise CorruptLakeError(
            one_line(f"cannot read {stored.uri}: {error}; add the set again: headwater benchmarks add")
        ) from None
    except UNREADABLE as error:
        raise_of_file_system(error, stored.uri)
        raise CorruptLakeError(
            one_line(f"cannot read {stored.uri}: {error}; add the set again: headwater benchmarks add")
        ) from None
    data = b"".join(blocks)
    del blocks
    if hashlib.sha256(data).hexdigest() != stored.sha256:
        raise CorruptLakeError(
            f"{stored.uri} is not what was stored; delete it and add the set again: headwater benchmarks add"
        )
    try:
        return ItemSet(name=stored.name, items=tuple(_items(data, stored.uri)))
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptLakeError(
            one_line(
                f"expected evaluation items in {stored.uri}, found other content: {error}; add the set again: headwater benchmarks add"
            )
        ) from None


def _items(data: bytes, uri: str) -> Iterator[Item]:
    """Yield the items of a set's lines; what is none is a ValueError, KeyError or TypeError."""
    lines = io.BytesIO(data)
    head = orjson.loads(lines.readline())
    if not isinstance(head, dict) or head["format"] != FORMAT:
        found = head.get("format") if isinstance(head, dict) else None
        raise CorruptLakeError(
            one_line(f"expected format {FORMAT} in {uri}, found {found!r}; use the release that wrote it")
        )
    for line in lines:
        match orjson.loads(line):
            case {
                "item": str(name),
                "question": str(question),
                "answers": [*answers],
                "known": bool(known),
            } if all(isinstance(answer, str) for answer in answers):
                yield Item(name=name, question=question, answers=tuple(answers), known=known)
            case _:
                raise ValueError("a line that is no item")


def chosen_sets(lake: str, names: Sequence[str]) -> tuple[StoredSet, ...]:
    """Return the sets of a lake that a recipe names, by name; none where it names none.

    Raises:
        RecipeError: a set is not in the lake, or is there twice since an ``add`` was killed.
    """
    if not names:
        return ()
    there: dict[str, StoredSet] = {}
    for stored in list_benchmarks(lake):
        if stored.name in there:
            raise RecipeError(
                f"expected one evaluation set {stored.name} in {lake}, found two; run headwater benchmarks add again"
            )
        there[stored.name] = stored
    wanted = sorted(there) if EVERY_SET in names else sorted(names)
    for name in wanted:
        if name not in there:
            raise RecipeError(
                f"contamination.sets: expected the evaluation set {name!r} in {lake}, found none of that name; "
                f"{nearest(name, there)}; run headwater benchmarks add {lake} FILE first"
            )
    return tuple(there[name] for name in wanted)


@functools.lru_cache(maxsize=2)
def load_index(sets: tuple[StoredSet, ...], ngram_words: int) -> ContaminationIndex:
    """Return the index of some sets, made once a process."""
    return build_index([load_benchmark(stored) for stored in sets], ngram_words)


def count_matchable(sets: Sequence[StoredSet], ngram_words: int = 13) -> Mapping[str, Matchable]:
    """Return for each set how many of its items can be found, and how."""
    return load_index(tuple(sets), ngram_words).matchable
