"""Web archives unpacked member by member: where each member begins, and where one cannot be read, without the end of the file for it.

A web archive is mostly a row of small gzip members or zstd frames, one a record, so damage to one of them costs that one. After a fault the
next member is sought whose bytes unpack to the beginning of a record. zstd archives may begin with a dictionary in a skippable frame
(https://iipc.github.io/warc-specifications/specifications/warc-zstd/), which may itself be packed.

Bounded: a block is at most 1 MiB, a zstd window 128 MiB, a dictionary 32 MiB, what a member unpacks to ``max_expansion_ratio`` times its stored
bytes once 1 MiB has come out. What is read twice for the sake of faults is at most four times the file, then the file ends there, with a reason.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from headwater.errors import BadInputError
from headwater.pipelines.ingest.decompress import BLOCK_BYTES, Limits, unpacked_blocks
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.zstd_frames import FRAME, FrameReader, is_skippable, read_dictionary, skip_frame

__all__ = ["TRUNCATED", "Members", "Piece"]

TRUNCATED: Final = "truncated_compression"
"""The fault of a container that ends too early; what was unpacked of it is as it was."""
_CORRUPT: Final = "corrupt_compression"
_EXPANSION: Final = "expansion_ratio"

_GZIP: Final = b"\x1f\x8b\x08"
_WARC: Final = b"WARC/"
_INPUT_BYTES: Final = 64 << 10
_GRACE_BYTES: Final = 1 << 20
_LOOK_BYTES: Final = 4096
_AGAIN_BYTES: Final = 256 << 10
_AGAIN_GRACE: Final = 64 << 20
_SMALL_STEP: Final = 4096
_TRIAL_BYTES: Final = {"gz": 1 << 10, "zst": 16 << 10}
"""What a try at a place that resembles a member's beginning costs, in bytes that could be read in that time."""


class Piece(NamedTuple):
    """Some unpacked bytes.

    Attributes:
        data: may be empty.
        member: where the member begins in the file as stored, of its first piece; None of the others.
        fault: why the bytes end here; what follows is another member.
        last: of a fault: no member follows that can be read.
    """

    data: bytes
    member: int | None = None
    fault: str | None = None
    last: bool = False


