"""Seeded trials: a seed names a disturbance of a step or two, and the trial says whether the lake came out as if nothing had been.

Each ends alike: whatever happened, the whole job is run again and must give the shards of an undisturbed run, byte for byte; ``verify`` passes;
after ``maintain`` no file is there that no version of the table named.
"""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from lakes import COMMANDS, LIMIT_S, STEPS, Prepared, command, temporary_files
from processes import Process
from shim import CAN_REFUSE, Fault
from store_trials import on_a_store
from takedown_trials import beside_a_takedown, disturbed_takedown, takedown_point
from trial import FoundError, Outcome, Trial
from zygote import Zygote, stop

__all__ = ["KINDS", "run_trial"]

_ERRORS: Final = ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EMFILE", "EACCES")
_QUIET_S: Final = 60.0


def _killed_driver(trial: Trial) -> None:
    """SIGKILL of a driver at one of its file operations."""
    step = trial.random.choice(COMMANDS)
    fault = Fault(action="kill", number=trial.operation(step))
    trial.what = f"{step}: killed at operation {fault.number}"
    trial.begin(step)
    driver = trial.start(step, fault)
    trial.end(driver, {0, -signal.SIGKILL})
    trial.fired = driver.code != 0


def _killed_at_commit(trial: Trial) -> None:
    """SIGKILL of a driver just before or just after a commit: every step's first ones by number, 0 to 11, or any of them."""
    points = [(step, operation, 1) for step in STEPS for operation in ("commit", "committed")]
    for step in COMMANDS:
        points += [
            (step, operation, number)
            for operation in ("commit", "committed")
            for number in range(2, trial.prepared.counts[step].get(operation, 0) + 1)
        ]
    step, operation, number = points[
        trial.number % len(points) if trial.number is not None else trial.random.randrange(len(points))
    ]
    trial.what = f"{step}: killed at {operation} {number}"
    trial.begin(step)
    trial.end(trial.start(step, Fault(action="kill", operation=operation, number=number)), {-signal.SIGKILL})


def _real_process(trial: Trial) -> None:
    """A command with a JVM of its own: driver, JVM or all of them killed, signalled or stopped; no process stays."""
    step = trial.random.choice(STEPS)
    whom = trial.random.choice(["driver", "jvm", "group"])
    name = trial.random.choice(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGSTOP"])
    after = trial.random.uniform(0.0, 8.0)
    trial.what = f"{step}: {name} to {whom} of a process of its own after {after:.1f} s"
    trial.begin(step)
    command_line = command(step, trial.lake, [trial.inputs])
    with Process(command_line, trial.folder) as process:
        trial.fired = process.disturb(whom, getattr(signal, name), after)
        process.finish(LIMIT_S)
        if left := process.left(20.0):
            raise FoundError(f"processes are left: {left}")
        # The keeper of the JVM removes its files, unless it is killed itself.
        if (whom, name) != ("group", "SIGKILL") and (files := sorted(path.name for path in process.scratch.iterdir())):
            raise FoundError(f"temporary files are left: {files}")
        if process.code == 0 or name == "SIGSTOP":
            return
        said = process.said.read_text("utf-8", "replace")
        if process.code in (1, 2) and "Error: " not in said and "Aborted" not in said:
            raise FoundError(f"exit code {process.code} without a message: {said[-800:]}")


def _signalled_driver(trial: Trial) -> None:
    """A signal to a driver at any moment."""
    step = trial.random.choice(COMMANDS)
    name = trial.random.choice(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])
    after = trial.random.uniform(0, trial.prepared.seconds[step])
    trial.what = f"{step}: {name} after {after:.2f} s"
    trial.begin(step)
    driver = trial.start(step)
    driver.wait(after)
    driver.signal(getattr(signal, name))
    number = int(getattr(signal, name))
    trial.end(driver, {0, 1, -number, 128 + number})
    if number != signal.SIGKILL and (strays := temporary_files(trial.lake)):
        raise FoundError(f"temporary files are left: {strays}")
    trial.fired = driver.code != 0


def _stopped_driver(trial: Trial) -> None:
    """SIGSTOP of a driver at any moment, another driver meanwhile, SIGCONT."""
    step, other = trial.random.choice(COMMANDS), trial.random.choice(COMMANDS)
    after = trial.random.uniform(0, trial.prepared.seconds[step])
    trial.what = f"{step}: stopped after {after:.2f} s, {other} meanwhile, continued"
    trial.begin(step)
    driver = trial.start(step)
    driver.wait(after)
    driver.signal(signal.SIGSTOP)
    trial.fired = driver.poll() is None
    second = trial.start(other)
    # The stopped one may hold what the other waits for: Spark's cores.
    second.wait(1.0)
    driver.signal(signal.SIGCONT)
    trial.end(second, {0} | _refusals(other))
    trial.end(driver, {0} | _refusals(step))


