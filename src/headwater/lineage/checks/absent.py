"""The proof of a takedown: some strings and hashes stand nowhere in the bytes of a lake and its builds.

Every file below the lake is read: as its bytes; what is compressed also unpacked; of Parquet each column's values as well; the log, checkpoints,
records and files of earlier versions with all others; and the tokens of every shard as the text that they decode to. No index is asked. Memory
is that of one column of a row group, or of one sequence; time grows with the bytes and with the number of lines.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, HeadwaterError, StoreError
from headwater.lineage.builds import build_vocabulary, builds_uri, read_stage_manifest
from headwater.lineage.checks.needles import Needles
from headwater.plain import JsonObject
from headwater.tokenize.encode.encoder import decode
from headwater.tokenize.forms.load import Vocabulary
from headwater.tokenize.shards.tokens import SUFFIXES, open_tokens, suffix_of
from headwater.untrusted import UNREADABLE
from headwater.warehouse.filesystem import filesystem_of, join
from headwater.warehouse.real_files import walk_files
from headwater.warehouse.snapshot import Snapshot

__all__ = ["Absence", "search_lake"]

_BLOCK: Final = 8 << 20
_SEQUENCES: Final = 64
"""Tokens of a shard without a manifest are read in pieces of so many times 4,096."""


@dataclass(kw_only=True, slots=True)
class Absence:
    """What a search found.

    Attributes:
        lines: how many strings were looked for.
        files: files that were read, and their bytes.
        found: file relative to the lake → where in it → numbers of the lines that stand there.
        unread: file → why it could not be searched, or not to the end.
    """

    lines: int
    files: int = 0
    bytes: int = 0
    found: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def is_proof(self) -> bool:
        """Whether everything was searched and nothing was found."""
        return not self.found and not self.unread

    def plain(self) -> JsonObject:
        """Return the same as plain data."""
        return {
            "absent": self.is_proof,
            "lines": self.lines,
            "files": self.files,
            "bytes": self.bytes,
            "found": [
                {"file": path, "where": where, "lines": lines}
                for path, places in self.found.items()
                for where, lines in places.items()
            ],
            "unread": [{"file": path, "why": why} for path, why in self.unread.items()],
        }

    def note(self, path: str, where: str, lines: Iterable[int]) -> None:
        """Add what was found at a place."""
        for line in lines:
            there = self.found.setdefault(path, {}).setdefault(where, [])
            if line not in there:
                there.append(line)


def search_lake(snapshot: Snapshot, needles: Needles, progress: Callable[[int], None] | None = None) -> Absence:
    """Return where some strings and hashes stand in a lake.

    Args:
        snapshot: any version: it says by which vocabularies builds were made.
        progress: is told the bytes of each file that was read.
    """
    filesystem, root = filesystem_of(snapshot.lake)
    result = Absence(lines=needles.lines)
    vocabularies: dict[str, Vocabulary] = {}
    for file in walk_files(filesystem, root):
        if not file.regular:
            result.unread[file.path] = "a link or something else that is no file; it is not followed"
            continue
        try:
            _search_file(filesystem, join(root, file.path), file.path, needles, result)
            parts = file.path.split("/")
            if len(parts) == 4 and parts[0] == "builds" and suffix_of(parts[3]) in SUFFIXES:
                _search_tokens(
                    snapshot, parts[1], parts[2], join(root, file.path), file.path, needles, result, vocabularies
                )
        except FileNotFoundError:
            continue  # a step that runs has just renamed it, or maintain has deleted it
        except (*UNREADABLE, HeadwaterError, zlib.error, lzma.LZMAError, EOFError) as error:
            result.unread[file.path] = f"it cannot be read to its end ({type(error).__name__})"
        result.files += 1
        result.bytes += file.size
        if progress is not None:
            progress(file.size)
    return result


def _search_file(filesystem: pafs.FileSystem, place: str, path: str, needles: Needles, result: Absence) -> None:
    """Search a file's own bytes, and what they unpack to."""
    with _opened(filesystem, place) as stream:
        result.note(path, "bytes", _in_stream(stream, needles))
    unpacked = _unpacker(path)
    if unpacked is not None:
        with _opened(filesystem, place) as stream:
            result.note(path, "unpacked", _in_stream(unpacked(stream), needles))
    if path.endswith(".parquet"):
        with pq.ParquetFile(filesystem.open_input_file(place), pre_buffer=False) as file:
            _search_parquet(file, path, needles, result)


def _opened(filesystem: pafs.FileSystem, place: str) -> BinaryIO:
    return cast(BinaryIO, filesystem.open_input_stream(place, compression=None))


def _unpacker(path: str) -> Callable[[BinaryIO], BinaryIO] | None:
    """Return what unpacks a file, by the end of its name."""
    if path.endswith(".gz"):
        return lambda stream: cast(BinaryIO, gzip.GzipFile(fileobj=io.BufferedReader(cast(io.RawIOBase, stream))))
    if path.endswith(".xz"):
        return lambda stream: cast(BinaryIO, lzma.LZMAFile(stream))
    if path.endswith(".zst"):
        return lambda stream: cast(BinaryIO, pa.CompressedInputStream(stream, "zstd"))
    return None


