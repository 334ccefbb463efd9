"""A small lake of web pages, written file by file as ingest writes them: pages are stored, so that no web archive is needed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from headwater.filters.html.extractors import ExtractorSettings
from headwater.filters.html.page import Extracted, PageInput, PageOutput
from headwater.fingerprint import canonical_json
from headwater.hashes import content_hashes
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.pipelines.extract.texts import extract_pages, text_rows
from headwater.pipelines.recipe.extraction import INGEST_VERSION, content_operator, text_operator
from headwater.pipelines.recipe.extractors import Extractor
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.plain import JsonObject
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.commit import create_lake, reserve_fragments
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["BATCH", "RECIPE", "FakeReader", "add_pages", "page", "web_lake", "web_recipe"]

BATCH = "web"
RECIPE = """
format = 1
name = "small"
[[pools]]
name = "general"
where = "TRUE"
[[stages]]
name = "only"
context = 4096
budget = "40 %"
order_by = "quality"
shares = { general = 1 }
"""
_GROUP_ROWS = 2


def web_recipe(more: str = "") -> Recipe:
    """Return a small recipe with ``more`` TOML at its end."""
    return parse_recipe(tomllib.loads(RECIPE + more))


class FakeReader:
    """Reads pages that say what each method makes of them, so that a test knows every text: ``{"main": "a text", "rows": 3}``.

    A method that the page does not name finds no text; with one of those that stand under ``kills`` the page cannot be read.
    """

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def read(self, pages: Sequence[PageInput], extractors: Sequence[ExtractorSettings]) -> list[PageOutput | str]:
        """Return what the pages say."""
        return [self._read(json.loads(page.body), extractors) for page in pages]

    def _read(self, told: JsonObject, extractors: Sequence[ExtractorSettings]) -> PageOutput | str:
        if any(each.method in told.get("kills", ()) for each in extractors):
            return "parser_failed"
        texts = [
            Extracted(
                text=told.get(each.method, ""),
                page_kind="article",
                blocks_kept=1,
                left_out={"navigation": [1, 4]},
                blocks_left_out=1,
                bytes_left_out=4,
                table_rows=told.get("rows", 0) if each.method == "full" else 0,
            )
            for each in extractors
        ]
        return PageOutput(
            charset_declared=None,
            charset="utf-8",
            charset_source="default",
            mojibake=0,
            robots=[],
            licenses=[],
            texts=texts,
        )


def page(main: str = "", full: str = "", **more: object) -> bytes:
    """Return a page as ``FakeReader`` reads it."""
    return json.dumps({"main": main, "full": full} | more).encode()


def web_lake(folder: Path, fragments: Sequence[Sequence[bytes | None]], extractor: Extractor) -> str:
    """Make a lake whose pages one extractor has read; None stands for a record whose text is its own."""
    lake = str(folder / "lake")
    create_lake(lake)
    add_pages(lake, fragments, extractor)
    return lake


def add_pages(lake: str, fragments: Sequence[Sequence[bytes | None]], extractor: Extractor) -> None:
    """Add fragments of pages to a lake, as one run of ingest."""
    first = reserve_fragments(lake, len(fragments))
    snapshot = open_snapshot(lake)
    operators = {"ingest": INGEST_VERSION, "extractors": [text_operator(extractor)]}
    run = begin_run(lake, "ingest", {"ingest": {}}, operators, snapshot.version)
    operator = content_operator(extractor)
    adds = []
    n = 0
    for fragment, pages in enumerate(fragments, first):
        ids = sample_ids(fragment, 0, len(pages))
        paged = np.array([body is not None for body in pages])
        inputs = [PageInput(body=body) for body in pages if body is not None]
        found = extract_pages(FakeReader(), [inputs] if inputs else [], [extractor])
        texts = text_rows(ids[paged], extractor, [each[0] for each in found], run.run_id)
        rows = dict(zip(texts["sample_id"].to_pylist(), texts.to_pylist(), strict=True))
        content, captures = [], []
        for at, sample in enumerate(ids.tolist()):
            row = rows.get(sample, {})
            common = {"sample_id": sample, "run_id": run.run_id}
            text = row.get("text") or f"A record of its own, number {at} of fragment {fragment}."
            content.append(
                common
                | {
                    "file_id": 1,
                    "record_no": n + at,
                    "source": "web",
                    "uri": f"https://example.org/{n + at}",
                    "origin": n + at,
                    "text": text,
                    "text_bytes": len(text.encode()),
                }
            )
            captures.append({name: row.get(name) for name in arrow_schema("captures").names} | common)
        n += len(pages)
        table = pa.Table.from_pylist(content, schema=arrow_schema("content"))
        table = table.set_column(
            table.column_names.index("content_hash"), "content_hash", content_hashes(table["text"].combine_chunks())
        )
        groups = [table.slice(begin, _GROUP_ROWS) for begin in range(0, table.num_rows, _GROUP_ROWS)]
        html = pa.table(
            {
                "sample_id": pa.array(ids[paged]),
                "html": pa.array([each.body for each in inputs], pa.binary()),
                "http_charset": pa.nulls(len(inputs), pa.string()),
                "http_headers": repeat_text(canonical_json({}), len(inputs)),
                "run_id": repeat_text(run.run_id, len(inputs)),
            }
        )
        captured = pa.Table.from_pylist(captures, schema=arrow_schema("captures"))
        for family, parts in (("content", groups), ("captures", [captured]), ("html", [html])):
            adds.append(write_family(snapshot.uri, family, BATCH, fragment, 1, operator, parts))
    file = {
        "file_id": 1,
        "file_uri": "pages.warc",
        "sha256": "0" * 64,
        "file_bytes": 1,
        "records": n,
        "quarantined": 0,
        "format": "warc",
        "run_id": run.run_id,
    }
    files = pa.Table.from_pylist([file], schema=arrow_schema("files"))
    adds.append(write_family(snapshot.uri, "files", BATCH, 0, 0, operator, [files]))
    snapshot, _ = commit_wave(run, snapshot, [Unit(adds=adds, counts={"records": n})])
    finish_run(run, snapshot)
