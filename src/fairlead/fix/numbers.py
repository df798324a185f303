"""Both directions' sequence numbers. In: what is expected, queued, dealt with. Out: what is to be sent.

No decisions about the session here: those are in `session` by the table in `states`.
"""

from collections.abc import Callable, Iterable, Sequence

from fairlead.fix import tags
from fairlead.fix.codec import Bounds, encode
from fairlead.fix.message import Message
from fairlead.fix.settings import Batch, Changes, Record, Sent, SessionKey
from fairlead.fix.tags import MsgType
from fairlead.fix.times import TimeText

Trace = Callable[[bytes], None]  # a frame that has come in


class Incoming:
    """The numbers of the counterpart's messages."""

    __slots__ = (
        "_bounds",
        "_queue",
        "_queued_bytes",
        "_undealt",
        "asked_to",
        "epoch",
        "expected",
        "highest",
    )

    def __init__(self, next_in: int, bounds: Bounds) -> None:
        self.expected = next_in  # the number whose turn it is
        self.asked_to = 0  # the last number that a ResendRequest of ours asked for
        self.highest = 0  # the highest number that came before its turn
        self.epoch = 0
        self._bounds = bounds
        self._queue: dict[int, Message | None] = {}  # None: came before its turn and is done
        self._queued_bytes = 0
        self._undealt: dict[int, None] = {}  # delivered, in order

    @property
    def durable(self) -> int:
        """The number of the first message that is not dealt with: what a store may remember."""
        return next(iter(self._undealt), self.expected)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.expected > self.highest

    def deliver(self, number: int) -> None:
        """Note that the application owes a word about `number`."""
        self._undealt[number] = None

    def deal(self, number: int, epoch: int) -> None:
        """Note that the application has dealt with it."""
        if epoch == self.epoch:
            self._undealt.pop(number, None)

    def done(self, number: int) -> None:
        """Note that `number` is done with: its turn was now, or will need nothing when it comes."""
        if number == self.expected:
            self.expected += 1
        elif number > self.expected:
            self.queue(number, None)

    def queue(self, number: int, message: Message | None) -> None:
        """Keep a message that came before its turn; one too many is let go and asked for again."""
        self.highest = max(self.highest, number)
        size = self._queued_bytes + _size(message)
        is_room = (
            len(self._queue) < self._bounds.queued_most and size <= self._bounds.queued_bytes_most
        )
        if is_room and number not in self._queue:
            self._queue[number] = message
            self._queued_bytes = size

    def jump(self, number: int) -> None:
        """Expect `number` next; what came of the numbers before it is void."""
        self.expected = number
        for each in [each for each in self._queue if each < number]:
            self._queued_bytes -= _size(self._queue.pop(each))

    def turn(self) -> Message | None:
        """Return the queued message whose turn it is; None when it is not here."""
        while self._queue and self.expected in self._queue:
            message = self._queue.pop(self.expected)
            self._queued_bytes -= _size(message)
            if message is not None:
                return message
            self.expected += 1
        return None

    def missing_to(self) -> int:
        """Return the last number of the gap that begins with the expected one."""
        return min(self._queue, default=self.highest + 1) - 1

    def reset(self) -> None:
        """Begin again with 1."""
        self.expected = 1
        self.asked_to = self.highest = 0
        self.epoch += 1
        self._queue.clear()
        self._queued_bytes = 0
        self._undealt.clear()


def _size(message: Message | None) -> int:
    return 0 if message is None else len(message.frame)


