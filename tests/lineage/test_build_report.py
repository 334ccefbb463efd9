"""The report of a build: its numbers beside sums in plain Python, cuts and the samples at them, and what a stranger's lake may hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from report_lake import make_report_lake, rank_of, replace_scores, select_run
from what_if_lake import BUILD, Row

from headwater import Lake
from headwater.cli.build_report_layout import format_build_report
from headwater.cli.root import cli
from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.build_report.answer import build_report
from headwater.lineage.build_report.scores import score_distribution
from headwater.lineage.build_report.sums import ScoreSums

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from conftest import DemoLake

_POOLS = [{"name": "reasoning", "where": "domain IN ('code', 'math')"}, {"name": "general", "where": "TRUE"}]
_FIRST = {
    "name": "first",
    "choose": 2,
    "context": 64,
    "order_by": "knowledge_density",
    "budget": "40 %",
    "shares": {"general": 0.68, "reasoning": 0.32},
    "languages": {"general": {"en+zh": 0.9, "*": 0.1}},
    "domains": {"reasoning": {"math": 0.5, "*": 0.5}},
}
_SECOND = {
    "name": "second",
    "choose": 1,
    "context": 64,
    "order_by": "quality",
    "budget_tokens": 5000,
    "shares": {"general": 0.5, "reasoning": 0.5},
    "where": "quality >= 20000 AND source IS DISTINCT FROM 'books' AND host IS DISTINCT FROM 'nowhere.example'",
    "beginning_of_text": True,
}
_RECIPE: Row = {"name": "made-up", "pools": _POOLS, "stages": [_FIRST, _SECOND]}
_PART = 0.4
"""How much of each cell the stages of these lakes take."""


def _pool(row: Row) -> str:
    return "reasoning" if row["domain"] in {"code", "math"} else "general"


def _group(row: Row) -> str:
    return "math" if row["domain"] == "math" else "*"


def _meets(row: Row) -> bool:
    return (row["quality"] or 0) >= 20000 and row["source"] != "books"


def _documents(seed: int, n: int) -> list[Row]:
    """Return documents, of which two stages took the best of each cell; what each could take stands in ``there``."""
    random = np.random.default_rng(seed)

    def pick(*values: Any) -> Any:
        return values[int(random.integers(len(values)))]

    found: list[Row] = []
    for number in range(n):
        row: Row = {
            "language": pick("en", "en", "de", "zh", None),
            "domain": pick("informational", "code", "math", None),
        }
        row |= {
            "quality": pick(0, 10000, 30000, 30000, 50000, None),
            "knowledge_density": int(random.integers(0, 65536)),
        }
        row |= {
            "n_tokens": pick(10, 20, 63, 64, 200, 0),
            "source": pick("web", "books", None),
            "text": f"text of {number}",
        }
        row |= {"uri": pick(None, f"https://user:pw@Example.org./{number}", f"https://b.example/{number}"), "there": []}
        row |= pick({}, {}, {}, {"kept": False, "first_reason": "gopher_min_words"})
        if number % 11 == 0:
            row |= {"kept": False, "first_reason": "near_duplicate", "duplicate_of": 7}
        found.append(row)
    kept = [(number, row) for number, row in enumerate(found) if row.get("kept", True)]
    for row in found:
        row["placed"] = []
    for stage, order_by, met in (("second", "quality", _meets), ("first", "knowledge_density", lambda _: True)):
        cells: dict[tuple[str, str, str], list[tuple[int, Row]]] = {}
        for number, row in kept:
            if row["n_tokens"] and met(row) and not row["placed"]:
                row["there"].append(stage)
                cell = (
                    _pool(row),
                    row["language"] or "und",
                    _group(row) if stage == "first" and _pool(row) == "reasoning" else "*",
                )
                cells.setdefault(cell, []).append((rank_of(row[order_by] or 0, number), row))
        for members in cells.values():
            members.sort(key=lambda each: each[0])
            for rank, row in members[: int(_PART * len(members))]:
                row["placed"] = [{"stage": stage, "copies": 1, "rank": rank, "reason": "within_cut"}]
    for _, row in kept:
        row["placed"] = row["placed"] or [{"stage": None, "copies": 0, "rank": 0, "reason": "beyond_cut"}]
    return found


def _chosen(documents: Iterable[Row], stage: str) -> list[Row]:
    return [row for row in documents if row["placed"] and row["placed"][0]["stage"] == stage]


def _there(documents: Iterable[Row], stage: str) -> list[Row]:
    return [row for row in documents if stage in row["there"]]


def _sums(documents: Iterable[Row], special: int, key: Callable[[Row], Any]) -> tuple[Counter[Any], Counter[Any]]:
    """Return documents and tokens by key."""
    number, tokens = Counter[Any](), Counter[Any]()
    for row in documents:
        number[key(row)] += 1
        tokens[key(row)] += row["n_tokens"] + special
    return number, tokens


@pytest.fixture(scope="module")
def documents() -> list[Row]:
    """Eight hundred documents and what two stages took of them."""
    return _documents(1, 800)


@pytest.fixture(scope="module")
def lake(documents: list[Row], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lake of these documents."""
    folder = str(tmp_path_factory.mktemp("report") / "lake")
    make_report_lake(folder, documents, [select_run(_RECIPE)])
    return folder


