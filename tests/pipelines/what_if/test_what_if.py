"""What-if: what changed rules would keep is what deciding anew keeps, by every dimension, whichever way it is computed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from what_if_lake import BUILD, Row, content_hash, make_lake, random_rows, recipe, row, rules_pass, winners

from headwater.errors import UsageError
from headwater.pipelines.what_if import passes as what_if_passes
from headwater.pipelines.what_if.answer import DIMENSIONS, what_if, what_if_sweep
from headwater.pipelines.what_if.changes import Changes, apply, find_limit, parse_number, parse_values
from headwater.pipelines.what_if.clusters import Members, elect_members

pytestmark = pytest.mark.slow

_MISSING = {"language": "und", "source": "(none)"}
_RECIPE = recipe()
_RULES = _RECIPE.rules.load()
_CHANGES = [
    Changes(limits=(("gopher.min_words", 30),)),
    Changes(limits=(("gopher_min_words", 70), ("gopher_min_stop_words", 3))),
    Changes(limits=(("gopher.min_words.de", 60),)),
    Changes(limits=(("gopher_min_words", {"default": 20, "fr": 80}), ("gopher.min_stop_words", 4))),
    Changes(limits=(("fineweb.min_punct_lines", 0.1),)),
    Changes(exempt={"gopher.min_words": ["code", "math"]}),
    Changes(without=("gopher_min_words", "gopher_max_words", "fineweb_min_punct_lines")),
    Changes(
        exempt={"c4_max_curly_brackets": ["general"]}, without=("language_known",), limits=(("gopher_min_words", 45),)
    ),
    Changes(),
]


def _kept(rows: Sequence[Row], changes: Changes) -> set[int]:
    """Return the numbers of the samples that deciding anew would keep."""
    passes = rules_pass(rows, apply(changes, _RULES))
    won = winners(rows, passes)
    return {number for number in range(len(rows)) if passes[number] and won.get(number, number) == number}


def _sums(rows: Sequence[Row], chosen: set[int]) -> list[int]:
    return [len(chosen), *(sum(rows[at][name] for at in chosen) for name in ("text_bytes", "n_tokens"))]


def _found(measured: dict[str, Any], name: str) -> list[int]:
    return [measured[measure][name] for measure in ("documents", "bytes", "tokens")]


def _check(answer: dict[str, Any], rows: Sequence[Row], now: set[int], then: set[int]) -> None:
    """Compare sums, in total and by language and source. Sums of samples that trade places within a cluster may differ."""
    assert _found(answer["kept"], "now") == _sums(rows, now)
    assert _found(answer["kept"], "then") == _sums(rows, then)
    for dimension, missing in _MISSING.items():
        for item in answer[f"by_{dimension}"]:
            mine = {at for at in now | then if (rows[at][dimension] or missing) == item[dimension]}
            assert _found(item, "now") == _sums(rows, now & mine)
            assert _found(item, "then") == _sums(rows, then & mine)
    for dimension in DIMENSIONS:
        documents = [item["documents"] for item in answer[f"by_{dimension}"]]
        assert [sum(item[name] for item in documents) for name in ("gained", "lost")] == [
            answer["kept"]["documents"][name] for name in ("gained", "lost")
        ]


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[Row]]]:
    """Decided lakes that tests only read, with their rows: without clusters, with clusters, and decided by another recipe."""
    folder = tmp_path_factory.mktemp("lakes")
    clustered = random_rows(5, 400)
    alone = [item | {"cluster": None} for item in clustered]
    made = {"alone": (alone, _RECIPE, 3), "clusters": (clustered, _RECIPE, 2)}
    made["other rules"] = (alone, recipe(limits={"gopher_min_words": 80}), 1)
    for name, (rows, decided_by, fragments) in made.items():
        make_lake(str(folder / name), rows, decided_by, fragments=fragments, build=name == "clusters")
    return {name: (str(folder / name), rows) for name, (rows, _, _) in made.items()}


Lakes = dict[str, tuple[str, list[Row]]]


@pytest.mark.parametrize("changes", _CHANGES, ids=range(len(_CHANGES)))
@pytest.mark.parametrize("name", ["alone", "clusters"])
def test_equals_deciding_anew(changes: Changes, name: str, lakes: Lakes) -> None:
    """With missing values and limits by language and domain, what-if finds what evaluating every rule again finds."""
    lake, rows = lakes[name]
    answer = what_if(lake, _RECIPE, changes)
    assert answer["from_recorded_reasons"] == answer["samples"] == 400
    now, then = _kept(rows, Changes()), _kept(rows, changes)
    if name == "clusters":
        # Of a cluster one is kept while any passes; which one may differ where a better one is gained.
        documents = answer["kept"]["documents"]
        assert (documents["now"], documents["then"]) == (len(now), len(then))
        return
    _check(answer, rows, now, then)
    gained, lost = answer["kept"]["documents"]["gained"], answer["kept"]["documents"]["lost"]
    assert (gained, lost) == (len(then - now), len(now - then))


def test_the_changes_tried_change_something(lakes: Lakes) -> None:
    """The cases above gain and lose samples, so that agreeing on them means something."""
    _, rows = lakes["clusters"]
    now = _kept(rows, Changes())
    differ = [now ^ _kept(rows, changes) for changes in _CHANGES]
    assert all(differ[:-1])
    assert not differ[-1]


@pytest.mark.parametrize("changes", _CHANGES[::3], ids=range(3))
def test_verdicts_of_other_rules_are_evaluated_anew(changes: Changes, lakes: Lakes) -> None:
    """A lake decided by other limits gives the same answer, and says that it was computed from the signals."""
    lake, rows = lakes["other rules"]
    answer = what_if(lake, _RECIPE, changes)
    assert (answer["from_recorded_reasons"], answer["evaluated_anew"]) == (0, 400)
    assert answer["build"] is None
    _check(answer, rows, _kept(rows, Changes()), _kept(rows, changes))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_a_cluster_keeps_one_while_any_passes(samples: list[tuple[int, bool, bool]]) -> None:
    """Where a cluster's recorded winner is its best passing sample, an election keeps exactly one of those that pass then."""
    samples = sorted(samples, key=lambda item: item[0])
    cluster = np.array([item[0] for item in samples])
    passed, passes = (np.array([item[at] for item in samples]) for at in (1, 2))
    first = {number: int(np.flatnonzero(passed & (cluster == number))[0]) for number in set(cluster[passed].tolist())}
    winner = np.array(
        [first.get(number, -1) if ok else -1 for number, ok in zip(cluster.tolist(), passed, strict=True)]
    )
    kept = winner == np.arange(len(samples))
    members = Members(
        cluster=np.unique(cluster, return_inverse=True)[1],
        ids=np.arange(len(samples)),
        kept=kept,
        duplicate=passed & ~kept,
        winner=np.where(kept, -1, winner),
    )
    elected = elect_members(members, passes)
    assert not (elected & ~passes).any()
    for number in set(cluster.tolist()):
        mine = cluster == number
        assert elected[mine].sum() == int(passes[mine].any())
        assert not (kept & passes & mine).any() or (elected & mine & kept).any()