class Outgoing:
    """Our messages: numbers, headers, and what is not yet flushed."""

    __slots__ = (
        "_begin_string",
        "_cursor",
        "_data",
        "_has_begun",
        "_header",
        "_heads",
        "_is_reset",
        "_key",
        "_sent",
        "_stored",
        "_time_text",
        "next_out",
    )

    def __init__(
        self,
        key: SessionKey,
        record: Record,
        comp_id: str,
        comp_sub_id: str,
    ) -> None:
        self.next_out = record.next_out
        self._key = key
        self._begin_string = key.begin_string.encode()
        self._header = _header(key, comp_id, comp_sub_id)
        self._heads: dict[str, bytes] = {}  # by message type, from 35 to before the number
        self._time_text = TimeText()
        self._data: list[bytes] = []
        self._sent: list[Sent] = []
        self._stored = (record.next_out, record.next_in)
        self._cursor: bytes | None = None
        self._is_reset = False
        self._has_begun = False

    def admin(self, msg_type: MsgType, body: bytes, now_ns: int) -> None:
        """Add a message of the session itself; it is never sent again."""
        self._add(msg_type, self.next_out, b"", self._time_text.write(now_ns), body)
        self.next_out += 1

    def application(self, msg_type: str, bodies: Sequence[bytes], now_ns: int) -> int:
        """Add application messages of one type and return the first one's number."""
        first = number = self.next_out
        time = self._time_text.write(now_ns)
        head, begin_string = self._head(msg_type), self._begin_string
        keep, add = self._sent.append, self._data.append
        for body in bodies:
            keep(Sent(number, msg_type, time, body))
            add(encode(begin_string, b"%b%d\x0152=%b\x01%b" % (head, number, time, body)))
            number += 1
        self.next_out = number
        return first

    def again(self, sent: Sent, now_ns: int) -> None:
        """Add a message that was sent before."""
        marks = b"43=Y\x01122=%b\x01" % sent.sending_time
        # Where the clock has gone back since: counterparts reject OrigSendingTime after SendingTime.
        time = max(self._time_text.write(now_ns), sent.sending_time)
        self._add(sent.msg_type, sent.number, marks, time, sent.body)

    def gap_fill(self, number: int, next_number: int, now_ns: int) -> None:
        """Add a SequenceReset that stands for `number` up to before `next_number`."""
        time = self._time_text.write(now_ns)
        marks = b"43=Y\x01122=%b\x01" % time
        body = b"123=Y\x0136=%d\x01" % next_number
        self._add(MsgType.SEQUENCE_RESET, number, marks, time, body)

    def _add(self, msg_type: str, number: int, marks: bytes, time: bytes, body: bytes) -> None:
        head = self._head(msg_type)
        content = b"%b%d\x01%b52=%b\x01%b" % (head, number, marks, time, body)
        self._data.append(encode(self._begin_string, content))

    def _head(self, msg_type: str) -> bytes:
        head = self._heads.get(msg_type)
        if head is None:
            head = b"35=%b\x01%b34=" % (msg_type.encode(), self._header)
            self._heads[msg_type] = head
        return head

    def keep(self, cursor: bytes, *, has_begun: bool = False) -> None:
        """Store the application's cursor with the next flush."""
        self._cursor = cursor
        self._has_begun = self._has_begun or has_begun

    def reset(self) -> None:
        """Begin again with 1; everything stored is void."""
        self.next_out = 1
        self._sent.clear()
        self._cursor = b""
        self._is_reset = True

    def flush(self, next_in: int, is_last: bool) -> Batch:
        """Return what was added since the last flush, with what must be stored before it leaves."""
        frames, self._data = self._data, []
        data = b"".join(frames)
        numbers = (self.next_out, next_in)
        if numbers == self._stored and self._cursor is None and not self._is_reset:
            return Batch(None, data, is_last, frames)
        changes = Changes(
            self._key,
            self._is_reset,
            self.next_out,
            next_in,
            tuple(self._sent),
            self._cursor,
            self._has_begun,
        )
        self._stored = numbers
        self._sent.clear()
        self._cursor = None
        self._is_reset = self._has_begun = False
        return Batch(changes, data, is_last, frames)


def _header(key: SessionKey, comp_id: str, comp_sub_id: str) -> bytes:
    fields = (
        (tags.SENDER_COMP_ID, comp_id),
        (tags.TARGET_COMP_ID, key.comp_id),
        (tags.SENDER_SUB_ID, comp_sub_id),
        (tags.TARGET_SUB_ID, key.sub_id),
    )
    return b"".join(b"%d=%b\x01" % (tag, text.encode("latin-1")) for tag, text in fields if text)


def resendings(first: int, last: int, sent: Iterable[Sent]) -> Iterable[Sent | tuple[int, int]]:
    """Return `first` to `last` as messages and gaps: (first number, number after the gap)."""
    at = first
    for message in sent:
        if not at <= message.number <= last:
            continue
        if message.number > at:
            yield at, message.number
        yield message
        at = message.number + 1
    if at <= last:
        yield at, last + 1
