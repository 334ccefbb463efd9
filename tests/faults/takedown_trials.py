"""Trials of takedowns: killed anywhere, or beside another command, one ends whole or not at all, and what it took is found nowhere.

After every disturbance the table holds all of the planted documents or none of them; the same command is run again, and then
the canaries stand in no byte of the lake: not in a file as it lies there, nor unpacked, nor in the log, a statistic or the tokens of a shard.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from typing import Final

from lakes import CANARIES, LIMIT_S, OTHER_URL, PLANTED_URL, takedown_command
from shim import CAN_REFUSE, Fault
from trial import FoundError, Trial
from zygote import Driver

__all__ = ["ACTIONS", "beside_a_takedown", "disturbed_takedown", "takedown_point"]

ACTIONS: Final = ("kill", "error")
"""What happens at a fault point: SIGKILL, or an exception."""
_BESIDE: Final = ("takedown", "maintain", "run", "build")
_MASTER: Final = ("--master", "local[2]")
_PLANTED: Final = 3


def takedown_point(trial: Trial) -> None:
    """A takedown is killed, or ends with an exception, at one of its fault points: by number each of them in turn, and by both."""
    points = trial.prepared.points
    number = trial.number if trial.number is not None else trial.random.randrange(len(points) * len(ACTIONS))
    point, action = points[number // len(ACTIONS) % len(points)], ACTIONS[number % len(ACTIONS)]
    trial.what = f"takedown: {action} at {point}"
    trial.begin("maintain")
    driver = _start(trial, PLANTED_URL, Fault(action=action, number=1, point=point))
    trial.end(driver, {-signal.SIGKILL} if action == "kill" else {1, 2})
    trial.fired = action == "kill" or driver.fired
    _conclude(trial, [PLANTED_URL])


def disturbed_takedown(trial: Trial) -> None:
    """A takedown, by Spark or without, whose driver is killed or signalled, or whose operations fail, at any of them; or a worker is killed."""
    master = _MASTER if trial.random.random() < 0.5 else ()
    kinds = ["kill", "error", "torn", "signal", *(["refuse"] if CAN_REFUSE else []), *(["worker"] if master else [])]
    kind = trial.random.choice(kinds)
    operation = trial.random.choice(sorted(trial.prepared.counts["takedown"]))
    number = trial.random.randint(1, trial.prepared.counts["takedown"][operation])
    code = trial.random.choice(["SIGTERM", "SIGINT", "SIGHUP"] if kind == "signal" else ["ENOSPC", "EIO", "EROFS"])
    where = "by Spark" if master else "alone"
    trial.what = f"takedown {where}: {kind} {'' if kind in ('kill', 'worker') else code} at {operation} {number}"
    trial.begin("maintain")
    if kind == "worker":
        trial.zygote.lay_worker_fault(Fault(action="kill", number=trial.random.randint(1, 12)))
        trial.end(_start(trial, PLANTED_URL, None, master), {0})
        trial.fired = trial.zygote.worker_fault_was_taken
    else:
        lasting = kind in ("error", "torn") and trial.random.random() < 0.5
        fault = Fault(action=kind, number=number, operation=operation, code=code, lasting=lasting)
        driver = _start(trial, PLANTED_URL, fault, master)
        ends = {0, 1, 2, -signal.SIGKILL, 128 + getattr(signal, code, 0)}
        trial.end(driver, ends)
        trial.fired = driver.code != 0
    _conclude(trial, [PLANTED_URL])


def beside_a_takedown(trial: Trial) -> None:
    """A takedown stands still while another one, or a step, runs from beginning to end, or the step does meanwhile; by number each, 0 to 7."""
    number = trial.number if trial.number is not None else trial.random.randrange(2 * len(_BESIDE))
    other, first = _BESIDE[number // 2 % len(_BESIDE)], bool(number % 2)
    state = other if other == "build" else "maintain"
    counts = trial.prepared.counts
    paused = "takedown" if first or other == "takedown" else other
    fault = Fault(action="pause", number=trial.random.randint(1, max(1, sum(counts[paused].values()))))
    trial.what = (
        f"{paused} stands still at operation {fault.number} while {other if paused == 'takedown' else 'takedown'} runs"
    )
    trial.begin(state)
    one = _start(trial, PLANTED_URL, fault) if paused == "takedown" else trial.start(other, fault)
    trial.fired = one.wait_for_pause(LIMIT_S)
    if paused != "takedown":
        two = _start(trial, PLANTED_URL)
    elif other == "takedown":
        two = _start(trial, OTHER_URL)
    else:
        two = trial.start(other)
    trial.end(two, {0, 1, 2})
    if trial.fired:
        one.resume()
    trial.end(one, {0, 1, 2})
    _conclude(
        trial,
        [PLANTED_URL, *([OTHER_URL] if other == "takedown" else [])],
        same=state == "maintain" and other != "takedown",
    )


def _start(trial: Trial, url: str, fault: Fault | None = None, master: Sequence[str] = ()) -> Driver:
    said = trial.folder / f"said-{len(trial.drivers)}-takedown.txt"
    driver = trial.zygote.start([*takedown_command(trial.lake, url), *master], said, fault)
    trial.drivers.append(driver)
    return driver


def _conclude(trial: Trial, urls: Sequence[str], *, same: bool = True) -> None:
    """See that the table holds all or nothing of each takedown, end them by the same commands, and compare.

    Args:
        same: whether the shards must be those of an undisturbed takedown.
    """
    trial.zygote.lay_worker_fault(None)
    trial.zygote.settle()
    if (left := _planted_left(trial)) not in (0, _PLANTED):
        raise FoundError(f"expected all of the {_PLANTED} planted documents in the table or none, found {left}")
    for url in urls:
        if not _ended(trial, url):
            trial.end(_start(trial, url), {0})
    trial.end(trial.start("run"), {0})
    absent = trial.folder / "absent.txt"
    absent.write_text("".join(f"{line}\n" for line in CANARIES), "utf-8")
    lake = str(trial.lake)
    for arguments in (
        ["maintain", lake, "--orphan-hours", "0"],
        ["verify", lake],
        ["verify", lake, "--absent", str(absent)],
    ):
        trial.say(arguments)
    trial.compare(trial.prepared.taken if same else None)
    for path in trial.lake.rglob("*"):
        if path.is_file() and any(canary.encode() in path.read_bytes() for canary in CANARIES):
            raise FoundError(f"a canary stands in {path.relative_to(trial.lake)}")


def _planted_left(trial: Trial) -> int:
    """Return how many of the planted documents the newest version of the table still holds."""
    said = trial.folder / f"said-{len(trial.drivers)}-left.txt"
    statement = f"SELECT count(*) AS n FROM content WHERE text LIKE '%{CANARIES[0]}%'"
    driver = trial.zygote.start(["sql", str(trial.lake), statement, "--output", "json"], said)
    trial.drivers.append(driver)
    trial.end(driver, {0})
    (row,) = json.loads(said.read_text("utf-8"))
    return int(row["n"])


def _ended(trial: Trial, url: str) -> bool:
    """Return whether the takedown of a URL has ended: its record says so."""
    kind = "planted" if url == PLANTED_URL else "other"
    records = [json.loads(path.read_bytes()) for path in (trial.lake / "takedowns").glob("*.json")]
    return any(record["why"] == kind and record["state"] == "ended" for record in records)
