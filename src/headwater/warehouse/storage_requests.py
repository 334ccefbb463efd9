"""The few requests to S3 that pyarrow does not know: delete without a marker, put where nothing is, uploads that were never ended.

Signed with AWS's Signature Version 4 (AWS, Signature Version 4 for API requests). They need a key of the settings' own, or none at all; where a
role gives the keys, which the libraries ask for themselves, these requests cannot be made.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from headwater.errors import StorageError, one_line
from headwater.warehouse.storage import is_true, plain_http, seconds
from headwater.warehouse.storage_errors import retried, storage_error

__all__ = ["Requests", "Upload", "signed_headers"]

_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_MOST_BYTES: Final = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An upload in parts that was begun and neither ended nor given up: its parts take room, and no listing of files shows them.

    Attributes:
        key: of the object that it would become.
        upload: its id.
        begun: when.
    """

    key: str
    upload: str
    begun: datetime.datetime


def signed_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    payload_sha256: str,
    *,
    key: tuple[str, str],
    region: str,
    moment: datetime.datetime,
) -> dict[str, str]:
    """Return the headers of a request with its signature.

    Args:
        url: with path and query as they are sent, percent-encoded; the query's names in order.
        key: id and secret.

    The example is the first of AWS's own (Examples: Signature Calculations, "GET Object"):

    >>> found = signed_headers(
    ...     "GET", "https://examplebucket.s3.amazonaws.com/test.txt", {"range": "bytes=0-9"}, _EMPTY,
    ...     key=("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), region="us-east-1",
    ...     moment=datetime.datetime(2013, 5, 24, tzinfo=datetime.UTC))
    >>> found["authorization"].rpartition("=")[2]
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'
    """
    parts = urlsplit(url)
    stamp = f"{moment:%Y%m%dT%H%M%SZ}"
    sent = {name.lower(): value for name, value in headers.items()}
    sent |= {"host": parts.netloc, "x-amz-content-sha256": payload_sha256, "x-amz-date": stamp}
    names = ";".join(sorted(sent))
    query = "&".join(sorted(part if "=" in part else f"{part}=" for part in parts.query.split("&") if part))
    canonical = "\n".join(
        [
            method,
            parts.path or "/",
            query,
            *(f"{name}:{sent[name]}" for name in sorted(sent)),
            "",
            names,
            payload_sha256,
        ]
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    digest = f"AWS4{key[1]}".encode()
    for part in (*scope.split("/"), text):
        digest = hmac.new(digest, part.encode(), hashlib.sha256).digest()
    credential = f"{key[0]}/{scope}"
    sent["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={digest.hex()}"
    return sent


class Requests:
    """Requests to the buckets of one store.

    Args:
        settings: of ``storage.settings_of``, with a region.
        retry_s: for how long a request is tried again, seconds.
    """

    def __init__(self, settings: Mapping[str, str], retry_s: float) -> None:
        self._settings = settings
        self._retry_s = retry_s
        self._anonymous = is_true(settings, "aws_skip_signature")

    @staticmethod
    def possible(settings: Mapping[str, str]) -> bool:
        """Return whether the settings hold a key, or ask for none to be used."""
        return (
            is_true(settings, "aws_skip_signature") or {"aws_access_key_id", "aws_secret_access_key"} <= settings.keys()
        )

    def delete(self, path: str) -> None:
        """Delete the object at ``bucket/key``; one that is not there is fine."""
        self._ask("DELETE", path, "", ok=(200, 204, 404))

    def put_new(self, path: str, data: bytes) -> bool:
        """Write an object where there is none; return False where there is one (``If-None-Match: *``)."""
        status, _ = self._ask("PUT", path, "", {"if-none-match": "*"}, data, ok=(200, 201, 204, 409, 412))
        return status not in (409, 412)

    def uploads(self, bucket: str, prefix: str) -> list[Upload] | None:
        """Return the uploads below a prefix that were never ended, in order of their keys; None where the store does not tell."""
        found: list[Upload] = []
        after = ""
        while True:
            query = f"prefix={quote(prefix, safe='')}{after}&uploads="
            status, data = self._ask("GET", bucket, "&".join(sorted(query.split("&"))), ok=(200, 405, 501))
            if status != 200:
                return None
            try:
                tree = ElementTree.fromstring(data.decode())  # noqa: S314 - bounded in length; expat refuses what would grow
            except (ElementTree.ParseError, ValueError) as error:
                raise StorageError(
                    f"expected a list of uploads of the bucket {bucket}, found something else: {one_line(str(error), 100)}"
                ) from None
            for element in tree.iter():
                if _name(element) == "Upload":
                    held = {_name(part): part.text or "" for part in element}
                    found.append(
                        Upload(
                            key=held.get("Key", ""),
                            upload=held.get("UploadId", ""),
                            begun=_moment(held.get("Initiated", "")),
                        )
                    )
            told = {_name(element): element.text or "" for element in tree}
            if told.get("IsTruncated") != "true" or not told.get("NextKeyMarker"):
                # Some stores take a prefix for a key that it begins with, and some pass over it.
                return sorted(
                    (each for each in found if each.key.startswith(prefix)), key=lambda each: (each.key, each.upload)
                )
            after = f"&key-marker={quote(told['NextKeyMarker'], safe='')}"
            if told.get("NextUploadIdMarker"):
                after += f"&upload-id-marker={quote(told['NextUploadIdMarker'], safe='')}"

    def give_up(self, bucket: str, upload: Upload) -> None:
        """Remove the parts of an upload that was never ended."""
        self._ask("DELETE", f"{bucket}/{upload.key}", f"uploadId={quote(upload.upload, safe='')}", ok=(200, 204, 404))

    def _url(self, path: str) -> str:
        bucket, _, key = path.partition("/")
        region = self._settings["aws_region"]
        endpoint = self._settings.get("aws_endpoint_url")
        hosted = is_true(self._settings, "aws_virtual_hosted_style_request") or (not endpoint and "." not in bucket)
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        address = urlsplit(endpoint or f"https://s3.{region}.{domain}")
        host = f"{bucket}.{address.netloc}" if hosted else address.netloc
        place = quote(key if hosted else f"{bucket}/{key}" if key else bucket, safe="/-_.~")
        return f"{address.scheme}://{host}{address.path.rstrip('/')}/{place}"

    def _ask(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str] | None = None,
        data: bytes = b"",
        *,
        ok: tuple[int, ...],
    ) -> tuple[int, bytes]:
        verb = {"GET": "list uploads of", "PUT": "write", "DELETE": "delete", "POST": "begin"}[method]
        doing = f"{verb} s3://{path}"

        def ask() -> tuple[int, bytes]:
            try:
                status, answer = self._send(
                    method, self._url(path) + (f"?{query}" if query else ""), headers or {}, data
                )
            except ssl.SSLError as error:
                raise storage_error(OSError(f"certificate or encryption: {error}"), doing) from error
            except http.client.HTTPException as error:
                raise OSError(f"connection closed: {type(error).__name__}") from error
            except socket.gaierror as error:
                raise OSError(f"dns error: {error.strerror}") from error
            if status not in ok:
                code = re.search(rb"<Code>([A-Za-z0-9]{1,60})</Code>", answer)
                raise OSError(f"HTTP status {status} {code[1].decode() if code else ''}")
            return status, answer

        return retried(ask, doing, self._retry_s)

    def _send(self, method: str, url: str, headers: Mapping[str, str], data: bytes) -> tuple[int, bytes]:
        parts = urlsplit(url)
        sent = dict(headers)
        if token := self._settings.get("aws_session_token"):
            sent["x-amz-security-token"] = token
        if not self._anonymous:
            sent = signed_headers(
                method,
                url,
                sent,
                hashlib.sha256(data).hexdigest(),
                key=(self._settings["aws_access_key_id"], self._settings["aws_secret_access_key"]),
                region=self._settings["aws_region"],
                moment=datetime.datetime.now(datetime.UTC),
            )
        kind = http.client.HTTPConnection if plain_http(self._settings) else http.client.HTTPSConnection
        connection = kind(parts.netloc, timeout=seconds(self._settings, "timeout", 60.0))
        try:
            place = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, place, body=data or (b"" if method in ("PUT", "POST") else None), headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES)
        finally:
            connection.close()


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _moment(text: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return datetime.datetime.now(datetime.UTC)  # of unknown age: taken for new, and left alone
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
