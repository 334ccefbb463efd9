"""``headwater what-if``: what it prints, its exit codes, and that it agrees with deciding."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from small_lake import SmallLake, small_recipe

from headwater import Lake
from headwater.cli.root import cli
from headwater.pipelines.recipe.job import parse_recipe
from headwater.pipelines.recipe.operators import resolve

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["what-if", *map(str, arguments)])


@pytest.fixture(scope="module")
def decided_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of four samples decided by the shipped recipe, made without Spark."""
    from what_if_lake import make_lake, row

    from headwater.pipelines.recipe.shipped import find_recipe

    folder = tmp_path_factory.mktemp("what-if") / "lake"
    rows = [row(), row(gopher_words=45, source="a\x1b[2J"), row(gopher_words=60, language="de"), row(gopher_words=20)]
    make_lake(str(folder), rows, find_recipe("demo"), build=False, fragments=2)
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a change"),
        (["--set", "gopher.min_word=3"], "did you mean 'gopher_min_words'"),
        (["--set", "gopher.min_words"], "RULE=VALUE"),
        (["--set", "gopher.min_words="], "RULE=VALUE"),
        (["--set", "gopher.min_words=many"], "finite number"),
        (["--without", "gopher_min_word"], "did you mean 'gopher_min_words'"),
        (["--exempt", "gopher_min_words=C O D E"], "unknown domain 'C O D E'; known: book, code, "),
        (["--sweep", "gopher.min_words=9:1:1"], "first:last:step"),
        (["--sweep", "gopher.min_word=1:9:1"], "did you mean 'gopher_min_words'"),
        (["--set", "gopher.min_words=3", "--by", "language"], "--sweep"),
        (["--set", "gopher.min_words=3", "--plot", "a.svg"], "--sweep"),
        (["--sweep", "gopher.min_words=1:9:1", "--plot", "a.gif"], ".svg"),
        (["--set", "gopher.min_words=3", "--build", "none"], "none named 'none'"),
    ],
)
def test_wrong_calls_exit_with_2(arguments: list[str], message: str, decided_lake: Path) -> None:
    """A call that must change says how, writes nothing to standard output and exits with 2."""
    found = _call(decided_lake, "demo", *arguments)
    assert (found.exit_code, found.stdout) == (2, "")
    assert message in found.stderr


def test_a_place_without_a_lake_exits_with_2(tmp_path: Path) -> None:
    """There must be a lake."""
    found = _call(tmp_path / "none", "demo", "--set", "gopher.min_words=3")
    assert found.exit_code == 2
    assert "expected a lake" in found.stderr


def test_text_and_json_say_the_same(decided_lake: Path) -> None:
    """Tables for people, one object for programs; what steers a terminal reaches neither."""
    arguments = (decided_lake, "demo", "--set", "gopher.min_words=30", "--set", "gopher.min_words.de=70")
    text = _call(*arguments)
    found = json.loads(_call(*arguments, "--output", "json").stdout)
    assert text.exit_code == 0
    assert found["kept"]["documents"] == {
        "now": 2,
        "then": 2,
        "gained": 1,
        "lost": 1,
        "gained_share": 0.5,
        "lost_share": 0.5,
    }
    assert found["rules"] == [
        {"rule": "gopher_min_words", "what": "limit", "now": 50, "then": {"default": 30, "de": 70}}
    ]
    assert "gopher_min_words: default 50 -> 30, de 50 -> 70" in text.stdout
    assert "\x1b" not in text.stdout
    for kind in ("gained", "lost"):
        (example,) = found["examples"][kind]
        assert str(example["sample_id"]) in text.stdout
    assert set(found["by_language"][0]) == {"language", "documents", "bytes", "tokens"}


