"""Selection: exact to one document a cell, in the order of the key, with a reason for every kept sample."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import RecipeError
from headwater.pipelines import select
from headwater.pipelines.quotas import Cell, solve, stage_budget
from headwater.pipelines.recipe import Recipe, parse_recipe
from headwater.pipelines.recipe_sections import Stage
from headwater.pipelines.selection import KEY_BYTES, Cut, Cuts, assign, candidates, copies, open_to
from headwater.pipelines.selection_sums import bin_sums, cell_sums, chosen_sums
from headwater.warehouse.parquet import FragmentFiles

_TEXT = """
format = 1
name = "select"
[[pools]]
name = "reasoning"
where = "domain = 'code'"
[[pools]]
name = "general"
where = "TRUE"
[[stages]]
name = "late"
choose = 2
budget = "50 %"
context = 64
order_by = "quality"
shares = {{ general = 0.5, reasoning = 0.5 }}
shortfall_to = ["general/*"]
max_copies = {copies}
{repeat}
[[stages]]
name = "early"
choose = 1
budget = "30 %"
context = 64
order_by = "knowledge_density"
where = "quality >= 100"
shares = {{ general = 1.0 }}
max_copies = {copies}
"""
_HERE = FragmentFiles(fragment=1, batch="b")
_SAMPLE = st.tuples(
    st.booleans(),
    st.integers(0, 9),
    st.sampled_from([0, 1, 99, 100, 30000, 65535]),
    st.sampled_from([0, 127, 128, 65535]),
    st.sampled_from(["code", "general", None]),
    st.sampled_from(["en", "zh", None]),
    st.integers(0, 255),
    st.sampled_from([-(2**63), -1, 0, 5, 2**63 - 1]),
)
_SAMPLES = st.lists(_SAMPLE, min_size=1, max_size=25)


def _recipe(max_copies: int = 1, repeat: bool = False) -> Recipe:
    return parse_recipe(
        tomllib.loads(_TEXT.format(copies=max_copies, repeat='repeat_from = ["early"]' if repeat else ""))
    )


def _table(samples: Sequence[Any]) -> pa.Table:
    kept, tokens, quality, knowledge, domain, language, digest, origin = zip(*samples, strict=True)
    n = len(samples)
    # Half of the hashes end in zeros, which a fixed-width string type would drop.
    hashes = [bytes([value]) + bytes([value if value % 2 else 0] * 15) for value in digest]
    return pa.table(
        {
            "sample_id": pa.array([(1 << 24) + row for row in range(n)], pa.int64()),
            "kept": pa.array(kept),
            "n_tokens": pa.array(tokens, pa.int64()),
            "quality": pa.array(quality, pa.int32()),
            "knowledge_density": pa.array(knowledge, pa.int32()),
            "reasoning_density": pa.array([0] * n, pa.int32()),
            "chain_of_thought": pa.array([0] * n, pa.int32()),
            "domain": pa.array(domain, pa.string()),
            "language": pa.array(language, pa.string()),
            "source": pa.array(["s"] * n),
            "uri": pa.array(
                [None if row % 2 else f"https://h{row % 3}.example.org/{row}" for row in range(n)], pa.string()
            ),
            "content_hash": pa.array(hashes, pa.binary()),
            "origin": pa.array(origin, pa.int64()),
            "contamination_overlap": pa.array([0.0] * n, pa.float32()),
            "contamination_answered": pa.array([0.0] * n, pa.float32()),
        }
    )


def _key(row: Mapping[str, Any], score: str) -> tuple[int, bytes, int]:
    return -int(row[score]), row["content_hash"], row["origin"]


def _cell(row: Mapping[str, Any]) -> Cell:
    pool = "reasoning" if row["domain"] == "code" else "general"
    return Cell(pool, str(row["language"] or "und"), str(row["domain"] or ""))


def _find_cuts(recipe: Recipe, parts: Sequence[pa.Table]) -> list[tuple[Stage, Cuts]]:
    """The driver's loop of ``select`` without Spark: the same sums, the same plan, the same steps."""
    decided: list[tuple[Stage, Cuts]] = []
    for stage in recipe.choosing_order:
        sums = pa.concat_tables([cell_sums(recipe, stage, decided, _HERE, part) for part in parts]).to_pylist()
        everything = sum(row["tokens"] for row in sums if not row["open"])
        available: dict[Cell, int] = {}
        for row in sums:
            if row["open"]:
                cell = Cell(row["pool"], row["language"], row["domain"])
                available[cell] = available.get(cell, 0) + row["tokens"]
        plan = solve(available, stage, stage_budget(stage, everything))
        there = {planned.cell: planned.available for planned in plan.cells}
        full = {cell: min(target // there[cell], stage.max_copies) for cell, target in plan.targets.items()}
        searches = {
            cell: select._Search(need=target - full[cell] * there[cell])
            for cell, target in plan.targets.items()
            if target > full[cell] * there[cell] and full[cell] < stage.max_copies
        }
        for _ in range(KEY_BYTES + 2):
            waiting = {cell: (search.prefix, search.few) for cell, search in searches.items() if search.last is None}
            if not waiting:
                break
            found: dict[str, dict[bytes, tuple[int, int]]] = {}
            for part in parts:
                rows = bin_sums(recipe, stage, decided, dict(plan.cell_of), waiting, _HERE, part)
                for row in rows.to_pylist() if rows is not None else []:
                    bins = found.setdefault(row["cell"], {})
                    tokens, documents = bins.get(row["key"], (0, 0))
                    bins[row["key"]] = (tokens + row["tokens"], documents + row["documents"])
            for cell in waiting:
                select._advance(searches[cell], sorted((key, *sums) for key, sums in found["\t".join(cell)].items()))
        assert all(search.last is not None for search in searches.values())
        cuts = {
            cell: Cut(full=full[target], last=searches[target].last if target in searches else None)
            for cell, target in plan.cell_of.items()
            if target in full
        }
        decided.append((stage, Cuts(stage=stage.name, cuts=cuts, planned=dict(plan.cell_of))))
    return decided


def _reference(recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, int]]:
    """Stage → sample → copies, by sorting: whole rounds of a cell, then the shortest prefix that reaches the target."""
    kept = [row for row in rows if row["kept"] and row["n_tokens"]]
    tokens = {row["sample_id"]: int(row["n_tokens"]) + 1 for row in kept}
    everything = sum(tokens.values())
    chosen: dict[str, dict[int, int]] = {}
    for stage in recipe.choosing_order:
        gone = {sample for other, took in chosen.items() if other not in stage.repeat_from for sample in took}
        free = [
            row
            for row in kept
            if row["sample_id"] not in gone and (stage.name != "early" or int(row["quality"]) >= 100)
        ]
        available: dict[Cell, int] = {_cell(row): 0 for row in kept}
        for row in free:
            available[_cell(row)] += tokens[row["sample_id"]]
        plan = solve(available, stage, stage_budget(stage, everything))
        took: dict[int, int] = {}
        for target_cell, target in plan.targets.items():
            mine = sorted(
                (row for row in free if plan.cell_of[_cell(row)] == target_cell),
                key=lambda row: _key(row, stage.order_by),
            )
            got = 0
            for _ in range(stage.max_copies):
                at = 0
                while at < len(mine) and got < target:
                    # Samples of one key are one place in the order.
                    key = _key(mine[at], stage.order_by)
                    while at < len(mine) and _key(mine[at], stage.order_by) == key:
                        sample = mine[at]["sample_id"]
                        took[sample] = took.get(sample, 0) + 1
                        got += tokens[sample]
                        at += 1
        chosen[stage.name] = took
    return chosen


@settings(max_examples=25, deadline=None)
@given(_SAMPLES, st.integers(1, 3), st.booleans(), st.integers(1, 4), st.sampled_from([0, 2, 1024]))
def test_the_chosen_are_the_shortest_prefix_that_reaches_the_target(
    samples: list[Any],
    max_copies: int,
    repeat: bool,
    n_parts: int,
    few: int,
) -> None:
    """Cuts found byte by byte equal a plain sort, for any copies, repeats and split into fragments; the last bin listed or not."""
    recipe, table = _recipe(max_copies, repeat), _table(samples)
    bounds = [len(samples) * number // n_parts for number in range(n_parts + 1)]
    parts = [table.slice(begin, end - begin) for begin, end in zip(bounds, bounds[1:], strict=False)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select, "_FEW", few)
        decided = _find_cuts(recipe, parts)
    found: dict[str, dict[int, int]] = {stage.name: {} for stage in recipe.stages}
    for part in parts:
        those = candidates(part, recipe)
        rows = assign(those, decided)
        ids = those.table["sample_id"].to_pylist()
        for row, stage, number in zip(*(rows[name].to_pylist() for name in ("row", "stage", "copies")), strict=True):
            if stage is not None:
                assert number > 0
                found[stage][ids[row]] = number
    assert found == _reference(recipe, table.to_pylist())


@settings(max_examples=12, deadline=None)
@given(_SAMPLES, st.booleans())
def test_every_candidate_has_a_reason(samples: list[Any], repeat: bool) -> None:
    """One row a stage that took it, or one row that says of every stage why not; stages are disjoint unless they repeat."""
    recipe, table = _recipe(repeat=repeat), _table(samples)
    decided = _find_cuts(recipe, [table])
    found = candidates(table, recipe)
    rows = assign(found, decided)
    by_row: dict[int, list[tuple[str | None, int, str]]] = {}
    for row, stage, number, reason in zip(
        *(rows[name].to_pylist() for name in ("row", "stage", "copies", "reason")), strict=True
    ):
        by_row.setdefault(row, []).append((stage, number, reason))
    assert sorted(by_row) == list(range(found.table.num_rows))
    quality = found.table["quality"].to_pylist()
    for row, entries in by_row.items():
        stages = [stage for stage, _, _ in entries]
        if stages == [None]:
            ((_, number, reason),) = entries
            assert number == 0
            assert reason.startswith("out: early: ")
            assert "; late: after the cut of " in reason
            assert ("early: does not meet where" in reason) == (quality[row] < 100)
        else:
            assert stages in ([["early"], ["late"], ["early", "late"]] if repeat else [["early"], ["late"]])
            assert all(reason.startswith(f"in {stage}: within the cut of ") for stage, _, reason in entries)


def test_keys_fall_by_score_then_hash_then_origin() -> None:
    """The higher score first; of equal ones the smaller hash, as unsigned bytes; then the smaller origin, as a signed number."""
    samples = [
        (True, 1, 10, 0, "x", "en", 200, 0),
        (True, 1, 10, 0, "x", "en", 3, 7),
        (True, 1, 10, 0, "x", "en", 3, -7),
        (True, 1, 65535, 0, "x", "en", 255, 0),
        (True, 1, 0, 0, "x", "en", 0, 0),
    ]
    found = candidates(_table(samples), _recipe())
    keys = found.keys["quality"]
    assert keys.dtype.itemsize == KEY_BYTES
    assert np.argsort(keys, kind="stable").tolist() == [3, 2, 1, 0, 4]


def test_a_missing_score_is_the_lowest() -> None:
    """A sample without a score comes last, it is not taken for the best."""
    table = _table([(True, 1, 5, 0, "x", "en", 1, 0), (True, 1, 6, 0, "x", "en", 2, 0)])
    table = table.set_column(table.column_names.index("quality"), "quality", pa.array([None, 1], pa.int32()))
    keys = candidates(table, _recipe()).keys["quality"]
    assert keys[0] > keys[1]


def test_neither_rejected_nor_empty_samples_are_candidates() -> None:
    """A sample must be kept and have tokens; a fragment without one is no error anywhere."""
    table = _table([(False, 5, 1, 1, "x", "en", 1, 0), (True, 0, 1, 1, "x", "en", 2, 0)])
    recipe = _recipe()
    found = candidates(table, recipe)
    assert found.table.num_rows == 0
    decided = [(stage, Cuts(stage=stage.name)) for stage in recipe.choosing_order]
    assert cell_sums(recipe, recipe.stages[0], [], _HERE, table).num_rows == 0
    assert bin_sums(recipe, recipe.stages[0], [], {}, {}, _HERE, table) is None
    assert chosen_sums(recipe, decided, _HERE, table) is None
    assert len(assign(found, decided)["row"]) == 0
    assert (
        len(open_to(found, recipe.stages[0], decided[:1])) == len(copies(found, recipe.stages[0], decided[0][1])) == 0
    )


def test_a_kept_sample_without_tokens_says_so() -> None:
    """A sample of which spans left nothing is in no stage, and its row says why; rows stay in order of sample_id."""
    recipe = _recipe()
    table = _table([(True, n, 500, 5, "x", "en", n, 0) for n in (3, 0, 4)])
    decided = _find_cuts(recipe, [table])
    task = select._Task(
        table="",
        run_id="r",
        build="b",
        recipe=recipe,
        decided=tuple(decided),
        fragments=(),
        operator="",
    )
    rows = select._rows(task, table).to_pylist()
    assert [row["sample_id"] - (1 << 24) for row in rows] == [0, 1, 2]
    assert (rows[1]["stage"], rows[1]["copies"], rows[1]["reason"]) == (None, 0, "out: no tokens")


def test_sums_of_what_was_chosen() -> None:
    """Tokens, documents and hosts of the chosen; a document without a URL counts for its source; the digest does not see the order."""
    recipe = _recipe(max_copies=2)
    table = _table([(True, n + 1, 500, 5, "x", "en", n, 0) for n in range(6)])
    stage = recipe.choosing_order[0]
    cell = Cell("general", "en", "x")
    cuts = Cuts(stage=stage.name, cuts={cell: Cut(full=2)}, planned={cell: cell})

    def sums(chosen: Cuts, rows: pa.Table) -> list[dict[str, Any]]:
        found = chosen_sums(recipe, [(stage, chosen)], _HERE, rows)
        assert found is not None
        return list(found.to_pylist())

    by_host = {row["host"]: row for row in sums(cuts, table)}
    assert {host: row["documents"] for host, row in by_host.items()} == {
        "h0.example.org": 1,
        "h1.example.org": 1,
        "h2.example.org": 1,
        "s": 3,
    }
    assert sum(row["tokens"] for row in by_host.values()) == 2 * sum(n + 2 for n in range(6))
    turned = sums(cuts, table.take([5, 3, 1, 0, 2, 4]))
    assert sum(row["digest"] for row in turned) == sum(row["digest"] for row in by_host.values())
    once = Cuts(stage=stage.name, cuts={cell: Cut(full=1)}, planned={cell: cell})
    other = sums(once, table)
    assert sum(row["digest"] for row in other) != sum(row["digest"] for row in by_host.values())


@pytest.mark.parametrize(("need", "expected"), [(1, b"a"), (10, b"a"), (11, b"b"), (30, b"b")])
def test_a_cut_lies_at_the_document_that_meets_the_need(need: int, expected: bytes) -> None:
    """One token less than a bin, the whole bin, and one more: the bin in which the need is met."""
    search = select._Search(need=need)
    select._advance(search, [(b"a", 10, select._FEW), (b"b", 20, select._FEW + 1)])
    assert search.prefix == expected
    assert search.few == (expected == b"a")
    assert search.need == (need if expected == b"a" else need - 10)


def test_fewer_tokens_than_counted_are_an_error() -> None:
    """A need that no bin meets is not a cut at the end but a lake that changed."""
    with pytest.raises(RecipeError, match="the lake changed"):
        select._advance(select._Search(need=31), [(b"a", 10, 3), (b"b", 20, 5)])
