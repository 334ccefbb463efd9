"""Nested proxies: a true subset with the same mixture, the same however the rows are divided."""

from __future__ import annotations

import hashlib
import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_lake import SmallLake, small_recipe

from headwater.errors import UsageError
from headwater.hashes import mix_hashes
from headwater.lineage.lookup import open_lookup
from headwater.lineage.past_runs import newest_selection
from headwater.lineage.questions import rows
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.pipelines.builds.step import build
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.selection import proxy
from headwater.pipelines.selection import search as selection_search
from headwater.pipelines.selection.proxy import parse_scale, scale_down
from headwater.pipelines.spark.held_rows import Parts
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DOCUMENT = st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.integers(1, 50), st.integers(1, 3))


def _parts(documents: list[Any], n_parts: int) -> list[proxy._Rows]:
    """The documents, numbered, each by its own hash, in parts."""
    cells = [proxy._Cell("s", name, "en", "*", long) for name in "ab" for long in (False, True)]
    found = []
    for part in range(n_parts):
        mine = [(number, *each) for number, each in enumerate(documents) if number % n_parts == part]
        content = np.array([[number % 7, *[0] * 14, number] for number, *_ in mine], np.uint8).reshape(-1, 16)
        origin = np.zeros(len(mine), np.int64)
        keys = np.zeros((len(mine), proxy.PROXY_KEY_BYTES), np.uint8)
        keys[:, :8] = mix_hashes("proxy", 3, content, origin).astype(">u8").view(np.uint8).reshape(-1, 8)
        keys[:, 8:24] = content
        copies = np.array([each[4] for each in mine], np.int64)
        found.append(
            proxy._Rows(
                cells=cells,
                cell=np.array([cells.index(proxy._Cell("s", each[1], "en", "*", each[2])) for each in mine], np.int64),
                ids=np.array([each[0] for each in mine], np.int64),
                copies=copies,
                tokens=copies * np.array([each[3] for each in mine], np.int64),
                keys=keys,
            )
        )
    return found


def _chosen(parts: list[proxy._Rows], share: Fraction) -> set[int]:
    held: Parts[proxy._Rows] = Parts(spread=None, near=parts)  # type: ignore[arg-type]  # near rows need no Spark
    there = proxy._Sums()
    for part in parts:
        there.merge(proxy._cell_sums(None, part))
    there.cells = {cell: sums for cell, sums in there.cells.items() if sums[1]}
    cuts = proxy._find_cuts(held, there, share) | {
        cell: b"" for part in parts for cell in part.cells if cell not in there.cells
    }
    return {int(number) for part in parts for number in part.ids[proxy._within(cuts, part)]}


