"""Reads a supervised fastText model (``.bin``, or quantised ``.ftz``) into arrays that a kernel can walk.

The file, little-endian, version 12 (fastText 0.9, the source of the facts below):

    magic int32, version int32
    dim ws epoch minCount neg wordNgrams loss model bucket minn maxn lrUpdateRate: int32 each; t: float64
    size nwords nlabels: int32; ntokens pruneidx_size: int64
    size entries: bytes up to NUL, count int64, kind int8 (0 word, 1 label)
    pruneidx_size pairs int32 (bucket, index): the buckets of n-grams that quantisation left; -1 stands for "all are left"
    quantised bool, input matrix, output quantised bool, output matrix

A dense matrix is ``rows int64, columns int64, float32…``. A quantised one is ``has_norm bool, rows int64, columns int64, size int32,
codes uint8…, product quantiser [, norm codes uint8…, product quantiser]``: row i is the concatenation of the centroids that its codes
name, times its norm. A product quantiser is ``dim nsubq dsub lastdsub: int32`` and ``dim * 256`` float32.

Rows are unpacked once when the model is loaded: 50,000 rows of 16 are 3.2 MB for lid.176. The products are the same float32 that
fastText computes while it predicts, so nothing is lost.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from headwater.errors import BadInputError, MissingDependencyError

__all__ = ["FastTextModel", "read_model"]

_MAGIC = 793712314
_VERSION = 12
_HIERARCHICAL_SOFTMAX = 1
_SUPERVISED = 3
_ROW_ALIGNMENT = 8
_LABEL_PREFIX = "__label__"
_LARGEST = 1e6  # of a trained vector; keeps every sum and product of the kernel finite
_UNSEEN = 10**15  # weight of a node of the tree that is not made yet


@dataclass(frozen=True, kw_only=True, slots=True)
class FastTextModel:
    """A supervised fastText model with hierarchical softmax, unpacked.

    Attributes:
        sha256: of the model file, hexadecimal.
        labels: label names without their prefix, in the model's order.
        words: the vocabulary as bytes; the position is the id and the row.
        prefix: what marks a token as a label and not a word.
        dim: columns that mean something.
        rows: input vectors, float32 (nwords + buckets left, dim rounded up to a multiple of 8; the rest is zero).
        output: float32 (nlabels, dim rounded up likewise): one vector an inner node of the tree.
        bucket: number of n-gram buckets before pruning.
        bucket_rows: int32 (bucket,): row of each bucket, -1 for a pruned one.
        min_ngram: shortest character n-gram, with its ``<`` and ``>``.
        max_ngram: longest.
        children: int32 (2 * nlabels - 1, 2): left and right child of each node of the tree, -1 for a leaf;
            leaves come first, the root last.
    """

    sha256: str
    labels: tuple[str, ...]
    words: tuple[bytes, ...]
    prefix: bytes
    dim: int
    rows: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]
    bucket: int
    bucket_rows: npt.NDArray[np.int32]
    min_ngram: int
    max_ngram: int
    children: npt.NDArray[np.int32]


class _Reader:
    """Reads from bytes, never past their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def values(self, layout: str) -> tuple[int, ...]:
        size = struct.calcsize("<" + layout)
        return struct.unpack("<" + layout, self._take(size))

    def array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        if count < 0:
            raise ValueError(f"a count of {count}")
        return np.frombuffer(self._take(count * np.dtype(dtype).itemsize), dtype=dtype)

    def string(self) -> bytes:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise ValueError("a name without end")
        text = self._data[self._at : end]
        self._at = end + 1
        return text

    def finish(self) -> None:
        if self._at != len(self._data):
            raise ValueError(f"{len(self._data) - self._at} bytes after the end")

    def _take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise ValueError(f"{size} bytes wanted at byte {self._at} of {len(self._data)}")
        self._at += size
        return self._data[self._at - size : self._at]


