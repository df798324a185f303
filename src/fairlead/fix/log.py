"""A log of messages, in and out: a file of lines, appended to, at most two files of a bounded size.

The store does not have this: it keeps what we sent, and only as long as it may be asked for again. A
line is `TIME IN|OUT SESSION MESSAGE`, the message printable (`readable.shown`), without passwords.
Nothing is synced and nothing depends on it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fairlead.fix.codec import SOH, decode
from fairlead.fix.readable import HIDDEN, SECRET_TAGS, shown
from fairlead.fix.times import TimeReader, TimeText

BYTES_MOST = 64 * 1024 * 1024  # of the file; then it becomes NAME.1, and the NAME.1 before it goes
_PENDING_BYTES_MOST = 256 * 1024
_IN, _OUT = b"IN", b"OUT"
_ODD = re.compile(rb"[^\x01\x20-\x5b\x5d-\x7b\x7d\x7e]")  # what does not stand for itself in a line
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


class Entry(msgspec.Struct, frozen=True):
    """A line of the log. `frame` is the message as it was, but for passwords."""

    time_ns: int
    is_out: bool
    session: str
    frame: bytes


class MessageLog:
    """The open log. `add` collects, `flush` writes."""

    def __init__(self, path: Path, bytes_most: int = BYTES_MOST) -> None:
        """Open the file, make it where there is none. Raises OSError."""
        self._path = path
        self._bytes_most = bytes_most
        self._lines: list[bytes] = []
        self._pending_bytes = 0
        self._times = TimeText()
        self._open()

    def add(self, session: str, is_out: bool, frame: bytes, now_ns: int) -> None:
        """Add a whole message, as `Session`'s trace gives it. `session` is any word without spaces."""
        if b"\x0135=A\x01" in frame:
            frame = _without_secrets(frame)
        text = frame.replace(SOH, b"|") if _ODD.search(frame) is None else shown(frame).encode()
        way = _OUT if is_out else _IN
        line = b"%b %b %b %b\n" % (self._times.write(now_ns), way, session.encode(), text)
        self._lines.append(line)
        self._pending_bytes += len(line)
        if self._pending_bytes > _PENDING_BYTES_MOST:
            self.flush()

    def flush(self) -> None:
        """Write what was added; raises OSError when it cannot be, and what was added is lost then."""
        data = memoryview(b"".join(self._lines))
        self._lines.clear()
        self._pending_bytes = 0
        self._size += len(data)
        while data:
            data = data[os.write(self._descriptor, data) :]
        if self._size > self._bytes_most:
            os.close(self._descriptor)
            self._path.replace(f"{self._path}.1")
            self._open()

    def close(self) -> None:
        """Write the rest and close the file."""
        self.flush()
        os.close(self._descriptor)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._descriptor).st_size


def _without_secrets(logon: bytes) -> bytes:
    fields = decode(logon).fields
    hidden = HIDDEN.encode()
    return b"".join(
        b"%d=%b\x01" % (tag, hidden if tag in SECRET_TAGS else value) for tag, value in fields
    )


def entries(path: Path) -> Iterator[Entry]:
    """Return what the log at `path` holds, oldest first; lines that are none are left out."""
    times = TimeReader()
    for file in (Path(f"{path}.1"), path):
        if not file.exists():
            continue
        with file.open("rb") as lines:
            for line in lines:
                entry = _entry(line, times)
                if entry is not None:
                    yield entry


def _entry(line: bytes, times: TimeReader) -> Entry | None:
    words = line.split(b" ", 3)
    if len(words) < 4 or words[1] not in (_IN, _OUT) or not line.endswith(b"\n"):
        return None
    time_ns = times.read(words[0])
    if time_ns is None:
        return None
    frame = _ESCAPED.sub(
        lambda found: bytes.fromhex(found[1].decode()), words[3][:-1].replace(b"|", SOH)
    )
    return Entry(time_ns, words[1] == _OUT, words[2].decode("latin-1"), frame)
