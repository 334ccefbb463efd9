"""Every reason for which an input record or a whole input file is refused, and what each means.

A refused record becomes a row of family ``quarantine``: its file, its number, the reason, never its text. The number is that of the
line (blank lines count), of the Parquet row, of the record of a web archive (those of all types count, and a stretch that cannot be read
is one), or 0 for a text or HTML file; -1 stands for the file as a whole, and then the records that were
read intact before the fault are kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from headwater.errors import BadInputError

__all__ = ["REASONS", "TAKEN_DOWN", "WHOLE_FILE", "Refusal", "fault"]

WHOLE_FILE: Final = -1
"""The record number of a refusal that concerns the file as a whole."""
TAKEN_DOWN: Final = "taken_down"
"""The reason that no setting and no version of ingest undoes."""

REASONS: Final[dict[str, str]] = {
    "bad_content_encoding": "the body of a web record is not what its Content-Encoding says, and no page as it stands",
    "bad_record_header": "a record of a web archive has no fields that can be read, or no Content-Length among them",
    "corrupt_compression": "the compressed data do not decode or fail their checksum, or bytes follow the last member",
    "corrupt_parquet": "the Parquet footer, a page or a page's checksum is wrong",
    "empty_text": "the text is empty or only white space",
    "expansion_ratio": "the file, a member of a web archive or the body of a web record unpacks to more than Limits.max_expansion_ratio times "
    "what was read of it",
    "file_changed": "the file was written to while it was read; an error of the run, nothing of the file is in the lake",
    "invalid_utf8": "the record is not valid UTF-8",
    "lone_surrogate": "a JSON escape names half of a surrogate pair, which no UTF-8 can hold",
    "no_text": "a web page in which the extractor found no text",
    "no_text_column": "a Parquet file has no column under any known name of the text, or several under the best of them",
    "no_text_field": "the record has no field under any known name of the text",
    "not_a_record": "what stands at a record's place in a web archive is none",
    "not_an_object": "the line is JSON, but not an object",
    "not_json": "the line is not JSON",
    "nul_byte": "the text holds U+0000: binary data, or UTF-16 taken for UTF-8",
    "page_too_large": "a web page is longer than the process that reads pages takes, or took more memory than it may",
    "page_too_slow": "a web page took longer to be read than it may",
    "parser_failed": "a web page ended the process that reads it, or could not be read",
    "record_too_large": "the line, the row's text, the text file or the page is longer than Limits.max_record_bytes",
    "segmented_record": "a page of which a web archive holds only a segment",
    "taken_down": "the same text was taken down, or the record itself was; it is not read again",
    "text_not_string": "the text is null, a number or anything else but a string",
    "too_deep": "arrays and objects are nested deeper than Limits.max_nesting",
    "truncated_compression": "the compressed data end before their end mark",
    "truncated_record": "a web archive that is not compressed ends within a record",
    "wrong_digest": "the block of a web record does not have the digest that the record names",
    "wrong_format": "the content is neither JSON Lines, Parquet nor of the web, nor text in a file named as text",
    "wrong_record_length": "no record follows where the Content-Length of a record of a web archive says that it ends",
}
"""Reason → meaning. NUL is refused, not kept: C programs (fastText among them) end or split a text there, so that what was measured
would no longer be what is stored; a text that people wrote never holds it."""


class Refusal(NamedTuple):
    """One record, or one file (``record_no`` -1), that could not be used.

    Attributes:
        record_no: 0-based number in its file, or -1.
        reason: a key of ``REASONS``.
    """

    record_no: int
    reason: str


def fault(reason: str, uri: str) -> BadInputError:
    """Return the error that says why the file ``uri`` cannot be read any further."""
    return BadInputError(
        f"expected a readable input file, found {reason}: {REASONS[reason]}; file {uri}: mend it or leave it out",
        reason,
    )
