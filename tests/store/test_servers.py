"""The store of the tests and the proxy before it do what tests rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow import fs as pafs
from stores.fixtures import Store
from stores.proxy import Fault, key_ends, operation_is
from stores.server import KEY_ID, REGION

_RESETS = 2
"""The AWS client tries again by itself, once, where a connection that it had used before is reset."""
_SUPPORT = Path(__file__).resolve().parents[1] / "support"


def _client(store: Store, secret: str | None = None) -> pafs.FileSystem:
    """Return a file system that asks where the environment of the test says, once."""
    return pafs.S3FileSystem(
        access_key=KEY_ID,
        secret_key=secret or store.server.secret,
        region=REGION,
        scheme="http",
        endpoint_override=store.proxy.endpoint.removeprefix("http://"),
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=1),
        connect_timeout=5,
        request_timeout=10,
    )


def _pids(program: str) -> set[int]:
    """Return the processes whose command line names the program and this test run's folder of it."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if program in (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def test_store_checks_signatures(store: Store) -> None:
    """What is put can be read with the identity's key, and with a wrong secret nothing can."""
    store.put("a/b.txt", b"twelve bytes")
    assert store.names() == {"a/b.txt": 12}
    with _client(store).open_input_stream(f"{store.bucket}/a/b.txt") as stream:
        assert stream.read() == b"twelve bytes"
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        _client(store, "a-wrong-secret").get_file_info(f"{store.bucket}/a/b.txt")


def test_store_keeps_conditional_puts(store: Store) -> None:
    """Of commits of one version at once the store takes one and refuses the others, which come again as the next ones: none is lost."""
    place, row = store.uri("table"), pa.table({"x": [1]})
    write_deltalake(place, row)

    def append(_: int) -> None:
        write_deltalake(place, row, mode="append")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(16)))
    table = DeltaTable(place)
    assert (table.version(), table.to_pyarrow_table().num_rows) == (16, 17)
    answers = Counter(seen.status for seen in store.proxy.seen if seen.operation == "PUT_IF")
    assert answers[200] == 17
    assert answers[412] > 0


def test_environment_names_the_store(store: Store) -> None:
    """A test begins with an empty bucket, no rules and no requests, and its environment names the proxy and nobody's own files."""
    assert (store.names(), store.proxy.seen) == ({}, [])
    assert os.environ["AWS_ENDPOINT_URL"] == store.proxy.endpoint
    assert "AWS_PROFILE" not in os.environ
    assert not Path(os.environ["AWS_CONFIG_FILE"]).exists()


def test_proxy_passes_on_and_counts(store: Store) -> None:
    """Without rules each request passes, its signature valid, and is counted by its operation; so do large bodies in parts."""
    client, large = _client(store), os.urandom(12 << 20)
    with client.open_output_stream(f"{store.bucket}/large") as stream:
        stream.write(large)
    assert store.read("large") == large
    counts = store.proxy.counts()
    assert counts["UPLOAD"] == counts["COMPLETE"] == 1
    assert counts["PART"] >= 2
    store.proxy.forget()
    with client.open_input_file(f"{store.bucket}/large") as file:
        assert file.read_at(5, 100) == large[100:105]
    client.copy_file(f"{store.bucket}/large", f"{store.bucket}/copy")
    client.delete_file(f"{store.bucket}/copy")
    assert client.get_file_info(pafs.FileSelector(store.bucket))[0].size == len(large)
    counts = store.proxy.counts()
    assert (counts["GET"], counts["COPY"], counts["DELETE"], counts["LIST"]) == (1, 1, 1, 1)
    assert {seen.fault for seen in store.proxy.seen} == {None}


def test_proxy_answers_with_errors(store: Store) -> None:
    """A rule strikes the requests that it names, so often as it says, after so many as it says, with the status that it says."""
    client = _client(store)
    path = f"{store.bucket}/x"
    store.put("x", b"content")
    rule = Fault(kind="error", of=operation_is("GET"), after=1, times=2, status=503)
    store.proxy.use(rule)
    outcomes = []
    for _ in range(4):
        try:
            with client.open_input_stream(path) as stream:
                outcomes.append(stream.read())
        except OSError:
            outcomes.append(None)
    assert outcomes == [b"content", None, None, b"content"]
    assert rule.struck == 2
    store.proxy.use(Fault(kind="error", status=403))
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        client.get_file_info(path)
    store.proxy.use(Fault(kind="error", status=503))
    with pytest.raises(OSError, match="503"):
        client.get_file_info(path)


