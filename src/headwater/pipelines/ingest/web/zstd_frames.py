"""zstd frames one by one (RFC 8878): where one ends follows from the sizes of its blocks, so a frame is read without what follows it."""

from __future__ import annotations

import io
import struct
from typing import Final

from fastwarc.stream_io import ZstdReader

from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.web.stored import Stored

__all__ = ["FRAME", "FrameReader", "is_skippable", "read_dictionary", "skip_frame"]

FRAME: Final = b"\x28\xb5\x2f\xfd"
_DICTIONARY: Final = 0x184D2A5D
_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_MOST_DICTIONARY_BYTES: Final = 32 << 20
_MOST_WINDOW_BYTES: Final = 128 << 20
_HEADER_BYTES: Final = 18
_READ_BYTES: Final = 128 << 10


def is_skippable(head: memoryview) -> bool:
    """Return whether bytes begin with a skippable frame."""
    return len(head) >= 4 and struct.unpack("<I", head[:4])[0] in _SKIPPABLE


def skip_frame(stored: Stored) -> bool:
    """Go beyond a skippable frame, and return whether all of it is there."""
    head = stored.window(8)
    if len(head) < 8:
        return False
    end = stored.position + 8 + int(struct.unpack("<I", head[4:8])[0])
    stored.seek(end)
    return stored.position == end


def read_dictionary(uri: str, limits: Limits) -> bytes | None:
    """Return the dictionary with which a file begins; None where it has none, or one that cannot be read: its frames then do not decode.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with Stored(uri) as stored:
        head = bytes(stored.window(8)[:8])
        if len(head) < 8:
            return None
        magic, size = struct.unpack("<II", head)
        if magic != _DICTIONARY or size > _MOST_DICTIONARY_BYTES:
            return None
        stored.advance(8)
        data = bytes(stored.window(size)[:size])
        if not data.startswith(FRAME):
            return _sound(data)
        frame = FrameReader(stored, None)
        pieces: list[bytes] = []
        total = 0
        while True:
            piece, fault = frame.read(_READ_BYTES)
            total += len(piece)
            if fault is not None or total > min(_MOST_DICTIONARY_BYTES, limits.max_expansion_ratio * max(size, 4096)):
                return None
            if not piece:
                return _sound(b"".join(pieces))
            pieces.append(piece)


def _sound(dictionary: bytes) -> bytes | None:
    """Return a dictionary, None where the decoder does not take it."""
    try:
        ZstdReader(io.BytesIO(FRAME), dictionary=dictionary)
    except BaseException as error:  # a fault of a dictionary is a panic of the library, which is no Exception
        if type(error).__name__ != "PanicException" and not isinstance(error, OSError):
            raise
        return None
    return dictionary


class _FrameBytes:
    """The stored bytes of one frame, block by block, as a file that ends where the frame does.

    Attributes:
        taken: stored bytes that were read.
        fault: why no more can be read.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self.taken = 0
        self.fault: str | None = None
        self._left = self._header()
        self._is_last = False
        self._checksum = 0

    def _header(self) -> int:
        """Return the size of the frame's header (RFC 8878, section 3.1.1.1)."""
        head = self._stored.window(_HEADER_BYTES)
        if len(head) < 6:
            self.fault = "truncated_compression"
            return 0
        descriptor = head[4]
        single = descriptor >> 5 & 1
        self._checksummed = bool(descriptor >> 2 & 1)
        size_bytes = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
        dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
        if not single:
            base = 1 << (10 + (head[5] >> 3))
            if base + (base >> 3) * (head[5] & 7) > _MOST_WINDOW_BYTES:
                self.fault = "corrupt_compression"
        return 5 + (1 - single) + dictionary_bytes + size_bytes

    def tell(self) -> int:
        """Return how many bytes of the frame were read."""
        return self.taken

    def seek(self, offset: int, whence: int = 0) -> int:
        """Stay: the decoder asks where it is by going nowhere."""
        if (whence == 0 and offset != self.taken) or (whence != 0 and offset != 0):
            raise OSError("a frame is read from its beginning to its end")
        return self.taken

    def close(self) -> None:
        """Do nothing: the file has an owner."""

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes of the frame, none after its end."""
        if self.fault is not None:
            return b""
        pieces = []
        wanted = size if size >= 0 else _READ_BYTES
        while wanted > 0 and (self._left or self._next_block()):
            window = self._stored.window(1)[: min(wanted, self._left)]
            if not len(window):
                self.fault = "truncated_compression"
                break
            data = bytes(window)
            self._stored.advance(len(data))
            pieces.append(data)
            self.taken += len(data)
            self._left -= len(data)
            wanted -= len(data)
        return b"".join(pieces)

    def _next_block(self) -> bool:
        if self._is_last:
            self._left, self._checksummed = (4, False) if self._checksummed else (0, False)
            return self._left > 0
        head = self._stored.window(3)
        if len(head) < 3:
            self.fault = "truncated_compression"
            return False
        header = head[0] | head[1] << 8 | head[2] << 16
        kind, size = header >> 1 & 3, header >> 3
        self._is_last = bool(header & 1)
        if kind == 3 or (kind != 1 and size > _READ_BYTES):
            self.fault = "corrupt_compression"
            return False
        self._left = 3 + (1 if kind == 1 else size)
        return True


class FrameReader:
    """One frame, which begins where ``stored`` is, unpacked.

    Attributes:
        taken: stored bytes that were read.
    """

    def __init__(self, stored: Stored, dictionary: bytes | None) -> None:
        self._stored = stored
        self._bytes = _FrameBytes(stored)
        self._reader = ZstdReader(self._bytes, dictionary=dictionary)

    @property
    def taken(self) -> int:
        """Stored bytes that were read."""
        return self._bytes.taken

    def read(self, size: int) -> tuple[bytes, str | None]:
        """Return up to ``size`` unpacked bytes, none at the end, and why the frame cannot be read on."""
        try:
            data = bytes(self._reader.read(size))
        except Exception as error:
            if self._stored.failed is not None:
                raise self._stored.failed from error
            if not isinstance(error, OSError):
                raise
            return b"", self._bytes.fault or "corrupt_compression"
        return data, None if data else self._bytes.fault
