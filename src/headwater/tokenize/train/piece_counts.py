"""Counts of pieces: what the trainer of a vocabulary reads in place of text.

A *piece* is what the pre-tokenizer cuts (`grammar.py`); no token crosses its borders, so text is its distinct pieces with
how often each occurs. Beside its count a piece keeps the smallest hashes of the sources and documents it stands in, so
that the trainer can decide for any token, exactly, whether it stands in enough of them: the smallest 50 of a union are
found in the union of the smallest 50 of each part, and a set below its cap is complete.

    language  string             a language, or any other stratum that a weight is given to
    piece     large_binary       at most 256 bytes: longer ones are counted in parts that end with a character
    count     int64              occurrences
    sources   large_list<int64>  the 3 smallest distinct hashes of source names, ascending
    documents large_list<int64>  the 50 smallest distinct hashes of document ids, ascending
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.buffers import byte_buffers
from headwater.errors import BadInputError
from headwater.tokenize.encode.grammar import character_classes
from headwater.tokenize.names import MAX_DOCUMENTS, MAX_SOURCES
from headwater.tokenize.train import piece_kernels as kernels

__all__ = ["MAX_PIECE_BYTES", "SCHEMA", "bin_pieces", "count_pieces", "merge_counts"]

MAX_PIECE_BYTES: Final = 256
SCHEMA: Final = pa.schema(
    [
        pa.field("language", pa.string()),
        pa.field("piece", pa.large_binary()),
        pa.field("count", pa.int64()),
        pa.field("sources", pa.large_list(pa.int64())),
        pa.field("documents", pa.large_list(pa.int64())),
    ]
)


def count_pieces(
    texts: pa.Array, documents: pa.Array, sources: pa.Array, languages: pa.Array,
    cut: Callable[[str], Iterable[bytes]] | None = None,
) -> pa.Table:  # fmt: skip
    """Return the counts of one batch of documents, a row for each language and piece, in no stated order.

    Args:
        texts: string or large_string [n]; all columns may be chunked.
        documents: string or binary [n], ids; two rows of one id are one document.
        sources: string [n].
        languages: string [n], or finer strata.
        cut: the pieces of a text under another pre-tokenizer; slower by far (some 0.3 MB/s). Default: Headwater's.

    Raises:
        BadInputError: a null.
    """
    columns = [_whole(column) for column in (texts, documents, sources, languages)]
    for name, column in zip(("texts", "documents", "sources", "languages"), columns, strict=True):
        if column.null_count:
            raise BadInputError(f"count pieces: expected no nulls in {name}, found {column.null_count}")
    strata = columns[3].dictionary_encode()
    document_hashes, source_hashes = _hash(columns[1]), _hash(columns[2])
    stratum_codes = strata.indices.to_numpy().astype(np.int32)
    classes = character_classes()
    if cut is not None:
        return _count_cut(columns[0], document_hashes, source_hashes, columns[3], cut)
    text, offsets = byte_buffers(columns[0])
    order = np.argsort(document_hashes, kind="stable")
    caps = (MAX_PIECE_BYTES, MAX_SOURCES, MAX_DOCUMENTS)
    arguments = (text, offsets, order, stratum_codes, document_hashes, source_hashes, classes, *caps)
    rows, event_rows, event_documents = kernels.count_batch(*arguments)
    n_documents = rows[:, kernels.N_DOCUMENTS]
    found_sources = rows[:, kernels.SOURCES :]
    is_source = np.arange(MAX_SOURCES)[None, :] < rows[:, kernels.N_SOURCES, None]
    return _table(
        strata.dictionary.take(pa.array(rows[:, kernels.STRATUM])),
        (_offsets(rows[:, kernels.LENGTH]), kernels.copy_pieces(text, rows[:, kernels.BEGIN], rows[:, kernels.LENGTH])),
        rows[:, kernels.COUNT],
        (_offsets(rows[:, kernels.N_SOURCES]), found_sources[is_source]),
        (_offsets(n_documents), kernels.order_events(n_documents, event_rows, event_documents)),
    )


def merge_counts(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the counts of all tables together, in the order of language and piece: the same whatever their order.

    Memory: the tables and some 60 bytes a row, then the result.

    >>> texts, names = pa.array(["a a a", "a"]), pa.array(["x", "y"])
    >>> merged = merge_counts([count_pieces(texts, names, names, pa.array(["en", "en"]))])
    >>> merged["piece"].to_pylist(), merged["count"].to_pylist(), [len(found) for found in merged["sources"].to_pylist()]
    ([b' a', b'a'], [2, 2], [1, 2])
    """
    table = pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks()
    if not len(table):
        return table
    language, piece, count, sources, documents = (_whole(column) for column in table.columns)
    strata = language.dictionary_encode()
    text, offsets = byte_buffers(piece)
    groups, n_groups = kernels.group_rows(text, offsets, strata.indices.to_numpy().astype(np.int32))
    first = np.empty(n_groups, dtype=np.int64)
    first[groups[::-1]] = np.arange(len(groups) - 1, -1, -1)
    keys = pa.table({"language": language.take(pa.array(first)), "piece": piece.take(pa.array(first))})
    ranked = pc.sort_indices(keys, [("language", "ascending"), ("piece", "ascending")]).to_numpy()
    rank = np.empty(n_groups, dtype=np.int32)
    rank[ranked] = np.arange(n_groups, dtype=np.int32)
    groups = rank[groups]
    order = np.argsort(groups, kind="stable")
    counts = np.zeros(n_groups, dtype=np.int64)
    np.add.at(counts, groups, count.to_numpy())
    keys = keys.take(pa.array(ranked)).combine_chunks()
    lists = [
        kernels.merge_lists(order, groups, n_groups, *_list_buffers(column), cap)
        for column, cap in ((sources, MAX_SOURCES), (documents, MAX_DOCUMENTS))
    ]
    pieces = byte_buffers(_whole(keys["piece"]))
    return _table(_whole(keys["language"]), (pieces[1], pieces[0]), counts, lists[0], lists[1])


