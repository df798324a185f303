"""Bytes of a stream → frames → messages, and fields → bytes. No IO, no clock.

A frame is `8=FIX… 9=length 35=… 10=checksum` with a right length and checksum. Anything else is
garbled: it is skipped up to the next `8=FIX`, and FIX wants nobody told. What a stream may make us
keep is bounded: by one frame of `Bounds.body_bytes_most`.
"""

import re
import zlib
from collections.abc import Iterable
from string import ascii_letters, digits

import msgspec

from fairlead.fix import tags
from fairlead.fix.message import Fault, Message, whole_number
from fairlead.fix.tags import DATA_TAGS, HEADER_TAGS, LENGTH_TAGS, RejectReason

SOH = b"\x01"

_FIELDS_MOST = 1_000

_START = b"8=FIX"
_HEAD = re.compile(rb"8=(FIXT?\.\d\.\d)\x019=(\d{1,9})\x01(?=35=)")
_HEAD_BYTES_MOST = 40  # of 8=, 9= and the first three bytes of 35=
_TRAILER_BYTES = 7  # 10=nnn and its end
_TRAILERS = [b"\x0110=%03d\x01" % each for each in range(256)]  # with the end of the field before
_TAG_NUMBERS = {b"%d" % number: number for number in range(1, 10_000)}
_TAG = re.compile(rb"[1-9]\d{0,8}")
_NEEDS_A_LOOK = LENGTH_TAGS | frozenset(tags.GROUPS) | {tags.SIGNATURE}
_SHOWN_BYTES_MOST = 40  # of a wrong field, in the words that say what is wrong
_ADLER_BYTES = 256  # so many bytes add up to less than Adler-32's modulus


class Bounds(msgspec.Struct, frozen=True):
    """What a counterpart may make us read and keep."""

    body_bytes_most: int = 65_536  # BodyLength (9)
    fields_most: int = _FIELDS_MOST  # in one message
    queued_most: int = 1_000  # messages that came before their turn, while a gap is being filled
    queued_bytes_most: int = 4_194_304  # of those messages
    held_bytes_most: int = 262_144  # that arrive while the application thinks about a logon


class Skipped(msgspec.Struct, frozen=True):
    """Bytes that were no message; ignored."""

    reason: str


class Oversize(msgspec.Struct, frozen=True):
    """A message larger than we read: there is no way on in this stream."""

    reason: str


Frame = bytes | Skipped | Oversize


