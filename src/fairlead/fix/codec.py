"""Frames → messages, and fields → bytes. No IO, no clock."""

import re
import zlib
from collections.abc import Iterable
from string import ascii_letters, digits

import msgspec

from fairlead.fix import tags
from fairlead.fix.faults import fields_fault
from fairlead.fix.message import Fault, Message, whole_number
from fairlead.fix.tags import DATA_TAGS, HEADER_TAGS, LENGTH_TAGS, RejectReason

SOH = b"\x01"
TRAILER_BYTES = 7  # 10=nnn and its end
TRAILERS = [b"\x0110=%03d\x01" % each for each in range(256)]  # with the end of the field before

_FIELDS_MOST = 1_000
_TAG_NUMBERS = {b"%d" % number: number for number in range(1, 10_000)}
_TAG = re.compile(rb"[1-9]\d{0,8}")
_NEEDS_A_LOOK = LENGTH_TAGS | frozenset(tags.GROUPS) | {tags.SIGNATURE}
_SHOWN_BYTES_MOST = 40  # of a wrong field, in the words that say what is wrong
_ADLER_BYTES = 256  # so many bytes add up to less than Adler-32's modulus
_ADLER_ASCII_BYTES = 515  # and so many of ASCII


class Bounds(msgspec.Struct, frozen=True):
    """What a counterpart may make us read and keep."""

    body_bytes_most: int = 65_536  # BodyLength (9)
    fields_most: int = _FIELDS_MOST  # in one message
    queued_most: int = 1_000  # messages that came before their turn, while a gap is being filled
    queued_bytes_most: int = 4_194_304  # of those messages
    held_bytes_most: int = 262_144  # that arrive while the application thinks about a logon


def decode(frame: bytes, fields_most: int = _FIELDS_MOST) -> Message:
    """Return the message in a frame of `Frames`; what is wrong with its fields is its `fault`."""
    count = frame.count(SOH)
    often = _OFTEN.get(count)
    if often is not None and count <= fields_most:
        found = often.match(frame)
        if found is not None:
            values = dict(zip(often.tags, found.groups(), strict=True))
            return _message(frame, values)
    return _decode_apart(frame, fields_most)


def _decode_apart(frame: bytes, fields_most: int) -> Message:
    """As `decode`, of a message that is not laid out as those that come often."""
    parts = frame[:-1].split(SOH)
    pairs = [part.partition(b"=") for part in parts]
    try:
        values = {_TAG_NUMBERS[tag]: value for tag, _, value in pairs}
    except KeyError:
        return _decode_carefully(frame, fields_most)
    layout = tuple(values)
    if len(layout) != len(parts) or b"" in values.values() or len(parts) > fields_most:
        return _decode_carefully(frame, fields_most)
    seen = _PLAIN_LAYOUTS.get(layout, 0)
    if not seen and not _is_plain(layout):
        return _decode_carefully(frame, fields_most)
    if seen < _OFTEN_LEAST:
        _note(layout, seen + 1)
    return _message(frame, values)


def _is_plain(layout: tuple[int, ...]) -> bool:
    """Whether messages of these tags need no closer look: no data, no groups, header first."""
    in_header = len(HEADER_TAGS.intersection(layout))
    return _NEEDS_A_LOOK.isdisjoint(layout) and HEADER_TAGS.issuperset(layout[:in_header])


def _note(layout: tuple[int, ...], seen: int) -> None:
    """Remember a plain layout: a counterpart sends few, again and again."""
    if len(_PLAIN_LAYOUTS) >= _LAYOUTS_MOST:
        _PLAIN_LAYOUTS.clear()
    _PLAIN_LAYOUTS[layout] = seen
    if seen == _OFTEN_LEAST and len(layout) <= _OFTEN_FIELDS_MOST:
        _OFTEN[len(layout)] = _Often(layout)


class _Often:
    """A plain layout whose messages are matched as a whole, which takes half as long as field by field."""

    __slots__ = ("match", "tags")

    def __init__(self, layout: tuple[int, ...]) -> None:
        fields = (rb"%d=([^\x01]+)\x01" % tag for tag in layout)
        self.tags = layout
        self.match = re.compile(b"".join(fields)).fullmatch


_PLAIN_LAYOUTS: dict[tuple[int, ...], int] = {}  # with how often each was seen, up to …
_LAYOUTS_MOST = 256
_OFTEN_LEAST = 64  # … so often: to prepare a match takes as long as a hundred messages
_OFTEN_FIELDS_MOST = 64
_OFTEN: dict[int, _Often] = {}  # by number of fields


def _message(
    frame: bytes,
    values: dict[int, bytes],
    fault: Fault | None = None,
    apart: list[bytes] | None = None,
) -> Message:
    begin_string, msg_type = values[tags.BEGIN_STRING], values[tags.MSG_TYPE]
    return Message(
        _KNOWN_TEXTS.get(begin_string) or begin_string.decode("latin-1"),
        _KNOWN_TEXTS.get(msg_type) or msg_type.decode("latin-1"),
        whole_number(values.get(tags.MSG_SEQ_NUM, b"")) or 0,
        values,
        frame,
        fault,
        apart,
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
            if stop_of_data < end - TRAILER_BYTES and frame[stop_of_data] == 1:
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
    return _message(frame, _first_values(fields), fault or fields_fault(fields), parts)


def _length(text: bytes) -> int:
    """Return the length that a field states; one that cannot be when it states none."""
    return int(text) if text.isdigit() and len(text) <= 9 else 1 << 40


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
    return b"%b%b" % (head, TRAILERS[checksum(head, len(head))][1:])


def checksum(data: bytes, end: int) -> int:
    """Return the sum of the first `end` bytes modulo 256.

    By Adler-32, whose low half is one more than the sum of the bytes, modulo 65521: exact for as many
    bytes as cannot reach that, and ten times quicker than adding in Python.
    """
    if end <= _ADLER_BYTES or (end <= _ADLER_ASCII_BYTES and data.isascii()):
        return (zlib.adler32(data[:end]) - 1) & 0xFF
    total = 0
    for at in range(0, end, _ADLER_BYTES):
        total += (zlib.adler32(data[at : min(at + _ADLER_BYTES, end)]) & 0xFFFF) - 1
    return total & 0xFF
