"""Every command on a lake in a store answers what it answers of the same lake on this machine, and changes it in the same way."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from score_models import length_model, write_model
from small_lake import _RECIPE, SmallLake

from headwater.cli.root import cli
from headwater.lineage.views import connect
from headwater.lineage.vocabularies import vocabularies_uri
from headwater.reader import Reader, open_stage
from headwater.reader import __main__ as reader_command
from headwater.tokenize.forms.load import vocabulary_from_merges, write_vocabulary
from headwater.tokenize.names import EXPORT_FORMATS
from headwater.warehouse.filesystem import write_file
from headwater.warehouse.snapshot import open_snapshot

pytestmark = pytest.mark.spark

_LONG = "HEADWATER_ALL" in os.environ
_VARYING = [
    (re.compile(r"\d{8}T\d{6}-(?:[a-z-]+-[0-9a-f]{12}|[0-9a-f]{8})"), "RUN"),
    (re.compile(r"aside-[0-9a-f]{8}"), "aside-X"),
    (re.compile(r"only: [0-9a-f]{32}"), "only: KEYED"),
    (re.compile(r"[\d.,]+ \w+/s\b"), "SPEED"),
    (re.compile(r" +\d+\.\d s$", re.MULTILINE), " SECONDS"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?"), "TIME"),
]
"""What two runs of the same command on the same lake never have in common."""


@dataclass(kw_only=True, slots=True)
class Twins:
    """A lake on this machine and the same one in a store, of which the same is asked."""

    here: str
    there: str
    scratch: Path
    called: set[str] = field(default_factory=set)

    def ask(self, line: str, names: Mapping[str, str] = MappingProxyType({}), code: int = 0) -> str:
        """Call a command on both, and return what both answered.

        Args:
            line: the command; LAKE in it stands for the lake, OUT for a folder beside it, other names in capitals for ``names``.
        """
        answers: list[str] = []
        self.called.add(_command_of(line))
        for lake in (self.here, self.there):
            out = lake.rpartition("/")[0]
            words = [
                word.replace("LAKE", lake).replace("OUT", out)
                if word.startswith(("LAKE", "OUT"))
                else names.get(word, word)
                for word in shlex.split(line)
            ]
            done = CliRunner().invoke(cli, words)
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                raise done.exception
            told = done.output
            for place, name in ((lake, "LAKE"), (str(self.scratch.parent), "OUT"), (out, "OUT")):
                told = told.replace(place, name)
            for pattern, name in _VARYING:
                told = pattern.sub(name, told)
            assert done.exit_code == code, f"{line} at {lake}: {told}"
            answers.append(told)
        assert answers[1] == answers[0], line
        return answers[0]


def _command_of(line: str) -> str:
    """Return the command of a line: one word, or two where the first is a group of commands.

    >>> _command_of("report build LAKE small")
    'report build'
    """
    words = line.split()
    return " ".join(words[: 2 if isinstance(cli.commands[words[0]], click.Group) else 1])


@pytest.fixture
def twins(copied_lake: SmallLake, store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Twins:
    """The small lake and its copy in a store; whatever is left in the place for temporary files is a fault."""
    store.upload(copied_lake.folder, "lake")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return Twins(here=str(copied_lake.folder), there=store.uri("lake"), scratch=scratch)


def _subjects(lake: str) -> dict[str, str]:
    """Return a kept and a rejected sample's URL and id."""
    with connect(lake) as connection:
        rows = connection.execute(
            "SELECT first(uri ORDER BY uri), first(sample_id ORDER BY uri) FROM samples WHERE uri IS NOT NULL GROUP BY kept ORDER BY kept"
        ).fetchall()
    return {"REFUSED": rows[0][0], "URI": rows[1][0], "ID": str(rows[1][1])}


QUESTIONS = [
    "why LAKE --uri URI",
    "why LAKE --uri REFUSED --output json",
    "trace LAKE small knowledge 0 3",
    "find LAKE --sample ID --output json",
    "find LAKE --where kept --output jsonl",
    "similar LAKE --sample ID --least 0",
    "impact LAKE --sample ID",
    "steps LAKE small knowledge --step 0 --batch-size 2",
    "steps LAKE small mid-training --step 0 --batch-size 1 --seed 8 --world-size 1 --output json",
    "diff LAKE --versions 9 FIRST",
    "diff LAKE small RECIPE",
    "sql LAKE 'SELECT language, count(*) AS n FROM samples WHERE kept GROUP BY ALL ORDER BY ALL' --memory 1GB --threads 1 --timeout 60",
    "sql LAKE 'SELECT * FROM stages ORDER BY ALL' --output json",
    "what-if LAKE RECIPE --set gopher.min_words=30",
    "what-if LAKE RECIPE --sweep gopher.min_words=10:60:10 --by language",
    "extractors LAKE RECIPE",
    "report build LAKE small",
    "report rules LAKE",
    "report contamination LAKE",
    "report personal LAKE",
    "card LAKE small",
    "runs LAKE",
    "benchmarks list LAKE",
    "score list LAKE",
    "log LAKE",
    "retain LAKE",
    "verify LAKE",
    "verify LAKE --share 0.4",
    "verify LAKE --absent ABSENT",
]


