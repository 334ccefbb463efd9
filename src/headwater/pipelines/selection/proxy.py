"""Nested proxies: a small selection that is a true subset of a whole one, with the same mixture, for scaling-law runs.

Per cell (stage, pool, language, domain where the recipe has quotas of domains, and long or not where it asks for full
sequences): the documents that the whole selection took, with all their copies, in the order of a hash of (seed, content_hash, origin), up
to the scale's share of the cell's tokens. The document that crosses is in where a number from 0 to 1, drawn from its hash, is below the
part of it that the share still has room for: so a cell has its share on average, within one document, however small it is. A larger scale
goes on where a smaller one stops, so 0.001 lies within 0.01 and that within 1.

Stored as a selection of its own under a name that says base and scale: build, trace, verify and the questions work on it as on any other.
Cost: one pass over narrow columns. What it loses: a cell is up to one document off its share, and small cells may have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.fingerprint import canonical_json, fingerprint
from headwater.hashes import bytes_of_hashes, bytes_of_origins, mix_hashes
from headwater.lineage.past_runs import base_of, past_recipe, past_run
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.selection.candidates import FOR_LENGTH
from headwater.pipelines.selection.search import Bins, Group, Search, Waiting, find, sum_bins
from headwater.pipelines.spark.aligned import Target, plan_targets
from headwater.pipelines.spark.held_rows import Parts, held_parts
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.fragments import batch_name, operator_digits
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse, write_family
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Proxy", "ProxyCell", "parse_scale", "scale_down"]

VERSION: Final = 1
KEY_BYTES: Final = 32
_WITHIN: Final = "within the cut of "
_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]


class _Cell(NamedTuple):
    """Pool, language and domain as ``stages`` writes them; long: whether the documents fill a sequence, where the stage asks for such."""

    stage: str
    cell: str
    long: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyCell:
    """One cell of a proxy, beside the same of its base.

    Attributes:
        tokens: what it has; beginnings and ends of text and copies included.
        base_tokens: what the base has.
        share: of the proxy's stage.
        base_share: of the base's stage.
    """

    stage: str
    cell: str
    documents: int
    tokens: int
    base_documents: int
    base_tokens: int
    share: float
    base_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """The result of scaling down.

    Attributes:
        build: its name: base, ``-scale-`` and the scale.
        known: nothing was done since the lake has it.
    """

    build: str
    base: str
    scale: str
    cells: Sequence[ProxyCell] = ()
    known: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rows:
    """The documents of a fragment that the base took, one a stage.

    Attributes:
        cell: index into ``cells``, int64 [n].
        tokens: of all copies, int64 [n].
        keys: uint8 [n, 32].
    """

    cells: Sequence[_Cell]
    cell: _Ints
    ids: _Ints
    copies: _Ints
    tokens: _Ints
    keys: _Bytes


@dataclass(kw_only=True, slots=True)
class _Sums:
    """Cell → tokens, documents."""

    cells: dict[_Cell, _Ints] = field(default_factory=dict)

    def merge(self, other: _Sums) -> _Sums:
        for cell, sums in other.cells.items():
            mine = self.cells.get(cell)
            self.cells[cell] = sums if mine is None else mine + sums
        return self


def parse_scale(text: str) -> tuple[Fraction, str]:
    """Return a scale and how it is written in names.

    >>> parse_scale("0.0010")
    (Fraction(1, 1000), '0.001')

    Raises:
        UsageError: no decimal number above 0 and up to 1.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or not 0 < number <= 1:
        raise UsageError(f"--scale: expected a number above 0 and up to 1, such as 0.001, found {text!r}")
    return Fraction(number), format(number.normalize(), "f")


