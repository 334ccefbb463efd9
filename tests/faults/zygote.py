"""Drivers for a second's work: one process starts Spark once, and every driver is forked from it with a session that is up.

A forked driver is a process of its own, which may be killed, stopped or refused its writes without anything of it staying in the next one;
what is missing beside a driver from the command line is its own JVM, for which there is ``commands.py``. The process that forks opens no lake
itself: delta-rs does not outlive a fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import local
from types import TracebackType
from typing import Final, Self, cast

import main_job
from faulty_workers import ROOT
from shim import Fault, Shim, lay_fault

__all__ = ["CRASHED", "FAST_SPARK", "Driver", "Zygote", "stop"]

CRASHED: Final = 70
"""Exit code of a driver that ended with an exception that is no message."""
FAST_SPARK: Final = {
    "spark.driver.memory": "768m",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
_FAULTY: Final = {"spark.python.daemon.module": "faulty_workers"}


@dataclass(kw_only=True, slots=True)
class Driver:
    """One command in a process of its own.

    Attributes:
        said: file with what it printed.
        code: exit code, or minus the signal that ended it; None while it runs.
    """

    pid: int
    said: Path
    paused: int
    go: int
    code: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    fired: bool = False

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; a stopped process runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                self._read_end()
        return self.code

    def _read_end(self) -> None:
        rest = b""
        while block := os.read(self.paused, 1 << 16):
            rest += block
        os.close(self.paused)
        os.close(self.go)
        lines = [line for line in rest.decode().splitlines() if line.startswith("{")]
        if lines:
            found = json.loads(lines[-1])
            self.counts, self.points, self.fired = found["counts"], found["points"], found["fired"]

    def wait(self, limit_s: float) -> int | None:
        """Return the exit code, None where it still runs after so many seconds."""
        end = time.monotonic() + limit_s
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        return self.code

    def wait_for_pause(self, limit_s: float) -> bool:
        """Return True once it has come to its pause, False where it ended first or came nowhere."""
        import select

        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            readable, _, _ = select.select([self.paused], [], [], 0.05)
            if readable:
                said = os.read(self.paused, 1)
                if said == b"P":
                    self.fired = True
                    return True
                return False
            if self.poll() is not None:
                return False
        return False

    def resume(self) -> None:
        """Let it go on from its pause."""
        os.write(self.go, b"G")

    def signal(self, number: int) -> None:
        """Send a signal, where it still runs."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Zygote:
    """Spark, up once; a context that ends it.

    Args:
        root: folder of the trials; only paths below it are watched.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.worker_fault = root / "worker-fault"

    def __enter__(self) -> Self:
        """Start Spark."""
        here = str(Path(__file__).parent)
        os.environ[ROOT] = str(self.root)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), here]))
        from headwater.pipelines.spark.sessions import session

        scratch = {"spark.local.dir": str(self.root / "spark"), "spark.sql.warehouse.dir": str(self.root / "warehouse")}
        self._spark = session("local[2,3]", FAST_SPARK | _FAULTY | scratch, "headwater-faults")
        _import_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop Spark."""
        self._spark.stop()

    def start(
        self,
        command: Sequence[str],
        said: Path,
        fault: Fault | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Driver:
        """Start ``headwater`` with some arguments in a forked process; it and its Spark's workers see ``environment`` besides."""
        reading, paused = os.pipe()
        go, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(paused)
            os.close(go)
            return Driver(pid=pid, said=said, paused=reading, go=writing)
        os.close(reading)
        os.close(writing)
        code = CRASHED
        os.environ.update(environment or {})
        self._spark.sparkContext.environment.update(environment or {})
        try:
            code = self._be_driver(command, said, fault, paused, go)
        finally:
            os._exit(code)

    def _be_driver(self, command: Sequence[str], said: Path, fault: Fault | None, paused: int, go: int) -> int:
        os.setpgid(0, 0)
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        self._own_connections()

        def pause() -> None:
            os.write(paused, b"P")
            os.read(go, 1)

        shim = Shim(str(self.root), lambda: fault, pause)
        shim.install()
        sys.argv = ["headwater", *command]
        try:
            from headwater.__main__ import main

            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            traceback.print_exc()
            code = CRASHED
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(paused, b"\n" + json.dumps(shim.told()).encode() + b"\n")
        return code

    def _own_connections(self) -> None:
        """Let this process talk to Spark by connections of its own, and take the session for one that was given to it."""
        from pyspark import accumulators
        from pyspark.sql import SparkSession

        from headwater.pipelines.spark import sessions

        spark, context = self._spark, self._spark.sparkContext
        client = context._gateway._gateway_client  # type: ignore[union-attr]  # it is up
        client.thread_connection = local()
        client.deque.clear()
        # What tasks add to accumulators comes to this process, not to the one that forked it.
        token = context._gateway.gateway_parameters.auth_token  # type: ignore[union-attr]  # as above
        host, port = cast("tuple[str, int]", accumulators._start_update_server(token, False).server_address)
        context._javaAccumulator = context._jvm.PythonAccumulatorV2(host, port, token)  # type: ignore[union-attr]  # as above
        context._jsc.sc().register(context._javaAccumulator)
        sessions.session = lambda *_, **__: spark
        SparkSession.getActiveSession = classmethod(lambda _: spark)  # type: ignore[method-assign,assignment]  # as under spark-submit

    def lay_worker_fault(self, fault: Fault | None) -> None:
        """Say what is to happen to the first Spark worker that touches a file, or that nothing is."""
        lay_fault(self.worker_fault, fault)

    @property
    def worker_fault_was_taken(self) -> bool:
        """Whether a worker has come by."""
        return self.worker_fault.with_suffix(".claimed").exists()

    def settle(self, limit_s: float = 30.0) -> None:
        """Cancel what killed drivers left running in Spark, and wait until it has ended."""
        context = self._spark.sparkContext
        tracker = context.statusTracker()
        end = time.monotonic() + limit_s
        while tracker.getActiveJobsIds() and time.monotonic() < end:
            context.cancelAllJobs()
            time.sleep(0.02)


def _import_all() -> None:
    """Import and load what drivers use, so that each need not."""
    import duckdb  # noqa: F401 - for the drivers
    import pandas as pd  # noqa: F401 - DuckDB asks for it

    import headwater.cli
    import headwater.lineage.checks.lake
    import headwater.pipelines.ingest.step
    import headwater.pipelines.run
    import headwater.pipelines.selection.proxy
    import headwater.pipelines.takedown.step
    from headwater.filters.html.choice_model import load_choice_model
    from headwater.filters.language import identify
    from headwater.pipelines.recipe.job import load_recipe
    from headwater.pipelines.recipe.operators import resolve
    from headwater.tokenize.forms.load import load_vocabulary
    from headwater.tokenize.names import DEFAULT_VOCABULARY

    load_vocabulary(DEFAULT_VOCABULARY)
    identify.load_model()
    load_choice_model()
    resolve(load_recipe(main_job.RECIPE), "")
    headwater.pipelines.ingest.step._MIN_FRAGMENT_BYTES = 12_000  # type: ignore[misc]  # else all is one fragment


def stop(driver: Driver) -> None:
    """End a driver, whatever it does."""
    driver.signal(signal.SIGKILL)
    driver.wait(10)
