"""Differences between versions, recipes and builds equal a comparison row by row in Python, and sums add up to both sides."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from what_if_lake import BUILD, OPERATOR, family_table, make_lake, random_rows, recipe, row, rules_pass, winners

from headwater import Lake
from headwater.cli.root import cli
from headwater.errors import UsageError
from headwater.fingerprint import canonical_json
from headwater.lineage.questions import rows as ask
from headwater.lineage.views import connect
from headwater.pipelines.recipe.job import Recipe
from headwater.warehouse.commit import commit
from headwater.warehouse.fragments import fragment_mask
from headwater.warehouse.parquet import write_family
from headwater.warehouse.snapshot import open_snapshot

_COLUMNS = "sample_id, kept, first_reason, duplicate_of, language, n_tokens, content_hash"


def _samples(lake: str, version: int | None = None) -> dict[int, dict[str, Any]]:
    with connect(lake, version) as connection:
        return {each["sample_id"]: each for each in ask(connection, f"SELECT {_COLUMNS} FROM samples")}


def _replace(lake: str, family: str, tables: Sequence[Any], wave: int) -> int:
    """Replace a family's rows, one file a fragment, and return the version after it."""
    snapshot = open_snapshot(lake)
    adds = [
        write_family(snapshot.uri, family, "one", at, 1, f"{wave:032x}", [family_table(family, table)])
        for at, table in enumerate(tables)
    ]
    commit(snapshot, adds=adds, removes=snapshot.paths(family), wave=("test", wave), lake=lake)
    return open_snapshot(lake).version


def _outcome(sample: dict[str, Any]) -> str:
    return "kept" if sample["kept"] else f"rejected: {sample['first_reason']}"


def _by_fragment(samples: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    parts: dict[int, list[dict[str, Any]]] = {}
    for sample in samples:
        parts.setdefault(sample["sample_id"] >> 24, []).append(sample)
    return [parts[at] for at in sorted(parts)]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int, int]:
    """A decided lake, and the versions before and after languages, token counts and verdicts of some samples were made anew."""
    lake = str(tmp_path_factory.mktemp("diff") / "lake")
    make_lake(lake, random_rows(3, 240), recipe(), build=False)
    before = open_snapshot(lake).version
    samples = list(_samples(lake).values())
    for at, sample in enumerate(samples):
        sample["run_id"] = "again"
        sample["language"] = "fr" if at % 11 == 0 else sample["language"]
        sample["n_tokens"] = (sample["n_tokens"] or 0) + (at % 5 == 0)
        sample["rule_set"] = "other"
        sample["reasons"] = [] if sample["kept"] else [sample["first_reason"]]
        if at % 7 == 0:
            sample["kept"] = not sample["kept"]
            sample["reasons"] = [] if sample["kept"] else ["gopher_min_words"]
            sample["first_reason"] = (sample["reasons"] or [None])[0]
            sample["duplicate_of"] = None
    for wave, family in enumerate(("language", "tokens", "verdicts"), start=2):
        _replace(lake, family, _by_fragment(samples), wave)
    return lake, before, open_snapshot(lake).version


def test_versions_equal_a_comparison_in_python(changed: tuple[str, int, int]) -> None:
    """Outcomes, causes, tokens by stage and language, and examples are those of the rows of both versions, one by one."""
    lake, before, after = changed
    answer = Lake(lake).diff(versions=(before, after), examples=2)
    a, b = _samples(lake, before), _samples(lake, after)
    cells, causes = Counter[tuple[str, str]](), Counter[str]()
    moved: dict[tuple[str, str], list[int]] = {}
    for sample in a:
        left, right = a[sample], b[sample]
        cells[_outcome(left), _outcome(right)] += 1
        places = [(each["language"] or "und") if each["kept"] else None for each in (left, right)]
        for at, (place, each) in enumerate(zip(places, (left, right), strict=True)):
            if place is not None:
                sums = moved.setdefault(("kept", place), [0, 0, 0, 0])
                sums[at] += each["n_tokens"]
                sums[2 + at] += each["n_tokens"] * (places[1 - at] != place)
        if _outcome(left) != _outcome(right):
            refused = next((each for each in (right, left) if not each["kept"] and each["duplicate_of"] is None), None)
            if refused is None:
                causes["deduplicate: duplicate winner"] += 1
            elif (left["language"] or "und") != (right["language"] or "und"):
                causes["annotate: language"] += 1
            else:
                causes[f"decide: rule {refused['first_reason']}"] += 1
    assert {(cell["a"], cell["b"]): cell["samples"] for cell in answer["outcomes"]} == cells
    assert {f"{each['step']}: {each['what']}": each["samples"] for each in answer["causes"]} == causes
    names = ("tokens_a", "tokens_b", "left", "entered")
    told = {(each["stage"], each["language"]): [each[name] for name in names] for each in answer["tokens"]}
    assert told == moved
    assert answer["samples"] == len(a)
    assert answer["changed"] == sum(n for (left, right), n in cells.items() if left != right)
    for side, samples in (("tokens_a", a), ("tokens_b", b)):
        kept = sum(each["n_tokens"] for each in samples.values() if each["kept"])
        assert sum(each[side] for each in answer["tokens"]) == sum(each[side] for each in answer["outcomes"]) == kept
    for cell in answer["outcomes"]:
        mine = [at for at in sorted(a) if (_outcome(a[at]), _outcome(b[at])) == (cell["a"], cell["b"])]
        if cell["a"] == cell["b"]:
            assert "examples" not in cell
        else:
            assert [each["sample_id"] for each in cell["examples"]] == mine[:2]
            assert all(each["uri"].startswith("https://example.org/") for each in cell["examples"])
            assert all(each["changed"]["verdict"] for each in cell["examples"])