def bin_pieces(pieces: pa.Array | pa.ChunkedArray, bins: int) -> npt.NDArray[np.int64]:
    """Return int64 [n], a bin from 0 to `bins` - 1 for each piece; the same piece has the same bin everywhere."""
    return kernels.bins_of_pieces(*byte_buffers(pieces), bins)


def _count_cut(
    texts: pa.Array, documents: npt.NDArray[np.int64], sources: npt.NDArray[np.int64], languages: pa.Array,
    cut: Callable[[str], Iterable[bytes]],
) -> pa.Table:  # fmt: skip
    """Return what `count_pieces` does for pieces that a function cuts."""
    found: dict[tuple[str, bytes], tuple[list[int], set[int], set[int]]] = {}
    for text, document, source, language in zip(
        texts.to_pylist(), documents.tolist(), sources.tolist(), languages.to_pylist(), strict=True
    ):
        for piece in cut(text):
            for part in _parts(piece):
                counted, of_sources, of_documents = found.setdefault((language, part), ([0], set(), set()))
                counted[0] += 1
                of_sources.add(source)
                of_documents.add(document)
    source_lists = [sorted(row[1])[:MAX_SOURCES] for row in found.values()]
    document_lists = [sorted(row[2])[:MAX_DOCUMENTS] for row in found.values()]
    languages_of, pieces = [key[0] for key in found], [key[1] for key in found]
    counts = [row[0][0] for row in found.values()]
    return pa.table([languages_of, pieces, counts, source_lists, document_lists], schema=SCHEMA)


def _parts(piece: bytes) -> Iterable[bytes]:
    begin = 0
    while len(piece) - begin > MAX_PIECE_BYTES:
        end = begin + MAX_PIECE_BYTES
        while piece[end] & 0xC0 == 0x80 and end > begin + MAX_PIECE_BYTES - 4:
            end -= 1
        yield piece[begin:end]
        begin = end
    yield piece[begin:]


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return (
            column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays([pa.array([], column.type), *column.chunks])
        )
    return column


def _hash(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return the first 8 bytes of the BLAKE2b of each value."""
    coded = column.dictionary_encode()
    values = [value.encode() if isinstance(value, str) else bytes(value) for value in coded.dictionary.to_pylist()]
    hashes = b"".join(hashlib.blake2b(value, digest_size=8).digest() for value in values)
    return np.frombuffer(hashes, dtype="<i8").astype(np.int64)[coded.indices.to_numpy()]


def _list_buffers(column: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return column.offsets.to_numpy(), column.values.to_numpy()


def _offsets(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])


def _table(
    languages: pa.Array, pieces: tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]], counts: npt.NDArray[np.int64],
    *lists: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> pa.Table:  # fmt: skip
    offsets, data = pieces
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(np.ascontiguousarray(data))]
    piece = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(counts), buffers)
    found = [pa.LargeListArray.from_arrays(pa.array(at), pa.array(values)) for at, values in lists]
    return pa.table([languages, piece, pa.array(np.ascontiguousarray(counts)), *found], schema=SCHEMA)
