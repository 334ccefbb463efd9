"""Columns of the families of the web: name → (type, meaning and unit), as ``schema`` has them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = ["BLOCKLISTS", "CAPTURES", "HTML", "RECAPTURES", "TEXTS"]

_STRING = pa.string()
_I32 = pa.int32()
_I64 = pa.int64()
_HASH = pa.binary()
_TEXTS = pa.list_(_STRING)

CAPTURES: Final[dict[str, tuple[pa.DataType, str]]] = {
    "host": (_STRING, "host of the URL, in small letters and ASCII; null without a URL"),
    "registered_domain": (
        _STRING,
        "the host's public suffix and one label; the host itself where it has none; null without a URL",
    ),
    "url_key": (_I64, "64-bit hash of the normalised URL, for joins; null without a URL"),
    "warc_record_id": (_STRING, "WARC-Record-ID as given"),
    "warc_offset": (_I64, "first byte of the record in its file; null of what is no record of a WARC"),
    "warc_offset_in": (
        _STRING,
        "stored: of the file as it is stored, where the record (or its compressed member) begins; unpacked: of the file unpacked, "
        "since the record begins within a member",
    ),
    "http_status": (_I32, "status of the HTTP response; null where there was none"),
    "mime_declared": (_STRING, "type of media that the server or the record declares, without parameters"),
    "mime_detected": (_STRING, "type of media by the first bytes, the declared one where they leave it open"),
    "charset_declared": (_STRING, "label of the encoding that HTTP or the page declares"),
    "charset": (_STRING, "encoding by which the bytes were read"),
    "charset_source": (
        _STRING,
        "what decided: bom, http, meta, detected, default, or given (text of a WET file)",
    ),
    "truncated": (
        _STRING,
        "why the crawler cut the record: WARC-Truncated, or transfer where its last chunk is missing",
    ),
    "content_language": (_STRING, "Content-Language as served, or WARC-Identified-Content-Language"),
    "robots": (_TEXTS, "robots directives of the page and of X-Robots-Tag, sorted"),
    "licenses": (_TEXTS, "licences that the page names in links and metadata, sorted"),
    "mojibake": (_I32, "signs of text that was decoded by a wrong encoding and encoded again, 0 to 65535"),
    "html_bytes": (_I64, "bytes of the page as served, after transfer and content encoding"),
    "extractor": (_STRING, "extractor whose text stands in content; null where the text is the record's own"),
    "page_kind": (_STRING, "kind of page that the extractor saw"),
    "blocks_kept": (_I32, "blocks of the page that are in the text"),
    "blocks_left_out": (_I32, "blocks that are not"),
    "bytes_left_out": (_I64, "text bytes of these"),
    "left_out": (_STRING, "canonical JSON: reason to [blocks, bytes] of what is not in the text"),
}
HTML: Final[dict[str, tuple[pa.DataType, str]]] = {
    "html": (_HASH, "the page's bytes, after transfer and content encoding"),
    "http_charset": (_STRING, "encoding that HTTP declares"),
    "http_headers": (_STRING, "canonical JSON of the HTTP headers that have a say in how the page is read"),
}
TEXTS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "extractor": (_STRING, "extractor whose text stands in content; null where the text is the record's own"),
    "text": (_STRING, "the document, valid UTF-8, never edited"),
    "text_bytes": (_I64, "length of the text, UTF-8 bytes"),
    "text_hash": (_HASH, "BLAKE2b-128 of the text's UTF-8 bytes, as content_hash"),
    "extract_fault": (
        _STRING,
        "why the extractor has no text: no_text, or why the page could not be read; null where it has one",
    ),
    "page_kind": (_STRING, "kind of page that the extractor saw"),
    "blocks_kept": (_I32, "blocks of the page that are in the text"),
    "blocks_left_out": (_I32, "blocks that are not"),
    "bytes_left_out": (_I64, "text bytes of these"),
    "left_out": (_STRING, "canonical JSON: reason to [blocks, bytes] of what is not in the text"),
    "tables": (_I32, "tables in the text"),
    "table_rows": (_I32, "their rows"),
    "formulas": (_I32, "formulas in the text"),
    "code_blocks": (_I32, "blocks of code in the text"),
    "headings": (_I32, "headings in the text"),
    "list_items": (_I32, "items of lists in the text"),
    "posts": (_I32, "posts of a forum in the text"),
}
RECAPTURES: Final[dict[str, tuple[pa.DataType, str]]] = {
    "older_capture": (_I32, "1 when a newer capture of the same normalised URL is in the lake, else 0"),
    "newest_capture": (
        _I64,
        "sample_id of the newest capture; null when it is the sample itself or there is no URL",
    ),
}
BLOCKLISTS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "listed": (
        pa.map_(_STRING, _I32),
        "block list to hits: 1 for a host or URL that stands in it, of a list of words how often one of them is in the text; "
        "lists without a hit are not named",
    ),
}