def _draw(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")


def test_small_cells_have_their_share_on_average() -> None:
    """A hundredth of 500 cells of one document each is some five documents, not 500 and not none."""
    sizes = [
        _chosen(_parts([("a", False, 9, 1)] * n + [("b", True, 40, 1)], 1), Fraction(1, 100)) for n in range(1, 255)
    ]
    taken = sum(len(chosen) for chosen in sizes)
    share = sum(0.01 * (n + 1) for n in range(1, 255))
    # Each cell is off by a draw of variance at most 1/4: 508 cells, four standard deviations.
    assert abs(taken - share) < 4 * (508 / 4) ** 0.5


@settings(max_examples=40, deadline=None)
@given(st.lists(_DOCUMENT, min_size=1, max_size=40), st.integers(1, 4), st.sampled_from([0, 3, 1024]))
def test_a_proxy_is_a_prefix_of_each_cell(documents: list[Any], n_parts: int, few: int) -> None:
    """Equal to sorting by the hash and drawing for the document that crosses, in any division; a larger scale holds the smaller; 1 is all."""
    scales = [Fraction(1, 1000), Fraction(1, 10), Fraction(1, 3), Fraction(1)]
    whole = _parts(documents, 1)[0]
    order = sorted(range(len(documents)), key=lambda number: whole.keys[number].tobytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection_search, "_FEW", few)
        found = [_chosen(_parts(documents, n_parts), share) for share in scales]
    for share, chosen in zip(scales, found, strict=True):
        expected = set()
        for cell in set(whole.cell.tolist()):
            mine = [number for number in order if whole.cell[number] == cell]
            target, got = share * sum(int(whole.tokens[number]) for number in mine), 0
            for number in mine:
                tokens = int(whole.tokens[number])
                if Fraction(_draw(whole.keys[number].tobytes()), 2**64) < (target - got) / tokens:
                    expected.add(number)
                got += tokens
        assert chosen == expected
    assert all(small <= large for small, large in itertools.pairwise(found))
    assert found[-1] == set(range(len(documents)))


@pytest.mark.parametrize(
    "text", ["0", "-1", "1.01", "a", "nan", "inf", "", "0_1", "\u0660.1", "1e-1000000000", "1" * 5000]
)
def test_a_scale_is_a_share(text: str) -> None:
    """Above 0 and up to 1; anything else is refused with what was given."""
    with pytest.raises(UsageError, match="--scale") as caught:
        parse_scale(text)
    assert len(str(caught.value)) < 160
    assert parse_scale("1") == (Fraction(1), "1")
    assert parse_scale("1e-3") == (Fraction(1, 1000), "0.001")


@pytest.mark.spark
def test_proxies_of_a_lake(spark: SparkSession, copied_lake: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subset with the same copies, nested, each cell within one document; the same rows from Spark as in the driver; a build of its own."""
    lake, recipe, base = str(copied_lake.folder), small_recipe(), copied_lake.build
    small = scale_down(spark, resolve(recipe, lake), base, "0.25")
    large = scale_down(spark, resolve(recipe, lake), base, "0.6")
    assert (small.build, large.build) == (f"{base}-scale-0.25", f"{base}-scale-0.6")
    assert scale_down(spark, resolve(recipe, lake), base, "0.250").known
    stored: dict[str, set[Any]] = {}
    with connect(lake) as connection:
        for name in (base, small.build, large.build):
            found = rows(
                connection, "SELECT stage, sample_id, copies FROM stages WHERE build = ? AND stage IS NOT NULL", [name]
            )
            stored[name] = {tuple(row.values()) for row in found}
        assert newest_selection(connection, recipe.literals) == base
        longest = rows(
            connection,
            "SELECT stage, max(copies * (n_tokens + 1))::BIGINT AS n FROM stages JOIN tokens USING (sample_id) "
            "WHERE build = ? AND stage IS NOT NULL GROUP BY 1",
            [base],
        )
        reasons = rows(
            connection, "SELECT DISTINCT stage IS NULL AS out, reason FROM stages WHERE build = ?", [small.build]
        )
        sample = rows(connection, "SELECT min(sample_id) AS id FROM stages WHERE build = ?", [small.build])[0]["id"]
        told = {row["build"]: row["sentence"] for row in why(open_lookup(str(small.folder)), sample)["stages"]}
    assert set() < stored[small.build] < stored[large.build] < stored[base]
    assert {(row["out"], row["reason"]) for row in reasons} == {(False, "within_share"), (True, "beyond_share")}
    assert told[small.build].endswith(f", scale 0.25 of {base}")
    assert "scale" not in told[base]
    most = {row["stage"]: row["n"] for row in longest}
    for cell in small.cells:
        assert abs(cell.tokens - cell.base_tokens * 0.25) < most[cell.stage]
    with pytest.raises(UsageError, match="a proxy of"):
        scale_down(spark, resolve(recipe, lake), small.build, "0.5")
    monkeypatch.setattr("headwater.pipelines.spark.held_rows._NEAR_ROWS", 0)
    again = scale_down(spark, resolve(recipe, lake), base, "0.24")
    near = {(cell.stage, cell.cell): cell.tokens for cell in small.cells}
    assert all(cell.tokens <= near[cell.stage, cell.cell] for cell in again.cells)
    build(spark, resolve(recipe, lake), small.build)
    with connect(lake) as connection:
        placed = rows(
            connection,
            "SELECT stage, sample_id, count(DISTINCT copy)::INTEGER AS copies FROM placements WHERE build = ? GROUP BY ALL",
            [small.build],
        )
    assert {tuple(row.values()) for row in placed} == stored[small.build]
    assert len(open_snapshot(lake).covered("stages", batch=small.build))
