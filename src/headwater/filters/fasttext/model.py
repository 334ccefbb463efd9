"""Reads a supervised fastText model (``.bin``, or quantised ``.ftz``) into arrays that a kernel can walk.

The file, little-endian, version 12 (fastText 0.9, the source of the facts below) or 11, whose supervised models have no character
n-grams whatever it says:

    magic int32, version int32
    dim ws epoch minCount neg wordNgrams loss model bucket minn maxn lrUpdateRate: int32 each; t: float64
    size nwords nlabels: int32; ntokens pruneidx_size: int64
    size entries: bytes up to NUL, count int64, kind int8 (0 word, 1 label)
    pruneidx_size pairs int32 (bucket, index): the buckets of n-grams that quantisation left; -1 stands for "all are left"
    quantised bool, input matrix, output quantised bool, output matrix (``headwater.filters.fasttext.file``)

The losses: 1 hierarchical softmax, 2 negative sampling, 3 softmax, 4 one against all.

Rows are unpacked once when the model is loaded. The products are the same float32 that fastText computes while it predicts, so nothing
is lost. The cost is 4 bytes a row and column: 50,000 rows of 16 are 3.2 MB for lid.176; a dense model of 2 million buckets and 100
columns takes the 830 MB that it has in the file and no second copy, a quantised one of that shape as much, several times its file. The
vocabulary is a tuple of Python's bytes and read in a Python loop: time and memory grow with the number of words.

The file does not say by which prefix its labels were told from words; ``__label__`` is cut off, any other stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from headwater.errors import BadInputError, MissingDependencyError
from headwater.filters.fasttext.file import ModelFile

__all__ = [
    "HIERARCHICAL_SOFTMAX",
    "NEGATIVE_SAMPLING",
    "ONE_VS_ALL",
    "SOFTMAX",
    "FastTextModel",
    "read_model",
    "read_model_stream",
]

HIERARCHICAL_SOFTMAX = 1
NEGATIVE_SAMPLING = 2
SOFTMAX = 3
ONE_VS_ALL = 4

_MAGIC = 793712314
_VERSION = 12
_VERSION_WITHOUT_SUBWORDS = 11
_SUPERVISED = 3
_LABEL_PREFIX = b"__label__"
_MAX_WORD_NGRAMS = 64
_MAX_PRUNED_BUCKETS = (
    1 << 25
)  # before pruning; fastText's default is 2 million. Each takes four bytes whether it was left or not
_MAX_SUBWORDS = 1 << 26  # of all words of any file; a larger one may have as many as it has words of four bytes
_UNSEEN = 10**15  # weight of a node of the tree that is not made yet


@dataclass(frozen=True, kw_only=True, slots=True)
class FastTextModel:
    """A supervised fastText model, unpacked.

    Attributes:
        sha256: of the model file, hexadecimal.
        loss: which loss it was trained with, which decides how probabilities come about.
        labels: label names without their prefix, in the model's order.
        words: the vocabulary as bytes; the position is the id and the row.
        label_tokens: the labels as bytes, with their prefix: tokens of a text that count for nothing.
        prefix: what marks a token as a label even if the model does not know it.
        dim: columns that mean something.
        rows: input vectors, float32 (nwords + buckets left, dim rounded up to a multiple of 8; the rest is zero).
        output: float32 (nlabels, dim rounded up likewise): one vector a label, or an inner node of the tree.
        output_norms: float32 (nlabels,): what a product with a row of ``output`` is multiplied with, 1 unless it was quantised with norms.
        bucket: number of n-gram buckets before pruning.
        bucket_rows: int32 (bucket,): row of each bucket, -1 for a pruned one; (0,) if none was pruned and they follow the words in order.
        min_ngram: shortest character n-gram, with its ``<`` and ``>``.
        max_ngram: longest; 0 for none.
        word_ngrams: longest word n-gram; 1 for none.
        children: int32 (2 * nlabels - 1, 2): left and right child of each node of the tree, -1 for a leaf;
            leaves come first, the root last. Without hierarchical softmax (0, 2).
    """

    sha256: str
    loss: int
    labels: tuple[str, ...]
    words: tuple[bytes, ...]
    label_tokens: tuple[bytes, ...]
    prefix: bytes
    dim: int
    rows: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]
    output_norms: npt.NDArray[np.float32]
    bucket: int
    bucket_rows: npt.NDArray[np.int32]
    min_ngram: int
    max_ngram: int
    word_ngrams: int
    children: npt.NDArray[np.int32]


def read_model(path: str | Path) -> FastTextModel:
    """The model in the file ``path``.

    Raises:
        MissingDependencyError: there is no such file.
        BadInputError: the file is not a fastText model, is cut or damaged, or is not of a supervised model.
    """
    try:
        with Path(path).open("rb") as stream:
            return read_model_stream(stream, Path(path).stat().st_size, str(path))
    except FileNotFoundError as error:
        raise MissingDependencyError(
            f"expected a fastText model at {path}, found no file; give the path of a model"
        ) from error


def read_model_stream(stream: BinaryIO, size: int, where: str) -> FastTextModel:
    """The model in an open file.

    Args:
        size: bytes in it.
        where: what the file is called in messages.

    Raises:
        BadInputError: as ``read_model``.
    """
    try:
        return _parse(ModelFile(stream, size))
    except (ValueError, IndexError, MemoryError, OverflowError) as error:
        raise BadInputError(
            f"expected a supervised fastText model at {where}, found: {error}; fetch the file again",
            reason="bad_model",
        ) from error


def _parse(file: ModelFile) -> FastTextModel:
    magic, version = file.values("2i")
    if magic != _MAGIC or version not in {_VERSION_WITHOUT_SUBWORDS, _VERSION}:
        raise ValueError(f"magic {magic}, version {version} instead of {_MAGIC}, {_VERSION}")
    dim, _, _, _, _, word_ngrams, loss, kind, bucket, min_ngram, max_ngram, _ = file.values("12i")
    file.values("d")
    if loss not in {HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL} or kind != _SUPERVISED:
        raise ValueError(f"loss {loss}, kind {kind}")
    if not (
        0 < dim <= 4096
        and 0 <= bucket <= 1 << 28
        and 0 <= min_ngram <= 32
        and 0 <= max_ngram <= 32
        and 0 <= word_ngrams <= _MAX_WORD_NGRAMS
    ):
        raise ValueError(f"dim {dim}, bucket {bucket}, n-grams {min_ngram} to {max_ngram}, of words {word_ngrams}")

    size, n_words, n_labels, _, n_pruned = file.values("3i2q")
    if n_words < 0 or n_labels < 1 or size != n_words + n_labels:
        raise ValueError(f"{size} entries, {n_words} words, {n_labels} labels")
    if n_pruned >= 0 and bucket > _MAX_PRUNED_BUCKETS:
        raise ValueError(f"{bucket} buckets before pruning, more than {_MAX_PRUNED_BUCKETS}")
    names, counts = _read_entries(file, n_words, n_labels)
    subwords = (sum(map(len, names[:n_words])) + 2 * n_words) * max_ngram
    if subwords > max(_MAX_SUBWORDS, file.size // 4):
        raise ValueError(f"up to {subwords:,} n-grams of words in a file of {file.size:,} bytes")
    pairs = file.array("<i4", 2 * max(n_pruned, 0)).reshape(-1, 2)

    (quantised,) = file.values("?")
    if n_pruned >= 0 and not quantised:
        raise ValueError("a model that is pruned but not quantised")
    rows, row_norms = file.matrix(quantised=bool(quantised), columns=dim)
    if quantised:
        rows *= row_norms[:, None]
    (output_quantised,) = file.values("?")
    output, output_norms = file.matrix(quantised=bool(quantised and output_quantised), columns=dim)
    sha256 = file.finish()
    if len(output) != n_labels:
        raise ValueError(f"{len(output)} output rows for {n_labels} labels")

    return FastTextModel(
        sha256=sha256,
        loss=loss,
        labels=tuple(name.removeprefix(_LABEL_PREFIX).decode() for name in names[n_words:]),
        words=tuple(names[:n_words]),
        label_tokens=tuple(names[n_words:]),
        prefix=_LABEL_PREFIX,
        dim=dim,
        rows=rows,
        output=output,
        output_norms=output_norms,
        bucket=bucket,
        bucket_rows=_map_buckets(bucket, n_words, len(rows), pairs, n_pruned),
        min_ngram=min_ngram,
        max_ngram=0 if version == _VERSION_WITHOUT_SUBWORDS else max_ngram,
        word_ngrams=max(word_ngrams, 1),
        children=_build_tree(counts) if loss == HIERARCHICAL_SOFTMAX else np.empty((0, 2), dtype=np.int32),
    )


def _read_entries(file: ModelFile, n_words: int, n_labels: int) -> tuple[list[bytes], list[int]]:
    """The names of all words and labels, and the counts of the labels."""
    names: list[bytes] = []
    counts: list[int] = []
    for entry in range(n_words + n_labels):
        names.append(file.name())
        count, kind = file.values("qb")
        if kind != (entry >= n_words):
            raise ValueError(f"entry {entry} has kind {kind}")
        if kind:
            counts.append(count)
    return names, counts


def _map_buckets(
    bucket: int, n_words: int, n_rows: int, pairs: npt.NDArray[np.generic], n_pruned: int
) -> npt.NDArray[np.int32]:
    """The row of each n-gram bucket; -1 where pruning removed it; nothing if it removed none."""
    if n_pruned < 0:
        if n_rows < n_words + bucket:
            raise ValueError(f"{n_rows} rows for {n_words} words and {bucket} buckets")
        return np.empty(0, dtype=np.int32)
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