def test_questions(twins: Twins, tmp_path: Path) -> None:
    """Every question, byte for byte, and nothing of this machine's place for temporary files is kept."""
    recipe, absent = tmp_path / "small.toml", tmp_path / "absent.txt"
    recipe.write_text(_RECIPE)
    absent.write_text("nowhere-in-this-lake\n")
    names = _subjects(twins.here) | {
        "RECIPE": str(recipe),
        "ABSENT": str(absent),
        "FIRST": str(open_snapshot(twins.here).version),
    }
    before = set(twins.scratch.iterdir())
    for line in QUESTIONS:
        assert twins.ask(line, names).strip(), line
    assert set(twins.scratch.iterdir()) == before


def _objects(twins: Twins, store: Any) -> dict[str, int]:
    """Return what the lake in the store consists of, by name and bytes, without the table's log, whose entries name times."""
    return {name: size for name, size in store.names("lake").items() if "/_delta_log/" not in name}


def test_care_and_copies(twins: Twins, store: Any, tmp_path: Path) -> None:
    """What stores things in a lake, copies them out of it, clears it up or mends its log, and what trainers read then."""
    more = tmp_path / "more.jsonl"
    more.write_text(
        '{"id": "a", "question": "Which river is the longest of all rivers on this map?", "answer": "none"}\n'
    )
    model = write_model(tmp_path, length_model("letters"))
    recipe = tmp_path / "small.toml"
    recipe.write_text(_RECIPE)
    names = {"MORE": str(more), "MODEL": str(model), "RECIPE": str(recipe)}
    twins.ask("benchmarks add LAKE MORE --name rivers", names)
    assert "rivers" in twins.ask("benchmarks list LAKE")
    twins.ask("score add LAKE MODEL", names)
    assert "letters" in twins.ask("score list LAKE")
    twins.ask("upgrade LAKE")
    twins.ask("init OUT/other")
    twins.ask("init LAKE", code=2)
    twins.ask("build LAKE RECIPE --build small --repair", names)  # nothing is damaged
    for kind in EXPORT_FORMATS if _LONG else ("mds", "parquet"):
        twins.ask(f"export LAKE small OUT/{kind} --format {kind}")
        twins.ask(f"export LAKE small OUT/{kind} --format {kind}")  # again: nothing to do
        made = {name.partition("/")[2]: store.read(name) for name in store.names(kind)}
        here = Path(twins.here).parent / kind
        assert made == {
            path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*") if path.is_file()
        }
    across = CliRunner().invoke(cli, ["export", twins.there, "small", str(tmp_path / "across"), "--format", "npy"])
    back = CliRunner().invoke(cli, ["export", twins.here, "small", store.uri("back"), "--format", "npy"])
    assert (across.exit_code, back.exit_code) == (0, 0), across.output + back.output
    for path in (tmp_path / "across").rglob("*.npy"):
        assert store.read(f"back/{path.relative_to(tmp_path / 'across')}") == path.read_bytes()

    for _ in range(1 + _LONG):
        twins.ask("verify LAKE --incremental")
    twins.ask("maintain LAKE --dry-run --retention-hours 0 --orphan-hours 0")
    left = f"samples/family=content/batch=one/{0:010x}-{1:016x}-{0:016x}-{0:064x}.parquet"
    store.put(f"lake/{left}", b"left behind")
    Path(twins.here, left).write_bytes(b"left behind")
    twins.ask("maintain LAKE --retention-hours 0 --orphan-hours 0")
    assert f"lake/{left}" not in store.names("lake")
    for pointer in ("_last_checkpoint", _checkpoint(twins)):
        place = Path(twins.here) / "samples" / "_delta_log" / pointer
        place.write_bytes(b"{")
        store.put(f"lake/samples/_delta_log/{pointer}", b"{")
    twins.ask("maintain LAKE --repair-log")
    twins.ask("verify LAKE")
    assert {name.partition("/")[2] for name in _objects(twins, store)} == {
        path.relative_to(twins.here).as_posix()
        for path in Path(twins.here).rglob("*")
        if path.is_file() and "_delta_log" not in path.parts
    }


def _checkpoint(twins: Twins) -> str:
    """Return the name of the newest checkpoint of the lake here, which the one in the store has as well."""
    return max(path.name for path in (Path(twins.here) / "samples" / "_delta_log").glob("*.checkpoint.parquet"))


