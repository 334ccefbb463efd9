"""Rows of family ``texts``: what extractors make of pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.filters.html.extractors import OF_OTHERS, ExtractorSettings
from headwater.filters.html.page import Extracted, PageInput, PageOutput
from headwater.fingerprint import canonical_json
from headwater.hashes import content_hashes
from headwater.pipelines.ingest.web.pages import fault_of_text
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.schema import arrow_schema

__all__ = ["Reader", "extract_pages", "text_rows"]

_COUNTS: Final = ("tables", "table_rows", "formulas", "code_blocks", "headings", "list_items", "posts")
_OF_PAGE: Final = ("page_kind", "blocks_kept", "blocks_left_out", "bytes_left_out", *_COUNTS)


class Reader(Protocol):
    """What reads pages: ``PageReader``, in a child process."""

    def read(self, pages: Sequence[PageInput], extractors: Sequence[ExtractorSettings]) -> list[PageOutput | str]:
        """Return what each page is read to, or the reason why it cannot be read, in order."""


def extract_pages(
    reader: Reader, batches: Iterable[list[PageInput]], extractors: Sequence[ExtractorSettings]
) -> list[list[Extracted | str]]:
    """Return for each page what each extractor makes of it, or the reason why it makes nothing of it.

    A page that cannot be read by all extractors together is read by each alone, so that one of them costs the others nothing.
    """
    found: list[list[Extracted | str]] = []
    for pages in batches:
        for page, output in zip(pages, reader.read(pages, extractors), strict=True):
            if not isinstance(output, str):
                found.append(list(output.texts))
            elif len(extractors) == 1:
                found.append([output])
            else:
                alone = [reader.read([page], [each])[0] for each in extractors]
                found.append([each if isinstance(each, str) else each.texts[0] for each in alone])
    return found


def text_rows(
    ids: npt.NDArray[np.int64], extractor: ExtractorSettings, found: Sequence[Extracted | str], run_id: str
) -> pa.Table:
    """Return rows of family ``texts``: one a page, null but for its reason where the extractor has no text.

    Args:
        ids: int64 [n], of the pages.
        found: what it made of each page.
    """
    counts = extractor.method not in OF_OTHERS
    rows: list[dict[str, Any]] = [_row(each, counts=counts) for each in found]  # Any: values of a row, by column
    schema = arrow_schema("texts")
    text = pa.array([row.get("text") for row in rows], pa.string())
    columns = {name: pa.array([row.get(name) for row in rows], schema.field(name).type) for name in schema.names}
    columns |= {
        "sample_id": pa.array(ids),
        "extractor": repeat_text(extractor.name, len(rows)),
        "text": text,
        "text_hash": content_hashes(text),
        "run_id": repeat_text(run_id, len(rows)),
    }
    return pa.table(columns, schema=schema)


def _row(found: Extracted | str, *, counts: bool) -> dict[str, Any]:  # Any: values of a row, by column
    if isinstance(found, str):
        return {"extract_fault": found}
    fault = fault_of_text(found.text)
    if fault is not None:
        return {"extract_fault": fault}
    row: dict[str, Any] = {"text": found.text, "text_bytes": len(found.text.encode())}  # Any: values by column
    if counts:  # a package of others counts nothing, and tells no kind of page
        row |= {name: getattr(found, name) for name in _OF_PAGE}
        row |= {"page_kind": found.page_kind or None, "left_out": canonical_json(found.left_out)}
    return row
