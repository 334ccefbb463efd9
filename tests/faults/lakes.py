"""What trials begin from: a lake of some sixty documents before each step, and the shards that it leads to undisturbed."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import main_job
from warcs import PACKERS, conversion, warcinfo
from zygote import Driver, Zygote

__all__ = [
    "CANARIES",
    "COMMANDS",
    "OTHER_URL",
    "PLANTED_URL",
    "STEPS",
    "Prepared",
    "command",
    "prepare",
    "shard_hashes",
    "stray_files",
    "takedown_command",
    "temporary_files",
]

STEPS: Final = ("ingest", "annotate", "dedup", "decide", "select", "build")
COMMANDS: Final = (*STEPS, "run", "maintain")
_EVERY: Final = 2
_FILES: Final = 3
LIMIT_S: Final = 300.0
_DELETE: Final = "takedown/delete/"
PLANTED_URL: Final = "https://canary-5508.example/about-her"
OTHER_URL: Final = "https://site0.example.org/0"
CANARIES: Final = (
    "a zanzibar quokka keeper said five-five-zero-eight",
    "canary-5508.example/about-her",
    "meta-canary-5508",
)
"""What stands in the text, in the URL and in the metadata of what is planted: a document, a copy and a near-duplicate of it."""


@dataclass(kw_only=True, slots=True)
class Prepared:
    """Lakes to copy.

    Attributes:
        inputs: folder of the input files, all of which every trial ends with.
        states: (step, whether the lake has all of the inputs but for this step's) → a lake before that step.
        counts: step → operation → how many the driver does undisturbed.
        seconds: step → how long it takes.
        hashes: SHA-256 by file of the shards that every trial must lead to.
        taken: the same where what was planted was taken down.
        points: fault points of a takedown, in the order in which one comes by; of those at each file that it deletes the first, the middle and
            the last.
    """

    inputs: Path
    states: dict[tuple[str, bool], Path] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    build: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)


def command(name: str, lake: Path | str, inputs: Sequence[Path | str] = ()) -> list[str]:
    """Return the arguments of one of ``COMMANDS``; lake and inputs are paths or URIs."""
    if name == "maintain":
        return ["maintain", str(lake)]
    given = [name, str(lake), str(main_job.RECIPE)]
    return [*given, "--input", *map(str, inputs)] if name in ("ingest", "run") and inputs else given


def takedown_command(lake: Path, url: str) -> list[str]:
    """Return the arguments of the takedown of what was planted, or of another document; its reason says which."""
    why = "planted" if url == PLANTED_URL else "other"
    return ["takedown", str(lake), "--uri", url, "--near", "0.75", "--who", "tests", "--why", why, "--immediately"]


def _planted() -> list[dict[str, str]]:
    """Return a document with canaries in it, a copy and a near-duplicate."""
    one, other = (main_job.documents()[number]["text"] for number in (3, 5))
    text = f"{one} And {CANARIES[0]} once. {other}"
    return [
        {"text": text, "url": PLANTED_URL, "note": CANARIES[2]},
        {"text": text, "url": "https://mirror.example/copy"},
        {"text": f"{text} 2026.", "url": "https://mirror.example/near"},
    ]


def write_inputs(folder: Path) -> None:
    """Write every second document of the main job's tests and what is planted into three files, and a few into a web archive, which was cut."""
    folder.mkdir(parents=True)
    records = [*main_job.documents()[::_EVERY], *_planted()]
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    random.Random(5).shuffle(lines)
    for number in range(_FILES):
        (folder / f"part-{number}.jsonl").write_text("\n".join(lines[number::_FILES]) + "\n", "utf-8")
    texts = [
        conversion(f"https://site.example/{number}", json.loads(line)["text"]) for number, line in enumerate(lines[:6])
    ]
    (folder / "web.warc.wet.gz").write_bytes(PACKERS["records.warc.gz"]([warcinfo(), *texts])[:-20])


def prepare(zygote: Zygote, root: Path) -> Prepared:
    """Run the job twice without disturbance, on all inputs and on all but the last file, and keep a copy from before each step."""
    prepared = Prepared(inputs=root / "in")
    write_inputs(prepared.inputs)
    partial = root / "in-partial"
    shutil.copytree(prepared.inputs, partial)
    (partial / f"part-{_FILES - 1}.jsonl").unlink()
    for whole, inputs in ((True, prepared.inputs), (False, partial)):
        lake = root / f"lake-{whole}"
        _undisturbed(zygote, ["init", str(lake)], root)
        for step in STEPS:
            prepared.states[step, whole] = root / f"before-{step}-{whole}"
            shutil.copytree(lake, prepared.states[step, whole])
            begin = time.monotonic()
            done = _undisturbed(zygote, command(step, lake, [inputs]), root)
            prepared.counts[step], prepared.seconds[step] = done.counts, time.monotonic() - begin
        for name in ("run", "maintain"):
            prepared.states[name, whole] = root / f"before-{name}-{whole}"
            source = lake if name == "maintain" else prepared.states["annotate", whole]
            shutil.copytree(source, prepared.states[name, whole])
        if whole:
            (prepared.build,) = (path.name for path in (lake / "builds").iterdir())
            prepared.hashes = shard_hashes(lake, prepared.build)
        prepared.counts["maintain"] = _undisturbed(zygote, command("maintain", lake), root).counts
        prepared.counts["run"] = prepared.counts["annotate"]
        prepared.seconds |= {"maintain": 0.5, "run": prepared.seconds["annotate"]}
    _take_down(zygote, prepared, root)
    return prepared


def _take_down(zygote: Zygote, prepared: Prepared, root: Path) -> None:
    """Take down what was planted without disturbance: the points that it comes by, and the shards that are left."""
    lake = root / "lake-taken"
    shutil.copytree(prepared.states["maintain", True], lake)
    done = _undisturbed(zygote, takedown_command(lake, PLANTED_URL), root)
    prepared.counts["takedown"] = done.counts
    points = list(dict.fromkeys(done.points))
    deletes = [point for point in points if point.startswith(_DELETE)]
    some = {deletes[0], deletes[len(deletes) // 2], deletes[-1]}
    prepared.points = [point for point in points if point in some or not point.startswith(_DELETE)]
    _undisturbed(zygote, command("run", lake, [prepared.inputs]), root)
    prepared.taken = shard_hashes(lake, prepared.build)
    if prepared.taken == prepared.hashes:
        raise RuntimeError("expected that what was planted is in the build and went from it, found the same shards")
    shutil.rmtree(lake)


def _undisturbed(zygote: Zygote, arguments: list[str], root: Path) -> Driver:
    driver = zygote.start(arguments, root / "undisturbed.txt")
    if driver.wait(LIMIT_S) != 0:
        raise RuntimeError(f"{arguments}: {driver.code}: {driver.said.read_text('utf-8')[-3000:]}")
    return driver


def shard_hashes(lake: Path, build: str) -> dict[str, str]:
    """Return SHA-256 of every file of a build but of the one that says where it was made."""
    return main_job.shard_hashes(lake, build)


def stray_files(lake: Path) -> list[str]:
    """Return files that no version of the table ever named, and temporary ones anywhere; read from the log itself."""
    named = set()
    for entry in sorted((lake / "samples" / "_delta_log").glob("*.json")):
        for line in entry.read_text("utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                named.add(action["add"]["path"])
    found = []
    for path in lake.rglob("*"):
        if not path.is_file():
            continue
        relative = path.relative_to(lake)
        table_file = relative.parts[0] == "samples" and relative.parts[1] != "_delta_log"
        if path.name.startswith(".") or (table_file and "/".join(relative.parts[1:]) not in named):
            found.append(str(relative))
    return sorted(found)


def temporary_files(lake: Path) -> list[str]:
    """Return files below a lake under temporary names."""
    return sorted(str(path.relative_to(lake)) for path in lake.rglob(".*") if path.is_file())