@pytest.fixture(scope="module")
def report(lake: str) -> Row:
    """The report of the lake's one build."""
    return build_report(lake)


@pytest.mark.parametrize(("name", "special", "order_by"), [("first", 1, "knowledge_density"), ("second", 2, "quality")])
def test_numbers_are_those_of_plain_sums(
    report: Row, documents: list[Row], name: str, special: int, order_by: str
) -> None:
    """Documents, tokens, cuts and shares by cell, language, domain, pool, source and host are what plain Python counts."""
    stage = next(each for each in report["stages"] if each["stage"] == name)
    chosen, there = _chosen(documents, name), _there(documents, name)
    assert len(chosen) > 30
    assert stage["documents"] == stage["copies"] == len(chosen)
    assert stage["tokens"] == sum(row["n_tokens"] + special for row in chosen)
    assert stage["there"] == {"documents": len(there), "tokens": sum(row["n_tokens"] + special for row in there)}
    assert stage["share_of_there"] == pytest.approx(stage["tokens"] / stage["there"]["tokens"], abs=1e-6)
    keys: dict[str, Callable[[Row], Any]] = {
        "languages": lambda row: row["language"] or "und",
        "domains": lambda row: row["domain"] or "",
        "pools": _pool,
    }
    for listed, key in keys.items():
        number, tokens = _sums(chosen, special, key)
        _, tokens_there = _sums(there, special, key)
        found = {row[listed.removesuffix("s")]: row for row in stage[listed]}
        assert set(found) == set(tokens_there), listed
        for value, row in found.items():
            assert (row["documents"], row["tokens"], row["tokens_there"]) == (
                number[value],
                tokens[value],
                tokens_there[value],
            )
            assert row["share"] == pytest.approx(tokens[value] / stage["tokens"], abs=1e-6)

    def cell(row: Row) -> tuple[str, str, str]:
        return (
            _pool(row),
            row["language"] or "und",
            _group(row) if name == "first" and _pool(row) == "reasoning" else "*",
        )

    number, _ = _sums(chosen, special, cell)
    number_there, tokens_there = _sums(there, special, cell)
    assert {(row["pool"], row["language"], row["domain"]) for row in stage["cells"]} == set(number_there)
    for row in stage["cells"]:
        mine = (row["pool"], row["language"], row["domain"])
        assert (row["documents"], row["documents_there"], row["tokens_there"]) == (
            number[mine],
            number_there[mine],
            tokens_there[mine],
        )
        lowest = min((each[order_by] or 0 for each in chosen if cell(each) == mine), default=None)
        assert row["cut"] == lowest
    _, by_source = _sums(chosen, special, lambda row: row["source"] or "(none)")
    assert [(row["name"], row["tokens"]) for row in stage["sources"]] == _largest(by_source)
    _, by_host = _sums(
        chosen,
        special,
        lambda row: {None: row["source"] or "(none)"}.get(
            row["uri"], "example.org" if "Example" in str(row["uri"]) else "b.example"
        ),
    )
    assert [(row["name"], row["tokens"]) for row in stage["hosts"]] == _largest(by_host)
    for which, rows in (("chosen", chosen), ("there", there)):
        scores = sorted(row[order_by] or 0 for row in rows)
        assert stage["scores"][which]["lowest"] == scores[0]
        assert stage["scores"][which]["median"] == scores[-(-len(scores) // 2) - 1]
        assert stage["scores"][which]["highest"] == scores[-1]
    assert sum(row["documents_there"] for row in stage["scores"]["bins"]) == len(there)
    assert sum(row["documents"] for row in stage["scores"]["bins"]) == len(chosen)
    assert stage["scores_changed"] == 0


def _largest(tokens: Counter[Any]) -> list[tuple[str, int]]:
    return sorted(tokens.items(), key=lambda item: (-item[1], item[0]))


def test_what_was_refused(report: Row, documents: list[Row]) -> None:
    """Rules and duplicates are counted apart, and every kept sample has one fate in each stage."""
    kept = [row for row in documents if row.get("kept", True)]
    assert (report["samples"], report["kept"]["documents"]) == (len(documents), len(kept))
    duplicates = [row for row in documents if "duplicate_of" in row]
    assert report["duplicates"]["documents"] == len(duplicates)
    assert report["rules"]["documents"] == len(documents) - len(kept) - len(duplicates)
    assert {row["reason"]: row["documents"] for row in report["refused"]} == Counter(
        row["first_reason"] for row in documents if not row.get("kept", True)
    )
    first, second = report["stages"]
    bare = sum(row["n_tokens"] == 0 for row in kept)
    for stage in (first, second):
        out = {name: row["documents"] for name, row in stage["not_chosen"].items()}
        assert sum(out.values()) + stage["documents"] == len(kept)
        assert out["no_tokens"] == bare
    assert first["not_chosen"]["taken_before"]["documents"] == second["documents"]
    assert second["not_chosen"]["where_not_met"]["documents"] == sum(
        not _meets(row) and row["n_tokens"] > 0 for row in kept
    )


def test_asked_and_got(report: Row, documents: list[Row]) -> None:
    """Budgets are shares of what the lake had or tokens, pools and quotas have their share of them beside what they got."""
    first, second = report["stages"]
    everything = sum(row["n_tokens"] + 1 for row in documents if row.get("kept", True) and row["n_tokens"])
    assert (first["asked"], second["asked"]) == (everything * 40 // 100, 5000)
    assert [(row["pool"], row["asked"], row["asked_share"]) for row in second["pools"]] == [
        ("general", 2500, 0.5),
        ("reasoning", 2500, 0.5),
    ]
    general = [row for row in _chosen(documents, "first") if _pool(row) == "general"]
    english = sum(row["n_tokens"] + 1 for row in general if row["language"] in {"en", "zh"})
    total = sum(row["n_tokens"] + 1 for row in general)
    quota = next(row for row in first["quotas"] if row["group"] == "en+zh")
    assert (quota["pool"], quota["kind"], quota["group"], quota["asked_share"]) == ("general", "language", "en+zh", 0.9)
    assert (quota["tokens"], quota["share"]) == (english, pytest.approx(english / total, abs=1e-6))
    by_domain = {row["group"]: row["tokens"] for row in first["quotas"] if row["kind"] == "domain"}
    _, tokens = _sums([row for row in _chosen(documents, "first") if _pool(row) == "reasoning"], 1, _group)
    assert by_domain == dict(tokens)


def test_samples_at_the_cut(report: Row, lake: str, documents: list[Row]) -> None:
    """On each side the nearest of every cell come first, then the second nearest; all stand in the order of their rank."""
    stage = report["stages"][0]
    cut = [row for row in stage["cells"] if row["cut"] is not None]
    assert len(cut) > 5
    for side, wanted in (("taken", True), ("left", False)):
        samples = stage["at_cut"][side]
        assert len(samples) == 20
        assert [row["rank"] for row in samples] == sorted(row["rank"] for row in samples)
        assert all("text" not in row for row in samples)
        near = build_report(lake, samples=len(cut), text=True)["stages"][0]["at_cut"][side]
        assert Counter(
            (row["pool"], row["language"], "math" if row["domain"] == "math" else "*") for row in near
        ) == Counter((row["pool"], row["language"], row["domain"]) for row in cut)
        for row in near:
            number = int(row["text"].split()[-1])
            document = documents[number]
            assert (row["score"], row["tokens"]) == (document["knowledge_density"], document["n_tokens"] + 1)
            assert row["rank"] == rank_of(row["score"], number)
            assert (row["source"], row["copies"]) == (document["source"], int(wanted))
            assert "pw" not in str(row["uri"])
            rivals = [
                rank_of(each["knowledge_density"], at)
                for at, each in enumerate(documents)
                if "first" in each["there"]
                and (_pool(each), each["language"] or "und") == (row["pool"], row["language"])
                and (row["pool"] == "general" or _group(each) == _group(document))
                and (each["placed"][0]["stage"] == "first") is wanted
            ]
            assert row["rank"] == (max(rivals) if wanted else min(rivals))


def test_ties_at_the_cut(tmp_path: Path) -> None:
    """Of equal scores the content hash decides who is taken; both sides of the cut then have the score of the cut."""
    order = sorted(range(10), key=lambda number: rank_of(30000, number))
    rows: list[Row] = []
    for number in range(10):
        taken = number in order[:4]
        placed = {
            "stage": "only" if taken else None,
            "copies": int(taken),
            "rank": rank_of(30000, number),
            "reason": "",
        }
        rows.append({"language": "en", "domain": "math", "quality": 30000, "n_tokens": 9, "placed": [placed]})
    ids = make_report_lake(str(tmp_path / "lake"), rows, [select_run(_small())])
    stage = build_report(str(tmp_path / "lake"), samples=3)["stages"][0]
    assert stage["cells"][0]["cut"] == 30000
    assert [row["sample_id"] for row in stage["at_cut"]["taken"]] == [ids[number] for number in order[1:4]]
    assert [row["sample_id"] for row in stage["at_cut"]["left"]] == [ids[number] for number in order[4:7]]


def _small(**stage: Any) -> Row:
    """Return a recipe as an earlier release may have recorded it: without any key that has a default."""
    return {
        "name": "small",
        "pools": [{"name": "general", "where": "TRUE"}],
        "stages": [{"name": "only", "context": 64, "order_by": "quality", "budget": "50 %"} | stage],
    }


def _simple(number: int, copies: int = 1, **changes: Any) -> Row:
    """Return a document of quality 1000 times its number, taken so many times by the stage ``only``."""
    placed = {
        "stage": "only" if copies else None,
        "copies": int(copies),
        "rank": rank_of(1000 * number, number),
        "reason": "within_cut",
    }
    return {
        "language": "en",
        "domain": "general",
        "quality": 1000 * number,
        "n_tokens": 9,
        "placed": [placed | changes],
    }


def test_an_older_recipe_without_shares(tmp_path: Path) -> None:
    """Keys that are not there are their defaults; a pool without a share is listed with what it got."""
    make_report_lake(
        str(tmp_path / "lake"), [_simple(number, number > 2) for number in range(6)], [select_run(_small())]
    )
    found = Lake(tmp_path / "lake").report_build(BUILD, samples=1)
    (stage,) = found["stages"]
    assert (stage["choose"], stage["asked"], stage["tokens"]) == (1, 30, 30)
    assert [(row["pool"], row["asked"], row["tokens"]) for row in stage["pools"]] == [("general", 0, 30)]
    assert "general" in format_build_report(found)


def test_an_empty_stage(tmp_path: Path) -> None:
    """A stage that chose nothing has no cut and no samples; what kept its samples out is counted."""
    rows = [_simple(number, 0) for number in range(3)]
    recipe = _small(where="quality > 60000")
    make_report_lake(str(tmp_path / "lake"), rows, [select_run(recipe)])
    (stage,) = build_report(str(tmp_path / "lake"))["stages"]
    assert (stage["tokens"], stage["documents"], stage["share_of_there"]) == (0, 0, 0.0)
    assert stage["not_chosen"]["where_not_met"]["documents"] == 3
    assert stage["at_cut"] == {"taken": [], "left": []}
    assert (stage["cells"], stage["hosts"], stage["scores"]["there"]["median"]) == ([], [], None)
    for markdown in (False, True):
        assert "3 documents where not met" in format_build_report(
            build_report(str(tmp_path / "lake")), markdown=markdown
        )


def test_a_lake_of_which_nothing_is_kept(tmp_path: Path) -> None:
    """It has a report as well."""
    rows = [_simple(1) | {"placed": [], "kept": False, "first_reason": "x"}]
    make_report_lake(str(tmp_path / "lake"), rows, [select_run(_small())], fragments=1)
    found = build_report(str(tmp_path / "lake"))
    assert (found["kept"]["documents"], found["rules"]["share"], found["stages"][0]["documents"]) == (0, 1.0, 0)


def test_copies(tmp_path: Path) -> None:
    """Where all are taken once and some twice, the cut is that of the second copy; where all are taken alike there is none."""
    rows = [_simple(number, 2 if number > 3 else 1) for number in range(6)]
    make_report_lake(str(tmp_path / "some"), rows, [select_run(_small(max_copies=2))])
    (stage,) = build_report(str(tmp_path / "some"), samples=1)["stages"]
    assert (stage["documents"], stage["copies"], stage["tokens"], stage["cells"][0]["cut"]) == (6, 8, 80, 4000)
    assert [(row["score"], row["copies"]) for row in stage["at_cut"]["taken"]] == [(4000, 2)]
    assert [(row["score"], row["copies"]) for row in stage["at_cut"]["left"]] == [(3000, 1)]
    make_report_lake(
        str(tmp_path / "all"), [_simple(number, 2) for number in range(6)], [select_run(_small(max_copies=2))]
    )
    (stage,) = build_report(str(tmp_path / "all"))["stages"]
    assert (stage["cells"][0]["cut"], stage["at_cut"]["taken"]) == (None, [])


def test_documents_taken_for_their_length(tmp_path: Path) -> None:
    """They lie beyond the cut and do not move it."""
    rows = [_simple(number, number > 3) for number in range(6)]
    rows[1] = _simple(1, 1, reason="for_full_sequences") | {"n_tokens": 100}
    make_report_lake(str(tmp_path / "lake"), rows, [select_run(_small(full_sequences=0.2, packing="best_fit"))])
    (stage,) = build_report(str(tmp_path / "lake"), samples=1)["stages"]
    assert (stage["documents"], stage["cells"][0]["cut"]) == (3, 4000)
    assert [row["score"] for row in stage["at_cut"]["left"]] == [3000]


def test_a_proxy_has_no_cut(tmp_path: Path) -> None:
    """It takes a share of its base's cells by hash: its budget is that share, and no score divides what is in from what is out."""
    rows = [_simple(number, number % 2) for number in range(6)]
    make_report_lake(str(tmp_path / "lake"), rows, [select_run(_small(), base="whole", scale="0.5")])
    found = build_report(str(tmp_path / "lake"), BUILD)
    assert (found["base"], found["scale"], found["stages"][0]["asked"]) == ("whole", "0.5", 15)
    assert (found["stages"][0]["cells"][0]["cut"], found["stages"][0]["at_cut"]["left"]) == (None, [])
    assert "scale 0.5 of whole" in format_build_report(found)
    with pytest.raises(UsageError, match="expected a build in .*, found none"):
        build_report(str(tmp_path / "lake"))


def test_scores_that_changed_since(tmp_path: Path) -> None:
    """A build is reported as of the version that it was made from; a mere selection says that its scores are others now."""
    rows = [_simple(number, number > 3) for number in range(6)]
    built = str(tmp_path / "built")
    make_report_lake(built, rows, [select_run(_small()), select_run(_small(), step="build", version=1)])
    before = build_report(built)
    replace_scores(built, [{"quality": 60000, "domain": "math"}] * 6)
    assert build_report(built) == before
    selected = str(tmp_path / "selected")
    make_report_lake(selected, rows, [select_run(_small())])
    replace_scores(selected, [{"quality": 60000, "domain": "math"}] * 6)
    found = build_report(selected)
    assert found["stages"][0]["scores_changed"] == 2
    assert "2 chosen documents have another score now" in format_build_report(found)


def test_what_cannot_be_asked(lake: str, tmp_path: Path) -> None:
    """An unknown build or stage, a selection that has not ended and a wrong number are one line each."""
    with pytest.raises(UsageError, match="found none named 'made-down'; did you mean 'made-up'"):
        build_report(lake, "made-down")
    with pytest.raises(UsageError, match="expected a stage of build made-up, found none named 'third'"):
        build_report(lake, BUILD, stage="third")
    with pytest.raises(UsageError, match="samples: expected 0 to 1000, found -1"):
        build_report(lake, samples=-1)
    make_report_lake(str(tmp_path / "killed"), [_simple(1), _simple(2)], [select_run(_small(), ended=False)])
    with pytest.raises(UsageError, match="an ended selection of build made-up in .*, found none"):
        build_report(str(tmp_path / "killed"), BUILD)
    ran = CliRunner().invoke(cli, ["report", "build", lake, "made-down"])
    assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    "stage",
    [
        {"where": "1 = 1) OR (SELECT count(*) FROM read_text('/etc/passwd')) > 0 --"},
        {"where": "nothing > 0"},
        {"order_by": "domain"},
        {"context": "many"},
        {"shares": ["general"]},
    ],
)
def test_a_recipe_that_is_none(tmp_path: Path, stage: Row) -> None:
    """What a stranger's lake says it was selected by is checked before any of it is asked of DuckDB."""
    make_report_lake(str(tmp_path / "lake"), [_simple(1), _simple(2)], [select_run(_small(**stage))])
    with pytest.raises(CorruptLakeError, match="expected the recipe of the selection in run run-select") as caught:
        build_report(str(tmp_path / "lake"))
    assert "\n" not in str(caught.value)


def test_names_are_values_of_queries(tmp_path: Path) -> None:
    """A stage or pool whose name is SQL is a name all the same."""
    name = "o'; DROP VIEW stages --"
    rows = [_simple(number, stage=name) for number in range(2)]
    recipe = _small(name=name)
    recipe["pools"][0]["name"] = "p'q"
    make_report_lake(str(tmp_path / "lake"), rows, [select_run(recipe)])
    (stage,) = build_report(str(tmp_path / "lake"), stage=name)["stages"]
    assert (stage["documents"], stage["cells"][0]["pool"]) == (2, "p'q")


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """What a document says does not steer a terminal, break a line or a table, or become HTML; without --text it is not shown."""
    text = "a\x1b[2Jb\nc\x07|<script>\u202e" + "z" * 500
    rows = [
        _simple(number, number > 0) | {"text": text, "uri": "https://e.org/\x1b[31m|x", "source": "s\n|*<b>"}
        for number in range(2)
    ]
    lake = str(tmp_path / "lake")
    make_report_lake(lake, rows, [select_run(_small())])
    shown = {}
    for output in ("text", "markdown", "json"):
        ran = CliRunner().invoke(cli, ["report", "build", lake, "--text", "--output", output])
        assert ran.exit_code == 0, ran.output
        assert not set(ran.stdout) & {"\x1b", "\x07", "\u202e"}
        shown[output] = ran.stdout
        hidden = CliRunner().invoke(cli, ["report", "build", lake, "--output", output]).stdout
        assert "script" not in hidden
    assert "\n16777216: a\ufffd[2Jb\\nc\ufffd|<script>\ufffdz" in shown["text"]
    assert "z" * 190 not in shown["text"]
    assert "<script>" not in shown["markdown"]
    assert "<b>" not in shown["markdown"]
    widths = {line.replace("\\|", "").count("|") for line in shown["markdown"].splitlines() if "16777216 |" in line}
    assert widths == {8}
    assert json.loads(shown["json"])["stages"][0]["at_cut"]["taken"][0]["text"] == text[:200]


def test_quantiles_are_scores_of_samples() -> None:
    """Of four samples the median is the second, and a tenth the first; bins are equal parts of the scale."""
    counted = [ScoreSums(score=score, documents_there=1, documents=0) for score in (0, 4095, 4096, 65535)]
    found = score_distribution(counted)
    assert (found["there"]["p10"], found["there"]["median"], found["there"]["p90"]) == (0, 4095, 65535)
    assert [row["documents_there"] for row in found["bins"]] == [2, 1, *[0] * 13, 1]
    assert set(found["chosen"].values()) == {None}


@pytest.mark.spark
def test_the_report_agrees_with_select(spark: SparkSession, demo_lake: DemoLake) -> None:
    """On the demo's lake, cells have the tokens, documents and cuts that select said, and chosen samples the ranks that it stored."""
    from headwater.pipelines.recipe.operators import resolve
    from headwater.pipelines.recipe.shipped import find_recipe
    from headwater.pipelines.selection.step import select

    lake = str(demo_lake.folder)
    said = select(spark, resolve(find_recipe("demo"), lake), dry_run=True)
    found = build_report(lake, demo_lake.build)
    wanted = {
        (cell.stage, cell.cell): (cell.available, cell.got, cell.documents, cell.cut)
        for cell in said.cells
        if cell.available
    }
    told = {
        (stage["stage"], f"{row['pool']}/{row['language']}/{row['domain']}"): (
            row["tokens_there"],
            row["tokens"],
            row["documents"],
            row["cut"],
        )
        for stage in found["stages"]
        for row in stage["cells"]
    }
    assert set(told) == set(wanted)
    for cell, (available, got, documents, cut) in told.items():
        assert (available, got, documents) == wanted[cell][:3]
        if cut is not None:
            assert cut == wanted[cell][3]
    assert any(cut is not None for *_, cut in told.values())
    assert all(stage["scores_changed"] == 0 for stage in found["stages"])
    ranks = "SELECT sample_id, stage, rank FROM stages WHERE stage IS NOT NULL"
    stored = {(row[0], row[1]): row[2] for row in Lake(lake).duckdb().execute(ranks).fetchall()}
    for stage in found["stages"]:
        for row in stage["at_cut"]["taken"]:
            assert stored[row["sample_id"], stage["stage"]] == row["rank"]
