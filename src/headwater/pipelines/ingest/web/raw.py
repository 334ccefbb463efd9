"""Pages as they were served, read again out of the web archive or HTML file that they came from: for another extractor than ingest ran.

What is verified: the SHA-256 of the whole file as stored, against the one that family ``files`` has, before anything is taken from it, and that size
and time of the file are the same afterwards. So what is read is what ingest read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from headwater.errors import BadInputError, StorageError
from headwater.filters.html.page import PageInput
from headwater.pipelines.ingest.chunks import file_sha256
from headwater.pipelines.ingest.decompress import Limits, unpacked_blocks
from headwater.pipelines.ingest.file_kinds import detect_compression
from headwater.pipelines.ingest.opening import file_state
from headwater.pipelines.ingest.web.captures import raw_page
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.warc import WarcRecord, warc_records

__all__ = ["RawRequest", "read_raw"]

_LEAP_BYTES: Final = 4 << 20
"""From one page to the next at least so far, it is sought; else what lies between is read over."""


class RawRequest(NamedTuple):
    """Which page: ``warc_offset``, ``warc_offset_in`` and ``uri`` of its sample; no offset of an HTML file."""

    offset: int | None
    offset_in: str | None
    uri: str | None = None


def read_raw(file_uri: str, sha256: str, requests: Sequence[RawRequest], limits: Limits) -> Iterator[PageInput]:
    """Yield the pages of one file that are asked for, in the order of ``requests``, as ``read_page`` takes them.

    Args:
        file_uri: as family ``files`` has it.
        sha256: of the file as stored, from family ``files``.
        requests: ascending by offset, as samples of a file are.
        limits: those of the ingest, or higher ones.

    Raises:
        StorageError: the file is gone, cannot be read, or is another one than ingest read; the message names it.
    """
    try:
        before = file_state(file_uri)
        if file_sha256(file_uri) != sha256:
            raise _changed(file_uri)
        if requests and requests[0].offset is None:
            yield from _html(file_uri, requests, limits)
        elif requests:
            yield from _archived(file_uri, requests, limits)
        if file_state(file_uri) != before:
            raise _changed(file_uri)
    except OSError as error:
        raise StorageError(
            f"expected the file {file_uri}, from which pages are to be read again, found it unreadable: {error}; put it back, or store pages "
            "with store_html = true in a new lake"
        ) from error
    except BadInputError as error:
        raise _changed(file_uri) from error


def _changed(file_uri: str) -> StorageError:
    return StorageError(
        f"expected the file {file_uri} as ingest read it, found another under its name; put back the one that family files describes"
    )


def _compression(file_uri: str) -> str:
    with Stored(file_uri, hashing=False) as stored:
        return detect_compression(bytes(stored.window(8)[:8]))


def _html(file_uri: str, requests: Sequence[RawRequest], limits: Limits) -> Iterator[PageInput]:
    body = b"".join(unpacked_blocks(file_uri, _compression(file_uri), limits))
    for each in requests:
        yield PageInput(body=body, url=each.uri)


def _archived(file_uri: str, requests: Sequence[RawRequest], limits: Limits) -> Iterator[PageInput]:
    compression = _compression(file_uri)
    at = 0
    with Stored(file_uri, hashing=False) as stored:
        members = Members(stored, file_uri, compression, limits)
        can_leap = members.can_go_back and all(each.offset_in == "stored" for each in requests)
        while at < len(requests):
            begin = (requests[at].offset or 0) if can_leap else 0
            first_place = begin if members.is_plain else 0
            for record in warc_records(members, begin, limits, 0, first_place):
                while at < len(requests) and isinstance(record, WarcRecord) and _is_at(record, requests[at]):
                    page = raw_page(record, limits)
                    if page is None:
                        raise _changed(file_uri)
                    yield page
                    at += 1
                if at == len(requests) or (can_leap and (requests[at].offset or 0) > stored.position + _LEAP_BYTES):
                    break
            else:
                raise _changed(file_uri)


def _is_at(record: WarcRecord, request: RawRequest) -> bool:
    return request.offset == (record.stored if request.offset_in == "stored" else record.place)
