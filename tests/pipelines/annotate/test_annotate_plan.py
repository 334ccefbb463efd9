"""What annotate plans: exactly the families that fragments lack, neighbours together, replaced files replaced whole."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from small_lake import small_recipe

from headwater.filters.duplicates.minhash import measure_minhash
from headwater.filters.duplicates.number_settings import DEFAULT_NUMBERS
from headwater.filters.signals.kinds import kinds
from headwater.lineage.runs import begin_run
from headwater.pipelines.annotate import step as annotate
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import ANNOTATED, resolve
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import FileEntry, fragment_mask, sample_ids
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot


@cache
def wanted() -> dict[str, str]:
    """Return the fingerprint of each family by the small recipe."""
    return resolve(small_recipe(), "").fingerprints


OLD = "0" * 32


def _file(uri: str, family: str, fragments: list[int], operator: str, batch: str = "b") -> FileEntry:
    base, mask = fragment_mask(fragments)
    schema = arrow_schema(family)
    groups = [
        pa.table(
            [pa.array(sample_ids(number, 0, 1)), *(pa.nulls(1, field.type) for field in list(schema)[1:])],
            schema=schema,
        )
        for number in fragments
    ]
    return write_family(uri, family, batch, base, mask, operator, groups)


def _lake(folder: Path, content: dict[int, str], *files: tuple[str, list[int], str]) -> Snapshot:
    snapshot = create_lake(str(folder))
    adds = [_file(snapshot.uri, "content", [number], OLD, batch) for number, batch in content.items()]
    adds += [_file(snapshot.uri, family, fragments, operator) for family, fragments, operator in files]
    return commit(snapshot, adds=adds, wave=("w", 1), lake=str(folder))


def _plan(folder: Path, slots: int = 1) -> list[tuple[list[int], set[str], int]]:
    """(fragments, families, how many files are replaced) of each planned task."""
    snapshot = open_snapshot(str(folder))
    run = begin_run(str(folder), "annotate", {}, {}, snapshot.version)
    found = []
    for task in annotate._plan(snapshot, run, resolve(small_recipe(), ""), wanted(), slots):
        unit = annotate._unit(snapshot, task, annotate._Result(entries=[], rows=0, text_bytes=0))
        found.append(([where.fragment for where in task.fragments], set(task.families), len(unit.removes)))
        assert task.families == {family: wanted()[family] for family in task.families}
    return found


def test_a_new_fragment_lacks_everything(lake_folder: Path) -> None:
    """Every family of every fragment, a task a fragment in a small lake."""
    _lake(lake_folder, dict.fromkeys([1, 2, 5], "b"))
    assert _plan(lake_folder) == [([number], set(ANNOTATED), 0) for number in (1, 2, 5)]


def test_a_finished_fragment_lacks_nothing(lake_folder: Path) -> None:
    """What is there by the wanted operator is never planned again; a single missing family is."""
    files = [(family, [1, 2], wanted()[family]) for family in ANNOTATED if family != "scores"]
    _lake(lake_folder, dict.fromkeys([1, 2], "b"), *files, ("scores", [1], wanted()["scores"]))
    assert _plan(lake_folder) == [([2], {"scores"}, 0)]


def test_fragments_of_a_replaced_file_share_a_task(lake_folder: Path) -> None:
    """A file by another operator is replaced whole, in one task, even where tasks are of one fragment."""
    files = [(family, [1, 2, 3], wanted()[family]) for family in ANNOTATED if family != "tokens"]
    _lake(lake_folder, dict.fromkeys([1, 2, 3], "b"), *files, ("tokens", [1, 2], OLD), ("tokens", [3], OLD))
    assert _plan(lake_folder, slots=8) == [([1, 2], {"tokens"}, 1), ([3], {"tokens"}, 1)]


@pytest.mark.parametrize("slots", [1, 4])
def test_tasks_of_a_large_lake_cover_neighbours(slots: int, lake_folder: Path) -> None:
    """Files of several fragments, of one batch, at most 64 apart; every fragment once; enough tasks for all cores."""
    content = dict.fromkeys([*range(40), *range(90, 100)], "a") | dict.fromkeys(range(100, 130), "b")
    _lake(lake_folder, content)
    planned = [fragments for fragments, _, _ in _plan(lake_folder, slots)]
    assert [number for fragments in planned for number in fragments] == sorted(content)
    assert all(max(fragments) - min(fragments) < 64 for fragments in planned)
    assert all(len({content[number] for number in fragments}) == 1 for fragments in planned)
    assert max(map(len, planned)) == len(content) // (8 * slots)


def test_a_setting_reaches_what_depends_on_it() -> None:
    """Other span operators change spans and token counts, nothing else; the same recipe changes nothing."""
    recipe = small_recipe()
    spans = dataclasses.replace(recipe.spans, operators=("emails",))
    changed = resolve(dataclasses.replace(recipe, spans=spans), "").fingerprints
    assert {family for family in ANNOTATED if changed[family] != wanted()[family]} == {"spans", "tokens"}
    assert resolve(small_recipe(), "").fingerprints == wanted()
    assert len(set(wanted().values())) == len(ANNOTATED)


def test_an_operator_names_what_it_reads() -> None:
    """Scores stand on signals and language, signals on language, tokens on spans: a change there is a change here."""
    found = resolve(small_recipe(), "").operators
    assert found["scores"]["signals"]["language"] == found["language"]
    assert found["tokens"]["spans"] == found["spans"]
    assert found["minhash"]["signals"] == found["signals"]
    assert resolve(_folding(), "").operators["minhash"].keys() == {"version", "unicode", "numbers"}
    assert "model" in found["language"]


def _folding() -> Recipe:
    """The small recipe, numbers folded everywhere."""
    recipe = small_recipe()
    return dataclasses.replace(
        recipe, deduplicate=dataclasses.replace(recipe.deduplicate, numbers=dict.fromkeys(DEFAULT_NUMBERS, "fold"))
    )


def test_what_is_asked_for_comes_with_what_it_reads() -> None:
    """MinHash needs signals to tell mathematics and code, and those need the language; where numbers are the same to all it needs neither."""
    assert set(annotate._with_what_they_read(resolve(small_recipe(), ""), ["minhash"])) == {
        "minhash",
        "signals",
        "language",
    }
    assert set(annotate._with_what_they_read(resolve(_folding(), ""), ["minhash"])) == {"minhash"}


def _measured(folder: Path, families: set[str], recipe: Recipe) -> dict[str, pa.Table]:
    """Annotate fragment 1 in this process and return what was written."""
    snapshot = open_snapshot(str(folder))
    run = begin_run(str(folder), "annotate", {}, {}, snapshot.version)
    job = resolve(recipe, "")
    (task,) = annotate._plan(snapshot, run, job, annotate._with_what_they_read(job, sorted(families)), 1)
    assert set(task.families) == families
    result = annotate._annotate(task)
    removes = annotate._unit(snapshot, task, result).removes
    commit(snapshot, adds=result.entries, removes=removes, wave=(run.run_id, 1), lake=str(folder))
    return {entry.family: pa.concat_tables(list(read_file(snapshot.uri, entry.path))) for entry in result.entries}


def test_kinds_are_told_from_signals_where_they_lie(lake_folder: Path) -> None:
    """MinHash by kinds in the same pass as signals, and later from the stored ones, is the same; folded everywhere it is not."""
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
    texts = [f"{words} because x = 3 and y = 4", f"{words} by 3 and by 4 men"]
    snapshot = create_lake(str(lake_folder))
    content = arrow_schema("content").empty_table().schema
    columns = {
        "sample_id": pa.array(sample_ids(1, 0, 2)),
        "text": pa.array(texts),
        "text_bytes": pa.array(list(map(len, texts))),
    }
    rows = pa.table(
        [columns.get(field.name, pa.nulls(2, field.type)).cast(field.type) for field in content], schema=content
    )
    base, mask = fragment_mask([1])
    commit(
        snapshot,
        adds=[write_family(snapshot.uri, "content", "b", base, mask, OLD, [rows])],
        wave=("w", 1),
        lake=str(lake_folder),
    )
    fused = _measured(lake_folder, {"language", "signals", "scores", "minhash"}, small_recipe())
    assert fused["scores"]["domain"].to_pylist() == ["math", "general"]
    names = ["bands", "signature", "n_shingles", "normalized_hash"]
    numbers = dataclasses.replace(small_recipe().deduplicate, numbers=DEFAULT_NUMBERS | {"dense": "fold"})
    recipe = dataclasses.replace(small_recipe(), deduplicate=numbers)
    later = _measured(lake_folder, {"minhash"}, recipe)["minhash"].select(names)
    assert later.equals(
        pa.Table.from_batches([measure_minhash(pa.array(texts), kinds(fused["signals"]), numbers.numbers)]).cast(
            later.schema
        )
    )
    assert not later.equals(_measured(lake_folder, {"minhash"}, _folding())["minhash"].select(names))


def test_missing_families_by_fragment(lake_folder: Path) -> None:
    """Fragments come in order, each with its families in the order of annotate."""
    snapshot = _lake(lake_folder, dict.fromkeys([3, 1], "b"), ("language", [3], wanted()["language"]))
    missing = annotate._missing(snapshot, wanted())
    assert list(missing) == [1, 3]
    assert missing[1] == ANNOTATED
    assert missing[3] == tuple(family for family in ANNOTATED if family != "language")
    assert np.array_equal(snapshot.missing("language", wanted()["language"]), [1])
