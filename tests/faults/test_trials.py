"""A hundred seeded faults, the same in every run: whatever happens to a step, running again gives the undisturbed shards.

`make soak` runs the same trials by the thousand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shim import CAN_REFUSE

pytestmark = [pytest.mark.spark, pytest.mark.slow]

HERE = Path(__file__).parent
POINTS = 12
"""Before and after the first commit of each of the six steps."""
TAKEDOWNS = tuple(f"takedown point:{number}" for number in (4, 7, 18, 21, 28, 31, 38, 47))
"""A takedown killed, or ended by an exception, at some of its fault points; ``HEADWATER_ALL`` has all of them, and both at each."""
TRIALS = 100
LIMIT_S = 1500


def soak(log: Path, *arguments: str) -> list[dict[str, object]]:
    """Run the driver of the trials in a process that has opened no lake, and return its log."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1] / "src"), str(HERE.parent / "support")])
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "soak.py"), "--log", str(log), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert log.exists(), done.stderr[-3000:]
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert (done.returncode == 0) == (not any(line["wrong"] for line in lines)), done.stderr[-3000:]
    return lines


@pytest.mark.parametrize("half", [0, 1])
def test_faults(tmp_path: Path, half: int) -> None:
    """Half of the hundred: points around commits and of takedowns one by one, and trials by seed; nothing is found, and most faults come to pass."""
    points = [f"killed at commit:{number}" for number in range(half, POINTS, 2)]
    takedowns = TAKEDOWNS[half::2]
    drawn = [str(number) for number in range(half, TRIALS - POINTS - len(TAKEDOWNS), 2)]
    wanted = [*points, *takedowns, *drawn]
    lines = soak(tmp_path / "log.jsonl", *(f"--seed={seed}" for seed in wanted))
    assert [line["seed"] for line in lines] == wanted
    assert [line for line in lines if line["wrong"]] == []
    assert sum(bool(line["fired"]) for line in lines) > 0.8 * len(lines)
    assert len({line["kind"] for line in lines}) >= (9 if CAN_REFUSE else 8)


@pytest.mark.skipif(
    "HEADWATER_ALL" not in os.environ, reason="make test-all has every fault point; make test has eight of them"
)
def test_every_point_of_a_takedown(tmp_path: Path) -> None:
    """Killed and ended by an exception at each fault point in turn, a takedown ends whole when its command is run again."""
    lines = soak(tmp_path / "log.jsonl", "--seed=takedown point:*")
    assert len(lines) >= 40
    assert [line for line in lines if line["wrong"] or not line["fired"]] == []


def test_log_is_resumed(tmp_path: Path) -> None:
    """Trials that stand in the log are not run again; a line that a crash cut short is no trial."""
    from soak import done_already

    log = tmp_path / "log.jsonl"
    log.write_text('{"seed": "0", "wrong": ""}\n{"seed": "1", "wr', "utf-8")
    assert done_already(log) == {"0"}
    assert done_already(tmp_path / "none.jsonl") == set()
