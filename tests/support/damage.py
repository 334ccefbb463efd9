"""Seeded damage to every kind of file of a finished lake, and whether verify finds it.

As a program it makes any number of trials on a lake that stays as it is:

    python tests/support/damage.py LAKE --trials 1000 --seed 1

A trial copies the lake by links, damages one file of the copy, and asks three things: does verify find it; does every answer, of verify and of
what opens the lake, come without a raw error of a library; and, of the log, does the way on that is told bring the lake back.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from headwater.errors import HeadwaterError
from headwater.lineage.checks.lake import verify
from headwater.lineage.checks.scope import RECORD, record_verified
from headwater.lineage.evaluation_sets import list_benchmarks, load_benchmark
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.runs import begin_run, commit_wave
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.lineage.vocabularies import store_vocabulary
from headwater.pipelines.takedown.asked import Asked
from headwater.pipelines.takedown.step import takedown
from headwater.tokenize.forms.load import vocabulary_from_merges, write_vocabulary
from headwater.warehouse.log_repair import repair_log
from headwater.warehouse.maintain import maintain, pinned_files
from headwater.warehouse.snapshot import open_snapshot
from headwater.warehouse.takedown_records import Record

__all__ = ["KINDS", "Trial", "damages_of", "kind_of", "prepare", "take_down", "targets", "trial"]

KINDS: Final = ("append", "cut", "delete", "double", "empty", "flip", "swap", "zero")
_PAGE: Final = 4096
_TOLD: Final = 25
_KIND_OF: Final = (
    ("samples/_delta_log/_last_checkpoint", "last checkpoint"),
    ("samples/_delta_log/_headwater_", "log record"),
    ("samples/_delta_log/.*checkpoint", "checkpoint"),
    ("samples/_delta_log/", "log entry"),
    ("samples/family=", "table file"),
    ("builds/.*manifest.json", "manifest"),
    ("builds/.*provenance.json", "provenance"),
    (r"builds/.*shard-[0-9]+\.json", "shard record"),
    ("builds/[^/]+/root.json", "build root"),
    ("builds/", "shard file"),
    ("vocabularies/", "vocabulary"),
    ("benchmarks/", "evaluation set"),
    ("models/", "score model"),
    ("takedowns/key", "takedown key"),
    (r"takedowns/.*\.json", "takedown record"),
    ("takedowns/", "takedown report"),
    ("verified.json", "verified record"),
)
_RAW: Final = re.compile(r"Traceback|Panic|SystemError|Kernel error|Arrow error|DeltaError|0x[0-9a-f]{6}")


@dataclass(kw_only=True, slots=True)
class Trial:
    """What one damage did.

    Attributes:
        kind: of the file.
        path: of the file in the lake.
        damage: what was done to it.
        harmless: why nothing that the lake needs was changed; empty where something was.
        found: the checks that found it, or ``open`` where the lake could not be opened.
        faults: what went wrong: a raw error, or a way on that leads nowhere.
    """

    kind: str
    path: str
    damage: str
    harmless: str = ""
    found: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        """Whether something that the lake needs was damaged and no one said so."""
        return not self.harmless and not self.found


def prepare(lake: Path) -> None:
    """Give a finished lake what a lake has after some time.

    That is two vocabularies, a takedown by which a build was revised, a checkpoint, replaced files, a record of what was verified, and a commit
    after the checkpoint.
    """
    _train(lake, "first", 101)
    take_down(lake)
    maintain(str(lake))
    record_verified(open_snapshot(str(lake)))
    _train(lake, "second", 105)


def take_down(lake: Path) -> Record:
    """Take down the first sample that a build holds, at once, and return the record."""
    with connect(str(lake)) as connection:
        sample = rows(connection, "SELECT min(sample_id) AS first FROM placements")[0]["first"]
    return takedown(str(lake), Asked(who="who", why="why", named={"sample": sample}, after_days=0.0))


def _train(lake: Path, name: str, letter: int) -> None:
    """Store a vocabulary of one merge, with the row of runs that a training leaves."""
    pairs = np.array([[104, letter]], dtype=np.int32)
    made = vocabulary_from_merges(name=name, pattern=r"\s?\p{L}+|\s+|.", alphabet=range(256), pairs=pairs)
    store_vocabulary(str(lake), name, write_vocabulary(made))
    snapshot = open_snapshot(str(lake))
    record = {"vocabularies": {"vocabulary": name, "fingerprint": made.fingerprint}}
    commit_wave(begin_run(str(lake), "vocab-train", {}, record, snapshot.version), snapshot, [], final=True)


def kind_of(path: str) -> str:
    """Return what kind of file lies at a path in a lake."""
    return next(kind for pattern, kind in _KIND_OF if re.match(pattern, path))


def targets(lake: Path) -> dict[str, list[str]]:
    """Return the files of a lake by kind, in order."""
    found: dict[str, list[str]] = {}
    for path in sorted(lake.rglob("*")):
        if path.is_file():
            name = path.relative_to(lake).as_posix()
            found.setdefault(kind_of(name), []).append(name)
    return found


def damages_of(lake: Path, seed: int, count: int) -> Iterator[tuple[str, str, int]]:
    """Yield (path, damage, seed of the damage): every pair of a kind of file and a damage in turn, of a file drawn by the seed."""
    by_kind = targets(lake)
    pairs = [(kind, damage) for damage in KINDS for kind in sorted(by_kind)]
    draw = random.Random(seed)
    for number in range(count):
        kind, damage = pairs[number % len(pairs)]
        yield draw.choice(by_kind[kind]), damage, draw.getrandbits(32)


def trial(lake: Path, path: str, damage: str, seed: int) -> Trial:
    """Damage one file of a copy of a lake and return what became of it."""
    done = Trial(kind=kind_of(path), path=path, damage=damage)
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        copy = Path(folder, "lake")
        shutil.copytree(lake, copy, copy_function=os.link)
        done.harmless = _harmless(lake, copy, path, _damage(copy, path, damage, random.Random(seed)))
        _ask(done, copy)
        if done.kind in ("checkpoint", "last checkpoint", "log record", "log entry") and not done.harmless:
            _mend(done, copy)
    return done


def _damage(lake: Path, path: str, damage: str, draw: random.Random) -> list[str]:
    """Change one file, or two, and return which."""
    place = lake / path
    data = bytearray(place.read_bytes())
    if damage == "delete":
        place.unlink()
        return [path]
    if damage in ("swap", "double"):
        return _exchange(lake, path, damage, draw)
    if damage == "append":
        data += draw.randbytes(draw.randint(1, 100))
    elif damage == "cut":
        del data[draw.randrange(len(data)) if data else 0 :]
    elif damage == "empty":
        data.clear()
    elif damage == "flip" and data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif damage == "zero":
        begin = draw.randrange(len(data)) // _PAGE * _PAGE if data else 0
        data[begin : begin + _PAGE] = bytes(len(data[begin : begin + _PAGE]))
    _replace(place, bytes(data))
    return [path]


def _exchange(lake: Path, path: str, damage: str, draw: random.Random) -> list[str]:
    """Swap a file with another of its kind, or put its content in the place of a new one; return which files changed."""
    place = lake / path
    others = [other for other in targets(lake)[kind_of(path)] if other != path and Path(other).suffix == place.suffix]
    if damage == "double":
        other = place.with_name(f"double-{place.name}")
        numbered = re.fullmatch(r"[0-9]{20}(\.json|\.checkpoint\.parquet)", place.name)
        if numbered:  # as the entry after the newest, as the checkpoint of the newest
            newest = max(int(each.stem) for each in place.parent.glob("[0-9]*.json"))
            other = place.with_name(f"{newest + (numbered[1] == '.json'):020d}{numbered[1]}")
        _replace(other, place.read_bytes())
        return [other.relative_to(lake).as_posix()]
    if not others:
        return []
    other_path = draw.choice(others)
    mine, theirs = place.read_bytes(), (lake / other_path).read_bytes()
    _replace(place, theirs)
    _replace(lake / other_path, mine)
    return [path, other_path]


def _replace(place: Path, data: bytes) -> None:
    """Write a file anew: the one that the copy shares with the lake stays as it is."""
    new = place.with_name(".new")
    new.write_bytes(data)
    new.replace(place)


def _harmless(lake: Path, copy: Path, path: str, changed: list[str]) -> str:
    """Return why a change took nothing from the lake that it needs, or an empty string."""
    same = [_bytes(lake / each) == _bytes(copy / each) for each in changed]
    if all(same):
        return "the bytes are the same"
    if Path(changed[0]).name.startswith("double-"):
        return "a file that nothing names"
    if path.startswith("samples/family=") and not set(changed) & _needed(lake):
        return "a replaced file that no build was made from"
    if path == RECORD and not (copy / path).exists():
        return "nothing is recorded, so that everything is read again"
    if path.startswith("models/") and not (copy / path).exists():
        return "a score model that no run used"
    if path.startswith("benchmarks/") and len(changed) == 1:
        try:
            if all(load_benchmark(each) for each in list_benchmarks(str(copy))) and (copy / path).exists():
                return "the same items: a byte of the compressed form that says nothing"
        except HeadwaterError:
            return ""
    return ""


def _bytes(place: Path) -> bytes | None:
    return place.read_bytes() if place.exists() else None


def _needed(lake: Path) -> set[str]:
    newest = open_snapshot(str(lake))
    kept = [newest.files, *pinned_files(newest).values()]
    return {f"samples/{path}" for files in kept for path in files["path"].to_pylist()}


def _ask(done: Trial, lake: Path) -> None:
    """Verify a lake and open it as a question does."""
    try:
        done.found = [check.name for check in verify(str(lake)) if not _told(done, check.passed, check.detail)]
    except HeadwaterError as error:
        done.found = ["open"]
        _told(done, False, str(error))
    except BaseException as error:
        done.faults.append(f"verify: {type(error).__name__}")
    try:
        with connect(str(lake)) as connection:
            first = rows(connection, "SELECT min(sample_id) AS first FROM content")[0]["first"]
        why(open_lookup(str(lake)), first)
    except HeadwaterError as error:
        _told(done, False, str(error))
    except BaseException as error:
        done.faults.append(f"question: {type(error).__name__}")


def _told(done: Trial, passed: bool, text: str) -> bool:
    if not passed and (_RAW.search(text) or "\n" in text):
        done.faults.append(f"a raw message: {text[:200]}")
    return passed


def _mend(done: Trial, lake: Path) -> None:
    """Repair the log; checkpoints and records must come back whole, entries may be refused in one line."""
    try:
        repair_log(str(lake))
    except HeadwaterError as error:
        if done.kind != "log entry":
            done.faults.append(f"not mended: {error}")
        return
    except BaseException as error:
        done.faults.append(f"repair: {type(error).__name__}: {error}")
        return
    if done.kind == "log entry":
        return
    left = [f"{check.name}: {check.detail}" for check in verify(str(lake)) if not check.passed]
    done.faults += [f"mended, and yet {each}" for each in left]


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Make the trials that are asked for and return 1 where something was missed or went wrong."""
    parser = argparse.ArgumentParser(description="Damage copies of a finished lake and see whether verify finds it.")
    parser.add_argument("lake", type=Path)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial: where a stopped run goes on")
    asked = parser.parse_args(arguments)
    table: collections.Counter[tuple[str, str]] = collections.Counter()
    bad = 0
    planned = enumerate(damages_of(asked.lake, asked.seed, asked.trials))
    for number, (path, damage, seed) in itertools.islice(planned, asked.first, None):
        if number % _TOLD == 0:
            say(f"at trial {number}")
        done = trial(asked.lake, path, damage, seed)
        outcome = "harmless: " + done.harmless if done.harmless else "MISSED" if done.missed else "found"
        table[done.kind, outcome] += 1
        if done.missed or done.faults:
            bad += 1
            say(
                f"trial {number}: {done.kind} {done.damage} {done.path} seed {seed}: {outcome} {'; '.join(done.faults)}"
            )
    for (kind, outcome), count in sorted(table.items()):
        say(f"{kind:16} {count:6} {outcome}")
    say(f"{asked.trials - asked.first} trials, {bad} missed or with a raw error")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