def test_a_second_reading_of_clusters_finds_the_same(lakes: Lakes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where members of clusters did not fit in memory they are read again, with the same answer."""
    answers = []
    for room in (1 << 28, 0):
        monkeypatch.setattr(what_if_passes.Held, "take", lambda _, count, room=room: count <= room)
        found = what_if(lakes["clusters"][0], _RECIPE, _CHANGES[1])
        answers.append({key: value for key, value in found.items() if key != "time"})
    assert answers[0]["clusters"] > 0
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("words", "keeps"),
    [
        # The winner goes, the better of its duplicates takes its place.
        ((60, 90, 100), 2),
        # All go.
        ((60, 65, 66), None),
        # The winner stays.
        ((75, 90, 100), 0),
    ],
)
def test_the_best_duplicate_of_a_lost_sample_is_gained(
    words: Sequence[int], keeps: int | None, lake_folder: Path
) -> None:
    """A lost winner's place is taken by the best duplicate that passes, and the examples say so."""
    quality = [50000, 30000, 40000]
    rows = [row(gopher_words=words[at], quality=quality[at], cluster=1) for at in range(3)]
    ids = make_lake(str(lake_folder), rows, _RECIPE, fragments=1)
    answer = what_if(str(lake_folder), _RECIPE, Changes(limits=(("gopher_min_words", 70),)))
    gained = [item["sample_id"] for item in answer["examples"]["gained"]]
    lost = [item["sample_id"] for item in answer["examples"]["lost"]]
    assert gained == ([ids[keeps]] if keeps else [])
    assert lost == ([] if keeps == 0 else [ids[0]])
    assert answer["clusters"] == (1 if keeps != 0 or min(words) < 70 else 0)
    if gained:
        assert answer["examples"]["gained"][0]["reason"] == f"duplicate of {ids[0]}, which is lost"


def test_a_gained_sample_in_a_kept_cluster_is_a_duplicate(lake_folder: Path) -> None:
    """A sample that passes now counts as a duplicate where its cluster keeps another, and is gained where it keeps none."""
    rows = [row(cluster=1), row(gopher_words=45, cluster=1, quality=1), row(gopher_words=45, cluster=2)]
    ids = make_lake(str(lake_folder), rows, _RECIPE)
    answer = what_if(str(lake_folder), _RECIPE, Changes(limits=(("gopher_min_words", 40),)))
    assert answer["kept"]["documents"]["gained"] == 1
    (gained,) = answer["examples"]["gained"]
    assert (gained["sample_id"], gained["reason"], gained["uri"]) == (
        ids[2],
        "gopher_min_words",
        "https://example.org/2",
    )
    assert answer["clusters"] == 2


def test_stages_hold_what_is_lost_and_are_open_to_what_is_gained(lake_folder: Path) -> None:
    """A lost sample counts in every stage that holds it; a gained one where a stage would look at it first."""
    rows = [
        row(stages=["first", "second"]),
        row(stages=["first"], gopher_stop_words=2),
        row(gopher_stop_words=2),
        row(gopher_words=45),  # English: the second stage chooses first
        row(gopher_words=45, quality=20000),  # not good enough for the second
        row(gopher_words=45, language="fr"),  # no share of the second's general pool
        row(gopher_words=45, domain="code", quality=20000, gopher_stop_words=0),  # the first takes no reasoning
        row(gopher_words=45, n_tokens=0),
    ]
    make_lake(str(lake_folder), rows, _RECIPE, fragments=2)
    changes = Changes(limits=(("gopher_min_words", 30), ("gopher_min_stop_words", 5)))
    answer = what_if(str(lake_folder), _RECIPE, changes)
    assert answer["build"] == BUILD
    found = {item["stage"]: item["documents"] for item in answer["by_stage"]}
    assert {name: (item["now"], item["gained"], item["lost"]) for name, item in found.items()} == {
        "first": (2, 2, 1),
        "second": (1, 1, 0),
        "(none)": (1, 2, 1),
    }
    with pytest.raises(UsageError, match="nothing-of-the-kind"):
        what_if(str(lake_folder), _RECIPE, changes, build="nothing-of-the-kind")


@pytest.mark.parametrize(("limit", "value", "passes"), [(0.1, 0.1, True), (0.1, 0.099999, False), (0.3, 0.3, True)])
def test_a_sample_exactly_at_a_limit(limit: float, value: float, passes: bool, lake_folder: Path) -> None:
    """Limits are float32 as signals are: at the limit a sample passes, the next smaller value does not."""
    rows = [row(fineweb_punct_lines_fraction=float(np.float32(value)), language="xx")]
    make_lake(str(lake_folder), rows, _RECIPE, fragments=1)
    answer = what_if(str(lake_folder), _RECIPE, Changes(limits=(("fineweb_min_punct_lines", limit),)))
    assert answer["kept"]["documents"]["then"] == int(passes)
    assert what_if_sweep(str(lake_folder), _RECIPE, "fineweb_min_punct_lines", [limit])["values"][0]["kept"][
        "documents"
    ]["then"] == int(passes)


@pytest.mark.parametrize("limit", ["gopher.min_words", "gopher.min_words.de", "fineweb_min_punct_lines"])
def test_a_sweep_equals_one_question_a_value(limit: str, lakes: Lakes) -> None:
    """Every value of a sweep gives what setting the limit to it gives, clusters included, beside another change."""
    lake, _ = lakes["clusters"]
    values = [0.1, 0.125, 0.9] if "punct" in limit else [20, 50, 60, 85]
    besides = Changes(limits=(("gopher_min_stop_words", 1),))
    swept = what_if_sweep(lake, _RECIPE, limit, values, besides)
    kept = []
    for value, point in zip(values, swept["values"], strict=True):
        one = what_if(lake, _RECIPE, Changes(limits=(*besides.limits, (limit, value))))
        names = ["kept", "clusters", *(f"by_{dimension}" for dimension in DIMENSIONS)]
        assert [point[name] for name in names] == [one[name] for name in names]
        kept.append(point["kept"]["documents"]["then"])
    assert len(set(kept)) > 2
    assert kept == sorted(kept, reverse=True)


def test_examples_do_not_depend_on_the_order_of_ingest(lakes: Lakes) -> None:
    """The examples are the first by content hash, at most as many as asked for."""
    lake, rows = lakes["alone"]
    changes = Changes(limits=(("gopher_min_words", 70),))
    found = what_if(lake, _RECIPE, changes, examples=4)["examples"]
    lost = sorted(_kept(rows, Changes()) - _kept(rows, changes), key=content_hash)
    assert [item["uri"] for item in found["lost"]] == [f"https://example.org/{number}" for number in lost[:4]]
    assert all(item["reason"] == "gopher_min_words" for item in found["lost"])
    assert found["gained"] == []
    assert json.dumps(found)
    assert what_if(lake, _RECIPE, changes, examples=0)["examples"] == {"gained": [], "lost": []}


def test_samples_without_a_verdict_are_left_out(lake_folder: Path) -> None:
    """A lake that was never decided has no answer."""
    make_lake(str(lake_folder), random_rows(1, 20), _RECIPE, build=False, verdicts=False)
    with pytest.raises(UsageError, match="decide"):
        what_if(str(lake_folder), _RECIPE, _CHANGES[0])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gopher_min_words", ("gopher_min_words", None)),
        ("gopher.min_words", ("gopher_min_words", None)),
        ("gopher.min_words.de", ("gopher_min_words", "de")),
        ("gopher_min_words.zh-Hant", ("gopher_min_words", "zh-Hant")),
        ("fineweb.max_short_lines", ("fineweb_max_short_lines", None)),
    ],
)
def test_names_of_limits(name: str, found: tuple[str, str | None]) -> None:
    """A limit goes by its reason's name, by the name with dots, and with a language behind it."""
    assert find_limit(name, _RULES) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (Changes(limits=(("gopher.min_word", 3),)), "did you mean 'gopher_min_words'"),
        (Changes(limits=(("gopher.min_word.de", 3),)), "did you mean 'gopher_min_words'"),
        (Changes(limits=(("language_known", 3),)), "--without language_known"),
        (Changes(limits=(("gopher.min_words", float("nan")),)), "finite"),
        (Changes(limits=(("gopher.min_words.de", {"default": 3}),)), "expected a number"),
        (Changes(without=("gopher_min_wrds",)), "did you mean 'gopher_min_words'"),
        (Changes(exempt={"gopher_min_wrds": ["code"]}), "did you mean 'gopher_min_words'"),
        (Changes(exempt={"gopher_min_words": ["no such"]}), "unknown domain 'no such'"),
        (Changes(limits=(("gopher.min_words.EN", 3),)), "did you mean 'en'"),
        (Changes(limits=(("gopher.min_words.xx", 3),)), "expected 'default' or the tag of a language"),
    ],
)
def test_wrong_changes(changes: Changes, message: str) -> None:
    """A change that cannot be made is an error of usage that says what was meant."""
    with pytest.raises(UsageError, match=message):
        apply(changes, _RULES)


@pytest.mark.parametrize(
    "text",
    ["", "a", "1:2", "1:2:0", "2:1:1", "1:2:-1", "1,x", "0:1:0.0001", "inf", "0:1e38:1e-300", "1e999:1:1", "1_0:20:1"],
)
def test_wrong_values(text: str) -> None:
    """Values of a sweep are numbers, ascending by a step above 0, and not too many."""
    with pytest.raises(UsageError):
        parse_values(text)


def test_a_step_with_an_exponent() -> None:
    """A step below 1 makes no whole numbers, however it is written."""
    assert parse_values("0:0.2:1e-1") == parse_values("0:0.2:0.1") == [0.0, 0.1, 0.2]


@pytest.mark.parametrize(
    "text", ["1e999", "-1e999", "1e1000000000", "inf", "nan", "9" * 5000, "1e39", "", "1_0", "\u0663"]
)
def test_numbers_that_no_limit_can_be(text: str) -> None:
    """A number beyond 32-bit floats is refused before it is written out, in a short line."""
    with pytest.raises(UsageError, match="expected a finite number of at most 3.40282e\\+38") as caught:
        parse_number(text)
    assert len(str(caught.value)) < 160
