"""What is asked of a store, how often, what comes of its faults, and what an error is taken for."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs as pafs
from stores.fixtures import Store
from stores.proxy import Fault, Kind, operation_is

from headwater.errors import (
    CorruptLakeError,
    StorageError,
    StoreAbsentError,
    StoreDeniedError,
    StoreError,
    StoreTransientError,
    StoreUnreachableError,
)
from headwater.lineage.checks.lake import verify
from headwater.warehouse import storage_probe
from headwater.warehouse.commit import create_lake, reserve_fragments
from headwater.warehouse.filesystem import HashedFile, delete_file, filesystem_of, read_bytes, write_file
from headwater.warehouse.log import entry_name
from headwater.warehouse.maintain import maintain
from headwater.warehouse.snapshot import open_snapshot
from headwater.warehouse.storage_errors import RETRIED
from headwater.warehouse.storage_spool import ONE_REQUEST_BYTES
from headwater.warehouse.storage_systems import requests_of


def _write(store: Store, name: str, data: bytes) -> None:
    write_file(store.uri("lake"), name, data, root=store.uri("lake"))


def test_a_file_is_one_request_and_leaves_no_marker(store: Store) -> None:
    """Below the length of a part: one PUT under the final name; longer: parts; deleted by one DELETE; a copy only where a file is moved."""
    _write(store, "small.bin", b"x" * 1000)
    assert store.proxy.counts() == {"PUT": 1}
    store.proxy.forget()
    _write(store, "large.bin", b"y" * (ONE_REQUEST_BYTES + 1))
    assert store.proxy.counts() == {"UPLOAD": 1, "PART": 2, "COMPLETE": 1}
    store.proxy.forget()
    filesystem, folder = filesystem_of(store.uri("lake"))
    assert read_bytes(filesystem, f"{folder}/small.bin") == b"x" * 1000
    assert store.proxy.counts() == {"HEAD": 1, "GET": 1}
    store.proxy.forget()
    delete_file(filesystem, f"{folder}/small.bin")
    delete_file(filesystem, f"{folder}/small.bin")
    filesystem.move(f"{folder}/large.bin", f"{folder}/moved.bin")
    assert store.proxy.counts() == {"DELETE": 3, "COPY": 1}
    assert store.names() == {"lake/moved.bin": ONE_REQUEST_BYTES + 1}
    found = filesystem.get_file_info(pafs.FileSelector(store.bucket, recursive=True))
    assert [info.path for info in found if info.type == pafs.FileType.File] == [f"{folder}/moved.bin"]


@pytest.mark.parametrize("suffix", [".csv.gz", ".bz2", ".zst", ".lz4", ".bin"])
def test_bytes_are_stored_as_they_are(store: Store, suffix: str) -> None:
    """The end of a name packs nothing: what is written is what is stored, in one request or in parts."""
    for name, data in (("small", b"bytes of a sidecar"), ("large", bytes(ONE_REQUEST_BYTES + 1))):
        _write(store, name + suffix, data)
        assert store.read(f"lake/{name}{suffix}") == data


def test_what_is_not_finished_gets_no_name(store: Store) -> None:
    """A file that is given up is not there, however long it is, and no upload was begun."""
    file = HashedFile(store.uri("lake"), store.uri("lake"))
    file.sink.write(b"z" * (ONE_REQUEST_BYTES + 5))
    file.discard()
    assert store.names() == {}
    assert not store.proxy.counts()


@pytest.mark.parametrize("kind", ["error", "refuse", "cut", "lost"])
def test_requests_that_fail_for_a_while_are_tried_again_and_counted(store: Store, kind: Kind) -> None:
    """Whatever a network does to three requests of each sort, the bytes come through, and the tries are counted."""
    data = bytes(range(256)) * 20_000
    store.put("lake/there.bin", data)
    before = sum(RETRIED.values())
    for operation in ("PUT", "HEAD", "GET"):
        store.proxy.use(Fault(kind=kind, of=operation_is(operation), times=3, status=503 if kind == "error" else None))
        _write(store, f"{operation}.bin", data)
        filesystem, folder = filesystem_of(store.uri("lake"))
        assert read_bytes(filesystem, f"{folder}/there.bin") == data
    assert store.read("lake/PUT.bin") == data
    assert sum(RETRIED.values()) > before


def test_parquet_over_a_failing_store_is_read_or_a_storage_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut bodies never reach Parquet's reader: rows come whole, or the error is the store's, not one of damage."""
    table = pa.table({"text": [f"line {number} of many" for number in range(200_000)]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=20_000, compression="none")
    store.put("lake/rows.parquet", sink.getvalue().to_pybytes())
    filesystem, folder = filesystem_of(store.uri("lake"))
    store.proxy.use(Fault(kind="cut", of=operation_is("GET"), share=0.3))
    with filesystem.open_input_file(f"{folder}/rows.parquet") as file:
        assert pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 16).read().equals(table)
    monkeypatch.setenv("HEADWATER_RETRY_TIMEOUT", "1s")
    filesystem, folder = filesystem_of(store.uri("lake"))
    with filesystem.open_input_file(f"{folder}/rows.parquet") as file:
        opened = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 16)
        store.proxy.use(Fault(kind="error", of=operation_is("GET"), status=503))
        with pytest.raises(StoreTransientError, match="run the same command again later; nothing stored is damaged"):
            opened.read()


