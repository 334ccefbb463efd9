"""What an extract task does with one fragment: texts of its pages by extractors, or its content with the texts that the recipe chooses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import BadInputError, CorruptLakeError
from headwater.filters.html.extractors import ExtractorSettings
from headwater.pipelines.extract.choose import KEPT, Replaced, chosen_extractors, lay_over, replace_rows
from headwater.pipelines.extract.pages import PLACES, Pages, open_pages, page_batches
from headwater.pipelines.extract.texts import Reader, extract_pages, text_rows
from headwater.pipelines.ingest.web.workers import shared_reader
from headwater.pipelines.spark.watch import beat
from headwater.warehouse.fragments import FileEntry
from headwater.warehouse.parquet import FamilyWriter, FragmentFiles, read_aligned, read_file, write_family

__all__ = ["Done", "ReplaceTask", "TextsTask", "Unread", "write_content", "write_texts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextsTask:
    """Texts of a fragment's pages.

    Attributes:
        extractors: those to run → the operator under which their texts are stored.
        files: files of family ``files`` that say where the pages' files are.
    """

    table: str
    run_id: str
    where: FragmentFiles
    extractors: Mapping[ExtractorSettings, str]
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaceTask:
    """A fragment's content under a choice.

    Attributes:
        operator: under which content and captures are stored.
        names: of the extractors, in the recipe's order.
        texts: of each extractor its file of family ``texts``; none of a single extractor that is run now.
        texts_task: what to run where there are no texts.
        choose: SQL, as the recipe has it.
    """

    operator: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    texts_task: TextsTask
    choose: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A fragment whose pages could not be read again, and why: nothing of it was written."""

    fragment: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What a task wrote.

    Attributes:
        pages: whose texts are extractors'.
        changed: samples whose text is another one now.
        kept: pages of which no extractor has a text, and that keep the one that they had.
        chosen: extractor → pages that have its text.
    """

    fragment: int
    entries: list[FileEntry] = field(default_factory=list)
    pages: int = 0
    text_bytes: int = 0
    changed: int = 0
    kept: int = 0
    chosen: dict[str, int] = field(default_factory=dict)


def write_texts(task: TextsTask) -> Done | Unread:
    """Run extractors over a fragment's pages and write a file of family ``texts`` for each; runs in a Spark task."""
    where, pages = task.where, open_pages(task.table, task.where, task.files)
    reader = shared_reader()
    count = size = 0
    try:
        with contextlib.ExitStack() as stack:
            writers = [
                stack.enter_context(FamilyWriter(task.table, "texts", where.batch, where.fragment, 1, operator))
                for operator in task.extractors.values()
            ]
            for places in read_aligned(task.table, where, PLACES):
                beat()
                rows, found = _extract(task, reader, pages, places)
                count += rows.num_rows
                for writer, table in zip(writers, found, strict=True):
                    writer.write(table)
                    size += int(pc.sum(table["text_bytes"]).as_py() or 0)
            entries = [writer.finish() for writer in writers]
    except BadInputError as error:
        return Unread(fragment=where.fragment, why=str(error))
    return Done(fragment=where.fragment, entries=entries, pages=count, text_bytes=size)


def _extract(task: TextsTask, reader: Reader, pages: Pages, places: pa.Table) -> tuple[pa.Table, list[pa.Table]]:
    """Return the rows that are pages, and rows of family ``texts`` of each extractor for them."""
    rows = places.filter(pc.is_valid(places["extractor"]))
    extractors = list(task.extractors)
    found = extract_pages(reader, page_batches(pages.take(rows)), extractors)
    ids = rows["sample_id"].to_numpy()
    return rows, [
        text_rows(ids, each, [of_page[number] for of_page in found], task.run_id)
        for number, each in enumerate(extractors)
    ]


def write_content(task: ReplaceTask) -> Done | Unread:
    """Write a fragment's captures under a choice, and its content where a text is another one; runs in a Spark task."""
    of = task.texts_task
    where = of.where
    captures = pa.concat_tables(read_file(of.table, where.files["captures"][0]))
    pages = open_pages(of.table, where, of.files)
    parts: list[pa.Table] = []
    done = {"changed": 0, "pages": 0, "kept": 0, "text_bytes": 0}
    chosen = np.zeros(len(task.names), np.int64)
    try:
        with FamilyWriter(of.table, "content", where.batch, where.fragment, 1, task.operator) as writer:
            for content, texts in _groups(task, captures, pages):
                beat()
                begin = sum(part.num_rows for part in parts)
                beside = captures.slice(begin, content.num_rows)
                if not content["sample_id"].equals(beside["sample_id"]):
                    raise CorruptLakeError(
                        f"expected the samples of {where.files['content'][0]} in {where.files['captures'][0]}, found others; run verify"
                    )
                picked = chosen_extractors(task.names, texts, task.choose)
                replaced = replace_rows(content, beside, task.names, texts, picked, of.run_id)
                writer.write(replaced.content)
                parts.append(replaced.captures)
                _count(done, chosen, beside, replaced, picked)
            entries = [writer.finish()] if done["changed"] else []
    except BadInputError as error:
        return Unread(fragment=where.fragment, why=str(error))
    laid = [pa.concat_tables(parts).combine_chunks()]
    entries.append(write_family(of.table, "captures", where.batch, where.fragment, 1, task.operator, laid))
    names = {name: int(n) for name, n in zip(task.names, chosen, strict=True)}
    return Done(fragment=where.fragment, entries=entries, chosen=names, **done)


def _count(
    done: dict[str, int],
    chosen: npt.NDArray[np.int64],
    captures: pa.Table,
    replaced: Replaced,
    picked: npt.NDArray[np.int64],
) -> None:
    """Add to the counts of a task, and to the pages that each extractor has, those of a row group."""
    done["changed"] += int(replaced.changed.sum())
    of_pages = int(captures["extractor"].is_valid().to_numpy().sum())
    done["pages"] += of_pages
    done["kept"] += of_pages - int((picked != KEPT).sum())
    done["text_bytes"] += int(replaced.content["text_bytes"].to_numpy().sum())
    chosen += np.bincount(picked[picked != KEPT], minlength=len(chosen))


def _groups(task: ReplaceTask, captures: pa.Table, pages: Pages) -> Iterator[tuple[pa.Table, Sequence[pa.Table]]]:
    """Yield row groups of content, each with a row a sample of every extractor's texts, null where it has none."""
    of = task.texts_task
    groups = read_file(of.table, of.where.files["content"][0])
    if task.texts:
        stored = [read_file(of.table, path) for path in task.texts]
        for content in groups:
            ids = content["sample_id"].to_numpy()
            yield content, [lay_over(ids, next(each)) for each in stored]
        return
    begin = 0
    reader = shared_reader()
    for content in groups:
        beside = captures.slice(begin, content.num_rows)
        begin += content.num_rows
        places = content.select(["sample_id", *PLACES["content"]])
        for name in PLACES["captures"]:
            places = places.append_column(name, beside[name])
        ids = content["sample_id"].to_numpy()
        _, found = _extract(of, reader, pages, places)
        yield content, [lay_over(ids, each) for each in found]
