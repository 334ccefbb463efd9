"""The unpacked bytes of a web archive as a tape: some are held, where members begin is known, and it can be wound back."""

from __future__ import annotations

from collections import deque
from typing import Final

from headwater.pipelines.ingest.web.members import Members, Piece

__all__ = ["Tape"]

_DROP_BYTES: Final = 4 << 20


class Tape:
    """Unpacked bytes, of which some are held; places are counted from where reading began.

    Attributes:
        data: the bytes that are held.
        first: place of the first of them.
        fault: why no bytes follow the last of them, until ``renew``.
        ended: whether none follow at all.

    Args:
        members: the bytes.
        begin: stored byte at which a member begins.
    """

    def __init__(self, members: Members, begin: int) -> None:
        self._members = members
        self._pieces = members.pieces(begin)
        self._marks: deque[tuple[int, int]] = deque()
        self._member = (0, begin)
        self.data = bytearray()
        self.first = 0
        self.fault: Piece | None = None
        self.ended = False

    @property
    def end(self) -> int:
        """Place after the last byte that is held."""
        return self.first + len(self.data)

    @property
    def stopped(self) -> bool:
        """Whether no byte follows those that are held, before ``renew`` at least."""
        return self.ended or self.fault is not None

    def fill(self, place: int) -> bool:
        """Hold the bytes up to ``place``, and return whether they are there."""
        while self.end < place and not self.stopped:
            piece = next(self._pieces, None)
            if piece is None:
                self.ended = True
                break
            if piece.member is not None:
                self._marks.append((self.end, piece.member))
            self.data += piece.data
            if piece.fault is not None:
                self.fault = piece
        return self.end >= place

    def at(self, place: int, size: int) -> bytes:
        """Return up to ``size`` bytes at ``place``."""
        self.fill(place + size)
        begin = place - self.first
        return bytes(memoryview(self.data)[begin : begin + size])

    def drop(self, place: int) -> None:
        """Give up the bytes before ``place``; they go from memory some at a time."""
        while self._marks and self._marks[0][0] < place:
            self._member = self._marks.popleft()
        if place - self.first >= _DROP_BYTES or place == self.end:
            del self.data[: place - self.first]
            self.first = place

    def stored_at(self, place: int) -> int | None:
        """Return the stored offset of the member that begins at ``place``; of the last, where some hold no bytes."""
        found = None
        for at, offset in self._marks:
            if at > place:
                break
            found = offset if at == place else found
        return found

    def members_within(self, begin: int, end: int) -> list[int]:
        """Return the places from ``begin`` to before ``end`` at which members begin."""
        return [place for place, _ in self._marks if begin <= place < end]

    def renew(self) -> None:
        """Go on after a fault, without the bytes before it."""
        self.ended = self.ended or (self.fault is not None and self.fault.last)
        self.fault = None
        self.drop(self.end)

    def wind_back(self, place: int) -> bool:
        """Hold the bytes from ``place`` on, which were given up, and return whether the container lets."""
        if not self._members.can_go_back:
            return False
        at, offset = [mark for mark in (self._member, *self._marks) if mark[0] <= place][-1]
        self._pieces = self._members.pieces(offset)
        self._marks.clear()
        self.data = bytearray()
        self.first = at
        self.fault, self.ended = None, False
        while self.end < place and self.fill(self.end + 1):
            self.drop(min(place, self.end))
        return True