class Frames:
    """The frames of one stream. Feed it bytes, then take `next()` until it is None."""

    __slots__ = ("_at", "_body_bytes_most", "_bytes")

    def __init__(self, body_bytes_most: int) -> None:
        self._body_bytes_most = body_bytes_most
        self._bytes = b""
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Add what came in."""
        self._bytes = self._bytes[self._at :] + data if self._at < len(self._bytes) else data
        self._at = 0

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
        end = head.end() + length + _TRAILER_BYTES
        if end > len(data):
            return None
        frame = data[at:end]
        if frame.endswith(_TRAILERS[checksum(frame, len(frame) - _TRAILER_BYTES)]):
            self._at = end
            return frame
        if frame[-_TRAILER_BYTES - 1 : 3 - _TRAILER_BYTES] == b"\x0110=":
            return self._skip("CheckSum (10) is wrong")
        return self._skip(f"BodyLength (9) {length} does not lead to the CheckSum (10)")

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


_HUGE_LENGTH = re.compile(rb"8=FIXT?\.\d\.\d\x019=\d{10}")
_HEAD_SO_FAR = re.compile(
    rb"8(=(F(I(X(T?(\.(\d(\.(\d(\x01(9(=(\d{1,9}(\x01(3(5(=)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?"
)


def _may_become_head(rest: bytes) -> bool:
    return _HEAD_SO_FAR.fullmatch(rest) is not None


def _partial_start(data: bytes, after: int) -> int:
    """Return where the beginning of `8=FIX` stands at the end of `data`; the end if it does not."""
    for size in range(len(_START) - 1, 0, -1):
        if len(data) - size >= after and data.endswith(_START[:size]):
            return len(data) - size
    return len(data)


def checksum(data: bytes, end: int) -> int:
    """Return the sum of the first `end` bytes modulo 256.

    By Adler-32, whose low half is one more than the sum of the bytes, modulo 65521: exact for as many
    bytes as cannot reach that, and ten times quicker than adding in Python.
    """
    if end <= _ADLER_BYTES:
        return (zlib.adler32(data[:end]) - 1) & 0xFF
    total = 0
    for at in range(0, end, _ADLER_BYTES):
        total += (zlib.adler32(data[at : min(at + _ADLER_BYTES, end)]) & 0xFFFF) - 1
    return total & 0xFF


# ── frames → messages ──────────────────────────────────────────────────────────────────────────


def decode(frame: bytes, fields_most: int = _FIELDS_MOST) -> Message:
    """Return the message in a frame of `Frames`; what is wrong with its fields is its `fault`."""
    parts = frame[:-1].split(SOH)
    pairs = [part.partition(b"=") for part in parts]
    try:
        values = {_TAG_NUMBERS[tag]: value for tag, _, value in pairs}
    except KeyError:
        return _decode_carefully(frame, fields_most)
    layout = tuple(values)
    if len(layout) != len(parts) or b"" in values.values() or len(parts) > fields_most:
        return _decode_carefully(frame, fields_most)
    if layout not in _PLAIN_LAYOUTS and not _is_plain(layout):
        return _decode_carefully(frame, fields_most)
    return _message(parts, values, None)


def _is_plain(layout: tuple[int, ...]) -> bool:
    """Whether messages of these tags need no closer look: no data, no groups, header first.

    Remembers those that do not: a counterpart sends few layouts, again and again.
    """
    in_header = len(HEADER_TAGS.intersection(layout))
    if not _NEEDS_A_LOOK.isdisjoint(layout) or not HEADER_TAGS.issuperset(layout[:in_header]):
        return False
    if len(_PLAIN_LAYOUTS) >= _LAYOUTS_MOST:
        _PLAIN_LAYOUTS.clear()
    _PLAIN_LAYOUTS.add(layout)
    return True


_PLAIN_LAYOUTS: set[tuple[int, ...]] = set()
_LAYOUTS_MOST = 256


def _message(parts: list[bytes], values: dict[int, bytes], fault: Fault | None) -> Message:
    begin_string, msg_type = values[tags.BEGIN_STRING], values[tags.MSG_TYPE]
    return Message(
        _KNOWN_TEXTS.get(begin_string) or begin_string.decode("latin-1"),
        _KNOWN_TEXTS.get(msg_type) or msg_type.decode("latin-1"),
        whole_number(values.get(tags.MSG_SEQ_NUM, b"")) or 0,
        values,
        parts,
        fault,
    )


_KNOWN_TEXTS = {text.encode(): text for text in ("FIX.4.4", "FIXT.1.1", *ascii_letters, *digits)}


def _first_values(fields: list[tuple[int, bytes]]) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    for tag, value in fields:
        values.setdefault(tag, value)
    return values


def _decode_carefully(frame: bytes, fields_most: int) -> Message:
    """Field by field: tags we have no number for, data fields, more fields than allowed."""
    fields: list[tuple[int, bytes]] = []
    fault: Fault | None = None
    at, end = 0, len(frame)
    while at < end:
        equals = frame.find(b"=", at)
        stop = frame.find(SOH, at)
        if not at < equals < stop or _TAG.fullmatch(frame, at, equals) is None:
            found = frame[at : min(stop, at + _SHOWN_BYTES_MOST)].decode("latin-1")
            fault = fault or Fault(
                RejectReason.INVALID_TAG_NUMBER,
                None,
                f"{found!r} is not tag=value with a tag number",
            )
            at = stop + 1
            continue
        tag = int(frame[at:equals])
        if fields and DATA_TAGS.get(fields[-1][0]) == tag:
            stop_of_data = equals + 1 + _length(fields[-1][1])
            if stop_of_data < end - _TRAILER_BYTES and frame[stop_of_data] == 1:
                stop = stop_of_data
            else:
                fault = fault or Fault(
                    RejectReason.INCORRECT_DATA_FORMAT,
                    fields[-1][0],
                    f"tag {fields[-1][0]} is not the length of the data in tag {tag}",
                )
        fields.append((tag, frame[equals + 1 : stop]))
        at = stop + 1
        if len(fields) >= fields_most and at < end:
            fault = Fault(RejectReason.OTHER, None, f"more than {fields_most} fields")
            break
    parts = [b"%d=%b" % field for field in fields]
    return _message(parts, _first_values(fields), fault or _fault(fields))


def _length(text: bytes) -> int:
    """Return the length that a field states; one that cannot be when it states none."""
    return int(text) if text.isdigit() and len(text) <= 9 else 1 << 40


# ── what may be wrong with fields, whatever the message ────────────────────────────────────────


def _fault(fields: list[tuple[int, bytes]]) -> Fault | None:
    """Return the first thing wrong with the fields as such; None if there is nothing."""
    for tag, value in fields:
        if not value:
            return Fault(RejectReason.TAG_WITHOUT_VALUE, tag, f"tag {tag} has no value")
    return _order_fault(fields) or _repetition_fault(fields)


def _order_fault(fields: list[tuple[int, bytes]]) -> Fault | None:
    """Header first, trailer last."""
    in_body = False
    for at, (tag, _) in enumerate(fields):
        if tag in HEADER_TAGS:
            if in_body:
                return Fault(
                    RejectReason.TAG_OUT_OF_ORDER,
                    tag,
                    f"tag {tag} of the header stands in the body",
                )
        else:
            in_body = True
        if tag in tags.TRAILER_TAGS and at < len(fields) - 1:
            follows = fields[at + 1][0]
            if follows not in tags.TRAILER_TAGS:
                return Fault(
                    RejectReason.TAG_OUT_OF_ORDER, tag, f"tag {tag} of the trailer stands before it"
                )
    return None


def _repetition_fault(fields: list[tuple[int, bytes]]) -> Fault | None:
    """A tag may stand twice only in entries of a repeating group, of which there are as many as said."""
    seen: set[int] = set()
    members: frozenset[int] = frozenset()  # of the group that we are in
    for at, (tag, value) in enumerate(fields):
        if tag in tags.GROUPS and tag not in members:
            fault = _group_fault(fields, at, value)
            if fault is not None:
                return fault
            members = tags.GROUPS[tag]
        elif tag not in members:
            members = frozenset()
        if tag in seen and tag not in members:
            return Fault(
                RejectReason.TAG_MORE_THAN_ONCE, tag, f"tag {tag} stands in the message twice"
            )
        seen.add(tag)
    return None


def _group_fault(fields: list[tuple[int, bytes]], at: int, value: bytes) -> Fault | None:
    """Compare the count at `at` with the entries after it; each begins with the same tag."""
    count_tag = fields[at][0]
    if not value.isdigit() or len(value) > 9:
        return Fault(
            RejectReason.INCORRECT_DATA_FORMAT, count_tag, f"tag {count_tag} is not a number"
        )
    members = tags.GROUPS[count_tag]
    entries = 0
    first = fields[at + 1][0] if at + 1 < len(fields) else 0
    if first in members:
        for tag, _ in fields[at + 1 :]:
            if tag not in members:
                break
            entries += tag == first
    if entries != int(value):
        return Fault(
            RejectReason.GROUP_COUNT_WRONG,
            count_tag,
            f"tag {count_tag} says {int(value)} entries, there are {entries}",
        )
    return None


# ── fields → bytes ─────────────────────────────────────────────────────────────────────────────


def body(fields: Iterable[tuple[int, bytes | str | int]]) -> bytes:
    """Return fields as bytes, for `Session.send`.

    Raises ValueError for an empty value, or one with SOH in it that is not a data field right after
    its length: that would be another message than the caller meant.
    """
    parts: list[bytes] = []
    length_tag = 0
    for tag, value in fields:
        text = value if isinstance(value, bytes) else str(value).encode()
        if not text or (SOH in text and DATA_TAGS.get(length_tag) != tag):
            raise ValueError(f"tag {tag}: {text!r} is empty or holds the delimiter")
        parts.append(b"%d=%b\x01" % (tag, text))
        length_tag = tag
    return b"".join(parts)


def encode(begin_string: bytes, content: bytes) -> bytes:
    """Return the frame around `content`: the fields from MsgType (35) on, each with its SOH."""
    head = b"8=%b\x019=%d\x01%b" % (begin_string, len(content), content)
    return b"%b%b" % (head, _TRAILERS[checksum(head, len(head))][1:])
