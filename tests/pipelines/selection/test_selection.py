"""Selection: exact to one document a cell, in the order of the key, with a reason for every kept sample."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import RecipeError
from headwater.lineage.reasons import reason_sentence
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.selection import search as selection_search
from headwater.pipelines.selection.candidates import (
    KEY_BYTES,
    Candidates,
    Cut,
    Cuts,
    candidates,
    copies,
    key_bytes,
    open_to,
)
from headwater.pipelines.selection.cuts import choose
from headwater.pipelines.selection.quotas import Cell, LongSamples, Plan, ask_full_sequences, solve, stage_budget
from headwater.pipelines.selection.rows import assign
from headwater.pipelines.selection.search import Bins, Group, Search
from headwater.pipelines.selection.sums import (
    CellSums,
    ChosenSums,
    bin_sums,
    cell_sums,
    chosen_hosts,
    chosen_sums,
)
from headwater.pipelines.spark.held_rows import Parts

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
context = 6
order_by = "knowledge_density"
where = "quality >= 100"
shares = {{ general = 1.0 }}
max_copies = {copies}
packing = "best_fit"
{full}
"""
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


def _recipe(max_copies: int = 1, repeat: bool = False, full: float | None = None) -> Recipe:
    return parse_recipe(
        tomllib.loads(
            _TEXT.format(
                copies=max_copies,
                repeat='repeat_from = ["early"]' if repeat else "",
                full="" if full is None else f"full_sequences = {full}\nshortfall_to = ['general/zh']",
            )
        )
    )