class Members:
    """The unpacked bytes of a web archive, or of a part of one that begins at a member.

    Args:
        stored: its bytes.
        uri: where they are.
        compression: ``''``, ``gz``, ``zst``, ``bz2`` or ``xz``.
        limits: ``max_expansion_ratio`` is used.
    """

    def __init__(self, stored: Stored, uri: str, compression: str, limits: Limits) -> None:
        self._stored, self._uri, self._compression, self._limits = stored, uri, compression, limits
        self._again = 0
        self._dictionary: bytes | None = None
        if compression == "zst":
            self._dictionary = read_dictionary(uri, limits)

    @property
    def is_plain(self) -> bool:
        """Whether the file is not compressed."""
        return self._compression == ""

    @property
    def can_go_back(self) -> bool:
        """Whether ``pieces`` may begin at any member."""
        return self._compression in {"", "gz", "zst"}

    def pieces(self, begin: int) -> Iterator[Piece]:
        """Yield the pieces of the members from stored byte ``begin`` on."""
        self._stored.seek(begin)
        if self._compression == "":
            yield from self._plain()
        elif self._compression in {"gz", "zst"}:
            yield from self._packed()
        else:
            yield from self._whole()

    def _plain(self) -> Iterator[Piece]:
        member: int | None = self._stored.position
        while len(window := self._stored.window(1)):
            data = bytes(window[:BLOCK_BYTES])
            self._stored.advance(len(data))
            yield Piece(data, member)
            member = None

    def _whole(self) -> Iterator[Piece]:
        member: int | None = 0
        try:
            for block in unpacked_blocks(self._uri, self._compression, self._limits):
                yield Piece(block, member)
                member = None
        except BadInputError as error:
            yield Piece(b"", member, error.reason, last=True)

    def _packed(self) -> Iterator[Piece]:
        stored = self._stored
        if stored.position == 0 and not len(stored.window(1)):
            yield Piece(b"", 0, TRUNCATED, last=True)
        while len(head := stored.window(8)):
            begin = stored.position
            if self._compression == "zst" and is_skippable(head):
                if skip_frame(stored):
                    continue
                yield Piece(b"", begin, TRUNCATED, last=True)
                return
            first: int | None = begin
            last = False
            for data, fault in self._member(head):
                last = fault is not None and not self._resynchronise(begin)
                yield Piece(data, first, fault, last)
                first = None
            if last:
                return

    def _member(self, head: memoryview) -> Iterator[tuple[bytes, str | None]]:
        magic = FRAME if self._compression == "zst" else _GZIP
        if head[: len(magic)] == magic:
            yield from self._frame() if self._compression == "zst" else self._gzip()
        else:
            # A beginning that is cut is no other format: too few bytes to tell.
            yield b"", TRUNCATED if len(head) < len(magic) and magic.startswith(head) else _CORRUPT

    def _gzip(self) -> Iterator[tuple[bytes, str | None]]:
        stored = self._stored
        decoder = zlib.decompressobj(wbits=31)
        taken = given = 0
        while not decoder.eof:
            window = stored.window(1)[:_INPUT_BYTES]
            try:
                data = decoder.decompress(window, BLOCK_BYTES)
            except zlib.error:
                yield b"", _CORRUPT
                return
            used = len(window) - len(decoder.unused_data) - len(decoder.unconsumed_tail)
            if not used and not data and not decoder.eof:
                yield b"", TRUNCATED
                return
            stored.advance(used)
            taken += used
            given += len(data)
            if self._is_too_much(given, taken):
                yield b"", _EXPANSION
                return
            yield data, None

    def _frame(self) -> Iterator[tuple[bytes, str | None]]:
        begin = self._stored.position
        given = 0
        # A decoder that meets a fault drops what the same step had unpacked: read again in smaller ones.
        for step in (BLOCK_BYTES, _SMALL_STEP):
            self._stored.seek(begin)
            frame = FrameReader(self._stored, self._dictionary)
            done = 0
            fault = None
            while fault is None:
                data, fault = frame.read(min(step, given - done) if done < given else step)
                if not data:
                    break
                done += len(data)
                if done <= given:
                    continue
                given = done
                if self._is_too_much(given, frame.taken):
                    yield b"", _EXPANSION
                    return
                yield data, None
            if fault is None:
                return
            self._again += frame.taken
        yield b"", fault

    def _is_too_much(self, given: int, taken: int) -> bool:
        return given > _GRACE_BYTES and given > self._limits.max_expansion_ratio * max(taken, 1)

    def _resynchronise(self, begin: int) -> bool:
        """Go to the next member after the one at ``begin`` that holds the beginning of a record, and return whether there is one."""
        stored = self._stored
        # A decoder reads beyond a fault before it meets it: the next member may have begun.
        back = max(begin + 1, stored.position - _AGAIN_BYTES)
        self._again += max(0, stored.position - back)
        if self._is_spent():
            return False
        stored.seek(back)
        magic = FRAME if self._compression == "zst" else _GZIP
        while stored.find(magic):
            if self._begins_record():
                return True
            self._again += _TRIAL_BYTES[self._compression]
            if self._is_spent():
                return False
            stored.advance(1)
        return False

    def _is_spent(self) -> bool:
        """Whether no more is to be read twice."""
        return self._again > 4 * self._stored.position + _AGAIN_GRACE

    def _begins_record(self) -> bool:
        window = bytes(self._stored.window(_LOOK_BYTES)[:_LOOK_BYTES])
        if self._compression == "gz":
            try:
                return zlib.decompressobj(wbits=31).decompress(window, len(_WARC)) == _WARC
            except zlib.error:
                return False
        here = self._stored.position
        data, _ = FrameReader(self._stored, self._dictionary).read(len(_WARC))
        self._again += max(0, self._stored.position - here)
        self._stored.seek(here)
        return data == _WARC
