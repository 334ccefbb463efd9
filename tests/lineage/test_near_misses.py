"""How far samples were from another verdict or stage, beside the values, the rules as DuckDB evaluates them and the report of the build."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from report_lake import make_report_lake, rank_of, select_run
from what_if_lake import TYPES, random_rows, recipe

from headwater import Lake
from headwater.cli.story import format_story
from headwater.filters.rules.predicates import predicate_connection
from headwater.filters.rules.rule_set import RULE_COLUMNS, evaluate
from headwater.lineage.lookup import Lookup, open_lookup
from headwater.lineage.near_misses import distance, nearest_rules, rule_outcomes, rule_words
from headwater.lineage.questions import rows
from headwater.lineage.stage_cuts import cuts_of
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.plain import JsonObject

if TYPE_CHECKING:
    from small_lake import SmallLake


@pytest.mark.parametrize(
    ("predicate", "values", "expected"),
    [
        ("words >= {limit}", {"words": 48, "limit": 50}, ("<", 2, False)),
        ("words >= {limit}", {"words": 50, "limit": 50}, (">=", 0, True)),
        ("words > {limit}", {"words": 50, "limit": 50}, ("<=", 0, False)),
        ("ratio <= {limit}", {"ratio": 0.25, "limit": 0.5}, ("<=", 0.25, True)),
        ("a < {x} AND b < {y}", {"a": 1, "x": 2, "b": 9, "y": 10}, ("<", 1, True)),
        ("a < {x} AND b < {y}", {"a": 3, "x": 2, "b": 9, "y": 10}, (">=", 1, False)),
        ("least(a, b / greatest(c, 1)) <= {limit}", {"a": 5, "b": 6, "c": 0, "limit": 4}, (">", 1, False)),
        ("100 * a <= {limit} * b", {"a": 2, "limit": 3, "b": 50}, (">", 50, False)),
        ("language <> 'mul' OR words >= {limit}", {"language": "mul", "words": 7, "limit": 9}, ("<", 2, False)),
        ("language <> 'mul' OR words >= {limit}", {"language": "en", "words": 7, "limit": 9}, None),
        ("language <> 'und'", {"language": "en"}, None),
        ("words >= {limit}", {"words": None, "limit": 50}, None),
        ("words >= {limit}", {"words": float("nan"), "limit": 50}, None),
        ("words BETWEEN 1 AND {limit}", {"words": 3, "limit": 50}, None),
        ("contains(language, 'e')", {"language": "en"}, None),
        ("a / b >= {limit}", {"a": 1, "b": 0, "limit": 1}, None),
    ],
)
def test_distances(predicate: str, values: JsonObject, expected: tuple[str, float, bool] | None) -> None:
    """Of numbers, by the comparison that decides; of what compares none, or has no value, there is none."""
    found = distance(predicate, values)
    assert (None if found is None else (found.sign, found.by, found.holds)) == expected


def test_a_fraction_is_compared_in_32_bits() -> None:
    """0.1 as a double is less than 0.1 as a float: a sample exactly at the limit passed, and its distance is 0."""
    rule = {"name": "r", "passes": "x <= {limit}", "limits": {"limit": {"default": 0.1}}, "exempt_domains": []}
    (told,) = rule_outcomes([rule], {"x": 0.10000000149011612, "language": "en"}, [])
    assert (told["outcome"], told["distance"]["by"], told["words"]) == ("passed", 0.0, "by 0.000: 0.100 <= 0.100")


def test_what_a_rule_asked_of_a_sample() -> None:
    """The limit of its language; a domain that a rule does not apply to; a signal that was missing; a count of 0 that may be none."""
    rules = [
        {
            "name": "few",
            "passes": "gopher_words >= {limit}",
            "limits": {"limit": {"default": 50, "de": 49}},
            "exempt_domains": [],
        },
        {"name": "not_code", "passes": "a >= 1", "limits": {}, "exempt_domains": ["code"]},
        {"name": "lacking", "passes": "b >= 1", "limits": {}, "exempt_domains": []},
        {"name": "none", "passes": "c <= {limit}", "limits": {"limit": {"default": 0}}, "exempt_domains": []},
    ]
    values = {"gopher_words": 48, "a": 0, "b": None, "c": 0, "language": "de", "domain": "code"}
    told = rule_outcomes(rules, values, ["few", "missing:b"])
    assert [each["outcome"] for each in told] == ["failed", "exempt", "missing", "passed"]
    assert (told[0]["limits"], told[0]["words"]) == ({"limit": 49}, "by 1 word: 48 < 49")
    assert nearest_rules(told, 3) == []


def test_every_rule_is_told_as_duckdb_evaluates_it() -> None:
    """Of samples near the limits of the shipped rules: the outcome is DuckDB's, value and limit are its numbers, and by is their difference."""
    rules = recipe().rules.load()
    given = random_rows(5, 300)
    table = pa.Table.from_pylist([{name: row[name] for name in RULE_COLUMNS} for row in given], schema=TYPES)
    reasons = evaluate(table, rules)["reasons"].to_pylist()
    with predicate_connection() as connection:
        connection.register("samples", table)
        predicates = ", ".join(f"({rule.predicate()}) AS {rule.name}" for rule in rules.rules)
        passes = connection.execute(f"SELECT {predicates} FROM samples").to_arrow_table().to_pylist()
    outcomes: Counter[str] = Counter()
    compared = 0
    for row, why_not, by_rule in zip(table.to_pylist(maps_as_pydicts="strict"), reasons, passes, strict=True):
        for told, rule in zip(rule_outcomes(rules.literals["rules"], row, why_not), rules.rules, strict=True):
            outcomes[told["outcome"]] += 1
            if told["outcome"] in ("passed", "failed"):
                assert (told["outcome"] == "passed") == (by_rule[rule.name] is True)
            else:
                lacks = any(row[name] is None or row[name] != row[name] for name in rule.columns)
                assert lacks if told["outcome"] == "missing" else row["domain"] in rule.exempt_domains
            if "distance" not in told:
                continue
            compared += 1
            far = told["distance"]
            assert far["by"] == abs(far["value"] - far["limit"])
            assert far["holds"] == by_rule[rule.name]
            if far["measured"] in row:
                assert far["value"] == row[far["measured"]]
                assert far["limit"] == pytest.approx(next(iter(told["limits"].values())), rel=1e-6)
    assert min(outcomes[each] for each in ("passed", "failed", "exempt", "missing")) > 100
    assert compared > 0.8 * (outcomes["passed"] + outcomes["failed"])


