"""Trials by the number, as ``make soak`` runs them: ``soak.py --trials 10000 --log soak.jsonl``; the same call goes on where it stopped.

The log has one line of JSON a trial. A trial that found something keeps its folder beside the log, and ``--seed`` repeats it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from lakes import Prepared, prepare
from store_trials import stores_ended
from takedown_trials import ACTIONS
from trials import as_json, run_trial
from zygote import Zygote

_ROUND = 200
"""Trials on one Spark: what killed drivers leave in its memory adds up."""


def done_already(log: Path) -> set[str]:
    """Return the seeds of the trials in a log; a line cut short by a crash is none."""
    found = set()
    for line in log.read_text("utf-8").splitlines() if log.exists() else ():
        try:
            found.add(str(json.loads(line)["seed"]))
        except ValueError:
            continue
    return found


def each_number(seed: str, prepared: Prepared) -> list[str]:
    """Return a seed, or all that ``takedown point:*`` stands for."""
    if seed != "takedown point:*":
        return [seed]
    return [f"takedown point:{number}" for number in range(len(prepared.points) * len(ACTIONS))]


def run_round(seeds: list[str], log: Path) -> int:
    """Run some trials on one Spark, write a line for each, and return how many found something."""
    found = 0
    with tempfile.TemporaryDirectory(prefix="headwater-faults-") as name, stores_ended(), Zygote(Path(name)) as zygote:
        prepared = prepare(zygote, Path(name) / "prepared")
        for seed in [one for each in seeds for one in each_number(each, prepared)]:
            outcome = run_trial(zygote, prepared, Path(name), seed)
            with log.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(as_json(outcome), ensure_ascii=False) + "\n")
            if outcome.wrong:
                found += 1
                kept = log.with_name(f"{log.stem}-{seed.replace(':', '-').replace(' ', '-')}")
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(Path(name) / "trial", kept)
            mark = "FOUND" if outcome.wrong else "ok" if outcome.fired else "ok, not reached"
            print(
                f"{seed} {outcome.kind}: {outcome.what}: {mark} {outcome.wrong[:3000]} ({outcome.seconds:.1f} s)",
                flush=True,
            )
    return found


def main() -> int:
    """Run trials and return 1 where one of them found something."""
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100, help="how many, from --from on")
    parser.add_argument("--from", dest="first", type=int, default=0, help="number of the first")
    parser.add_argument(
        "--seed", action="append", default=[], help="only this one, such as 17, pair:17 or takedown point:*"
    )
    parser.add_argument("--log", type=Path, default=Path("soak.jsonl"))
    given = parser.parse_args()
    wanted = given.seed or [str(number) for number in range(given.first, given.first + given.trials)]
    done = set() if given.seed else done_already(given.log)
    seeds = [seed for seed in wanted if seed not in done]
    found = sum(run_round(seeds[at : at + _ROUND], given.log) for at in range(0, len(seeds), _ROUND))
    lines = [json.loads(line) for line in given.log.read_text("utf-8").splitlines()]
    kinds = Counter(line["kind"] for line in lines)
    print(f"{len(lines)} trials in the log, {sum(not line['fired'] for line in lines)} not reached: {dict(kinds)}")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
