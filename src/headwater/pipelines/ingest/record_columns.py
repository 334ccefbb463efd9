"""One batch of an input file's records as columns: what every kind of file is read to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.pipelines.ingest.refusals import WHOLE_FILE, Refusal

__all__ = ["PassedOver", "RecordColumns"]


class PassedOver(NamedTuple):
    """A record of a web archive that holds no page that was asked for.

    Attributes:
        record_no: 0-based number in its file.
        kind: what it is instead: ``request``, ``status_404``, ``media_image``.
    """

    record_no: int
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordColumns:
    """One batch of records, in file order.

    Attributes:
        record_no: int64[n], ascending.
        source, uri, collected_at, license, meta: string[n]; null where nothing is known; ``meta`` is canonical JSON.
        text: string[n], valid UTF-8 without NUL, neither null nor empty.
        refused: records of the same stretch of the file that could not be used, ascending; the file itself (-1) comes last.
        passed_over: records of the same stretch that hold no page that was asked for, ascending.
        captures: of web records, their columns of families ``captures`` and ``html`` but those that follow from the URL; None of any other.
    """

    record_no: npt.NDArray[np.int64]
    source: pa.StringArray
    uri: pa.StringArray
    collected_at: pa.StringArray
    license: pa.StringArray
    meta: pa.StringArray
    text: pa.StringArray
    refused: tuple[Refusal, ...]
    passed_over: tuple[PassedOver, ...] = ()
    captures: pa.Table | None = None

    def take(
        self,
        rows: npt.NDArray[np.int64],
        refused: tuple[Refusal, ...],
        passed_over: tuple[PassedOver, ...] = (),
    ) -> RecordColumns:
        """Return some of the records with other refusals."""
        at = pa.array(rows)
        return RecordColumns(
            record_no=self.record_no[rows],
            source=self.source.take(at),
            uri=self.uri.take(at),
            collected_at=self.collected_at.take(at),
            license=self.license.take(at),
            meta=self.meta.take(at),
            text=self.text.take(at),
            refused=refused,
            passed_over=passed_over,
            captures=None if self.captures is None else self.captures.take(at),
        )

    def refusing(self, rows: npt.NDArray[np.int64], reason: str) -> RecordColumns:
        """Return the records without some, which are refused for a reason instead."""
        new = [Refusal(record_no=int(self.record_no[row]), reason=reason) for row in rows.tolist()]
        refused = sorted([*self.refused, *new], key=lambda each: (each.record_no == WHOLE_FILE, each.record_no))
        return self.take(np.setdiff1d(np.arange(len(self.record_no)), rows), tuple(refused), self.passed_over)
