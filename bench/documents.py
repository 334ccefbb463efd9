"""The documents that a benchmark runs on: a sample of a corpus that depends on nothing but the corpus and the size asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa

__all__ = ["Document", "Sample", "draw", "share_out", "take", "text_array", "write_files"]

REPOSITORY = Path(__file__).resolve().parents[1]
CORPUS = REPOSITORY.parent / "shared" / "corpus"
SHIPPED = REPOSITORY / "src" / "headwater" / "demo"
_MOST_TIMES_SHARE = 8
"""A file is read until it has given this many times an even share: what smaller files leave is divided among the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One document.

    Attributes:
        key: 16 bytes of BLAKE2b over the text; the order of the sample.
        folder: the name of its file without its suffix: a language as a rule.
    """

    key: bytes
    text: str
    n_bytes: int
    folder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Documents in the order of their keys, and where they come from.

    Attributes:
        source: a sentence for the report.
    """

    documents: list[Document]
    source: str

    @property
    def n_bytes(self) -> int:
        """Bytes of UTF-8 text."""
        return sum(document.n_bytes for document in self.documents)


def draw(corpus: Path, n_bytes: int) -> Sample:
    """Return about `n_bytes` of text, the same share of every file as far as each has it.

    Where `corpus` holds no ``*/*.jsonl.zst`` the text that the package ships is taken whole.
    """
    files = sorted(corpus.glob("*/*.jsonl.zst"))
    if not files:
        shipped = sorted([*SHIPPED.glob("web/*.jsonl"), *SHIPPED.glob("reasoning/*.jsonl")])
        documents = [document for path in shipped for document in _read(path, 1 << 40)]
        return Sample(
            documents=_ordered(documents), source="the text that the package ships, whole: no corpus was found"
        )
    most = _MOST_TIMES_SHARE * n_bytes // len(files)
    found = [_read(path, most) for path in files]
    shares = share_out([sum(document.n_bytes for document in documents) for documents in found], n_bytes)
    chosen = [document for documents, share in zip(found, shares, strict=True) for document in take(documents, share)]
    return Sample(
        documents=_ordered(chosen), source=f"{len(files)} files of the corpus, in even shares, by hash of the text"
    )


def take(documents: Sequence[Document], n_bytes: int) -> list[Document]:
    """Return the first documents by key, `n_bytes` of text as expected value.

    The document across the limit is taken or left by a coin that its own hash throws, weighted by the part of it that fits: so long
    documents are neither avoided nor preferred.
    """
    chosen = []
    left = n_bytes
    for document in sorted(documents, key=lambda document: document.key):
        if document.n_bytes > left:
            # The low half of the key: the high half says where in the order the document stands.
            coin = int.from_bytes(document.key[8:]) / (1 << 64)
            if coin * document.n_bytes < left:
                chosen.append(document)
            break
        chosen.append(document)
        left -= document.n_bytes
    return chosen


def share_out(sizes: Sequence[int], total: int) -> list[int]:
    """Return how much each of `sizes` gives so that `total` is reached with shares as even as can be.

    >>> share_out([10, 100, 100], 90)
    [10, 40, 40]
    """
    shares = [0] * len(sizes)
    left = total
    ascending = sorted(range(len(sizes)), key=lambda place: sizes[place])
    for rank, place in enumerate(ascending):
        shares[place] = min(sizes[place], left // (len(sizes) - rank))
        left -= shares[place]
    return shares


def text_array(documents: Sequence[Document]) -> pa.LargeStringArray:
    """Return the texts as Arrow has them."""
    return pa.array([document.text for document in documents], pa.large_string())


def write_files(documents: Sequence[Document], folder: Path) -> list[Path]:
    """Write one JSON Lines file for each file name of the corpus and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[bytes]] = {}
    for document in documents:
        record = {"id": document.key.hex(), "text": document.text}
        lines.setdefault(document.folder, []).append(orjson.dumps(record) + b"\n")
    paths = []
    for name in sorted(lines):
        paths.append(folder / f"{name}.jsonl")
        paths[-1].write_bytes(b"".join(lines[name]))
    return paths


def _read(path: Path, most: int) -> list[Document]:
    """Return documents of a file, smallest keys first, until they have `most` bytes."""
    compression = "zstd" if path.suffix == ".zst" else None
    with pa.input_stream(str(path), compression=compression) as stream:
        lines = stream.read().splitlines()
    folder = path.name.split(".", 1)[0]
    documents = []
    for line in lines:
        record = orjson.loads(line)
        text = record.get("text") or record.get("content") or ""
        raw = text.encode()
        key = hashlib.blake2b(raw, digest_size=16).digest()
        documents.append(Document(key=key, text=text, n_bytes=len(raw), folder=folder))
    documents.sort(key=lambda document: document.key)
    kept: list[Document] = []
    n_bytes = 0
    for document in documents:
        if n_bytes >= most:
            break
        kept.append(document)
        n_bytes += document.n_bytes
    return kept


def _ordered(documents: list[Document]) -> list[Document]:
    return sorted(documents, key=lambda document: (document.key, document.folder))