def _read(table_uri: str, recipe: Recipe, where: FragmentFiles) -> _Rows:
    chosen = read_sparse(table_uri, where, "stages", ["stage", "copies", "reason"])
    chosen = chosen.filter(pc.is_valid(chosen["stage"])).combine_chunks()
    columns = {"tokens": ["n_tokens"], "content": ["content_hash", "origin"]}
    table = pa.concat_tables(read_aligned(table_uri, where, columns))
    ids = chosen["sample_id"].to_numpy()
    at = np.searchsorted(table["sample_id"].to_numpy(), ids)
    content = bytes_of_hashes(table["content_hash"].take(pa.array(at)))
    origin = table["origin"].to_numpy()[at].astype(np.int64)
    copies = chosen["copies"].to_numpy().astype(np.int64)
    stages = {stage.name: stage for stage in recipe.stages}
    codes, texts = [], []
    for name in ("stage", "reason"):
        encoded = chosen[name].combine_chunks().dictionary_encode()
        codes.append(encoded.indices.to_numpy().astype(np.int64))
        texts.append(encoded.dictionary.to_pylist())
    special = np.array([stages[name].special_tokens for name in texts[0]], np.int64)[codes[0]] if len(ids) else ids
    context = np.array([stages[name].context for name in texts[0]], np.int64)[codes[0]] if len(ids) else ids
    asks = np.array([stages[name].full_sequences is not None for name in texts[0]], bool)
    tokens = table["n_tokens"].to_numpy()[at].astype(np.int64) + special
    long = (tokens >= context) & asks[codes[0]] if len(ids) else np.zeros(0, bool)
    labels = [reason.rpartition(_WITHIN)[2].removesuffix(FOR_LENGTH) for reason in texts[1]]
    # A cell's reasons have two ends; its documents are one cell all the same.
    label = np.array([labels.index(text) for text in labels], np.int64)[codes[1]] if len(ids) else ids
    code = (codes[0] * max(1, len(labels)) + label) * 2 + long
    distinct, cell = np.unique(code, return_inverse=True)
    cells = [
        _Cell(texts[0][value // 2 // len(labels)], labels[value // 2 % len(labels)], bool(value % 2))
        for value in distinct.tolist()
    ]
    keys = np.empty((len(ids), KEY_BYTES), np.uint8)
    keys[:, :8] = mix_hashes("proxy", recipe.build.seed, content, origin).astype(">u8").view(np.uint8).reshape(-1, 8)
    keys[:, 8:24] = content
    keys[:, 24:] = bytes_of_origins(origin)
    return _Rows(cells=cells, cell=cell.reshape(-1), ids=ids, copies=copies, tokens=tokens * copies, keys=keys)


def _count(rows: _Rows) -> int:
    return len(rows.ids)


def _cell_sums(cuts: Mapping[_Cell, bytes] | None, rows: _Rows) -> _Sums:
    """Return tokens and documents by cell: of all, or of those within the cuts."""
    within = np.ones(len(rows.ids), bool) if cuts is None else _within(cuts, rows)
    sums = np.zeros((len(rows.cells), 2), np.int64)
    np.add.at(sums[:, 0], rows.cell[within], rows.tokens[within])
    np.add.at(sums[:, 1], rows.cell[within], 1)
    return _Sums(cells=dict(zip(rows.cells, sums, strict=True)))


def _within(cuts: Mapping[_Cell, bytes], rows: _Rows) -> npt.NDArray[np.bool_]:
    if not rows.cells:
        return np.zeros(0, bool)
    lasts = np.array([cuts[cell] for cell in rows.cells], dtype=f"S{KEY_BYTES}")
    flags: npt.NDArray[np.bool_] = rows.keys.view(f"S{KEY_BYTES}").reshape(-1) <= lasts[rows.cell]
    return flags


def _bin_sums(waiting: Mapping[_Cell, Waiting], rows: _Rows) -> Bins:
    found = Bins()
    sums = np.stack([rows.tokens, np.zeros_like(rows.tokens)], axis=1)
    for number, cell in enumerate(rows.cells):
        if cell in waiting:
            mine = rows.cell == number
            found.merge(sum_bins({cell: Group(keys=rows.keys[mine], sums=sums[mine])}, waiting))
    return found


def scale_down(spark: SparkSession, job: Resolved, base: str, scale: str) -> Proxy:
    """Choose a proxy of a finished selection, store it as a selection of its own, and return both mixtures.

    Args:
        base: name of the whole selection.
        scale: share of each cell's tokens, a decimal number.

    Raises:
        UsageError: no finished selection of that name by this recipe, or one that is a proxy itself.
    """
    share, written = parse_scale(scale)
    recipe = job.recipe
    snapshot = open_snapshot(job.lake)
    if past_recipe(snapshot, "select", base) != canonical_json(recipe.literals):
        raise UsageError(f"expected a finished selection named {base} by this recipe, found none; run select first")
    if (whole := base_of(snapshot, base)) is not None:
        raise UsageError(f"expected a whole selection, found {base}, a proxy of {whole}; scale that one")
    name = batch_name(f"{base}-scale-{written}")
    fragments = snapshot.covered("stages", batch=base)
    located = {where.fragment: where for where in snapshot.locate(fragments, ["stages", "tokens"], batch=base)}
    rows_state = [[fragment, sorted(path for path, _ in where.files.values())] for fragment, where in located.items()]
    state = fingerprint({"base": base, "scale": written, "rows": rows_state, "version": VERSION})
    if past_run(snapshot, "select", state) is not None:
        return Proxy(build=name, base=base, scale=written, known=True)
    read = partial(_read, snapshot.uri, recipe)
    held = _targets(spark, snapshot, fragments, name, located)
    with Progress("scale", spark.sparkContext), held_parts(spark, held, read, _count) as parts:
        there = parts.fold(partial(_cell_sums, None), _Sums.merge, _Sums())
        cuts = _find_cuts(parts, there, share)
        got = parts.fold(partial(_cell_sums, cuts), _Sums.merge, _Sums())
        cells = _report(recipe, there, got)
        operator = fingerprint({"proxy": VERSION, "state": state})
        settings = {"version": VERSION, "state": state, "build": name, "base": base, "scale": written}
        run = begin_run(job.lake, "select", recipe.literals, {"stages": settings}, snapshot.version)
        for cell in cells:
            run.counts[f"tokens:{cell.stage}:{cell.cell}"] = cell.tokens
            run.counts[f"base_tokens:{cell.stage}:{cell.cell}"] = cell.base_tokens
        write = partial(_write_target, snapshot.uri, name, run.run_id, f", scale {written} of {base}", cuts, operator)
        while True:
            todo = np.setdiff1d(fragments, snapshot.covered("stages", operator=operator, batch=name))
            if len(todo) == 0 and run.waves:
                break
            stale = snapshot.live("stages", batch=name)
            if stale.filter(pc.not_equal(stale["operator"], operator_digits(operator))).num_rows:
                raise UsageError(f"expected no other build named {name}, found one; choose another base")
            targets = _targets(spark, snapshot, todo, name, located)
            if targets == held:
                units = parts.write(write, "proxy")
            else:
                with held_parts(spark, targets, read, _count) as missing:
                    units = missing.write(write, "proxy")
            snapshot, _ = commit_wave(run, snapshot, units)
        finish_run(run, snapshot)
    return Proxy(build=name, base=base, scale=written, cells=cells)


def _targets(
    spark: SparkSession, snapshot: Snapshot, fragments: _Ints, name: str, located: Mapping[int, FragmentFiles]
) -> list[Target]:
    """Return the files to write, with the base's rows to read for them."""
    planned = plan_targets(snapshot, "stages", fragments, ["tokens"], parallelism(spark), batch=name)
    return [
        Target(fragments=tuple(located[where.fragment] for where in target.fragments), removes=target.removes)
        for target in planned
    ]


def _find_cuts(parts: Parts[_Rows], there: _Sums, share: Fraction) -> dict[_Cell, bytes]:
    """Return the last key of each cell: where it reaches its share, or the one before."""
    searches = {
        cell: Search(tokens=-(-share.numerator * int(sums[0]) // share.denominator), samples=int(sums[1]))
        for cell, sums in there.cells.items()
    }

    def fold(waiting: Mapping[_Cell, Waiting]) -> Bins:
        return parts.fold(partial(_bin_sums, waiting), Bins.merge, Bins())

    find(searches, KEY_BYTES, fold)
    cuts = {cell: search.last for cell, search in searches.items() if search.last is not None}
    return _settle(cuts, there, parts.fold(partial(_end_sums, cuts), _Sums.merge, _Sums()), share)


def _end_sums(cuts: Mapping[_Cell, bytes], rows: _Rows) -> _Sums:
    """Return, by cell, the tokens before the document at the cut, and its own."""
    sums = np.zeros((len(rows.cells), 2), np.int64)
    if rows.cells:
        lasts = np.array([cuts.get(cell, b"") for cell in rows.cells], dtype=f"S{KEY_BYTES}")[rows.cell]
        keys = rows.keys.view(f"S{KEY_BYTES}").reshape(-1)
        for column, chosen in enumerate((keys < lasts, keys == lasts)):
            np.add.at(sums[:, column], rows.cell[chosen], rows.tokens[chosen])
    return _Sums(cells=dict(zip(rows.cells, sums, strict=True)))


def _settle(cuts: Mapping[_Cell, bytes], there: _Sums, ends: _Sums, share: Fraction) -> dict[_Cell, bytes]:
    """Return the cuts, each moved before its document where what the share has room for is too small a part of it.

    The draw depends on the document alone, so a document that is in at one scale is in at every larger one.
    """
    settled = dict(cuts)
    for cell, last in cuts.items():
        before, own = ends.cells[cell].tolist()
        draw = int.from_bytes(blake2b(last, digest_size=8).digest(), "big")
        if (share * int(there.cells[cell][0]) - before) * 2**64 <= draw * own:
            settled[cell] = (int.from_bytes(last, "big") - 1).to_bytes(KEY_BYTES, "big")
    return settled


def _report(recipe: Recipe, there: _Sums, got: _Sums) -> list[ProxyCell]:
    nothing = np.zeros(2, np.int64)
    places = {stage.name: number for number, stage in enumerate(recipe.stages)}
    wholes = {
        stage: [sum(int(sums.cells[cell][0]) for cell in sums.cells if cell.stage == stage) for sums in (there, got)]
        for stage in places
    }
    return [
        ProxyCell(
            stage=cell.stage,
            cell=f"{cell.cell}, long" if cell.long else cell.cell,
            documents=int(mine[1]),
            tokens=int(mine[0]),
            base_documents=int(sums[1]),
            base_tokens=int(sums[0]),
            share=int(mine[0]) / (wholes[cell.stage][1] or 1),
            base_share=int(sums[0]) / (wholes[cell.stage][0] or 1),
        )
        for cell, sums in sorted(there.cells.items(), key=lambda item: (places[item[0].stage], item[0]))
        for mine in [got.cells.get(cell, nothing)]
    ]


def _write_target(
    table_uri: str,
    build: str,
    run_id: str,
    words: str,
    cuts: Mapping[_Cell, bytes],
    operator: str,
    base: int,
    mask: int,
    parts: Iterator[_Rows],
) -> Unit:
    counts = {"samples": 0, "chosen": 0}

    def groups() -> Iterator[pa.Table]:
        for rows in parts:
            table = _stage_rows(build, run_id, words, cuts, rows)
            counts["samples"] += table.num_rows
            counts["chosen"] += table.num_rows - table["stage"].null_count
            yield table

    entry = write_family(table_uri, "stages", build, base, mask, operator, groups())
    counts["stages_bytes"] = entry.size
    return Unit(adds=[entry], counts=counts)


def _stage_rows(build: str, run_id: str, words: str, cuts: Mapping[_Cell, bytes], rows: _Rows) -> pa.Table:
    """Return a row for each document and stage that the proxy has, and one for each document of the base that it has in no stage."""
    within = _within(cuts, rows)
    out = ~within & ~np.isin(rows.ids, rows.ids[within])
    first = np.concatenate([[True], rows.ids[1:] != rows.ids[:-1]]) if len(rows.ids) else out
    at = np.flatnonzero(within | (out & first))
    inside, cell = within[at], rows.cell[at]
    stages = [cell.stage for cell in rows.cells]
    reasons = [f"in {cell.stage}: {_WITHIN}{cell.cell}{words}" for cell in rows.cells]
    reasons += [f"out: {cell.stage}: after the cut of {cell.cell}{words}" for cell in rows.cells]
    rank = (np.ascontiguousarray(rows.keys[at, :8]).view(">u8").reshape(-1) >> np.uint64(1)).astype(np.int64)
    return pa.table(
        {
            "sample_id": pa.array(rows.ids[at]),
            "build": repeat_text(build, len(at)),
            "stage": pa.array(stages, pa.string()).take(pa.array(cell, mask=~inside)),
            "copies": pa.array(np.where(inside, rows.copies[at], 0).astype(np.int32)),
            "rank": pa.array(np.where(inside, rank, 0)),
            "reason": pa.array(reasons, pa.string()).take(pa.array(cell + len(rows.cells) * ~inside)),
            "run_id": repeat_text(run_id, len(at)),
        }
    )