def test_a_version_differs_from_itself_in_nothing(changed: tuple[str, int, int]) -> None:
    """One version on both sides has every sample on the diagonal, and what B gained is what A lost when sides are swapped."""
    lake, before, after = changed
    same = Lake(lake).diff(versions=(after, after))
    assert (same["changed"], same["causes"]) == (0, [])
    assert all(each["left"] == each["entered"] == 0 for each in same["tokens"])
    there, back = Lake(lake).diff(versions=(before, after)), Lake(lake).diff(versions=(after, before))
    assert {(cell["a"], cell["b"]): cell["samples"] for cell in there["outcomes"]} == {
        (cell["b"], cell["a"]): cell["samples"] for cell in back["outcomes"]
    }
    assert {(e["stage"], e["language"]): (e["left"], e["entered"]) for e in there["tokens"]} == {
        (e["stage"], e["language"]): (e["entered"], e["left"]) for e in back["tokens"]
    }


def test_samples_that_one_side_lacks(changed: tuple[str, int, int]) -> None:
    """Before anything was ingested every sample is absent, and came with ingest."""
    lake, before, _ = changed
    answer = Lake(lake).diff(versions=(0, before))
    assert answer["changed"] == answer["samples"] == 240
    assert {cell["a"] for cell in answer["outcomes"]} == {"absent"}
    (cause,) = answer["causes"]
    assert (cause["step"], cause["what"], cause["samples"]) == ("ingest", "came", 240)
    (cause,) = Lake(lake).diff(versions=(before, 0))["causes"]
    assert (cause["step"], cause["what"]) == ("ingest", "went")


def _expected(rows: Sequence[dict[str, Any]], decided_by: Recipe, asked: Recipe) -> list[str]:
    """Return the outcome of each sample under a recipe on a lake that another decided, by the page's words."""
    passed = rules_pass(rows, decided_by.rules.load())
    won = winners(rows, passed)
    passes = rules_pass(rows, asked.rules.load())
    found = []
    for number, item in enumerate(rows):
        kept_before = passed[number] and won.get(number, number) == number
        if not passes[number]:
            found.append("refused")
        elif kept_before or item["cluster"] is None:
            found.append("kept")
        elif passed[number] and passes[won[number]]:
            found.append("rejected: near_duplicate")
        else:
            found.append("passes, its cluster decides")
    return found


@pytest.mark.parametrize("words", [20, 45, 80])
def test_a_recipe_is_what_its_rules_say(tmp_path: Path, words: int) -> None:
    """A recipe's outcome is its first reason, and of who passes what recorded duplicates tell; the recipe that decided differs in nothing."""
    lake = str(tmp_path / "lake")
    rows = random_rows(words, 200)
    ids = make_lake(lake, rows, recipe(), build=False)
    assert Lake(lake).diff("recorded", recipe(), examples=0)["changed"] == 0
    other = recipe(limits={"gopher_min_words": words})
    answer = Lake(lake).diff("recorded", other, examples=500)
    expected = _expected(rows, recipe(), other)
    counted = Counter[str]()
    for cell in answer["outcomes"]:
        counted[cell["b"] if not cell["b"].startswith("rejected: ") or "duplicate" in cell["b"] else "refused"] += cell[
            "samples"
        ]
    assert counted == Counter(expected)
    for cell in answer["outcomes"]:
        for each in cell.get("examples", []):
            mine = expected[ids.index(each["sample_id"])]
            assert cell["b"] == mine or mine == "refused"
            assert each["step"] in ("decide", "deduplicate")
    lost = Lake(lake).what_if(recipe(), {"gopher_min_words": words}, examples=0)["kept"]["documents"]["lost"]
    went = sum(
        cell["samples"] for cell in answer["outcomes"] if cell["a"] == "kept" and cell["b"].startswith("rejected")
    )
    assert went <= lost  # what-if lets a sample that passes now win over one that was kept