def test_proxy_draws_by_seed(store: Store) -> None:
    """A share of the requests is struck, the same ones for the same seed in whatever order they come."""
    client = _client(store)
    for number in range(60):
        store.put(f"n{number}", b"")
    struck = []
    for order in (range(60), reversed(range(60))):
        store.proxy.reset(seed=7)
        store.proxy.use(Fault(kind="error", of=operation_is("HEAD"), share=0.3, status=500))
        for number in order:
            try:
                client.get_file_info(f"{store.bucket}/n{number}")
            except OSError:
                continue
        struck.append({seen.path for seen in store.proxy.seen if seen.fault})
    assert struck[0] == struck[1]
    assert 8 <= len(struck[0]) <= 28  # 18 with a standard deviation of 3.5


def test_proxy_cuts_bodies_and_loses_answers(store: Store) -> None:
    """A cut body is an error for its reader; an answer that is lost was given by a store that did what it was asked."""
    client = _client(store)
    store.put("x", bytes(100_000))
    store.proxy.use(Fault(kind="cut", of=key_ends("x", "GET"), times=1))
    with pytest.raises(OSError), client.open_input_stream(f"{store.bucket}/x") as stream:
        assert len(stream.read()) == 100_000
    for status in (None, 500):
        store.proxy.use(Fault(kind="lost", of=operation_is("DELETE"), times=_RESETS, status=status))
        store.put("y", b"1")
        with pytest.raises(OSError):
            client.delete_file(f"{store.bucket}/y")
        assert "y" not in store.names()


def test_proxy_refuses_and_delays(store: Store) -> None:
    """An outage ends connections and begins none; after it the same port serves again; delayed requests take as long as they must."""
    client = _client(store)
    path = f"{store.bucket}/x"
    store.put("x", b"1")
    with store.proxy.down(), pytest.raises(OSError):
        client.get_file_info(path)
    assert client.get_file_info(path).size == 1
    store.proxy.use(Fault(kind="refuse", times=_RESETS))
    with pytest.raises(OSError):
        client.get_file_info(path)
    store.proxy.use(Fault(kind="delay", times=1, delay_s=0.5))
    begin = time.monotonic()
    assert client.get_file_info(path).size == 1
    assert time.monotonic() - begin >= 0.5


def test_outage_lasts_from_its_first_request(store: Store) -> None:
    """A rule may begin with one request, strike others too, and end after some time."""
    client = _client(store)
    for name in ("x", "y"):
        store.put(name, b"1")
    store.proxy.use(Fault(kind="refuse", begins=key_ends("y"), lasts_s=0.5))
    assert client.get_file_info(f"{store.bucket}/x").size == 1
    for name in ("y", "x"):
        with pytest.raises(OSError):
            client.get_file_info(f"{store.bucket}/{name}")
    time.sleep(0.6)
    assert client.get_file_info(f"{store.bucket}/y").size == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a program whose parent was killed")
def test_server_ends_with_its_process(tmp_path: Path) -> None:
    """A killed process of tests leaves no server behind."""
    program = (
        "import sys, time; from pathlib import Path; from stores.server import StoreServer\n"
        "with StoreServer(Path(sys.argv[1])) as server: print(*server.sockets(), flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(_SUPPORT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout:
        sockets = [Path(name) for name in child.stdout.readline().split()]
        assert len(sockets) == 4
        assert _pids(f"{tmp_path}/data")
        child.send_signal(signal.SIGKILL)
        child.wait()
    end = time.monotonic() + 10
    while _pids(f"{tmp_path}/data") and time.monotonic() < end:
        time.sleep(0.05)
    assert not _pids(f"{tmp_path}/data")
    for path in sockets:
        path.unlink(missing_ok=True)
