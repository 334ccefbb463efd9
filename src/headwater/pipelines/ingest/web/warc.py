r"""The records of a web archive, of whatever type, each with its place, and the stretches that hold none that can be read.

A record (ISO 28500, WARC 1.0 and 1.1, and the drafts before) is a version line, named fields, an empty line, ``Content-Length`` bytes and two line
ends. Read leniently where nothing is lost: line ends may be bare line feeds, those after a record may be missing, a field may be folded. A length
counts only if a record, or the end of the member or of the file, follows: a wrong one would make what follows a part of the page.

After a stretch that is no record, reading goes on at the next member that begins with one, or after an empty line at a version line that a field
follows. Inside the body of a whole record neither is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.refusals import WHOLE_FILE
from headwater.pipelines.ingest.web.members import TRUNCATED, Members, Piece
from headwater.pipelines.ingest.web.tape import Tape

__all__ = ["Broken", "WarcRecord", "warc_records"]

_HEADER_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 64 << 10
_STEP_BYTES: Final = 1 << 20
_MOST_WINDS: Final = 8
_MARK: Final = b"WARC/"
_VERSION: Final = re.compile(rb"WARC/[01]\.[0-9]{1,2}[ \t]*\r?\n")
_NEXT: Final = re.compile(rb"\n\r?\n(?=WARC/[01]\.[0-9]{1,2}[ \t]*\r?\n[A-Za-z][A-Za-z0-9-]*:)")
_NEXT_BYTES: Final = 128
_EMPTY_LINE_BYTES: Final = 3
"""Where a body begins a line feed may have ended a line, and an empty one followed it: another record may begin there."""
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_CUT: Final = "truncated_record"
_WRONG_LENGTH: Final = "wrong_record_length"


@dataclass(frozen=True, kw_only=True, slots=True)
class WarcRecord:
    """A record.

    Attributes:
        number: 0-based, among all records of the file.
        fields: lower-case name → value; of one that comes twice the first.
        block: what follows the fields; None of a record that is longer than may be read.
        head: the first 64 KiB of the block.
        length: of the block, bytes.
        place: first byte in the file unpacked.
        stored: first byte in the file as stored, where the record, or a member that begins with it, begins; None where none does.
    """

    number: int
    fields: dict[str, str]
    block: bytes | None
    head: bytes
    length: int
    place: int
    stored: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A stretch of the file that holds no record that can be read.

    Attributes:
        number: as of a record; -1 where the file can be read no further.
    """

    number: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fault:
    """Why there is no record at a place, and from where on the next is sought; None: nowhere."""

    reason: str
    search: int | None


def warc_records(
    members: Members, begin: int, limits: Limits, first_record: int = 0, first_place: int = 0
) -> Iterator[WarcRecord | Broken]:
    """Yield the records of a web archive and the stretches that hold none, in file order.

    Args:
        members: its bytes.
        begin: stored byte at which a member begins.
        limits: ``max_record_bytes`` bounds what is held of a record.
        first_record: number of the first record there.
        first_place: its place in the file unpacked.
    """
    reader = _Reader(
        Tape(members, begin), limits.max_record_bytes, first_record, first_place, is_plain=members.is_plain
    )
    yield from reader.records()