def test_errors_of_a_store_are_told_apart_and_are_never_damage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key, a bucket that is not there, nothing that answers and an outage each have their own error, when a lake is opened and made."""
    lake = store.uri("lake")
    create_lake(lake)
    monkeypatch.setenv("HEADWATER_RETRY_TIMEOUT", "1s")
    with monkeypatch.context() as changed:
        changed.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-of-the-test")
        for ask in (open_snapshot, create_lake):
            with pytest.raises(StoreDeniedError, match="nothing stored is damaged") as denied:
                ask(lake)
            assert "another-secret" not in str(denied.value)
    for ask in (open_snapshot, create_lake):
        with pytest.raises(StoreAbsentError, match="no-such-bucket|absent"):
            ask("s3://no-such-bucket/lake")
    with monkeypatch.context() as changed:
        changed.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(StoreUnreachableError, match="check the endpoint"):
            open_snapshot(lake)
    store.proxy.use(Fault(kind="error", of=operation_is("GET", "LIST", "HEAD"), status=503))
    with pytest.raises(StoreTransientError, match="run the same command again later"):
        open_snapshot(lake)
    store.proxy.use()
    assert open_snapshot(lake).version == 0


def test_verify_in_an_outage_says_nothing_of_the_lake(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the store stops answering, verify ends with its error, or every check has passed; none fails, and none advises to restore."""
    lake = store.uri("lake")
    create_lake(lake)
    reserve_fragments(lake, 4)
    monkeypatch.setenv("HEADWATER_RETRY_TIMEOUT", "0.05s")
    ended: list[type[StoreError] | None] = []
    for after in (0, 4, 9, 15, 10_000):
        store.proxy.use(Fault(kind="error", of=operation_is("GET", "HEAD", "LIST"), after=after, status=503))
        try:
            checks = verify(lake)
        except StoreError as error:
            ended.append(type(error))
        else:
            assert all(check.passed for check in checks)
            ended.append(None)
    assert ended == [StoreTransientError] * 4 + [None]


def test_damage_on_a_store_is_told_as_damage(store: Store) -> None:
    """An entry of the log that holds something else, read whole, is corrupt: that and nothing else asks for a copy."""
    lake = store.uri("lake")
    create_lake(lake)
    reserve_fragments(lake, 4)
    store.put(f"lake/samples/_delta_log/{entry_name(1)}", b"{not json")
    with pytest.raises(CorruptLakeError, match="restore it from a copy of the lake"):
        open_snapshot(lake)


def test_unfinished_uploads_are_given_up_by_maintain(store: Store) -> None:
    """What a killed process left of a long file is listed and removed when it is old enough, below the lake and nowhere else."""
    lake = store.uri("lake")
    create_lake(lake)
    requests = requests_of(lake)
    assert requests is not None
    for name in ("lake/samples/one file.parquet", "lake-other/two.parquet"):
        requests._ask("POST", f"{store.bucket}/{name}", "uploads=", ok=(200,))
    assert maintain(lake, dry_run=True, orphan_hours=0).uploads == 1
    assert maintain(lake).uploads == 0
    assert maintain(lake, orphan_hours=0).uploads == 1
    assert maintain(lake, orphan_hours=0).uploads == 0
    left = requests.uploads(store.bucket, "")
    assert left is not None
    assert [upload.key for upload in left] == ["lake-other/two.parquet"]


class _Careless(http.server.BaseHTTPRequestHandler):
    """A store that takes every put, whatever its condition."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_PUT = do_DELETE = do_HEAD = do_GET = _answer  # noqa: N815 - the standard library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def careless() -> Iterator[str]:
    """The endpoint of such a store."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Careless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_store_without_conditional_put_is_refused(
    store: Store, careless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``init`` and the first commit of a process refuse it; one that honours it is asked once, and nothing is left of the question."""
    lake = store.uri("lake")
    monkeypatch.setattr(storage_probe, "_sound", set())
    create_lake(lake)
    reserve_fragments(lake, 1)
    assert [seen.status for seen in store.proxy.seen if storage_probe.PROBE in seen.path] == [200, 412, 204]
    assert not [name for name in store.names() if storage_probe.PROBE in name]
    snapshot = open_snapshot(lake)
    monkeypatch.setenv("AWS_ENDPOINT_URL", careless)
    with pytest.raises(StorageError, match="expected a store that honours conditional put"):
        create_lake(store.uri("other"))
    with pytest.raises(StorageError, match="expected a store that honours conditional put"):
        storage_probe.check_conditional_put(snapshot.lake)


def test_scratch_that_has_no_room_is_told_as_such(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that is too long for one request waits in the folder for temporary files; where that cannot be written, it is named."""
    monkeypatch.setenv("HEADWATER_STORAGE_SCRATCH", str(tmp_path / "none"))
    with pytest.raises(StorageError, match=f"cannot write to the folder for temporary files {tmp_path / 'none'}"):
        _write(store, "large.bin", b"y" * (ONE_REQUEST_BYTES + 1))
    _write(store, "small.bin", b"y")
    assert store.names() == {"lake/small.bin": 1}
