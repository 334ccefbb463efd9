"""SeaweedFS as a store of S3 on loopback, with one identity whose signatures it checks; it ends with the process that started it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final

__all__ = ["KEY_ID", "REGION", "StoreServer"]

KEY_ID: Final = "headwater-tests"
REGION: Final = "us-east-1"
_STARTS: Final = 3
_START_S: Final = 60.0
_SERVICES: Final = ("master", "volume", "filer", "s3")

# Linux ends the program when its parent ends, however that does; elsewhere only the fixture ends it.
_LAUNCHER: Final = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL; it outlives exec
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that started this is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class StoreServer:
    """A running server; `with StoreServer(folder) as server` starts it and kills it.

    Args:
        folder: where it keeps what it stores; made when missing, removed by whoever made it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.no_file = str(folder / "no-file-of-anybody")
        """Path of a file that is not there, for what would name a user's own."""
        self.secret = secrets.token_hex(20)
        """The identity's secret key: new for each server, so that a test can look for it in all that was written."""
        self.port = 0
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> StoreServer:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it ended or did not answer within a minute, thrice (another program may take a port between).
        """
        for _ in range(_STARTS):
            self._start()
            if self._answers():
                return self
            self.kill()
        log = (self._folder / "log.txt").read_text("utf-8", "replace")
        raise RuntimeError(f"the store of the tests did not start: {log[-2000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once: nothing that it holds is needed again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for path in self.sockets():
            path.unlink(missing_ok=True)

    def sockets(self) -> list[Path]:
        """Return the files that the program makes outside of its folder, whatever TMPDIR says, and leaves when it is killed."""
        return [Path("/", "tmp", f"seaweedfs-{service}-grpc-{port}.sock") for service, port in self._ports.items()]

    def _start(self) -> None:
        """Start the program on ports that are free now.

        Raises:
            RuntimeError: it is not installed.
        """
        program = Path(sys.executable).parent / "weed"
        if not program.exists():
            raise RuntimeError(f"expected SeaweedFS at {program}, found nothing; run scripts/setup.sh dev")
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": KEY_ID, "secretKey": self.secret}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
        (self._folder / "identities.json").write_text(json.dumps({"identities": [identity]}), "utf-8")
        ports = _free_ports(2 * len(_SERVICES))
        self._ports = dict(zip(_SERVICES, ports[len(_SERVICES) :], strict=True))
        plain = dict(zip(_SERVICES, ports, strict=False))
        self.port = plain["s3"]
        options = {
            "dir": str(data),
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "filer": "true",
            "s3": "true",
            "s3.config": str(self._folder / "identities.json"),
            "s3.autoCreateBucket": "false",
            "s3.iam": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "filer.localSocket": str(self._folder / "filer.sock"),
            "s3.localSocket": str(self._folder / "s3.sock"),
            # A bucket's files are in volumes of its own, seven of them at first.
            "volume.max": "2000",
            "volume.minFreeSpace": "1MiB",
            "master.volumeSizeLimitMB": "128",
            "master.telemetry": "false",
        }
        options |= {f"{service}.port": str(port) for service, port in plain.items()}
        options |= {f"{service}.port.grpc": str(port) for service, port in self._ports.items()}
        weed = [str(program), "-logtostderr", "server", *(f"-{name}={value}" for name, value in options.items())]
        with (self._folder / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCHER, str(os.getpid()), *weed],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _answers(self) -> bool:
        """Return whether it answers before it ends or a minute is over."""
        end = time.monotonic() + _START_S
        while self._process is not None and self._process.poll() is None and time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
                connection.request("GET", "/healthz")
                if connection.getresponse().status == http.client.OK:
                    return True
            time.sleep(0.05)
        return False


def _free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as held:
        found = []
        for _ in range(count):
            taken = held.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            found.append(int(taken.getsockname()[1]))
        return found