class _Reader:
    """Reads records off a tape.

    Attributes:
        number: of the next record or broken stretch.
        next: place at which the next record is looked for.
    """

    def __init__(self, tape: Tape, max_bytes: int, first_record: int, first_place: int, *, is_plain: bool) -> None:
        self._tape, self._max_bytes, self._is_plain = tape, max_bytes, is_plain
        self._first_place = first_place
        self._winds = 0
        self.number = first_record
        self.next = 0

    def records(self) -> Iterator[WarcRecord | Broken]:
        """Yield records and broken stretches."""
        tape = self._tape
        while True:
            self._skip_line_ends()
            if self.next < tape.end:
                yield self._record_or_broken()
            elif tape.fault is not None:
                yield self._broken_by(tape.fault)
            elif tape.ended:
                return
            if self.number < 0:
                return

    def _record_or_broken(self) -> WarcRecord | Broken:
        tape = self._tape
        found = self._record(self.next)
        if isinstance(found, WarcRecord):
            self.number += 1
            return found
        if found.search is None:
            self.number = WHOLE_FILE
            return Broken(number=WHOLE_FILE, reason=found.reason)
        following = self._find_next(found.search)
        if following is None and tape.fault is not None and found.reason == _CUT:
            return self._broken_by(tape.fault)  # the container's fault is why the record is cut: one row for both
        if following is None and tape.ended and found.reason == _CUT:
            self.number = WHOLE_FILE  # the file is cut, as one would be whose container says so
            return Broken(number=WHOLE_FILE, reason=_CUT)
        reason = _WRONG_LENGTH if found.reason == _CUT and following is not None else found.reason
        self.next = tape.end if following is None else following
        self.number += 1
        return Broken(number=self.number - 1, reason=reason)

    def _broken_by(self, fault: Piece) -> Broken:
        """Return the row of a container's fault, and go on after it."""
        number = WHOLE_FILE if fault.last else self.number
        self.number = WHOLE_FILE if fault.last else self.number + 1
        self._tape.renew()
        self.next = self._tape.end
        return Broken(number=number, reason=fault.fault or "")

    def _skip_line_ends(self) -> None:
        tape = self._tape
        while tape.fill(self.next + 1):
            at = self.next - tape.first
            while at < len(tape.data) and tape.data[at] in b"\r\n":
                at += 1
            self.next = tape.first + at
            tape.drop(self.next)
            if self.next < tape.end:
                return

    def _record(self, place: int) -> WarcRecord | _Fault:
        tape = self._tape
        mark = tape.at(place, len(_MARK))
        if mark != _MARK:
            return _Fault(reason=_CUT if _MARK.startswith(mark) else "not_a_record", search=place)
        stored = self._first_place + place if self._is_plain else tape.stored_at(place)
        body = self._find_body(place)
        if body is None:
            is_cut = tape.end - place < _HEADER_BYTES
            return _Fault(reason=_CUT if is_cut else "bad_record_header", search=place + 1)
        fields = _fields(bytes(memoryview(tape.data)[place - tape.first : body - tape.first]))
        length = None if fields is None else _length(fields)
        if fields is None or length is None:
            return _Fault(reason="bad_record_header", search=place + 1)
        is_long = length > self._max_bytes
        head = tape.at(body, min(length, _HEAD_BYTES)) if is_long else b""
        fault = self._pass_long(body, length) if is_long else self._pass(body, length)
        if fault is not None:
            return fault
        end = body + length
        block = None
        if not is_long:
            block = bytes(memoryview(tape.data)[body - tape.first : end - tape.first])
            head = block[:_HEAD_BYTES]
        self.next = end
        return WarcRecord(
            number=self.number,
            fields=fields,
            block=block,
            head=head,
            length=length,
            place=self._first_place + place,
            stored=stored,
        )

    def _find_body(self, place: int) -> int | None:
        """Return the place after the fields of a record and their empty line."""
        tape = self._tape
        searched = place
        while True:
            found = _EMPTY_LINE.search(tape.data, max(searched - 2, place) - tape.first)
            if found is not None and found.end() + tape.first - place <= _HEADER_BYTES:
                return tape.first + found.end()
            searched = tape.end
            if found is not None or searched - place >= _HEADER_BYTES or not tape.fill(searched + 1):
                return None

    def _pass(self, body: int, length: int) -> _Fault | None:
        """Hold a record's body; return what is wrong with its length."""
        tape = self._tape
        end = body + length
        is_there = tape.fill(end)
        cut_at = self._next_member(body, end)
        if cut_at is not None:
            return _Fault(reason=_WRONG_LENGTH, search=cut_at)
        if not is_there:
            return _Fault(reason=_CUT, search=body - _EMPTY_LINE_BYTES)
        return self._end_fault(body, end)

    def _pass_long(self, body: int, length: int) -> _Fault | None:
        """Read past the body of a record that is too long to be held; return what is wrong with its length."""
        tape = self._tape
        end = body + length
        fault: _Fault | None = None
        reached = body
        while reached < end:
            wanted = min(end, reached + _STEP_BYTES)
            is_there = tape.fill(wanted)
            cut_at = self._next_member(max(body, reached), wanted)
            if cut_at is not None:
                return _Fault(reason=_WRONG_LENGTH, search=cut_at)
            if not is_there:
                fault = _Fault(reason=_CUT, search=body - _EMPTY_LINE_BYTES)
                break
            reached = wanted
            tape.drop(reached)
        fault = fault or self._end_fault(body, end)
        if fault is None or body - _EMPTY_LINE_BYTES >= tape.first:
            return fault
        self._winds += 1
        if self._winds > _MOST_WINDS or not tape.wind_back(body - _EMPTY_LINE_BYTES):
            return _Fault(reason=_WRONG_LENGTH, search=None)
        return fault

    def _next_member(self, begin: int, end: int) -> int | None:
        """Return where, before a record's claimed end, a member begins with another record."""
        for place in self._tape.members_within(begin, end):
            if self._tape.at(place, len(_MARK)) == _MARK:
                return place
        return None

    def _end_fault(self, body: int, end: int) -> _Fault | None:
        """Return what is wrong with what follows a record."""
        tape = self._tape
        if tape.at(end, 4) == b"\r\n\r\n":
            place = end + 4  # as the standard has it: what follows, if it is no record, is a fault of its own
            if tape.fill(place + 1):
                return None
        else:
            place = end
        while tape.fill(place + 1):
            if tape.stored_at(place) is not None:
                return None
            byte = tape.data[place - tape.first]
            if byte not in b"\r\n":
                rest = tape.at(place, len(_MARK))
                follows = _MARK.startswith(rest) if len(rest) < len(_MARK) else rest == _MARK
                return None if follows else _Fault(reason=_WRONG_LENGTH, search=body - _EMPTY_LINE_BYTES)
            place += 1
        # A member that fails its checksum may hold any other bytes; of one that is cut all bytes are as they were.
        if tape.fault is None or tape.fault.fault == TRUNCATED or tape.stored_at(place) is not None:
            return None
        return _Fault(reason=_CUT, search=body - _EMPTY_LINE_BYTES)

    def _find_next(self, search: int) -> int | None:
        """Return the place of the next record from ``search`` on, or None where the bytes stop before there is one."""
        tape = self._tape
        while True:
            tape.fill(search + _STEP_BYTES)
            found = _NEXT.search(tape.data, max(search - tape.first, 0))
            at = tape.end if found is None else tape.first + found.end()
            for place in tape.members_within(search, at):
                if tape.at(place, len(_MARK)) == _MARK:
                    return place
            if found is not None:
                return at
            if tape.stopped:
                return None
            search = max(search, tape.end - _NEXT_BYTES)
            tape.drop(search)


def _fields(header: bytes) -> dict[str, str] | None:
    """Return the fields of a record, None where they are no such fields."""
    version = _VERSION.match(header)
    if version is None:
        return None
    fields: dict[str, str] = {}
    lines = _FOLD.sub(b" ", header[version.end() :]).split(b"\n")
    for line in lines:
        name, colon, value = line.strip(b"\r").partition(b":")
        if not name and not colon:
            continue
        if not colon:
            return None
        key = name.strip().lower().decode("latin-1")
        text = _text(value.strip())
        if key == "content-length" and fields.get(key, text) != text:
            return None
        fields.setdefault(key, text)
    return fields


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _length(fields: dict[str, str]) -> int | None:
    found = fields.get("content-length", "")
    return int(found) if _LENGTH.fullmatch(found) else None
