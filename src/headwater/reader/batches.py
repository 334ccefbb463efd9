"""A batch: sequences of tokens, the runs of documents in them, and what follows for labels, masks and positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.plain import JsonObject, ValuesByName

__all__ = ["IGNORED", "RUN", "Batch"]

IGNORED: Final = -100
"""The label of a token that has none: what PyTorch's cross entropy leaves out."""

RUN: Final = np.dtype(
    [
        ("row", "<i4"),
        ("begin", "<i4"),
        ("end", "<i4"),
        ("copy", "<i4"),
        ("sample_token_begin", "<i8"),
        ("origin", "<i8"),
        ("sample_id", "<i8"),
        ("content_hash", "V16"),
        ("begins", "?"),
        ("ends", "?"),
    ]
)
"""A run of one document's tokens in a sequence: its row in the batch; tokens ``begin`` to ``end`` (excluded) of the sequence; which copy of the
sample; where the run begins among the document's own tokens; the record's origin and, where the lake is known, its sample_id (else -1);
BLAKE2b-128 of the text; whether the run holds the document's first and its last token."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """The sequences that one rank gets in one step.

    Attributes:
        tokens: uint32 [rows, context].
        runs: `RUN` [n_runs], by row and begin; tokens that no run covers are padding.
        sequences: int64 [rows], number of each sequence in the stage, shards in order.
        shards: int64 [rows], shard of each sequence.
        shard_sequences: int64 [rows], number of each sequence in its shard.
        epoch: of the step's first sequence.
        position: of the step's first sequence in that epoch's order, all ranks counted.
        state: what `Reader` takes to go on after this step; JSON.
    """

    tokens: npt.NDArray[np.uint32] = field(repr=False)
    runs: npt.NDArray[np.void] = field(repr=False)
    sequences: npt.NDArray[np.int64]
    shards: npt.NDArray[np.int64]
    shard_sequences: npt.NDArray[np.int64]
    epoch: int
    position: int
    state: ValuesByName = field(repr=False)

    def padding(self) -> npt.NDArray[np.bool_]:
        """Return bool [rows, context]: the tokens that belong to no document."""
        rows, context = self.tokens.shape
        begin, end, row = (self.runs[name] for name in ("begin", "end", "row"))
        first = np.concatenate([[True], row[1:] != row[:-1]]) if len(row) else np.zeros(0, dtype=bool)
        before = np.concatenate([[0], end[:-1]]) if len(row) else end
        if (begin == np.where(first, 0, before)).all():  # no gap: padding is what follows the last run
            filled = np.zeros(rows, dtype=np.int64)
            np.maximum.at(filled, row, end)
            return np.arange(context) >= filled[:, None]
        change = np.zeros((rows, context + 1), dtype=np.int64)
        np.add.at(change, (row, begin), 1)
        np.add.at(change, (row, end), -1)
        return np.cumsum(change[:, :context], axis=1) == 0

    def labels(self, *, across_documents: bool = True) -> npt.NDArray[np.int64]:
        """Return int64 [rows, context]: each token's label is the next token of its sequence.

        `IGNORED` stands at the last token of a sequence, which has no next one, at padding and before it.

        Args:
            across_documents: whether the last token of a document has the first of the next as its label; False: `IGNORED` there too.
        """
        labels = np.full(self.tokens.shape, IGNORED, dtype=np.int64)
        labels[:, :-1] = self.tokens[:, 1:]
        padding = self.padding()
        labels[padding] = IGNORED
        labels[:, :-1][padding[:, 1:]] = IGNORED
        if not across_documents:
            labels[self.runs["row"], self.runs["end"] - 1] = IGNORED
        return labels

    def positions(self) -> npt.NDArray[np.int64]:
        """Return int64 [rows, context]: each token's place in its run, from 0; padding counts on from 0 in each gap."""
        starts = np.zeros(self.tokens.shape, dtype=np.int64)
        row, end = self.runs["row"], self.runs["end"].astype(np.int64)
        starts[row, self.runs["begin"]] = self.runs["begin"]
        gap = end < self.tokens.shape[1]
        starts[row[gap], end[gap]] = end[gap]
        return np.arange(self.tokens.shape[1]) - np.maximum.accumulate(starts, axis=1)

    def cu_seqlens(self) -> npt.NDArray[np.int32]:
        """Return int32: where attention starts anew in the batch laid out flat, and its length; padding is a part of its own.

        As flash attention's ``cu_seqlens``: tokens of different documents must not see each other.
        """
        rows, context = self.tokens.shape
        row = self.runs["row"].astype(np.int64) * context
        borders = [np.arange(rows + 1) * context, row + self.runs["begin"], row + self.runs["end"]]
        return np.unique(np.concatenate(borders)).astype(np.int32)

    def documents(self) -> list[JsonObject]:
        """Return the runs as plain data: one dictionary a run, JSON; ``content_hash`` is hexadecimal, an unknown ``sample_id`` None."""
        names = [name for name in RUN.names or () if name not in ("content_hash", "sample_id")]
        columns = {name: self.runs[name].tolist() for name in names}
        hashes = [value.tobytes().hex() for value in self.runs["content_hash"]]
        ids = [None if value < 0 else value for value in self.runs["sample_id"].tolist()]
        return [
            {name: values[number] for name, values in columns.items()} | {"content_hash": content, "sample_id": sample}
            for number, (content, sample) in enumerate(zip(hashes, ids, strict=True))
        ]