def _killed_worker(trial: Trial) -> None:
    """SIGKILL of a Spark worker at one of its file operations; the task is tried again."""
    step = trial.random.choice(STEPS)
    trial.zygote.lay_worker_fault(Fault(action="kill", number=trial.random.randint(1, 12)))
    trial.what = f"{step}: a worker killed"
    trial.begin(step)
    trial.end(trial.start(step), {0})
    trial.fired = trial.zygote.worker_fault_was_taken


def _failing_driver(trial: Trial) -> None:
    """An operation of a driver fails, once or from then on, a write perhaps half done."""
    step = trial.random.choice(COMMANDS)
    fault = Fault(
        action=trial.random.choice(["error", "torn"]),
        number=trial.operation(step),
        code=trial.random.choice(_ERRORS),
        lasting=trial.random.random() < 0.5,
    )
    trial.what = f"{step}: {fault.action} {fault.code} at operation {fault.number}{', lasting' * fault.lasting}"
    trial.begin(step)
    driver = trial.start(step, fault)
    trial.end(driver, {0, 1, 2})
    trial.fired = driver.fired


def _failing_worker(trial: Trial) -> None:
    """An operation of a Spark worker fails, once in one of them or in all of them from then on."""
    step = trial.random.choice(STEPS)
    lasting = trial.random.random() < 0.5
    fault = Fault(
        action=trial.random.choice(["error", "torn"]),
        number=trial.random.randint(1, 12),
        code=trial.random.choice(_ERRORS),
        lasting=lasting,
    )
    trial.zygote.lay_worker_fault(fault)
    trial.what = f"{step}: {fault.action} {fault.code} in {'every worker' if lasting else 'a worker'} at operation {fault.number}"
    trial.begin(step)
    driver = trial.start(step)
    trial.end(driver, {0, 1, 2})
    trial.fired = lasting or trial.zygote.worker_fault_was_taken


def _refused_driver(trial: Trial) -> None:
    """The kernel refuses a driver every write from some operation on, also to delta-rs and Arrow."""
    step = trial.random.choice(COMMANDS)
    fault = Fault(action="refuse", number=trial.operation(step), code=trial.random.choice(("ENOSPC", "EIO", "EROFS")))
    trial.what = f"{step}: {fault.code} from the kernel from operation {fault.number} on"
    trial.begin(step)
    driver = trial.start(step, fault)
    trial.end(driver, {0, 1, 2})
    trial.fired = driver.fired


def _lost_answer(trial: Trial) -> None:
    """A commit happens, and its answer is an error."""
    step = trial.random.choice(STEPS)
    commits = trial.prepared.counts[step].get("committed", 1)
    fault = Fault(action="error", operation="committed", number=trial.random.randint(1, commits), code="EIO")
    trial.what = f"{step}: the answer to commit {fault.number} is lost"
    trial.begin(step)
    driver = trial.start(step, fault)
    trial.end(driver, {0, 1})
    trial.fired = driver.fired


def _clock(trial: Trial) -> None:
    """The clock of a driver jumps, by a second to ten years, ahead or back."""
    step = trial.random.choice(COMMANDS)
    seconds = trial.random.choice([-1, 1]) * trial.random.choice([1.0, 3600.0, 86400.0 * 40, 86400.0 * 3650])
    fault = Fault(action="clock", number=trial.operation(step), seconds=seconds)
    trial.what = f"{step}: the clock jumps by {seconds:.0f} s at operation {fault.number}"
    trial.begin(step)
    driver = trial.start(step, fault)
    trial.end(driver, {0})
    trial.fired = driver.fired


