"""Bytes of a stream → frames. No IO, no clock.

A frame is `8=FIX… 9=length 35=… 10=checksum` with a right length and checksum. Anything else is
garbled: it is skipped up to the next `8=FIX`, and FIX wants nobody told. What a stream may make us
keep is bounded: by one frame with the longest body that is read. So is the work, by the stream's length.
"""

import re

import msgspec

from fairlead.fix.codec import TRAILER_BYTES, TRAILERS, checksum
from fairlead.fix.sums import BLOCK, Sums

_START = b"8=FIX"
_TRAILER_START = b"\x0110="  # with the end of the field before
_HEAD = re.compile(rb"8=(FIXT?\.\d\.\d)\x019=(\d{1,9})\x01(?=35=)")
_HEAD_BYTES_MOST = 40  # of 8=, 9= and the first three bytes of 35=
_HUGE_LENGTH = re.compile(rb"8=FIXT?\.\d\.\d\x019=\d{10}")
_HEAD_SO_FAR = re.compile(
    rb"8(=(F(I(X(T?(\.(\d(\.(\d(\x01(9(=(\d{1,9}(\x01(3(5(=)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?"
)


class Skipped(msgspec.Struct, frozen=True):
    """Bytes that were no message; ignored."""

    reason: str


class Oversize(msgspec.Struct, frozen=True):
    """A message larger than we read: there is no way on in this stream."""

    reason: str


Frame = bytes | Skipped | Oversize


class Frames:
    """The frames of one stream. Feed it bytes, then take `next()` until it is None."""

    __slots__ = ("_at", "_body_bytes_most", "_bytes", "_sums")

    def __init__(self, body_bytes_most: int) -> None:
        self._body_bytes_most = body_bytes_most
        self._bytes = b""
        self._at = 0
        self._sums = Sums()

    def feed(self, data: bytes) -> None:
        """Add what came in."""
        if self._at >= len(self._bytes):
            self._bytes, self._at = data, 0
            self._sums.clear()
            return
        gone, self._at = divmod(self._at, BLOCK)
        self._bytes = self._bytes[gone * BLOCK :] + data
        self._sums.cut(gone)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes are kept."""
        return len(self._bytes) - self._at

    def next(self) -> Frame | None:
        """Return the next frame, what was skipped instead, or None: more bytes are needed."""
        data, at = self._bytes, self._at
        if at >= len(data):
            return None
        head = _HEAD.match(data, at)
        if head is None:
            return self._without_head()
        length = int(head[2])
        if length > self._body_bytes_most:
            return Oversize(f"BodyLength (9) {length} is more than {self._body_bytes_most}")
        end = head.end() + length + TRAILER_BYTES
        if end > len(data):
            return None
        trailer = end - TRAILER_BYTES
        if not data.startswith(_TRAILER_START, trailer - 1):
            return self._skip(f"BodyLength (9) {length} does not lead to the CheckSum (10)")
        if length <= BLOCK:
            total = checksum(data[at:trailer], trailer - at)
        else:
            total = self._sums.checksum(data, at, trailer)
        if data.startswith(TRAILERS[total], trailer - 1):
            self._at = end
            return data[at:end]
        return self._skip("CheckSum (10) is wrong")

    def _without_head(self) -> Frame | None:
        """Wait if a head may still become of it, else skip to where one may begin."""
        rest = self._bytes[self._at : self._at + _HEAD_BYTES_MOST]
        if len(rest) < _HEAD_BYTES_MOST and _may_become_head(rest):
            return None
        huge = _HUGE_LENGTH.match(rest)
        if huge is not None:
            return Oversize("BodyLength (9) has more than 9 digits")
        return self._skip("no message begins here: 8=FIX…, 9=, 35= must come first")

    def _skip(self, reason: str) -> Skipped:
        start = self._bytes.find(_START, self._at + 1)
        if start < 0:
            start = _partial_start(self._bytes, self._at + 1)
        self._at = start
        return Skipped(reason)


def _may_become_head(rest: bytes) -> bool:
    return _HEAD_SO_FAR.fullmatch(rest) is not None


def _partial_start(data: bytes, after: int) -> int:
    """Return where the beginning of `8=FIX` stands at the end of `data`; the end if it does not."""
    for size in range(len(_START) - 1, 0, -1):
        if len(data) - size >= after and data.endswith(_START[:size]):
            return len(data) - size
    return len(data)
