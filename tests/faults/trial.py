"""One trial while it runs: its own lake and inputs, the commands that it starts, and how it ends."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lakes import LIMIT_S, Prepared, command, shard_hashes, stray_files
from shim import Fault
from zygote import CRASHED, Driver, Zygote, stop

__all__ = ["FoundError", "Outcome", "Trial"]


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What came of one trial.

    Attributes:
        what: the disturbance in words.
        fired: whether it came to pass; a fault may wait for an operation that is not done.
        wrong: what was found wrong; empty where all is well.
    """

    seed: str
    kind: str
    what: str
    fired: bool
    wrong: str
    seconds: float


class FoundError(Exception):
    """What a trial found."""


@dataclass(kw_only=True, slots=True)
class Trial:
    """One trial while it runs."""

    zygote: Zygote
    prepared: Prepared
    folder: Path
    random: random.Random
    number: int | None = None
    what: str = ""
    fired: bool = True
    drivers: list[Driver] = field(default_factory=list)

    @property
    def lake(self) -> Path:
        """The trial's own lake."""
        return self.folder / "lake"

    @property
    def inputs(self) -> Path:
        """The trial's own inputs."""
        return self.folder / "in"

    def begin(self, step: str, whole: bool = True) -> None:
        """Take a copy of the lake from before a step."""
        shutil.copytree(self.prepared.states[step, whole], self.lake)
        shutil.copytree(self.prepared.inputs, self.inputs)

    def start(self, name: str, fault: Fault | None = None, inputs: Sequence[Path] = ()) -> Driver:
        """Start a command on the trial's lake, with all of its inputs or those given."""
        said = self.folder / f"said-{len(self.drivers)}-{name}.txt"
        driver = self.zygote.start(command(name, self.lake, inputs or [self.inputs]), said, fault)
        self.drivers.append(driver)
        return driver

    def end(self, driver: Driver, allowed: set[int]) -> None:
        """Wait for a driver and look how it ended."""
        code = driver.wait(LIMIT_S)
        if code is None:
            stop(driver)
            raise FoundError(f"{driver.said.name}: hung for {LIMIT_S:.0f} s")
        said = driver.said.read_text("utf-8", "replace")
        if code not in allowed or code == CRASHED:
            raise FoundError(f"{driver.said.name}: expected exit code {sorted(allowed)}, found {code}: {said[-1500:]}")
        if code in (1, 2) and "Error: " not in said and "Aborted" not in said:
            raise FoundError(f"{driver.said.name}: exit code {code} without a message: {said[-800:]}")

    def operation(self, step: str) -> int:
        """Draw the number of one of the operations that a step's driver does."""
        return self.random.randint(1, max(1, sum(self.prepared.counts[step].values())))

    def conclude(self) -> None:
        """Run everything again and compare."""
        self.zygote.lay_worker_fault(None)
        self.zygote.settle()
        self.end(self.start("run"), {0})
        self.say(["maintain", str(self.lake), "--orphan-hours", "0"])
        self.say(["verify", str(self.lake)])
        self.compare(self.prepared.hashes)

    def say(self, arguments: list[str]) -> None:
        """Run a command that must end well."""
        driver = self.zygote.start(arguments, self.folder / f"said-{len(self.drivers)}-{arguments[0]}-at-the-end.txt")
        self.drivers.append(driver)
        self.end(driver, {0})

    def compare(self, hashes: Mapping[str, str] | None) -> None:
        """See that the shards are those of an undisturbed run, where that is known, and that no file is there that no version named."""
        if hashes is not None and shard_hashes(self.lake, self.prepared.build) != hashes:
            raise FoundError("other shards than undisturbed")
        if strays := stray_files(self.lake):
            raise FoundError(f"stray files: {strays[:5]}")