def _row(number: int, score: int, stage: str | None, **more: object) -> JsonObject:
    cell = {"pool": "general", "cell_language": "en", "cell_domain": "*"}
    placed = {
        "stage": stage,
        "copies": int(stage is not None),
        "rank": rank_of(score, number),
        "reason": "within_cut",
        **cell,
        **more,
    }
    return {
        "language": "en",
        "domain": "informational",
        "knowledge_density": score,
        "quality": 3,
        "n_tokens": 9,
        "placed": [placed],
    }


@pytest.fixture(scope="module", params=["recorded", "found"])
def cut_lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lookup, list[int]]:
    """Four samples about the cut of one cell at 39,321 (0.600), which the selection recorded, or did not since an earlier release made it."""
    lake = str(tmp_path_factory.mktemp(request.param) / "lake")
    beyond = [
        {"stage": "knowledge", "reason": "beyond_cut", "domain": "*"},
        {"stage": "other", "reason": "where_not_met", "domain": None},
    ]
    out: JsonObject = {"reason": "beyond_cut", "refusals": beyond}
    placed = [
        _row(0, 50000, "knowledge"),
        _row(1, 39321, "knowledge"),
        _row(2, 39321, None, **out),
        _row(3, 38469, None, **out),
        _row(
            4,
            60000,
            None,
            reason="where_not_met",
            refusals=[{"stage": "knowledge", "reason": "where_not_met", "domain": None}],
        ),
        _row(5, 60000, "whole", pool="reasoning"),
    ]
    stages = [{"name": name, "order_by": "knowledge_density"} for name in ("knowledge", "other", "whole")]
    run = select_run({"name": "r", "pools": [], "stages": stages})
    if request.param == "recorded":
        run["counts"] = '{"cuts": 1, "cut:knowledge:general/en/*": 39321}'
    ids = make_report_lake(lake, placed, [run])
    return open_lookup(lake), ids


