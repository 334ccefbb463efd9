"""Fixtures of object stores: one server a process of pytest, started when the first test asks; a bucket a test, and the environment that names it.

All tests of a process go through one proxy, so that Spark's Python workers, which are started anew for another environment, serve all of them.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from pyarrow import fs as pafs

from headwater.warehouse import storage
from stores.proxy import FaultyProxy
from stores.server import KEY_ID, REGION, StoreServer

__all__ = ["RETRY_S", "Store", "store", "store_proxy", "store_server"]

RETRY_S: Final = 2
"""For how long Headwater tries a request again in tests, seconds."""

_OTHERS = (
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_CA_BUNDLE",
    "AWS_ROLE_ARN",
)
"""What a user's own environment may hold and no test may use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A bucket for one test, and ways to look into it that pass by what is tested: own client, own keys, never through the proxy."""

    bucket: str
    server: StoreServer
    proxy: FaultyProxy
    _client: list[pafs.FileSystem] = field(default_factory=list, repr=False)

    def uri(self, *names: str) -> str:
        """Return the URI of an object or a folder of the bucket."""
        return "/".join([f"s3://{self.bucket}", *names])

    def environment(self) -> dict[str, str]:
        """Return what the environment of a process must hold to reach the bucket; no file of the user's is read."""
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": self.server.secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.proxy.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": self.server.no_file,
            "AWS_SHARED_CREDENTIALS_FILE": self.server.no_file,
            "HEADWATER_RETRY_TIMEOUT": f"{RETRY_S}s",
        }

    def client(self) -> pafs.FileSystem:
        """Return pyarrow's file system of the server."""
        if not self._client:
            self._client.append(
                pafs.S3FileSystem(
                    access_key=KEY_ID,
                    secret_key=self.server.secret,
                    region=REGION,
                    scheme="http",
                    endpoint_override=f"127.0.0.1:{self.server.port}",
                    allow_bucket_creation=True,
                    allow_bucket_deletion=True,
                )
            )
        return self._client[0]

    def put(self, name: str, data: bytes) -> str:
        """Store an object and return its URI."""
        with self.client().open_output_stream(f"{self.bucket}/{name}", compression=None) as stream:
            stream.write(data)
        return self.uri(name)

    def read(self, name: str) -> bytes:
        """Return an object whole."""
        with self.client().open_input_stream(f"{self.bucket}/{name}", compression=None) as stream:
            return bytes(stream.read())

    def delete(self, name: str) -> None:
        """Delete an object."""
        self.client().delete_file(f"{self.bucket}/{name}")

    def names(self, folder: str = "") -> dict[str, int]:
        """Return name → bytes of all objects below a folder of the bucket, sorted by name, markers of folders left out."""
        root = f"{self.bucket}/{folder}".rstrip("/")
        found = self.client().get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=True))
        files = [info for info in found if info.type == pafs.FileType.File]
        return {
            info.path.removeprefix(f"{self.bucket}/"): info.size for info in sorted(files, key=lambda info: info.path)
        }

    def upload(self, folder: Path, name: str) -> str:
        """Store all files below a local folder under ``name`` and return the URI of that."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return self.uri(name)

    def download(self, name: str, folder: Path) -> Path:
        """Copy all objects below ``name`` into a local folder, which is made, and return that."""
        folder.mkdir(parents=True, exist_ok=True)
        for key in self.names(name):
            target = folder / key.removeprefix(f"{name}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.read(key))
        return folder


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """A store of S3 on loopback that checks signatures; one for each process of pytest, killed at its end however that comes."""
    folder = tmp_path_factory.mktemp("store")
    with StoreServer(folder) as server:
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def store_proxy(store_server: StoreServer) -> Iterator[FaultyProxy]:
    """The proxy before the store."""
    with FaultyProxy(store_server.port) as proxy:
        yield proxy


@pytest.fixture
def store(
    store_server: StoreServer,
    store_proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Store]:
    """A fresh bucket, which the environment of the test and of its Spark's workers names, behind a proxy that counts and has no rules yet."""
    made = Store(bucket=f"test-{secrets.token_hex(6)}", server=store_server, proxy=store_proxy)
    for held in (storage._given, storage._of_recipe):
        for name in list(held):
            monkeypatch.delitem(held, name)
    for name in _OTHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
        if "spark" in request.fixturenames:
            monkeypatch.setitem(request.getfixturevalue("spark").sparkContext.environment, name, value)
    made.client().create_dir(made.bucket)
    store_proxy.reset()
    yield made
    store_proxy.reset()
    made.client().delete_dir(made.bucket)


@pytest.fixture
def faulty_store(store: Store) -> Store:
    """The same: each store is behind the proxy."""
    return store