def _in_stream(stream: BinaryIO, needles: Needles) -> set[int]:
    """Return the lines of which a form stands in a stream, read in blocks that overlap by the longest."""
    found: set[int] = set()
    held = b""
    while block := stream.read(_BLOCK):
        held += block
        found.update(needles.found_in(held))
        held = held[-(needles.longest - 1) :] if needles.longest > 1 else b""
    return found


def _search_parquet(file: pq.ParquetFile, path: str, needles: Needles, result: Absence) -> None:
    names = file.schema_arrow.names
    for group in range(file.num_row_groups):
        for name in names:
            column = file.read_row_group(group, columns=[name])[name]
            for chunk in column.chunks:
                result.note(path, f"column {name}", _in_array(chunk, needles))


def _in_array(array: pa.Array, needles: Needles) -> Iterator[int]:
    """Yield the lines that stand among an array's values, at any depth."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from _in_array(array.dictionary, needles)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        if pa.types.is_map(kind):
            yield from _in_array(array.keys, needles)
            yield from _in_array(array.items, needles)
        else:
            yield from _in_array(array.flatten(), needles)
    elif pa.types.is_struct(kind):
        for child in array.flatten():
            yield from _in_array(child, needles)
    elif (
        pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_large_binary(kind)
    ):
        yield from _in_values(array.cast(pa.large_binary()), needles)
    elif pa.types.is_int64(kind):
        yield from needles.among(array.drop_null().to_numpy())


def _in_values(array: pa.Array, needles: Needles) -> Iterator[int]:
    """Yield the lines of which a form stands within one value; what two neighbours make together does not count."""
    _, ends, data = array.buffers()
    if data is None or not len(array):
        return
    offsets = np.frombuffer(ends, np.int64, len(array) + 1, array.offset * 8)
    held = data.slice(int(offsets[0]), int(offsets[-1] - offsets[0])).to_pybytes()
    offsets = offsets - offsets[0]
    for form, line in needles.forms.items():
        at = held.find(form)
        while at >= 0:
            value = int(np.searchsorted(offsets, at, side="right")) - 1
            if at + len(form) <= offsets[value + 1]:
                yield line
                break
            at = held.find(form, at + 1)


def _search_tokens(
    snapshot: Snapshot,
    build: str,
    stage: str,
    place: str,
    path: str,
    needles: Needles,
    result: Absence,
    vocabularies: dict[str, Vocabulary],
) -> None:
    """Search the text that the tokens of a shard stand for."""
    if build not in vocabularies:
        vocabularies[build] = build_vocabulary(snapshot, snapshot.lake, build)
    filesystem, _ = filesystem_of(builds_uri(snapshot.lake, build, stage))
    try:
        context = read_stage_manifest(snapshot.lake, build, stage).context
    except StoreError:
        raise
    except HeadwaterError:
        context = 4096 * _SEQUENCES  # not finished: sequences are told apart by their ends of text alone
    tokens = open_tokens(filesystem, place)
    for begin in range(0, tokens.n_tokens, context):
        ids = tokens.read(begin, min(begin + context, tokens.n_tokens))
        result.note(path, "decoded tokens", _in_sequence(ids, vocabularies[build], needles))


def _in_sequence(ids: npt.NDArray[np.uint32], vocabulary: Vocabulary, needles: Needles) -> set[int]:
    """Return the lines that stand in a sequence, or of which at least half stands where a document is cut.

    A document is cut where a sequence ends, and goes on where another begins, or after a document that ends there: at an end of a stretch without
    special tokens. Of a string that a cut goes through, one side has half.
    """
    if ids.size and int(ids.max()) >= vocabulary.model_size:
        raise CorruptLakeError("expected ids of the build's vocabulary in its shard, found others; run verify")
    special = np.flatnonzero(ids >= vocabulary.n_ids)
    found: set[int] = set()
    begin = 0
    for end in [*special.tolist(), len(ids)]:
        if end > begin:
            text = decode(ids[begin:end], vocabulary)
            for needle, line in needles.texts.items():
                if line not in found and (needle in text or _is_cut(text, needle)):
                    found.add(line)
        begin = end + 1
    return found


def _is_cut(text: bytes, needle: bytes) -> bool:
    """Return whether a text ends in at least half of a string's beginning, or begins with at least half of its end.

    >>> _is_cut(b"they met: canary-1", b"canary-12345"), _is_cut(b"they met: can", b"canary-12345")
    (True, False)
    """
    half = (len(needle) + 1) // 2
    if len(text) < half:
        return False
    tail, head = text[-len(needle) :], text[: len(needle)]
    at = tail.find(needle[:half])
    while at >= 0:
        if needle.startswith(tail[at:]):
            return True
        at = tail.find(needle[:half], at + 1)
    at = head.find(needle[-half:])
    while at >= 0:
        if needle.endswith(head[: at + half]):
            return True
        at = head.find(needle[-half:], at + 1)
    return False
