"""Extractors beside each other, page by page: what each makes of it, what it is worth, and whose text the recipe takes.

Texts are those of family ``texts`` where they are stored; otherwise pages are read again here. Each text is measured as annotate would measure it,
and judged by the recipe's rules; duplicates, evaluation sets and whatever else lies outside of a text have no say. No Spark: a sample of pages, or
a small lake as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.rules.rule_set import RuleSet, evaluate
from headwater.filters.scores.names import SCORE_COLUMNS
from headwater.pipelines.annotate.step import measure_texts
from headwater.pipelines.decide.contamination_columns import CONTAMINATION_COLUMNS
from headwater.pipelines.extract.choose import chosen_extractors, lay_over
from headwater.pipelines.extract.page_facts import Page, TextFacts
from headwater.pipelines.extract.pages import PLACES, open_pages, page_batches
from headwater.pipelines.extract.step import fragments_of_pages
from headwater.pipelines.extract.texts import extract_pages, text_rows
from headwater.pipelines.extract.totals import totals
from headwater.pipelines.ingest.web.workers import shared_reader
from headwater.pipelines.recipe.extraction import text_operator
from headwater.pipelines.recipe.operators import Resolved
from headwater.plain import JsonObject
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["SIGNALS_SHOWN", "compare_extractors"]

SIGNALS_SHOWN = ("gopher_words", "gopher_dup_lines_fraction", "fineweb_punct_lines_fraction")
"""Signals that the comparison tells of each text."""
_MOST_FRAGMENTS = 64


def compare_extractors(job: Resolved, most: int | None = 200) -> JsonObject:
    """Return what the extractors of a recipe make of pages of its lake: page by page, and in totals.

    Args:
        most: pages to look at, spread over the lake; None for all.

    Raises:
        UnreadableInputsError, CorruptLakeError: pages cannot be read again.
    """
    pages = list(_pages(job, most))
    return {
        "recipe": job.recipe.fingerprint,
        "extractors": [each.name for each in job.recipe.extractors],
        "choose": job.recipe.extract.choose,
        "pages": pages,
        "totals": totals(pages, [each.name for each in job.recipe.extractors]),
    }


def _pages(job: Resolved, most: int | None) -> Iterator[Page]:
    snapshot = open_snapshot(job.lake)
    fragments = fragments_of_pages(snapshot)["fragment"].to_numpy()
    if most is not None and len(fragments) > _MOST_FRAGMENTS:
        fragments = fragments[np.linspace(0, len(fragments) - 1, _MOST_FRAGMENTS).astype(np.int64)]
    left = most
    for number, where in enumerate(snapshot.locate(fragments, ("captures", "html"))):
        share = None if left is None else -(-left // (len(fragments) - number))
        found = 0
        for page in _of_fragment(job, snapshot, where, share):
            found += 1
            yield page
        left = None if left is None else left - found


def _of_fragment(job: Resolved, snapshot: Snapshot, where: FragmentFiles, most: int | None) -> Iterator[Page]:
    """Yield the first pages of a fragment."""
    for rows, texts in _texts(job, snapshot, where):
        n = rows.num_rows if most is None else min(most, rows.num_rows)
        if n:
            yield from _judged(job, rows.slice(0, n), [table.slice(0, n) for table in texts])
        if most is not None:
            most -= n
            if not most:
                return


def _texts(job: Resolved, snapshot: Snapshot, where: FragmentFiles) -> Iterator[tuple[pa.Table, list[pa.Table]]]:
    """Yield pages with their texts by each extractor, a row group of content at a time."""
    extractors = job.recipe.extractors
    stored = {}
    for each in extractors:
        paths = snapshot.paths_by_fragment("texts", text_operator(each))
        if where.fragment in paths:
            stored[each.name] = read_file(snapshot.uri, paths[where.fragment])
    missing = [each for each in extractors if each.name not in stored]
    pages = open_pages(snapshot.uri, where, snapshot.paths("files", where.batch))
    columns = {**PLACES, "content": [*PLACES["content"], "source"]}
    for places in read_aligned(snapshot.uri, where, columns):
        rows = places.filter(pc.is_valid(places["extractor"]))
        ids = rows["sample_id"].to_numpy()
        made = {name: lay_over(ids, next(groups)) for name, groups in stored.items()}
        if missing:
            found = extract_pages(shared_reader(), page_batches(pages.take(rows)), missing)
            for number, each in enumerate(missing):
                made[each.name] = text_rows(ids, each, [of_page[number] for of_page in found], "")
        yield rows, [made[each.name] for each in extractors]


def _judged(job: Resolved, rows: pa.Table, texts: list[pa.Table]) -> Iterator[Page]:
    names = [each.name for each in job.recipe.extractors]
    chosen = chosen_extractors(names, texts, job.recipe.extract.choose)
    facts = [_facts(job, rows, name, table) for name, table in zip(names, texts, strict=True)]
    for row, (sample, uri) in enumerate(zip(rows["sample_id"].to_pylist(), rows["uri"].to_pylist(), strict=True)):
        name = names[chosen[row]] if chosen[row] >= 0 else None
        yield Page(sample_id=sample, uri=uri, chosen=name, texts=tuple(each[row] for each in facts))


def _facts(job: Resolved, rows: pa.Table, name: str, texts: pa.Table) -> list[TextFacts]:
    """Return what there is to say of each text of one extractor."""
    has = texts["text"].is_valid()
    there = texts.filter(has)
    measured: Iterator[JsonObject] = iter(())
    if there.num_rows:
        table = pa.table(
            {
                "sample_id": there["sample_id"],
                "text": there["text"],
                "text_bytes": there["text_bytes"],
                "source": rows["source"].filter(has),
                "uri": rows["uri"].filter(has),
            }
        )
        table = measure_texts(job, table)
        for column in CONTAMINATION_COLUMNS:
            table = table.append_column(column, pa.array(np.zeros(table.num_rows, np.float32)))
        table = table.append_column("first_reason", evaluate(table, _rules(job, table))["first_reason"])
        measured = iter(_told(table, job))
    listed = texts.select(["text", "extract_fault", "page_kind", "table_rows", "bytes_left_out"]).to_pylist()
    found = []
    for row in listed:
        if row["text"] is None:
            found.append(TextFacts(extractor=name, fault=row["extract_fault"]))
            continue
        found.append(
            TextFacts(
                extractor=name,
                fault=None,
                page_kind=row["page_kind"],
                characters=len(row["text"]),
                table_rows=row["table_rows"],
                left_out_bytes=row["bytes_left_out"],
                **next(measured),
            )
        )
    return found


def _rules(job: Resolved, table: pa.Table) -> RuleSet:
    """Return the recipe's rules that read what a text says of itself; others look at more than one page."""
    rules = job.recipe.rule_set
    there = set(table.column_names)
    return replace(rules, rules=tuple(rule for rule in rules.rules if there.issuperset(rule.columns)))


def _told(table: pa.Table, job: Resolved) -> list[JsonObject]:
    scores = [name for name in (*SCORE_COLUMNS, *job.recipe.own_scores) if pa.types.is_integer(table[name].type)]
    return [
        {
            "language": row["language"],
            "tokens": row["n_tokens"],
            "scores": {name: row[name] for name in scores},
            "signals": {name: row[name] for name in SIGNALS_SHOWN},
            "first_reason": row["first_reason"],
        }
        for row in table.select(["language", "n_tokens", "first_reason", *scores, *SIGNALS_SHOWN]).to_pylist()
    ]