def _inputs(trial: Trial) -> None:
    """An input is renamed, removed, cut, grown or replaced while ingest reads; later it is as it was."""
    change = trial.random.choice(["renamed", "removed", "cut", "grown", "replaced"])
    fault = Fault(action="pause", number=trial.operation("ingest"))
    trial.what = f"ingest: an input is {change} at operation {fault.number}"
    trial.begin("ingest")
    driver = trial.start("ingest", fault)
    trial.fired = driver.wait_for_pause(LIMIT_S)
    path = trial.random.choice(sorted(trial.inputs.iterdir()))
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    if change == "renamed":
        path.rename(path.with_name(f"other-{path.name}"))
    elif change == "removed":
        path.unlink()
    elif change == "cut":
        path.write_bytes(data[: trial.random.randrange(len(data))])
    elif change == "grown":
        with path.open("ab") as stream:
            stream.write(b"".join(lines[: len(lines) // 2]))
    else:
        path.write_bytes(b"".join(lines[::-1]))
    if trial.fired:
        driver.resume()
    trial.end(driver, {0, 1, 2})
    shutil.rmtree(trial.inputs)
    shutil.copytree(trial.prepared.inputs, trial.inputs)


def _pair(trial: Trial) -> None:
    """One command stands still at one of its operations while another one runs from beginning to end; by number every pair, 0 to 63."""
    first, second = trial.random.choice(COMMANDS), trial.random.choice(COMMANDS)
    if trial.number is not None:
        first, second = COMMANDS[trial.number // len(COMMANDS) % len(COMMANDS)], COMMANDS[trial.number % len(COMMANDS)]
    whole = trial.random.random() < 0.5
    fault = Fault(action="pause", number=trial.operation(first))
    trial.what = f"{first} stands still at operation {fault.number} while {second} runs, {'all' if whole else 'some'} of the inputs in"
    trial.begin(first, whole)
    one = trial.start(first, fault)
    trial.fired = one.wait_for_pause(LIMIT_S)
    trial.end(trial.start(second), {0} | _refusals(second))
    if trial.fired:
        one.resume()
    trial.end(one, {0} | _refusals(first))


def _at_once(trial: Trial) -> None:
    """Two or three commands run at once, each with inputs of its own in an order of its own."""
    names = [trial.random.choice(COMMANDS) for _ in range(trial.random.choice([2, 3]))]
    whole = trial.random.random() < 0.5
    trial.what = f"{', '.join(names)} at once, {'all' if whole else 'some'} of the inputs in"
    trial.begin(min(names, key=_first_needed), whole)
    files = sorted(trial.inputs.iterdir())
    drivers = [
        trial.start(name, inputs=trial.random.sample(files, trial.random.randint(1, len(files)))) for name in names
    ]
    for name, driver in zip(names, drivers, strict=True):
        trial.end(driver, {0} | _refusals(name))


def _first_needed(name: str) -> int:
    return STEPS.index(name) if name in STEPS else 0


def _refusals(name: str) -> set[int]:
    """Return the exit codes with which a command may refuse where another one has changed the lake under it."""
    return {1, 2} if name in ("dedup", "decide", "select", "build", "maintain") else set()


_EVERY: Final = 12
"""Of the seeds that only a number names, each so many-th is a trial of a takedown."""
_TAKEDOWNS: Final = ("takedown", "takedown", "beside a takedown")
_STORES: Final = (45, 6)
"""Of the seeds that only a number names, those that leave 6 when divided by 45 are trials on an object store."""

KINDS: Final[dict[str, tuple[Callable[[Trial], None], int]]] = {
    "killed driver": (_killed_driver, 14),
    "killed at commit": (_killed_at_commit, 4),
    "process": (_real_process, 3),
    "signal": (_signalled_driver, 14),
    "stopped driver": (_stopped_driver, 6),
    "killed worker": (_killed_worker, 10),
    "failing driver": (_failing_driver, 12),
    "failing worker": (_failing_worker, 10),
    "refused driver": (_refused_driver, 8 if CAN_REFUSE else 0),
    "lost answer": (_lost_answer, 5),
    "clock": (_clock, 5),
    "inputs": (_inputs, 8),
    "pair": (_pair, 16),
    "at once": (_at_once, 8),
    "takedown point": (takedown_point, 0),
    "takedown": (disturbed_takedown, 0),
    "beside a takedown": (beside_a_takedown, 0),
    "store": (on_a_store, 0),
}
"""Kind → its trial, and its weight in the draw; those of takedowns and on stores are drawn apart."""
_CONCLUDING: Final = ("takedown point", *_TAKEDOWNS, "store")
"""Kinds whose trials conclude themselves."""


def run_trial(zygote: Zygote, prepared: Prepared, root: Path, seed: str) -> Outcome:
    """Return what came of the trial that a seed names; ``KIND:NUMBER`` names the kind too."""
    draw = random.Random(seed)
    given, _, number = seed.rpartition(":")
    kind = given or draw.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
    if not given and int(number) % _EVERY == _EVERY - 1:
        kind = draw.choice(_TAKEDOWNS)
    elif not given and int(number) % _STORES[0] == _STORES[1]:
        kind = "store"
    folder = root / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    trial = Trial(zygote=zygote, prepared=prepared, folder=folder, random=draw, number=int(number) if given else None)
    begin = time.monotonic()
    wrong = ""
    try:
        KINDS[kind][0](trial)
        if kind not in _CONCLUDING:
            trial.conclude()
    except FoundError as found:
        wrong = str(found)
    finally:
        for driver in trial.drivers:
            if driver.poll() is None:
                stop(driver)
        zygote.lay_worker_fault(None)
        zygote.settle()
    return Outcome(
        seed=seed, kind=kind, what=trial.what, fired=trial.fired, wrong=wrong, seconds=time.monotonic() - begin
    )


def as_json(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as a line of a log."""
    return asdict(outcome)