def read_model(path: str | Path) -> FastTextModel:
    """The model in the file ``path``.

    Raises:
        MissingDependencyError: there is no such file.
        BadInputError: the file is not a fastText model, is cut or damaged, or is of a kind that is not supported: only
            supervised models with hierarchical softmax and without word n-grams are.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise MissingDependencyError(
            f"expected a fastText model at {path}, found no file; give the path of lid.176.ftz"
        ) from error
    try:
        return _parse(data)
    except (ValueError, IndexError, MemoryError, OverflowError) as error:
        raise BadInputError(
            f"expected a supervised fastText model with hierarchical softmax at {path}, found: {error}; fetch the file again",
            reason="bad_model",
        ) from error


def _parse(data: bytes) -> FastTextModel:
    reader = _Reader(data)
    magic, version = reader.values("2i")
    if (magic, version) != (_MAGIC, _VERSION):
        raise ValueError(f"magic {magic}, version {version} instead of {_MAGIC}, {_VERSION}")
    dim, _, _, _, _, word_ngrams, loss, kind, bucket, min_ngram, max_ngram, _ = reader.values("12i")
    reader.values("d")
    if loss != _HIERARCHICAL_SOFTMAX or kind != _SUPERVISED or word_ngrams > 1:
        raise ValueError(f"loss {loss}, kind {kind}, word n-grams {word_ngrams}")
    if not (0 < dim <= 4096 and 0 <= bucket <= 1 << 28 and 0 <= min_ngram <= 32 and 0 <= max_ngram <= 32):
        raise ValueError(f"dim {dim}, bucket {bucket}, n-grams {min_ngram} to {max_ngram}")

    size, n_words, n_labels, _, n_pruned = reader.values("3i2q")
    if n_words < 0 or n_labels < 1 or size != n_words + n_labels:
        raise ValueError(f"{size} entries, {n_words} words, {n_labels} labels")
    names: list[bytes] = []
    counts: list[int] = []
    for entry in range(size):
        names.append(reader.string())
        count, entry_kind = reader.values("qb")
        if entry_kind != (entry >= n_words):
            raise ValueError(f"entry {entry} has kind {entry_kind}")
        counts.append(count)
    pairs = reader.array("<i4", 2 * max(n_pruned, 0)).reshape(-1, 2)

    (quantised,) = reader.values("?")
    rows = _read_matrix(reader, quantised=bool(quantised), columns=dim)
    (output_quantised,) = reader.values("?")
    output = _read_matrix(reader, quantised=bool(quantised and output_quantised), columns=dim)
    reader.finish()
    if len(output) != n_labels:
        raise ValueError(f"{len(output)} output rows for {n_labels} labels")

    return FastTextModel(
        sha256=hashlib.sha256(data).hexdigest(),
        labels=tuple(name.decode().removeprefix(_LABEL_PREFIX) for name in names[n_words:]),
        words=tuple(names[:n_words]),
        prefix=_LABEL_PREFIX.encode(),
        dim=dim,
        rows=rows,
        output=output,
        bucket=bucket,
        bucket_rows=_map_buckets(bucket, n_words, len(rows), pairs, n_pruned),
        min_ngram=min_ngram,
        max_ngram=max_ngram,
        children=_build_tree(counts[n_words:]),
    )


def _read_matrix(reader: _Reader, *, quantised: bool, columns: int) -> npt.NDArray[np.float32]:
    """The next matrix, its columns padded with zeros."""
    if not quantised:
        n_rows, n_columns = reader.values("2q")
        matrix = reader.array("<f4", n_rows * n_columns).reshape(n_rows, n_columns)
    else:
        has_norm, n_rows, n_columns, n_codes = reader.values("?2qi")
        codes = reader.array("u1", n_codes)
        matrix = _read_centroids(reader, codes, n_rows)
        if has_norm:
            norm_codes = reader.array("u1", n_rows)
            norms = _read_centroids(reader, norm_codes, n_rows)[:, :1]
            with np.errstate(over="ignore", invalid="ignore"):  # in a damaged file; refused below
                matrix = matrix * norms
    if matrix.shape[1] != columns or n_columns != columns:
        raise ValueError(f"a matrix of {n_columns} columns instead of {columns}")
    if not (np.abs(matrix) <= _LARGEST).all():
        raise ValueError("a number in a matrix that is not finite or absurdly large")
    padded = np.zeros((n_rows, -(-columns // _ROW_ALIGNMENT) * _ROW_ALIGNMENT), dtype=np.float32)
    padded[:, :columns] = matrix
    return padded


def _read_centroids(reader: _Reader, codes: npt.NDArray[np.generic], n_rows: int) -> npt.NDArray[np.float32]:
    """The rows that ``codes`` (n_rows * nsubq) name in the product quantiser that comes next in the file."""
    dim, n_parts, part_dim, last_dim = reader.values("4i")
    centroids = reader.array("<f4", dim * 256)
    if n_parts < 1 or part_dim < 1 or (n_parts - 1) * part_dim + last_dim != dim or len(codes) != n_rows * n_parts:
        raise ValueError(f"a product quantiser of {n_parts} parts and {len(codes)} codes for {n_rows} rows")
    by_part = codes.reshape(n_rows, n_parts)
    parts = []
    for part in range(n_parts):
        width = part_dim if part < n_parts - 1 else last_dim
        table = centroids[part * 256 * part_dim :][: 256 * width].reshape(256, width)
        parts.append(table[by_part[:, part]])
    return np.concatenate(parts, axis=1).astype(np.float32)


def _map_buckets(
    bucket: int, n_words: int, n_rows: int, pairs: npt.NDArray[np.generic], n_pruned: int
) -> npt.NDArray[np.int32]:
    """The row of each n-gram bucket; -1 where pruning removed it."""
    if n_pruned < 0:
        if n_rows < n_words + bucket:
            raise ValueError(f"{n_rows} rows for {n_words} words and {bucket} buckets")
        return np.arange(n_words, n_words + bucket, dtype=np.int32)
    bucket_rows = np.full(bucket, -1, dtype=np.int32)
    sources, targets = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    if len(pairs) and (sources.min() < 0 or targets.min() < 0 or n_words + int(targets.max()) >= n_rows):
        raise ValueError("a pruned bucket outside the matrix")
    if n_rows < n_words:
        raise ValueError(f"{n_rows} rows for {n_words} words")
    bucket_rows[sources] = n_words + targets
    return bucket_rows


def _build_tree(counts: list[int]) -> npt.NDArray[np.int32]:
    """Children of each node of the Huffman tree over labels that are sorted by falling count, as fastText builds it.

    Ties go to the inner node. Worked example, three labels counted 5, 2, 1: node 3 joins labels 2 and 1, node 4 joins 3 and 0.

    >>> _build_tree([5, 2, 1]).tolist()
    [[-1, -1], [-1, -1], [-1, -1], [2, 1], [3, 0]]
    """
    n_labels = len(counts)
    if not all(0 <= count < _UNSEEN for count in counts):
        raise ValueError("a label's count that is negative or absurdly large")
    weights = counts + [_UNSEEN] * (n_labels - 1)
    children = np.full((2 * n_labels - 1, 2), -1, dtype=np.int32)
    leaf, node = n_labels - 1, n_labels
    for parent in range(n_labels, 2 * n_labels - 1):
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[parent, side] = leaf
                leaf -= 1
            else:
                children[parent, side] = node
                node += 1
        weights[parent] = weights[children[parent, 0]] + weights[children[parent, 1]]
    return children
