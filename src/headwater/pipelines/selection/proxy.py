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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError, one_line
from headwater.fingerprint import canonical_json, fingerprint
from headwater.hashes import bytes_of_hashes, bytes_of_origins, mix_hashes
from headwater.lineage.builds import check_texts_stand
from headwater.lineage.past_runs import base_of, past_recipe
from headwater.lineage.reasons import BEYOND_SHARE, WITHIN_SHARE
from headwater.lineage.runs import begin_run
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.selection.candidates import tell_apart
from headwater.pipelines.selection.rows import key_rank, stage_table
from headwater.pipelines.selection.search import Bins, Group, Search, Waiting, find_cuts, sum_bins
from headwater.pipelines.selection.writer import StageWriter
from headwater.pipelines.spark.aligned import Target, plan_targets
from headwater.pipelines.spark.held_rows import Parts, held_parts
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.untrusted import parse_decimal
from headwater.warehouse.fragments import batch_name, parse_name
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Proxy", "ProxyCell", "parse_scale", "scale_down"]

VERSION: Final = 1
PROXY_KEY_BYTES: Final = 32
_CELL: Final = ("stage", "pool", "cell_language", "cell_domain")
_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]


class _Cell(NamedTuple):
    """A cell as ``stages`` writes it; long: whether the documents fill a sequence, where the stage asks for such."""

    stage: str
    pool: str
    language: str
    domain: str
    long: bool

    @property
    def label(self) -> str:
        """Pool, language and domain, as reports write them."""
        return f"{self.pool}/{self.language}/{self.domain}"


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
        number = parse_decimal(text)
    except ValueError:
        number = Decimal(0)
    if not number.is_finite() or not 0 < number <= 1:
        raise UsageError(
            f"--scale: expected a number above 0 and up to 1, such as 0.001, found {one_line(repr(text), 60)}"
        )
    return Fraction(number), format(number.normalize(), "f")


def _read(table_uri: str, recipe: Recipe, where: FragmentFiles) -> _Rows:
    chosen = read_sparse(table_uri, where, "stages", [*_CELL, "copies"])
    chosen = chosen.filter(pc.is_valid(chosen["stage"])).combine_chunks()
    columns = {"tokens": ["n_tokens"], "content": ["content_hash", "origin"]}
    table = pa.concat_tables(read_aligned(table_uri, where, columns))
    ids = chosen["sample_id"].to_numpy()
    samples = table.take(pa.array(np.searchsorted(table["sample_id"].to_numpy(), ids)))
    copies = chosen["copies"].to_numpy().astype(np.int64)
    tokens, long = _lengths(recipe, chosen["stage"], samples["n_tokens"].to_numpy())
    names = [chosen[name].combine_chunks() for name in _CELL]
    first, cell = tell_apart([*names, pa.array(long)])
    values = [name.take(pa.array(first)).to_pylist() for name in names]
    return _Rows(
        cells=[_Cell(*each) for each in zip(*values, long[first].tolist(), strict=True)],
        cell=cell,
        ids=ids,
        copies=copies,
        tokens=tokens * copies,
        keys=_keys(recipe.build.seed, bytes_of_hashes(samples["content_hash"]), samples["origin"].to_numpy()),
    )


def _lengths(recipe: Recipe, stage: pa.ChunkedArray, n_tokens: _Ints) -> tuple[_Ints, npt.NDArray[np.bool_]]:
    """Return the tokens of each document in its stage, and whether they fill a sequence of a stage that asks for such."""
    encoded = stage.combine_chunks().dictionary_encode()
    settings = {each.name: each for each in recipe.stages}
    stages = [settings[name] for name in encoded.dictionary.to_pylist()]
    code = encoded.indices.to_numpy()
    tokens = n_tokens.astype(np.int64) + np.array([each.special_tokens for each in stages], np.int64)[code]
    long = tokens >= np.array([each.context for each in stages], np.int64)[code]
    return tokens, long & np.array([each.full_sequences is not None for each in stages], bool)[code]


