"""What is said of a Java that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.errors import MissingDependencyError
from headwater.pipelines.spark.sessions import session


def test_a_wrong_java_home_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """JAVA_HOME wins over the PATH, so a wrong one is told as such, not as a Java that is not installed."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(
        MissingDependencyError, match=f"in JAVA_HOME, found no bin/java in {tmp_path}; correct JAVA_HOME"
    ):
        session()


def test_no_java_at_all_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither JAVA_HOME nor a java on the PATH."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="found none; install it"):
        session()
