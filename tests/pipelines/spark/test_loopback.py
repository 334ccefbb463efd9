"""A local Spark listens to this machine alone and has no page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

LISTENS: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def listening(pid: int) -> list[str]:
    """Return the addresses at which a process listens, as /proc writes them: hexadecimal, each word's bytes reversed."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink()) if descriptor.is_symlink() else ""
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    found = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text("utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and fields[9] in sockets:
                found.append(fields[1].split(":")[0])
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same as an IPv6 address, and ::1."""


def test_settings_of_a_local_session(spark: SparkSession) -> None:
    """Driver and blocks are bound to the loopback address, and there is no page."""
    conf = spark.sparkContext.getConf()
    assert conf.get("spark.driver.bindAddress") == conf.get("spark.driver.host") == "127.0.0.1"
    assert conf.get("spark.ui.enabled") == "false"
    assert spark.sparkContext.uiWebUrl is None


@pytest.mark.skipif(sys.platform != "linux", reason="sockets of a process are read from /proc")
def test_every_socket_is_local(spark: SparkSession) -> None:
    """Whatever the JVM and this process listen at is a loopback address."""
    java = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()  # type: ignore[union-attr]  # it is up
    addresses = listening(int(java))
    assert addresses
    assert set(addresses) <= LOOPBACK
    assert set(listening(os.getpid())) <= LOOPBACK