def _keys(seed: int, content: _Bytes, origin: _Ints) -> _Bytes:
    """Return what orders documents, uint8 [n, 32]: a hash of their identity, then the identity itself."""
    keys = np.empty((len(content), PROXY_KEY_BYTES), np.uint8)
    keys[:, :8] = (
        mix_hashes("proxy", seed, content, origin.astype(np.int64)).astype(">u8").view(np.uint8).reshape(-1, 8)
    )
    keys[:, 8:24] = content
    keys[:, 24:] = bytes_of_origins(origin.astype(np.int64))
    return keys


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
    lasts = np.array([cuts[cell] for cell in rows.cells], dtype=f"S{PROXY_KEY_BYTES}")
    flags: npt.NDArray[np.bool_] = rows.keys.view(f"S{PROXY_KEY_BYTES}").reshape(-1) <= lasts[rows.cell]
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
    # A base does not change under its name: what a proxy holds follows from its own, whatever files the base's rows lie in by now.
    if base_of(snapshot, name) == base:
        return Proxy(build=name, base=base, scale=written, known=True)
    fragments = snapshot.covered("stages", batch=base)
    check_texts_stand(snapshot, base, fragments)
    located = {where.fragment: where for where in snapshot.locate(fragments, ["stages", "tokens"], batch=base)}
    files = [where.files[family][0] for where in located.values() for family in ("stages", "tokens")]
    rows_from = sorted({parse_name(path)[4] for path in files})
    read = partial(_read, snapshot.uri, recipe)
    plan = partial(_targets, parallelism(spark), name, located)
    held = plan(snapshot, fragments)
    with Progress("scale", spark.sparkContext), held_parts(spark, held, read, _count) as parts:
        there = parts.fold(partial(_cell_sums, None), _Sums.merge, _Sums())
        cuts = _find_cuts(parts, there, share)
        got = parts.fold(partial(_cell_sums, cuts), _Sums.merge, _Sums())
        cells = _report(recipe, there, got)
        settings = {"version": VERSION, "build": name, "base": base, "scale": written}
        run = begin_run(job.lake, "select", recipe.literals, {"stages": settings}, snapshot.version)
        for cell in cells:
            run.counts[f"tokens:{cell.stage}:{cell.cell}"] = cell.tokens
            run.counts[f"base_tokens:{cell.stage}:{cell.cell}"] = cell.base_tokens
        writer = StageWriter(
            build=name,
            operator=fingerprint({"proxy": VERSION, "build": name, "rows": rows_from}),
            plan=plan,
            read=read,
            size=_count,
            rows=partial(_stage_rows, cuts),
        )
        writer.write(spark, run, snapshot, fragments, held, parts)
    return Proxy(build=name, base=base, scale=written, cells=cells)


def _targets(
    tasks: int, name: str, located: Mapping[int, FragmentFiles], snapshot: Snapshot, fragments: _Ints
) -> list[Target]:
    """Return the files to write, with the base's rows to read for them."""
    planned = plan_targets(snapshot, "stages", fragments, ["tokens"], tasks, batch=name)
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

    find_cuts(searches, PROXY_KEY_BYTES, fold)
    cuts = {cell: search.last for cell, search in searches.items() if search.last is not None}
    return _settle(cuts, there, parts.fold(partial(_end_sums, cuts), _Sums.merge, _Sums()), share)


def _end_sums(cuts: Mapping[_Cell, bytes], rows: _Rows) -> _Sums:
    """Return, by cell, the tokens before the document at the cut, and its own."""
    sums = np.zeros((len(rows.cells), 2), np.int64)
    if rows.cells:
        lasts = np.array([cuts.get(cell, b"") for cell in rows.cells], dtype=f"S{PROXY_KEY_BYTES}")[rows.cell]
        keys = rows.keys.view(f"S{PROXY_KEY_BYTES}").reshape(-1)
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
            settled[cell] = (int.from_bytes(last, "big") - 1).to_bytes(PROXY_KEY_BYTES, "big")
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
            cell=f"{cell.label}, long" if cell.long else cell.label,
            documents=int(mine[1]),
            tokens=int(mine[0]),
            base_documents=int(sums[1]),
            base_tokens=int(sums[0]),
            share=int(mine[0]) / (wholes[cell.stage][1] or 1),
            base_share=int(sums[0]) / (wholes[cell.stage][0] or 1),
        )
        for cell, sums in sorted(
            there.cells.items(), key=lambda item: (places[item[0].stage], item[0].label, item[0].long)
        )
        for mine in [got.cells.get(cell, nothing)]
    ]


def _stage_rows(cuts: Mapping[_Cell, bytes], rows: _Rows) -> pa.Table:
    """Return a row for each document and stage that the proxy has, and one for each document of the base that it has in no stage."""
    within = _within(cuts, rows)
    out = ~within & ~np.isin(rows.ids, rows.ids[within])
    first = np.concatenate([[True], rows.ids[1:] != rows.ids[:-1]]) if len(rows.ids) else out
    at = np.flatnonzero(within | (out & first))
    inside, cell = within[at], rows.cell[at]
    told = [_told(cell, WITHIN_SHARE, None) for cell in rows.cells]
    for each in rows.cells:
        refusal = {"stage": each.stage, "reason": BEYOND_SHARE, "domain": each.domain}
        told.append(_told(each, BEYOND_SHARE, [refusal]))
    return stage_table(
        rows.ids[at],
        [each.stage for each in rows.cells] + [None] * len(rows.cells),
        told,
        cell + len(rows.cells) * ~inside,
        np.where(inside, rows.copies[at], 0),
        np.where(inside, key_rank(rows.keys[at]), 0),
    )


def _told(cell: _Cell, reason: str, refusals: Sequence[Mapping[str, str]] | None) -> dict[str, object]:
    names = {"pool": cell.pool, "cell_language": cell.language, "cell_domain": cell.domain}
    return {**names, "reason": reason, "refusals": refusals}