def test_rules_left_out_and_exemptions(decided_lake: Path) -> None:
    """--without and --exempt change what they name, and the answer says so."""
    found = _call(decided_lake, "demo", "--without", "gopher.min_words", "--exempt", "c4_min_sentences=none")
    assert found.exit_code == 0
    assert "gopher_min_words: left out" in found.stdout
    assert "c4_min_sentences: exempt code, math -> no domain" in found.stdout
    answer = json.loads(_call(decided_lake, "demo", "--without", "gopher_min_words", "--output", "json").stdout)
    assert answer["kept"]["documents"]["gained"] == 2


def test_a_sweep_is_a_table_and_a_plot(decided_lake: Path, tmp_path: Path) -> None:
    """A row a value, by language if asked for; JSON holds only the dimension asked for."""
    arguments = (decided_lake, "demo", "--sweep", "gopher.min_words=15:75:20", "--by", "language")
    text = _call(*arguments, "--plot", tmp_path / "words.svg")
    assert text.exit_code == 0
    assert (tmp_path / "words.svg").read_text("utf-8").startswith("<?xml")
    rows = [line.split() for line in text.stdout.splitlines()]
    kept = [row[2] for row in rows if len(row) > 2 and row[1] == "(all)"]
    assert kept == ["4", "3", "2", "1"]
    found = json.loads(_call(*arguments, "--output", "json").stdout)
    assert found["now"] == 50
    assert [point["value"] for point in found["values"]] == [15, 35, 55, 75]
    assert set(found["values"][0]) == {"value", "kept", "by_language", "clusters"}


def test_from_python(decided_lake: Path) -> None:
    """``Lake.what_if`` gives the answer of the command."""
    lake = Lake(decided_lake)
    answer = lake.what_if("demo", {"gopher.min_words": 30})
    printed = json.loads(_call(decided_lake, "demo", "--set", "gopher.min_words=30", "--output", "json").stdout)
    for found in (answer, printed):
        found.pop("time")
    assert answer == printed
    swept = lake.what_if_sweep("demo", "gopher.min_words", [30])["values"][0]
    assert swept["kept"] == answer["kept"]


def test_starts_neither_spark_nor_compilers_nor_plots(decided_lake: Path) -> None:
    """A question imports none of the packages that take long to load and that it does not need."""
    program = (
        "import sys; from headwater.cli.root import cli; "
        f"cli(['what-if', {str(decided_lake)!r}, 'demo', '--set', 'gopher.min_words=30'], standalone_mode=False); "
        "print(sorted({'pyspark', 'numba', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.spark
def test_equals_deciding_with_the_changed_recipe(spark: SparkSession, copied_lake: SmallLake) -> None:
    """What what-if promises of a small real lake is what decide then keeps, by language; asking back gives the old counts."""
    from headwater.pipelines.decide.step import decide

    limits: dict[str, Any] = {"gopher_min_words": 110, "c4_min_sentences": {"en": 6}}
    lake, recipe = Lake(copied_lake.folder), small_recipe()
    literals = recipe.literals
    changed = parse_recipe(literals | {"rules": literals["rules"] | {"limits": limits}})
    promised = lake.what_if(recipe, limits)
    counts = "SELECT language, count(*), sum(text_bytes), sum(n_tokens) FROM samples WHERE kept GROUP BY ALL ORDER BY 1"
    before = lake.duckdb().sql(counts).fetchall()
    decide(spark, resolve(changed, str(copied_lake.folder)))
    after = lake.duckdb().sql(counts).fetchall()
    rows = {item["language"]: item for item in promised["by_language"]}

    def found(name: str) -> list[tuple[Any, ...]]:
        listed = [(key, *(item[of][name] for of in ("documents", "bytes", "tokens"))) for key, item in rows.items()]
        return sorted(item for item in listed if item[1])

    assert found("now") == before
    assert found("then") == after
    assert before != after
    assert lake.what_if(changed, {"gopher_min_words": 110})["kept"]["documents"]["then"] == sum(row[1] for row in after)
    back = lake.what_if(recipe, examples=0)
    assert back["from_recorded_reasons"] == 0
    assert back["kept"]["documents"]["now"] == sum(row[1] for row in before)
