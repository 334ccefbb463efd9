"""pyarrow's file systems of object stores, made from the settings of ``storage``, each once a process."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs as pafs

from headwater.errors import MissingDependencyError, StorageError, UsageError
from headwater.warehouse.storage import (
    AZURE,
    GOOGLE,
    RETRY_S,
    S3,
    is_true,
    kind_of_store,
    plain_http,
    region_of,
    seconds,
    settings_of,
)
from headwater.warehouse.storage_errors import storage_error
from headwater.warehouse.storage_files import StoreHandler
from headwater.warehouse.storage_requests import Requests

__all__ = ["reach_store", "requests_of", "store_of"]

_TRIES_OF_A_PART: Final = 8
_CLASSES: Final = {S3: "S3FileSystem", GOOGLE: "GcsFileSystem", AZURE: "AzureFileSystem"}
_OF_URI: Final = {"region": "aws_region", "endpoint_override": "aws_endpoint_url", "scheme": "scheme"}
"""What pyarrow lets a URI of S3 say in its query → the setting."""

_made: dict[tuple[str, tuple[tuple[str, str], ...]], pafs.PyFileSystem] = {}
os.register_at_fork(
    after_in_child=_made.clear
)  # what was made holds threads and connections of the process that made it


def store_of(uri: str, shown: str) -> tuple[pafs.PyFileSystem, str]:
    """Return the file system of a store's URI, and the path in it: ``bucket/key``.

    Args:
        shown: the URI as messages may show it.

    Raises:
        UsageError: no bucket is named, or a setting is none.
        MissingDependencyError: pyarrow was built without this kind of store.
        StorageError: the store's file system cannot be made.
    """
    kind = kind_of_store(uri)
    parts = urlsplit(uri)
    if kind is None or not parts.netloc:
        raise UsageError(f"expected the URI of a bucket, such as s3://bucket/folder, found {shown}")
    said = dict(parse_qsl(parts.query))
    if kind == S3 and (unknown := sorted(said.keys() - _OF_URI.keys())):
        raise UsageError(f"expected no setting {unknown[0]} in {shown}; give settings of stores by --storage KEY=VALUE")
    return _system(kind, tuple(sorted(said.items())), parts.netloc, shown), (parts.netloc + parts.path).rstrip("/")


def _system(kind: str, said: tuple[tuple[str, str], ...], bucket: str, shown: str) -> pafs.PyFileSystem:
    settings = _settings(kind, dict(said), bucket)
    key = (kind, tuple(sorted(settings.items())))
    found = _made.get(key)
    if found is None:
        if not hasattr(pafs, _CLASSES[kind]):
            raise MissingDependencyError(
                f"expected pyarrow with {_CLASSES[kind]} for {shown}, found one that was built without it; install pyarrow from its wheels"
            )
        try:
            found = pafs.PyFileSystem(_handler(kind, settings, said, bucket, shown))
        except (pa.ArrowException, OSError) as error:
            raise storage_error(OSError(str(error)), f"open {shown}") from error
        _made[key] = found
    return found


def _settings(kind: str, said: Mapping[str, str], bucket: str) -> dict[str, str]:
    settings = settings_of(kind)
    if kind != S3:
        return settings
    if "region" in said:
        settings["aws_region"] = said["region"]
    if "endpoint_override" in said:
        settings["aws_endpoint_url"] = f"{said.get('scheme', 'https')}://{said['endpoint_override']}"
    settings["aws_region"] = region_of(settings, bucket)
    return settings


def _handler(
    kind: str, settings: Mapping[str, str], said: tuple[tuple[str, str], ...], bucket: str, shown: str
) -> StoreHandler:
    retry_s = seconds(settings, "retry_timeout", RETRY_S)
    if kind == S3:
        reading, writing = (_s3(settings, tries) for tries in (1, _TRIES_OF_A_PART))
        delete = Requests(settings, retry_s).delete if Requests.possible(settings) else None
    else:
        reading = writing = _google(settings, retry_s) if kind == GOOGLE else _azure(settings)
        delete = None
    return StoreHandler(kind, functools.partial(_again, kind, said, bucket, shown), reading, writing, delete, retry_s)


def reach_store(uri: str) -> None:
    """Do nothing where the store of a URI answers and has its bucket; it is asked once a process.

    delta-rs would try for a minute to reach what is not there.

    Raises:
        StorageError: it cannot be reached, or has no such bucket.
    """
    filesystem, path = store_of(uri, uri)
    if isinstance(filesystem.handler, StoreHandler):
        filesystem.handler.check_bucket(path)


def _again(kind: str, said: tuple[tuple[str, str], ...], bucket: str, shown: str) -> StoreHandler:
    found = _system(kind, said, bucket, shown).handler
    if not isinstance(found, StoreHandler):
        raise StorageError(f"cannot open {shown} again")
    return found


def _s3(settings: Mapping[str, str], tries: int) -> pafs.FileSystem:
    anonymous = is_true(settings, "aws_skip_signature")
    endpoint = settings.get("aws_endpoint_url")
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise UsageError(f"expected http:// or https:// at the beginning of aws_endpoint_url, found {endpoint[:100]!r}")
    keys = {
        "access_key": settings.get("aws_access_key_id"),
        "secret_key": settings.get("aws_secret_access_key"),
        "session_token": settings.get("aws_session_token"),
    }
    if "aws_profile" in settings and not keys["secret_key"]:
        os.environ["AWS_PROFILE"] = settings[
            "aws_profile"
        ]  # both libraries look there for a role or a process that gives keys
    return pafs.S3FileSystem(
        anonymous=anonymous,
        **({} if anonymous or not keys["access_key"] or not keys["secret_key"] else keys),
        region=settings["aws_region"],
        scheme="http" if plain_http(settings) else "https",
        endpoint_override=endpoint.partition("://")[2].rstrip("/") if endpoint else None,
        force_virtual_addressing=is_true(settings, "aws_virtual_hosted_style_request"),
        connect_timeout=seconds(settings, "connect_timeout", 5.0),
        request_timeout=seconds(settings, "timeout", 60.0),
        background_writes=False,
        allow_delayed_open=True,
        allow_bucket_creation=False,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=tries),
    )


def _google(settings: Mapping[str, str], retry_s: float) -> pafs.FileSystem:
    import datetime

    if place := settings.get("google_application_credentials"):
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = place  # the library takes it from nowhere else
    return pafs.GcsFileSystem(
        anonymous=is_true(settings, "google_skip_signature"),
        retry_time_limit=datetime.timedelta(seconds=max(1, round(retry_s))),
    )


def _azure(settings: Mapping[str, str]) -> pafs.FileSystem:
    account = settings.get("azure_storage_account_name")
    if not account:
        raise UsageError(
            "expected azure_storage_account_name for a URI of Azure's; set AZURE_STORAGE_ACCOUNT_NAME, or give it by --storage"
        )
    names = {
        "account_key": "azure_storage_account_key",
        "sas_token": "azure_storage_sas_token",
        "client_id": "azure_storage_client_id",
        "client_secret": "azure_storage_client_secret",
        "tenant_id": "azure_storage_tenant_id",
    }
    return pafs.AzureFileSystem(
        account, **{theirs: settings[ours] for theirs, ours in names.items() if ours in settings}
    )


def requests_of(uri: str) -> Requests | None:
    """Return what makes requests of Headwater's own to the store of a URI, or None where it is not S3 or there is no key to sign with."""
    if kind_of_store(uri) != S3:
        return None
    settings = _settings(S3, {}, urlsplit(uri).netloc)
    return Requests(settings, seconds(settings, "retry_timeout", RETRY_S)) if Requests.possible(settings) else None