def test_builds_by_stage_and_why_the_cut_moved(tmp_path: Path) -> None:
    """Two selections of one lake differ by their stages; a sample of two stages names both, and tokens are those of its copies."""
    lake = str(tmp_path / "lake")
    ids = make_lake(lake, [row(quality=at, n_tokens=10 * (at + 1)) for at in range(8)], recipe(), build=False)
    chosen: dict[str, list[list[str]]] = {
        "a": [["first"], ["first"], ["second"], [], ["first", "second"], ["first"], [], ["second"]],
        "b": [["first"], ["second"], ["second"], ["first"], ["first"], [], [], ["second"]],
    }
    snapshot = open_snapshot(lake)
    adds = []
    for build, stages in chosen.items():
        listed = [
            {"sample_id": at, "run_id": build, "build": build, "stage": stage, "copies": 2 if stage == "second" else 1}
            | {"reason": "within_cut" if stage else "beyond_cut", "rank": at}
            for at, held in zip(ids, stages, strict=True)
            for stage in held or [None]
        ]
        base, mask = fragment_mask(range(3))
        groups = [family_table("stages", [item for item in listed if item["sample_id"] >> 24 == at]) for at in range(3)]
        adds.append(write_family(snapshot.uri, "stages", build, base, mask, OPERATOR, groups))
    runs = [
        {"step": "select", "run_id": build, "recipe": canonical_json(recipe().literals), "ended": 0, "started": 0}
        | {"operators": canonical_json({"stages": {"build": build}}), "counts": "{}", "code_version": ""}
        | {"input_version": snapshot.version}
        for build in chosen
    ]
    adds.append(write_family(snapshot.uri, "runs", "runs", 0, 0, OPERATOR, [family_table("runs", runs)]))
    commit(snapshot, adds=adds, wave=("test", 2), lake=lake)
    answer = Lake(lake).diff("a", "b", examples=1)
    assert (answer["by"], answer["a"]["version"], answer["changed"]) == ("stage", snapshot.version, 4)
    cells = {
        (cell["a"], cell["b"]): (cell["samples"], cell["tokens_a"], cell["tokens_b"]) for cell in answer["outcomes"]
    }
    assert cells == {
        ("stage: first", "stage: first"): (1, 11, 11),
        ("stage: first", "stage: second"): (1, 21, 42),
        ("stage: second", "stage: second"): (2, 62 + 162, 62 + 162),
        ("not chosen: beyond_cut", "stage: first"): (1, 0, 41),
        ("stage: first + second", "stage: first"): (1, 51 + 102, 51),
        ("stage: first", "not chosen: beyond_cut"): (1, 61, 0),
        ("not chosen: beyond_cut", "not chosen: beyond_cut"): (1, 0, 0),
    }
    (cause,) = answer["causes"]
    assert (cause["step"], cause["what"], cause["samples"]) == ("select", "cut", 4)
    told = {
        each["stage"]: (each["tokens_a"], each["tokens_b"], each["left"], each["entered"]) for each in answer["tokens"]
    }
    assert told == {
        "first": (11 + 21 + 51 + 61, 11 + 41 + 51, 21 + 61, 41),
        "second": (62 + 102 + 162, 42 + 62 + 162, 102, 42),
    }
    with pytest.raises(UsageError, match="builds: a, b"):
        Lake(lake).diff("a", "c")


def test_a_selection_that_did_not_end(tmp_path: Path) -> None:
    """A build whose selection was killed is refused."""
    lake = str(tmp_path / "lake")
    make_lake(lake, [row()], recipe(), fragments=1, build=False)
    snapshot = open_snapshot(lake)
    run = {"step": "select", "run_id": "killed", "recipe": canonical_json(recipe().literals), "started": 0}
    run |= {
        "operators": canonical_json({"stages": {"build": BUILD}}),
        "counts": "{}",
        "code_version": "",
        "input_version": 1,
    }
    entry = write_family(snapshot.uri, "runs", "runs", 0, 0, OPERATOR, [family_table("runs", [run])])
    commit(snapshot, adds=[entry], wave=("test", 2), lake=lake)
    with pytest.raises(UsageError, match="selection that ended"):
        Lake(lake).diff(BUILD, BUILD)


def test_the_command(changed: tuple[str, int, int]) -> None:
    """`headwater diff` prints the same as JSON and as tables, and refuses half a question."""
    lake, before, after = changed
    base = ["diff", lake, "--versions", str(before), str(after)]
    done = CliRunner().invoke(cli, [*base, "--output", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == Lake(lake).diff(versions=(before, after))
    shown = CliRunner().invoke(cli, base)
    assert shown.exit_code == 0, shown.output
    assert "240 samples" in shown.stdout
    assert "what changed" in shown.stdout
    for wrong in (["diff", lake], ["diff", lake, "one"], [*base, "one", "two"], ["diff", lake, "one", "two"]):
        assert CliRunner().invoke(cli, wrong).exit_code == 2
