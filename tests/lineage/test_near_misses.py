"""How far samples were from another verdict or stage, beside the values, the rules as DuckDB evaluates them and the report of the build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headwater import Lake
from headwater.filters.rules.predicates import predicate_connection
from headwater.filters.rules.rule import Limit
from headwater.lineage.lookup import Lookup, open_lookup
from headwater.lineage.near_misses import distance, nearest_rules, rule_outcomes, rule_words
from headwater.lineage.past_runs import read_runs
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


_KINDS = {float: "DOUBLE", int: "BIGINT", bool: "BOOLEAN"}


@pytest.fixture(scope="module")
def lookup(finished_lake: SmallLake) -> Lookup:
    """The lookup of the small lake."""
    return open_lookup(str(finished_lake.folder))


@pytest.fixture(scope="module")
def stories(lookup: Lookup) -> list[JsonObject]:
    """The story of every sample."""
    with connect(lookup.lake) as connection:
        return [why(lookup, row["id"]) for row in rows(connection, "SELECT sample_id AS id FROM content ORDER BY 1")]


@pytest.mark.spark
def test_every_rule_of_every_sample_is_told_as_duckdb_evaluates_it(stories: list[JsonObject], lookup: Lookup) -> None:
    """Outcome by the rule's own predicate on the sample's row; value and limit by DuckDB's arithmetic; by is their difference."""
    (run,) = [run for run in read_runs(lookup.snapshot) if run.step == "decide"][-1:]
    rules = {rule["name"]: rule for rule in run.operators["verdicts"]["rules"]["rules"]}
    failed = compared = 0
    with predicate_connection() as connection, connect(lookup.lake) as views:
        wide = {
            row["sample_id"]: row
            for row in views.execute("SELECT * EXCLUDE (text) FROM samples").to_arrow_table().to_pylist()
        }
        for story in stories:
            values = wide[story["sample_id"]]
            kinds = {name: _KINDS.get(type(value), "VARCHAR") for name, value in values.items()}
            for told in story["verdicts"]["rules"]:
                rule = rules[told["rule"]]
                by_language = {name: dict(limit) for name, limit in rule["limits"].items()}
                limits = [
                    Limit(name=name, default=limit.pop("default"), by_language=limit)
                    for name, limit in by_language.items()
                ]
                predicate = rule["passes"].format(**{limit.name: limit.sql() for limit in limits})
                read = {
                    name: value for name, value in values.items() if name in predicate or name in ("language", "domain")
                }
                row = ", ".join(f'CAST(? AS {kinds[name]}) AS "{name}"' for name in read)
                passes = connection.execute(f"SELECT ({predicate}) FROM (SELECT {row})", list(read.values())).fetchone()
                assert passes is not None
                if values["domain"] in rule["exempt_domains"]:
                    assert told["outcome"] == "exempt"
                    continue
                assert told["outcome"] == ("passed" if passes[0] else "failed")
                failed += told["outcome"] == "failed"
                if "distance" in told:
                    compared += 1
                    far = told["distance"]
                    assert far["by"] == abs(far["value"] - far["limit"])
                    assert far["holds"] == passes[0]
                    if far["measured"] in values:
                        assert far["value"] == values[far["measured"]]
    assert failed > 0
    assert compared > len(stories) * 20


@pytest.mark.spark
def test_near_misses_are_said(stories: list[JsonObject]) -> None:
    """Of a rejected sample each rule that failed with its distance; of a kept one the closest rule; the words are those of the numbers."""
    for story in stories:
        verdict = story["verdicts"]
        failed = [each for each in verdict["rules"] if each["outcome"] == "failed" and "words" in each]
        assert [f"rejected by {each['rule']} {each['words']}" for each in failed] == [
            miss for miss in story["near_misses"] if miss.startswith("rejected by")
        ]
        closest = [miss for miss in story["near_misses"] if miss.startswith("closest rule")]
        assert len(closest) == (1 if verdict["kept"] else 0)
    rules = [each for story in stories for each in story["verdicts"]["rules"] if each["rule"] == "gopher_min_words"]
    words = next(each for each in rules if each["outcome"] == "failed")
    value = words["values"]["gopher_words"]
    assert words["words"] == f"by {50 - value} words: {value} < 50"


@pytest.mark.spark
def test_cuts_are_those_of_the_report(stories: list[JsonObject], lookup: Lookup, finished_lake: SmallLake) -> None:
    """A sample's score stands beside the cut that the report of the build finds for its cell, and on the side where it was chosen."""
    report = Lake(finished_lake.folder).report_build(finished_lake.build)
    cuts = {
        f"{stage['stage']}:{cell['pool']}/{cell['language']}/{cell['domain']}": cell["cut"]
        for stage in report["stages"]
        for cell in stage["cells"]
    }
    beyond = within = 0
    for story in stories:
        for row in story["stages"]:
            for far in row["distances"]:
                domain = (
                    row["cell_domain"]
                    if far["holds"]
                    else next(each["domain"] for each in row["refusals"] if each["stage"] == far["stage"])
                )
                assert far["cut"] == cuts[f"{far['stage']}:{row['pool']}/{row['cell_language']}/{domain}"]
                assert far["score"] == story["scores"][far["order_by"]]
                assert far["by"] == abs(far["score"] - far["cut"])
                assert far["holds"] == (row["stage"] == far["stage"])
                beyond, within = beyond + (not far["holds"]), within + far["holds"]
                if not far["holds"] and far["by"]:
                    assert f"missed {far['stage']} by 0." in far["words"]
    assert beyond > 0
    assert within > 0


@pytest.mark.spark
def test_cuts_of_an_earlier_selection_are_found_in_its_rows(lookup: Lookup, finished_lake: SmallLake) -> None:
    """Without the record of the run, the cuts of the cells that left samples out are the recorded ones."""
    (run,) = [run for run in lookup.runs() if run.step == "select"]
    recorded = cuts_of(lookup.snapshot, finished_lake.build, run)
    found = cuts_of(lookup.snapshot, finished_lake.build, None)
    assert len(recorded) == run.counts["cuts"] > 0
    assert found
    assert found.items() <= recorded.items()


def test_words_of_a_score_are_shares() -> None:
    """A score of 0 to 65535 is told as 0 to 1, with as many digits as show the distance."""
    found = distance("quality >= {limit}", {"quality": 39320, "limit": 39321})
    assert found is not None
    assert rule_words(found) == "by 0.000015: 0.599985 < 0.600000"
