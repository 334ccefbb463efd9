"""A standalone Spark cluster of pip's pyspark: a master and workers in processes of their own, and what the master says of them.

    with SparkCluster(tmp_path, workers=2, cores=1) as cluster:
        done = cluster.submit(REPOSITORY / "jobs" / "run_job.py", lake, "demo", "--input", texts)
        assert cluster.applications()["headwater"]["state"] == "FINISHED"

Workers and their executors see another HOME, LANG and TZ than the driver, and a working folder of their own, as on other machines. Everything
listens on the loopback and ends with the ``with`` block.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["SparkCluster"]

_START_S: Final = 90
_END_S: Final = 15
_EXECUTOR: Final = b"org.apache.spark.executor.CoarseGrainedExecutorBackend"
_ELSEWHERE: Final = {"LANG": "C", "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "0"}


class SparkCluster:
    """A master and its workers, from the beginning of a ``with`` block to its end.

    Args:
        folder: a new folder for what they log and for the executors' working folders.
        workers: how many.
        cores: of each.
        memory_mb: of each, for executors.
        environment: what workers, and so their executors and Python workers, get besides; an empty value takes the variable away.

    Attributes:
        master: its URL, ``spark://…``.
        page: address of its page; ``/json/`` beneath it is what ``state()`` returns.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        cores: int = 1,
        memory_mb: int = 1024,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.master = ""
        self.page = ""
        self._workers = workers
        self._cores = cores
        self._memory_mb = memory_mb
        self._environment = dict(environment or {})
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Start the master, then the workers; return when all are registered."""
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them, and the executors with them."""
        for process in reversed(self._processes):
            _signal(process, signal.SIGTERM)
        for process in reversed(self._processes):
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait(_END_S)
        for pid in self._members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._processes.clear()

    def state(self) -> dict[str, Any]:
        """Return what the master's JSON page says: ``workers``, ``activeapps``, ``completedapps`` and more."""
        with urllib.request.urlopen(f"{self.page}/json/", timeout=10) as answer:  # noqa: S310 - the master that this object started
            found: dict[str, Any] = json.load(answer)
        return found

    def applications(self) -> dict[str, dict[str, Any]]:
        """Return the applications that the master knows, running or ended, by name; of equal names the last."""
        found = self.state()
        every = [*found["completedapps"], *found["activeapps"]]
        return {each["name"]: each for each in sorted(every, key=lambda each: each["id"])}

    def submit_command(self, script: Path, *arguments: object, options: Sequence[str] = ()) -> list[str]:
        """Return the command line of ``spark-submit`` in client mode on this cluster."""
        submit = Path(sys.executable).parent / "spark-submit"
        return [str(submit), "--master", self.master, *options, str(script), *map(str, arguments)]

    def submit(
        self,
        script: Path,
        *arguments: object,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        timeout_s: int = 400,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script by ``spark-submit`` to its end and return what it printed and its exit code.

        Args:
            script: of Python.
            arguments: its own.
            options: of ``spark-submit``.
            environment: of the driver, besides this process's.
            timeout_s: how long it may take.
        """
        return subprocess.run(
            self.submit_command(script, *arguments, options=options),
            env=self.driver_environment() | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def driver_environment(self) -> dict[str, str]:
        """Return this process's environment for a driver that the executors can reach."""
        return os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}

    def executors(self) -> list[int]:
        """Return the process ids of the running executors, in ascending order."""
        return [pid for pid in self._members() if _EXECUTOR in _words(pid)]

    def _members(self) -> list[int]:
        """Return what runs in the sessions of the workers, each with its executors and their Python workers."""
        own, found = {process.pid for process in self._processes}, []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                _, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) in own:
                    found.append(int(entry.name))
        return sorted(found)

    def logs(self) -> str:
        """Return the ends of everything that master, workers and executors have written, for the message of a failed test."""
        files = [*self.folder.glob("*.log"), *self.folder.glob("*/executors/*/*/stderr")]
        return "\n".join(f"== {file}\n{file.read_text('utf-8', 'replace')[-3000:]}" for file in sorted(files))

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        master_log = self._launch("master", "org.apache.spark.deploy.master.Master", ports)
        self.master = self._awaited(master_log, "Starting Spark master at ")
        port = self._awaited(master_log, "Successfully started service 'MasterUI' on port ").rstrip(".")
        self.page = f"http://127.0.0.1:{port}"
        for number in range(self._workers):
            size = ["--cores", str(self._cores), "--memory", f"{self._memory_mb}m"]
            work = self.folder / f"worker-{number}" / "executors"
            work.mkdir(parents=True)
            arguments = [*ports, *size, "--work-dir", str(work), self.master]
            self._launch(f"worker-{number}", "org.apache.spark.deploy.worker.Worker", arguments)
        deadline = time.monotonic() + _START_S
        while sum(each["state"] == "ALIVE" for each in self.state()["workers"]) < self._workers:
            self._check(deadline)
            time.sleep(0.1)

    def _launch(self, name: str, main: str, arguments: Sequence[str]) -> Path:
        import pyspark

        home = self.folder / name / "home"
        home.mkdir(parents=True)
        (self.folder / name / "tmp").mkdir()
        environment = (
            os.environ
            | _ELSEWHERE
            | {"HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
            | {"SPARK_LOCAL_DIRS": str(self.folder / name / "tmp")}
            | self._environment
        )
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    [str(Path(pyspark.__path__[0], "bin", "spark-class")), main, *arguments],
                    env={key: value for key, value in environment.items() if value},
                    cwd=self.folder / name,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )
        return log

    def _awaited(self, log: Path, before: str) -> str:
        """Return the word that follows a text in a log, when it has come."""
        deadline = time.monotonic() + _START_S
        while True:
            _, found, rest = log.read_text("utf-8", "replace").partition(before)
            if found and "\n" in rest:
                return rest.split()[0]
            self._check(deadline)
            time.sleep(0.05)

    def _check(self, deadline: float) -> None:
        if time.monotonic() > deadline or any(process.poll() is not None for process in self._processes):
            raise RuntimeError(f"expected a master and {self._workers} workers, but:\n{self.logs()}")


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _words(pid: int) -> list[bytes]:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