def test_misses_of_stages_are_said(cut_lake: tuple[Lookup, list[int]]) -> None:
    """On either side of the cut and at it; nothing of a condition that was not met, nor of a cell that was taken whole."""
    lookup, ids = cut_lake
    stories = [why(lookup, sample) for sample in ids]
    told = [[each["words"] for row in story["stages"] for each in row["distances"]] for story in stories]
    assert told == [
        ["in knowledge by 0.163: 0.763 >= 0.600"],
        ["in knowledge by 0.000: 0.600 >= 0.600"],
        ["missed knowledge by its place among equals: 0.600 is the cut"],
        ["missed knowledge by 0.013: 0.587 < 0.600"],
        [],
        [],
    ]
    assert stories[3]["near_misses"] == ["made-up: missed knowledge by 0.013: 0.587 < 0.600"]
    (far,) = stories[3]["stages"][0]["distances"]
    assert (far["score"], far["cut"], far["by"], far["order_by"]) == (38469, 39321, 852, "knowledge_density")
    assert "missed knowledge by 0.013" in format_story(stories[3])


def test_scores_that_were_written_again_are_not_held_against_an_old_cut(tmp_path: Path) -> None:
    """A sample that was left out and now has a score above the cut did not miss it by anything."""
    run = select_run({"name": "r", "pools": [], "stages": [{"name": "knowledge", "order_by": "knowledge_density"}]})
    out = {"reason": "beyond_cut", "refusals": [{"stage": "knowledge", "reason": "beyond_cut", "domain": "*"}]}
    ids = make_report_lake(
        str(tmp_path / "lake"), [_row(0, 40000, "knowledge"), _row(1, 60000, None, **out)], [run], fragments=1
    )
    assert why(open_lookup(str(tmp_path / "lake")), ids[1])["near_misses"] == []


@pytest.mark.spark
def test_cuts_of_a_selection_are_those_of_its_report(finished_lake: SmallLake) -> None:
    """What select records of each cell is what the report of the build finds in the rows: the lowest score of what was taken."""
    lookup = open_lookup(str(finished_lake.folder))
    (run,) = [run for run in lookup.runs() if run.step == "select"]
    recorded = cuts_of(lookup.snapshot, finished_lake.build, run)
    assert run.counts["cuts"] == len(recorded)
    report = Lake(finished_lake.folder).report_build(finished_lake.build)
    for stage in report["stages"]:
        for cell in stage["cells"]:
            if cell["cut"] is not None:
                assert recorded[f"{stage['stage']}:{cell['pool']}/{cell['language']}/{cell['domain']}"] == cell["cut"]


@pytest.mark.spark
def test_near_misses_of_rules_are_said(finished_lake: SmallLake) -> None:
    """Of a rejected sample each rule that failed with its distance, of a kept one the closest rule; every rule has its outcome."""
    lookup = open_lookup(str(finished_lake.folder))
    with connect(lookup.lake) as connection:
        found = rows(connection, "SELECT sample_id, kept, reasons FROM verdicts ORDER BY 1")
    rejected = 0
    for row in found:
        story = why(lookup, row["sample_id"])
        rules = story["verdicts"]["rules"]
        failed = [each for each in rules if each["outcome"] == "failed"]
        assert [each["rule"] for each in failed] == [name for name in row["reasons"] if not name.endswith("_duplicate")]
        said = [miss for miss in story["near_misses"] if miss.startswith("rejected by")]
        assert said == [f"rejected by {each['rule']} {each['words']}" for each in failed]
        closest = [miss for miss in story["near_misses"] if miss.startswith("closest rule")]
        assert len(closest) == row["kept"]
        assert [step["sentence"] for step in story["steps"] if step["step"] == "rule"]
        rejected += len(failed)
        text = format_story(story)
        assert all(miss.split(": ")[0] in " ".join(text.split()) for miss in story["near_misses"])
        assert max(map(len, text.splitlines())) <= 100
    assert rejected > 0


def test_words_of_a_score_are_shares() -> None:
    """A score of 0 to 65535 is told as 0 to 1, with as many digits as show the distance."""
    found = distance("quality >= {limit}", {"quality": 39320, "limit": 39321})
    assert found is not None
    assert rule_words(found) == "by 0.000015: 0.599985 < 0.600000"
