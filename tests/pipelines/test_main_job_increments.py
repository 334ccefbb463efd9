"""A run does what is missing and nothing else, shown by the bytes that its commits add."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import main_job
import pytest

from headwater.pipelines.recipe.job import Recipe, load_recipe, parse_recipe
from headwater.pipelines.recipe.operators import ANNOTATED
from headwater.pipelines.run import run
from headwater.warehouse.fragments import fragments_of, parse_name
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

FRAGMENT_BYTES = 30_000
BUILT = {"stages", "placements", "runs"}


@pytest.fixture(scope="module")
def grown(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """A lake of one batch, run to the end, to which a second was added; the versions after the first run and after the second."""
    root = tmp_path_factory.mktemp("grown")
    first, second, third = main_job.write_folders(root / "in")
    main_job.run_in_batches(spark, str(root / "lake"), [[first, second]], FRAGMENT_BYTES)
    before = open_snapshot(str(root / "lake")).version
    main_job.run_in_batches(spark, str(root / "lake"), [[third]], FRAGMENT_BYTES)
    return root / "lake", before, open_snapshot(str(root / "lake")).version


def covered(paths: dict[str, int]) -> set[int]:
    """Return the fragments that some files cover."""
    found: set[int] = set()
    for path in paths:
        _, _, base, mask, _, _ = parse_name(path)
        found |= set(fragments_of(base, mask))
    return found


def altered(**sections: object) -> Recipe:
    """Return the recipe with other sections."""
    return parse_recipe(load_recipe(main_job.RECIPE).literals | sections)


def test_second_run_does_nothing(spark: SparkSession, grown: tuple[Path, int, int]) -> None:
    """With nothing new a run commits nothing, writes no file, says so, and names the same build."""
    lake, _, version = grown
    files = sorted(lake.rglob("*"))
    report = run(spark, str(lake), load_recipe(main_job.RECIPE), [str(lake.parent / "in")])
    assert report.nothing_new
    assert open_snapshot(str(lake)).version == version
    assert sorted(lake.rglob("*")) == files


def test_new_batch_writes_only_its_own(grown: tuple[Path, int, int]) -> None:
    """A second batch adds families of its own fragments only; of older ones only clusters that it joined are written again."""
    lake, before, version = grown
    old = open_snapshot(str(lake), before)
    added = main_job.committed(lake, before, version)
    new_fragments = set(open_snapshot(str(lake), version).covered("content").tolist()) - set(
        old.covered("content").tolist()
    )
    assert new_fragments
    for family in ("content", "uri_index", *ANNOTATED):
        assert covered(added[family]) == new_fragments
    assert set(old.paths("content")) <= set(open_snapshot(str(lake), version).paths("content"))
    again = covered(added["duplicates"]) - new_fragments
    assert covered(added["verdicts"]) >= again
    told("batch", added, old)


def test_batches_give_the_shards_of_one(
    spark: SparkSession, grown: tuple[Path, int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A batch added after a finished run gives the build of one run over everything, beside the first build."""
    lake, _, _ = grown
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    assert len(list((lake / "builds").iterdir())) == 2
    assert main_job.shard_hashes(lake, build) == hashes
    main_job.assert_whole(lake)


def test_changed_setting_redoes_what_depends_on_it(spark: SparkSession, grown: tuple[Path, int, int]) -> None:
    """One setting after another: a rule, the span operators, personal data, what becomes of them, similarity; each writes only what reads it."""
    lake, _, _ = grown
    rules = {"sets": ["default"], "limits": {"gopher_min_words": 120}}
    spans = {"operators": ["policy_lines"]}
    for recipe, families in (
        (altered(rules=rules), {"verdicts"}),
        (altered(rules=rules, spans=spans), {"spans", "tokens", "verdicts"}),
        (altered(rules=rules, spans={**spans, "personal": {}, "secrets": {}}), {"spans", "tokens", "verdicts"}),
        (altered(rules=rules, spans={**spans, "personal": {"email": "drop"}, "secrets": {}}), {"tokens", "verdicts"}),
        (
            altered(rules=rules, spans=spans, deduplicate={"min_similarity": 0.9}),
            {"spans", "tokens", "duplicates", "verdicts"},
        ),
    ):
        before = open_snapshot(str(lake))
        run(spark, str(lake), recipe)
        after = open_snapshot(str(lake))
        added = main_job.committed(lake, before.version, after.version)
        assert set(added) == families | BUILT
        for family in families:
            assert covered(added[family]) == set(after.covered("content").tolist())
        for family in {"content", *ANNOTATED, "duplicates"} - families:
            assert after.paths(family) == before.paths(family)
        told("changed", added, before)
    main_job.assert_whole(lake)


def told(what: str, added: dict[str, dict[str, int]], before: Snapshot) -> None:
    """Print the bytes that some commits added; pytest shows them with -s."""
    there = sum(before.live("content")["size"].to_pylist())
    print(f"{what}: { ({family: sum(paths.values()) for family, paths in added.items()}) }, content before: {there}")