def _candidates(table: pa.Table, recipe: Recipe) -> Candidates:
    return candidates(1, table, recipe)


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
    """The loop of ``select`` without Spark."""
    held: Parts[Candidates] = Parts(spread=None, near=[_candidates(part, recipe) for part in parts])  # type: ignore[arg-type]  # near rows need no Spark
    decided: list[tuple[Stage, Cuts]] = []
    for stage in recipe.choosing_order:
        decided.append((stage, choose(held, stage, decided).by_cell))
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
        asked = _asked(plan, stage, free, tokens)
        took: dict[int, int] = {}

        def take(row: Mapping[str, Any], took: dict[int, int] = took) -> int:
            took[row["sample_id"]] = took.get(row["sample_id"], 0) + 1
            return tokens[row["sample_id"]]

        for target_cell, target in plan.targets.items():
            mine = sorted(
                (row for row in free if plan.cell_of[_cell(row)] == target_cell),
                key=lambda row: _key(row, stage.order_by),
            )
            # Samples of one key are one place in the order.
            places = [list(group) for _, group in groupby(mine, key=lambda row: _key(row, stage.order_by))]
            there = sum(tokens[row["sample_id"]] for row in mine)
            rounds = min(target // there, stage.max_copies)
            for row in mine * rounds:
                take(row)
            rest = target - rounds * there if rounds < stage.max_copies else 0
            missing = asked.get(target_cell, 0) - rounds * sum(_fills(row, stage, tokens) for row in mine)
            later = []
            for place in places:
                long = [row for row in place if _fills(row, stage, tokens)]
                if long and missing > 0 and rest > 0:
                    for row in long:
                        rest -= take(row)
                        missing -= _fills(row, stage, tokens)
                    later.append([row for row in place if row not in long])
                else:
                    later.append(place)
            for place in later:
                if place and rest > 0:
                    rest -= sum(take(row) for row in place)
        chosen[stage.name] = took
    return chosen


def _fills(row: Mapping[str, Any], stage: Stage, tokens: Mapping[int, int]) -> int:
    return tokens[row["sample_id"]] // stage.context


def _asked(
    plan: Plan, stage: Stage, free: Sequence[Mapping[str, Any]], tokens: Mapping[int, int]
) -> Mapping[Cell, int]:
    """Cell of the plan → full sequences asked; what a cell gets of the stage's share is ``quotas``' matter."""
    if stage.full_sequences is None:
        return {}
    there: dict[Cell, list[int]] = {}
    for row in free:
        if number := _fills(row, stage, tokens):
            sums = there.setdefault(plan.cell_of[_cell(row)], [0, 0, 0])
            sums[:] = [sums[0] + 1, sums[1] + tokens[row["sample_id"]], sums[2] + number]
    found = {cell: LongSamples(documents=a, tokens=b, sequences=c) for cell, (a, b, c) in there.items()}
    return ask_full_sequences(plan, stage, found).cells


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    _SAMPLES,
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([None, 0.0, 0.2, 0.5, 1.0]),
    st.integers(1, 4),
    st.sampled_from([0, 2, 1024]),
)
def test_the_chosen_are_the_shortest_prefix_that_reaches_the_target(
    samples: list[Any],
    max_copies: int,
    repeat: bool,
    full: float | None,
    n_parts: int,
    few: int,
) -> None:
    """Cuts found byte by byte equal a plain sort, for any copies, repeats, share of full sequences and split into fragments; bins listed or not."""
    recipe, table = _recipe(max_copies, repeat, full), _table(samples)
    bounds = [len(samples) * number // n_parts for number in range(n_parts + 1)]
    parts = [table.slice(begin, end - begin) for begin, end in zip(bounds, bounds[1:], strict=False)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection_search, "_FEW", few)
        decided = _find_cuts(recipe, parts)
    found: dict[str, dict[int, int]] = {stage.name: {} for stage in recipe.stages}
    for part in parts:
        those = _candidates(part, recipe)
        ids = part["sample_id"].to_pylist()
        for row in assign(those, decided).to_pylist():
            if row["stage"] is not None:
                assert row["copies"] > 0
                found[row["stage"]][ids[row["sample_id"] - (1 << 24)]] = row["copies"]
    assert found == _reference(recipe, table.to_pylist())


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(_SAMPLES, st.booleans())
def test_every_candidate_has_a_reason(samples: list[Any], repeat: bool) -> None:
    """One row a stage that took it, or one row that says of every stage why not; stages are disjoint unless they repeat."""
    recipe, table = _recipe(repeat=repeat), _table(samples)
    decided = _find_cuts(recipe, [table])
    found = _candidates(table, recipe)
    rows = assign(found, decided)
    by_row: dict[int, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        by_row.setdefault(row["sample_id"], []).append(row)
    kept = table.filter(table["kept"]).to_pylist()
    assert sorted(by_row) == [row["sample_id"] for row in kept]
    for sample in kept:
        entries = by_row[sample["sample_id"]]
        pool, language, _ = _cell(sample)
        cell = {"pool": pool, "cell_language": language, "cell_domain": "*"}
        stages = [entry["stage"] for entry in entries]
        if sample["n_tokens"] == 0:
            (entry,) = entries
            assert (entry["stage"], entry["copies"], entry["reason"]) == (None, 0, "no_tokens")
            assert entry["pool"] is entry["cell_language"] is entry["cell_domain"] is entry["refusals"] is None
        elif stages == [None]:
            (entry,) = entries
            assert entry["copies"] == 0
            early = (
                {"stage": "early", "reason": "where_not_met", "domain": None}
                if sample["quality"] < 100
                else {"stage": "early", "reason": "beyond_cut", "domain": "*"}
            )
            assert entry["refusals"] == [early, {"stage": "late", "reason": "beyond_cut", "domain": "*"}]
            assert entry["reason"] == "beyond_cut"
            assert cell.items() <= entry.items()
        else:
            assert stages in ([["early"], ["late"], ["early", "late"]] if repeat else [["early"], ["late"]])
            assert all(entry["reason"] == "within_cut" and cell.items() <= entry.items() for entry in entries)
            assert all(entry["refusals"] is None for entry in entries)


def test_keys_fall_by_score_then_hash_then_origin() -> None:
    """The higher score first; of equal ones the smaller hash, as unsigned bytes; then the smaller origin, as a signed number."""
    samples = [
        (True, 1, 10, 0, "x", "en", 200, 0),
        (True, 1, 10, 0, "x", "en", 3, 7),
        (True, 1, 10, 0, "x", "en", 3, -7),
        (True, 1, 65535, 0, "x", "en", 255, 0),
        (True, 1, 0, 0, "x", "en", 0, 0),
    ]
    keys = key_bytes(_candidates(_table(samples), _recipe()), "quality")
    assert keys.shape == (5, KEY_BYTES)
    assert sorted(range(5), key=lambda row: keys[row].tobytes()) == [3, 2, 1, 0, 4]


def test_a_missing_score_is_the_lowest() -> None:
    """A sample without a score comes last, it is not taken for the best."""
    table = _table([(True, 1, 5, 0, "x", "en", 1, 0), (True, 1, 6, 0, "x", "en", 2, 0)])
    table = table.set_column(table.column_names.index("quality"), "quality", pa.array([None, 1], pa.int32()))
    keys = key_bytes(_candidates(table, _recipe()), "quality")
    assert keys[0].tobytes() > keys[1].tobytes()


def test_neither_rejected_nor_empty_samples_are_candidates() -> None:
    """A sample must be kept and have tokens; a fragment without one is no error anywhere."""
    table = _table([(False, 5, 1, 1, "x", "en", 1, 0), (True, 0, 1, 1, "x", "en", 2, 0)])
    recipe = _recipe()
    found = _candidates(table, recipe)
    assert len(found.row) == 0
    decided = [(stage, Cuts(stage=stage.name)) for stage in recipe.choosing_order]
    assert cell_sums(recipe.stages[0], [], found) == CellSums()
    assert bin_sums(recipe.stages[0], [], None, {}, found) == Bins()
    assert chosen_sums(decided, found) == ChosenSums()
    assert chosen_hosts(decided, found) == {}
    assert assign(found, decided)["reason"].to_pylist() == ["no_tokens"]
    assert (
        len(open_to(found, recipe.stages[0], decided[:1])) == len(copies(found, recipe.stages[0], decided[0][1])) == 0
    )


def test_a_kept_sample_without_tokens_says_so() -> None:
    """A sample of which spans left nothing is in no stage, and its row says why; rows stay in order of sample_id."""
    recipe = _recipe()
    table = _table([(True, n, 500, 5, "x", "en", n, 0) for n in (3, 0, 4)])
    decided = _find_cuts(recipe, [table])
    rows = assign(_candidates(table, recipe), decided).to_pylist()
    assert [row["sample_id"] - (1 << 24) for row in rows] == [0, 1, 2]
    assert (rows[1]["stage"], rows[1]["copies"], rows[1]["reason"]) == (None, 0, "no_tokens")
    assert reason_sentence(rows[1]) == "out: no tokens"


def test_a_sample_that_no_stage_is_open_to_has_no_cell() -> None:
    """Where no stage's condition holds the reason says so, of every stage, and the cell is null."""
    recipe = _recipe()
    table = _table([(True, 3, 50, 5, "x", "en", 1, 0)])
    found = _candidates(table, recipe)
    early = recipe.choosing_order[0]
    (row,) = assign(found, [(early, Cuts(stage=early.name))]).to_pylist()
    assert row["reason"] == "where_not_met"
    assert row["pool"] is row["cell_language"] is row["cell_domain"] is None
    assert row["refusals"] == [{"stage": "early", "reason": "where_not_met", "domain": None}]
    assert reason_sentence(row) == "out: early: does not meet where"


def test_a_cell_is_that_of_the_plan() -> None:
    """Where a quota tells domains apart each stage names its own: in the row of the stage that took it, and of each that did not."""
    recipe = _recipe()
    late = recipe.stages[0]
    cell, group = Cell("reasoning", "zh", "code"), Cell("reasoning", "zh", "code+math")
    found = _candidates(_table([(True, 3, 500, 5, "code", "zh", 1, 0)]), recipe)
    early = (recipe.choosing_order[0], Cuts(stage="early", planned={cell: group}))
    taken = (late, Cuts(stage="late", cuts={cell: Cut(full=2)}, planned={cell: cell}))
    (row,) = assign(found, [early, taken]).to_pylist()
    assert (row["stage"], row["copies"], row["cell_domain"]) == ("late", 2, "code")
    assert reason_sentence(row) == "in late: within the cut of reasoning/zh/code"
    (row,) = assign(found, [early, (late, Cuts(stage="late", planned={cell: cell}))]).to_pylist()
    assert (row["stage"], row["cell_domain"], row["reason"]) == (None, "code+math", "beyond_cut")
    told = "out: early: after the cut of reasoning/zh/code+math; late: after the cut of reasoning/zh/code"
    assert reason_sentence(row) == told


def test_sums_of_what_was_chosen() -> None:
    """Tokens, documents and hosts of the chosen; a document without a URL counts for its source; the digest does not see the order."""
    recipe = _recipe(max_copies=2)
    table = _table([(True, n + 1, 500, 5, "x", "en", n, 0) for n in range(6)])
    stage = recipe.choosing_order[0]
    cell = Cell("general", "en", "x")
    cuts = Cuts(stage=stage.name, cuts={cell: Cut(full=2)}, planned={cell: cell})

    found = _candidates(table, recipe)
    assert chosen_hosts([(stage, cuts)], found) == {
        (stage.name, cell, "h0.example.org"): 2 * 2,
        (stage.name, cell, "h2.example.org"): 2 * 4,
        (stage.name, cell, "h1.example.org"): 2 * 6,
        (stage.name, cell, "s"): 2 * (3 + 5 + 7),
    }
    sums = chosen_sums([(stage, cuts)], found).cells
    ((tokens, documents, full, digest),) = sums.values()
    assert (tokens, documents) == (2 * sum(n + 2 for n in range(6)), 6)
    assert full == 2 * sum((n + 2) // stage.context for n in range(6))
    turned = _candidates(table.take([5, 3, 1, 0, 2, 4]), recipe)
    assert chosen_sums([(stage, cuts)], turned).cells == sums
    once = Cuts(stage=stage.name, cuts={cell: Cut(full=1)}, planned={cell: cell})
    assert chosen_sums([(stage, once)], found).cells[stage.name, cell][3] != digest


@pytest.mark.parametrize(("need", "expected"), [(1, b"a"), (10, b"a"), (11, b"b"), (30, b"b")])
def test_a_cut_lies_at_the_document_that_meets_the_need(need: int, expected: bytes) -> None:
    """One token less than a bin, the whole bin, and one more: the bin in which the need is met."""
    counted = np.zeros((256, 3), np.int64)
    counted[ord("a")] = 10, 0, 7
    counted[ord("b")] = 20, 0, 9
    search = Search(tokens=need, samples=1 << 20)
    search.advance(Bins(counted={"c": counted}), "c", 26)
    assert search.prefix == expected
    assert search.samples == (7 if expected == b"a" else 9)
    assert search.tokens == (need if expected == b"a" else need - 10)
    assert search.taken == (0 if expected == b"a" else 10)


@pytest.mark.parametrize(("tokens", "sequences", "last"), [(100, 2, b"b"), (100, 3, b"c"), (12, 3, b"b"), (3, 9, b"a")])
def test_a_search_ends_where_either_need_is_met(tokens: int, sequences: int, last: bytes) -> None:
    """Enough sequences, or enough tokens, whichever comes first; samples of one key count together."""
    keys = np.frombuffer(b"cbba", np.uint8).reshape(4, 1)
    sums = np.array([[8, 1], [4, 1], [4, 0], [5, 1]])
    search = Search(tokens=tokens, sequences=sequences, samples=4)
    search.advance(Bins(listed={"c": [Group(keys=keys, sums=sums)]}), "c", 1)
    assert search.last == last
    assert search.taken == {b"a": 5, b"b": 13, b"c": 21}[last]


def test_fewer_tokens_than_counted_are_an_error() -> None:
    """A need that no bin meets is not a cut at the end but a lake that changed."""
    with pytest.raises(RecipeError, match="the lake changed"):
        Search(tokens=31, samples=0).advance(Bins(), "c", 26)


def test_long_samples_come_first_until_the_share_is_reached() -> None:
    """Just below, at and above the context; a long sample beyond the score's cut says that its length brought it in; the quota holds."""
    # Six of 5 tokens (with the end of text), then by score: one token short of the context, exactly the context, two contexts.
    samples = [(True, 4, 500, 100 - n, "x", "en", n, 0) for n in range(6)]
    samples += [(True, n, 500, 50 - n, "x", "en", 100 + n, 0) for n in (4, 5, 11)]
    for full, expected in ((None, [0, 1, 2]), (0.1, [0, 1, 7]), (1.0, [7, 8])):
        recipe, table = _recipe(full=full), _table(samples)
        stage = recipe.choosing_order[0]
        ((_, cuts), _) = _find_cuts(recipe, [table])
        found = _candidates(table, recipe)
        rows = assign(found, [(stage, cuts)])
        chosen = [row for row in rows.to_pylist() if row["stage"]]
        assert [row["sample_id"] - (1 << 24) for row in chosen] == expected
        long = [row for row in chosen if row["reason"] == "for_full_sequences"]
        assert [row["sample_id"] - (1 << 24) for row in long] == [row for row in expected if row > 5]
        assert all(reason_sentence(row).endswith("/*") == (row not in long) for row in chosen)
        assert all(reason_sentence(row).endswith("/* for full sequences") for row in long)


def test_a_pool_may_be_of_hosts_and_domains() -> None:
    """They are made of the documents' URLs, and only for a recipe that reads them."""
    raw = tomllib.loads(_TEXT.format(copies=1, repeat="", full=""))
    raw["pools"][0]["where"] = "registered_domain = 'example.co.uk' OR host = 'a.example.org'"
    urls = ["http://News.Example.co.uk/", "https://a.example.org/1", "https://b.example.org/", None]
    table = _table([(True, 5, 500, 5, "x", "en", n, 0) for n in range(len(urls))])
    table = table.set_column(table.column_names.index("uri"), "uri", pa.array(urls))
    recipe = parse_recipe(raw)
    found = _candidates(table, recipe)
    pools = [found.cells[cell].pool for cell in found.cell.tolist()]
    assert pools == [recipe.pools[0].name] * 2 + [recipe.pools[1].name] * 2
    assert recipe.reads_hosts
    assert not _recipe().reads_hosts
