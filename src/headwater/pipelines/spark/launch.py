"""Starts the JVM that Spark runs in below a keeper, which ends it and removes its files whatever becomes of this process."""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headwater.pipelines.spark.local_java import local_java_options

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway

__all__ = ["Jvm", "launch"]

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_END_S: Final = 20
"""Longer than the keeper takes at most."""
_PRIVATE: Final = "-Djava.io.tmpdir={folder} -XX:-UsePerfData"
"""Spark's temporary files, and everybody's who asks Java for a place, are in the keeper's folder; performance data would be outside of it."""


class Jvm:
    """A JVM that runs below its keeper.

    Args:
        keeper: started with a pipe to its standard input.
    """

    def __init__(self, keeper: subprocess.Popen[bytes]) -> None:
        self._keeper = keeper

    def end(self) -> None:
        """End the JVM and its workers and remove their files; return when that is done."""
        if self._keeper.stdin is not None:
            with contextlib.suppress(OSError):
                self._keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(_END_S)


def launch(settings: Mapping[str, str], output: int) -> tuple[Jvm, JavaGateway] | None:
    """Start a JVM and return it with the gateway to it, or None when it ended before its gateway was up.

    It ends with this process, at the latest.

    Args:
        settings: of Spark.
        output: descriptor of what the JVM and its workers print.
    """
    from pyspark.find_spark_home import _find_spark_home
    from pyspark.java_gateway import launch_gateway

    settings = {**settings}
    own = "spark.driver.defaultJavaOptions"
    settings[own] = " ".join(filter(None, [_PRIVATE, local_java_options(settings), settings.get(own)]))
    command = [str(Path(_find_spark_home()) / "bin" / "spark-submit")]
    for key, value in settings.items():
        command += ["--conf", f"{key}={value}"]
    command += shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell"))
    reading, writing = os.pipe()
    jvm = None
    try:
        keeper = subprocess.Popen(  # noqa: S603 - this Python, and Spark's launcher
            [sys.executable, "-I", "-S", str(_KEEPER), str(writing), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=os.environ | {"SPARK_CONNECT_MODE": "0"},
            pass_fds=[writing],
            start_new_session=True,
        )
        jvm = Jvm(keeper)
        os.close(writing)
        writing = -1
        with os.fdopen(reading, "rb", closefd=False) as pipe:
            told = pipe.read()
        if not told:
            jvm.end()
            return None
        port, length = struct.unpack(">ii", told[:8])
        with _gateway_at(port, told[8 : 8 + length].decode()):
            gateway = launch_gateway()  # type: ignore[no-untyped-call]  # pyspark leaves it bare
    except BaseException:
        if jvm is not None:
            jvm.end()
        raise
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    atexit.register(jvm.end)
    return jvm, gateway


@contextlib.contextmanager
def _gateway_at(port: int, secret: str) -> Iterator[None]:
    """Let pyspark find a gateway that runs already, in the way in which ``spark-submit`` tells it of its own."""
    names = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