def test_vocabularies(twins: Twins, tmp_path: Path) -> None:
    """A vocabulary of the lake is inspected and exported by its URI as by its path; places on this machine are no URIs."""
    letters = vocabulary_from_merges(
        name="own", pattern=r"\s?\p{L}+|\s+|.", alphabet=range(256), pairs=np.array([[97, 98]], np.int32)
    )
    for lake in (twins.here, twins.there):
        write_file(vocabularies_uri(lake), "own.json.xz", write_vocabulary(letters), root=lake)
    told = twins.ask("vocab inspect LAKE/vocabularies/own.json.xz --against LAKE/vocabularies/own.json.xz")
    assert "own" in told
    twins.ask("vocab export LAKE/vocabularies/own.json.xz FOLDER", {"FOLDER": str(tmp_path / "exported")})
    assert (tmp_path / "exported" / "tokenizer.json").is_file()
    for line in (
        "vocab export {there}/vocabularies/own.json.xz {there}/out",
        "what-if {there} ling-flash-2 --sweep gopher.min_words=10:20:10 --plot {there}/a.svg",
    ):
        refused = CliRunner().invoke(cli, line.format(there=twins.there).split())
        assert (refused.exit_code, "expected a place on this machine" in refused.output) == (2, True), refused.output
    missing = CliRunner().invoke(cli, ["vocab", "inspect", f"{twins.there}/vocabularies/none.json.xz"])
    assert (missing.exit_code, "expected a file, found none" in missing.output) == (2, True)


@pytest.mark.parametrize("suffix", [".npy", ".bin"])
def test_what_trainers_read(suffix: str, twins: Twins, store: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Streamed from the store, stopped and resumed: the batches of the lake here; a copy is checked where it lies, and nothing stays behind."""
    for stage in ("knowledge", "mid-training"):
        here, there = (open_stage(f"{lake}/builds/small/{stage}", suffix=suffix) for lake in (twins.here, twins.there))
        assert (len(here), here.fingerprint) == (len(there), there.fingerprint)
        readers = [Reader(each, batch_size=1, seed=3, epochs=2) for each in (here, there)]
        begun = [next(iter(reader)) for reader in readers]
        assert readers[0].state() == readers[1].state()
        resumed = Reader(there, batch_size=1, seed=3, epochs=2, state=readers[0].state())
        rest = [list(reader) for reader in (*readers, resumed)]
        assert len(rest[0]) == 2 * len(here) - 1
        for mine, *others in zip([begun[0], *rest[0]], [begun[1], *rest[1]], [begun[1], *rest[2]], strict=True):
            for other in others:
                np.testing.assert_array_equal(mine.tokens, other.tokens)
                np.testing.assert_array_equal(mine.runs, other.runs)
    told = []
    for lake in (twins.here, twins.there):
        assert reader_command.main(["verify", f"{lake}/builds/small"]) == 0
        told.append(capsys.readouterr().out)
    assert "whole" in told[0]
    assert told[1] == told[0]
    store.put("lake/builds/small/knowledge/shard-00000.npy", b"other bytes")
    assert reader_command.main(["verify", f"{twins.there}/builds/small"]) == 1
    assert "knowledge/shard-00000.npy" in capsys.readouterr().out
    assert list(twins.scratch.iterdir()) == []


@pytest.mark.skipif(
    not _LONG,
    reason="make test-all: two lakes through every step; make test has the job on a store in test_job_on_store.py",
)
def test_the_job_and_a_takedown(spark: Any, twins: Twins, store: Any, tmp_path: Path) -> None:
    """New files are taken in and go through every step, a damaged shard is made again, a sample goes, the whole is sound: each as it is here."""
    recipe, third = tmp_path / "small.toml", tmp_path / "third.jsonl"
    recipe.write_text(_RECIPE)
    third.write_text(
        "".join(
            f'{{"text": "Number {n}: {"rivers and hills, " * 40}", "url": "https://n{n}.example.org/"}}\n'
            for n in range(3)
        )
    )
    names = _subjects(twins.here) | {"RECIPE": str(recipe), "THIRD": str(third)}
    twins.ask("ingest LAKE RECIPE THIRD --batch three", names)
    for step in ("annotate", "dedup", "decide"):
        twins.ask(f"{step} LAKE RECIPE", names)
    twins.ask("select LAKE RECIPE --build grown", names)
    twins.ask("build LAKE RECIPE --build grown", names)
    twins.ask("run LAKE RECIPE", names)  # nothing is left to do
    for name in store.names("lake/builds/grown"):
        if not name.endswith((".parquet", "provenance.json")):  # those name runs
            assert store.read(name) == Path(twins.here, name.removeprefix("lake/")).read_bytes(), name
    damaged = next(name for name in store.names("lake/builds/small") if name.endswith(".npy")).removeprefix("lake/")
    whole = store.read(f"lake/{damaged}")
    store.put(f"lake/{damaged}", b"damaged")
    Path(twins.here, damaged).write_bytes(b"damaged")
    twins.ask("verify LAKE --build small --master local[2]", code=1)
    twins.ask("build LAKE RECIPE --build small --repair", names)
    assert store.read(f"lake/{damaged}") == whole
    twins.ask("reproduce LAKE small", names)
    twins.ask("takedown LAKE --sample ID --who someone --why asked --immediately", names)
    twins.ask("takedown LAKE --list")
    twins.ask("verify LAKE")
    twins.ask("verify LAKE --master local[2]")
    assert list(twins.scratch.iterdir()) == []
