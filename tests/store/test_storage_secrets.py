"""The settings of a store reach every process that asks it, and its secrets stand nowhere else."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from stores.fixtures import Store

from headwater.pipelines.ingest.chunks import file_sha256
from headwater.pipelines.spark.sessions import run_tasks, session
from headwater.warehouse import storage
from headwater.warehouse.filesystem import filesystem_of, read_bytes
from headwater.warehouse.storage import hide_secrets, use_storage


@pytest.mark.spark
def test_python_workers_get_what_the_driver_was_given(
    store: Store, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Settings that stand in no environment, as those of --storage, are found in tasks; no setting of Spark's has the secret."""
    uri = store.put("there.bin", b"bytes of the store")
    (tmp_path / "secret").write_text(store.server.secret)
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    context = spark.sparkContext
    monkeypatch.setattr(
        context,
        "environment",
        {name: value for name, value in context.environment.items() if not name.startswith("AWS_")},
    )
    monkeypatch.setattr(storage, "_given", {})
    given = {
        name.lower(): value
        for name, value in store.environment().items()
        if name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_ENDPOINT_URL")
    }
    use_storage(given | {"aws_secret_access_key": f"@{tmp_path / 'secret'}"})
    assert session().sparkContext is context
    assert run_tasks(spark, file_sha256, [uri]) == [hashlib.sha256(b"bytes of the store").hexdigest()]
    assert store.server.secret not in repr(context.getConf().getAll())
    machine = context._jvm
    assert machine is not None
    java = machine.java.lang.System.getProperties().toString()
    assert store.server.secret not in java


def test_commands_show_no_secret_and_store_none(store: Store) -> None:
    """Neither an answer, nor a failure, nor any byte of the lake holds the secret; the failure says what to do."""
    lake = store.uri("lake")
    wrong = store.environment() | {"AWS_SECRET_ACCESS_KEY": "another-secret-of-the-test"}
    codes = []
    for arguments, named in (
        (["init", lake], {}),
        (["log", lake], {}),
        (["log", lake], wrong),
        (["init", store.uri("other")], wrong),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "headwater", *arguments],
            env=os.environ | named,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        codes.append(done.returncode)
        for secret in (store.server.secret, "another-secret-of-the-test"):
            assert secret not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not named or "denied: check the keys" in done.stderr
    assert codes == [0, 0, 1, 1]
    assert not [name for name in store.names() if store.server.secret.encode() in store.read(name)]
    assert "hidden" in hide_secrets(f"key {store.server.secret}")


def test_a_forked_process_reads_through_what_its_parent_opened(store: Store) -> None:
    """As a loader's workers do: file systems and open files of the parent work in the child."""
    uri = store.put("there.bin", bytes(range(256)) * 20_000)
    filesystem, path = filesystem_of(uri)
    opened = filesystem.open_input_file(path)
    assert opened.read(10) == bytes(range(10))
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            opened.seek(2_000_000)
            whole = len(opened.read()) == 256 * 20_000 - 2_000_000 and len(read_bytes(filesystem, path)) == 256 * 20_000
            os._exit(0 if whole else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(read_bytes(filesystem, path)) == 256 * 20_000
