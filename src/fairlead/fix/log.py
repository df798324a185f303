"""A log of messages, in and out: a file of lines, appended to, at most two files of a bounded size.

The store does not have this: it keeps what we sent, and only as long as it may be asked for again. A
line is `TIME IN|OUT SESSION MESSAGE`, the message printable (`readable.shown`), without passwords, keys and
clients' texts; bytes that were ignored are a line that says why, in place of a message. Nothing is synced
and nothing depends on it. It is read by `log_reading`.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fairlead.fix.codec import SOH, decode
from fairlead.fix.readable import HIDDEN, SECRET_TAGS, shown
from fairlead.fix.times import TimeText

BYTES_MOST = 64 * 1024 * 1024  # of the file; then it becomes NAME.1, and the NAME.1 before it goes
FILE_NAME = "fix-messages.log"
IN, OUT = b"IN", b"OUT"
_WAITING_BYTES_MOST = 8 * 1024 * 1024
_LINE = bytes.maketrans(SOH, b"|")
_ODD = bytes(  # what does not stand for itself in a line
    byte for byte in range(256) if byte != 1 and (not 0x20 <= byte < 0x7F or byte in b"|\\")
)
_ODD_IN_LINES = _ODD.replace(b"\n", b"")
# Begins with one byte that must be there: a choice at the beginning takes ten times as long.
_SECRETS = re.compile(rb"\x01(?:%b)=" % b"|".join(b"%d" % tag for tag in SECRET_TAGS))
# What a client says in its own words nobody here acts on, and it may say a secret: Text, EncodedText.
_SECRET_TAGS_IN = SECRET_TAGS | {58, 355}
_SECRETS_IN = re.compile(rb"\x01(?:%b)=" % b"|".join(b"%d" % tag for tag in _SECRET_TAGS_IN))
_KEY_BEGINS = b"fl_"  # of an API key's secret, wherever a client put it
_KEYS = re.compile(rb"(fl_(?:live|test)_)[0-9A-Za-z]{4,}")


class Entry(msgspec.Struct, frozen=True):
    """A line of the log. `frame` is the message as it was, but for passwords."""

    time_ns: int
    is_out: bool
    session: str
    frame: bytes


class MessageLog:
    """The open log. `add` collects, `flush` writes; or `take` and `write`, the latter in another thread.

    What waits to be written is bounded: of more, messages are left out, and counted in `left_out`.
    """

    def __init__(
        self,
        path: Path,
        bytes_most: int = BYTES_MOST,
        waiting_bytes_most: int = _WAITING_BYTES_MOST,
    ) -> None:
        """Open the file, make it where there is none. Raises OSError."""
        self._path = path
        self._bytes_most = bytes_most
        self._waiting_bytes_most = waiting_bytes_most
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self._times = TimeText()
        self.left_out = 0
        self._open()

    def add(self, session: str, is_out: bool, frame: bytes, now_ns: int) -> None:
        """Add a whole message. `session` is any word without spaces."""
        if self._waiting_bytes > self._waiting_bytes_most:
            self.left_out += 1
            return
        if (_SECRETS if is_out else _SECRETS_IN).search(SOH + frame) is not None:
            frame = _without_secrets(frame, SECRET_TAGS if is_out else _SECRET_TAGS_IN)
        text = frame.translate(_LINE, _ODD)
        if len(text) != len(frame):
            text = shown(frame).encode()
        way = OUT if is_out else IN
        line = b"%b %b %b %b\n" % (self._times.write(now_ns), way, session.encode(), text)
        if _KEY_BEGINS in line:
            line = _KEYS.sub(rb"\1" + HIDDEN.encode(), line)
        self._lines.append(line)
        self._waiting_bytes += len(line)

    def add_all(self, session: str, is_out: bool, frames: Sequence[bytes], now_ns: int) -> None:
        """Add whole messages of one session and one moment: together they take a third of the time."""
        if self._waiting_bytes > self._waiting_bytes_most:
            self.left_out += len(frames)
            return
        way = OUT if is_out else IN
        begin = b"%b %b %b " % (self._times.write(now_ns), way, session.encode())
        lines = b"%b%b\n" % (begin, (b"\n" + begin).join(frames))
        text = lines.translate(_LINE, _ODD_IN_LINES)
        is_plain = len(text) == len(lines) and text.count(b"\n") == len(frames)
        secrets = _SECRETS if is_out else _SECRETS_IN
        if not is_plain or _KEY_BEGINS in lines or secrets.search(lines) is not None:
            for frame in frames:
                self.add(session, is_out, frame, now_ns)
            return
        self._lines.append(text)
        self._waiting_bytes += len(text)

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self._lines)

    def take(self) -> bytes:
        """Return the lines that wait to be written; from then on they do not."""
        data = b"".join(self._lines)
        self._lines.clear()
        self._waiting_bytes = 0
        return data

    def write(self, lines: bytes) -> None:
        """Append what `take` gave; one call at a time. Raises OSError when it cannot be; it is lost then."""
        if self._size and self._size + len(lines) > self._bytes_most:
            self._path.replace(f"{self._path}.1")
            full = self._descriptor
            self._open()
            os.close(full)
        rest = memoryview(lines)
        while rest:
            written = os.write(self._descriptor, rest)
            self._size += written
            rest = rest[written:]

    def flush(self) -> None:
        """Write what was added. Raises OSError as `write` does."""
        self.write(self.take())

    def close(self) -> None:
        """Write the rest and close the file. Raises OSError as `write` does; it is closed all the same."""
        try:
            self.flush()
        finally:
            os.close(self._descriptor)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._descriptor).st_size


def _without_secrets(frame: bytes, secret_tags: frozenset[int]) -> bytes:
    fields = decode(frame).fields
    hidden = HIDDEN.encode()
    return b"".join(
        b"%d=%b\x01" % (tag, hidden if tag in secret_tags else value) for tag, value in fields
    )
