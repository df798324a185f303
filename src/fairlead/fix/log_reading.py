"""The log of messages, read: also while it is written, and beyond the moment when its file is renamed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from fairlead.fix.codec import SOH
from fairlead.fix.log import IN, OUT, Entry
from fairlead.fix.times import TimeReader

_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


class EntryLines:
    """Lines of a log → entries. A line without its end waits for the rest."""

    def __init__(self) -> None:
        self._times = TimeReader()
        self._part = b""

    def read(self, lines: BinaryIO) -> Iterator[Entry]:
        """Return what `lines` holds up to its end as it is now; lines that are none are left out."""
        for piece in lines:
            line = self._part + piece
            if not line.endswith(b"\n"):
                self._part = line
                return
            self._part = b""
            entry = self._entry(line)
            if entry is not None:
                yield entry

    def _entry(self, line: bytes) -> Entry | None:
        words = line.split(b" ", 3)
        if len(words) < 4 or words[1] not in (IN, OUT):
            return None
        time_ns = self._times.read(words[0])
        if time_ns is None:
            return None
        frame = _ESCAPED.sub(
            lambda found: bytes.fromhex(found[1].decode()), words[3][:-1].replace(b"|", SOH)
        )
        return Entry(time_ns, words[1] == OUT, words[2].decode("latin-1"), frame)


class LogReader:
    """The log at `path`, from its oldest line. Close it, or use `with`.

    What is added while two files and more are filled between one reading and the next is not seen.
    """

    def __init__(self, path: Path) -> None:
        """Open the log. Raises OSError, FileNotFoundError where there is none."""
        self._path = path
        self._older_path = Path(f"{path}.1")
        self._lines = EntryLines()
        try:
            self._file: BinaryIO = path.open("rb")
        except FileNotFoundError:  # or it was renamed just now
            self._file = self._older_path.open("rb")
        self._is_new = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self) -> Iterator[Entry]:
        """Return what was not read yet, oldest first, up to the end as it is now. Raises OSError."""
        if self._is_new:
            self._is_new = False
            yield from self._renamed(_inode(self._file))
        while True:
            yield from self._lines.read(self._file)
            newer = _opened(self._path)
            if newer is None:
                return
            if _inode(newer) == _inode(self._file):
                newer.close()
                return
            yield from self._lines.read(self._file)  # was added before it was renamed
            yield from self._renamed(_inode(self._file), _inode(newer))
            self._file.close()
            self._file, self._lines = newer, EntryLines()

    def _renamed(self, *read: int) -> Iterator[Entry]:
        """Return what the renamed file holds, unless its inode is one of `read`."""
        file = _opened(self._older_path)
        if file is not None:
            with file:
                if _inode(file) not in read:
                    yield from EntryLines().read(file)


def entries(path: Path) -> Iterator[Entry]:
    """Return what the log at `path` holds, oldest first. Raises OSError where there is none."""
    with LogReader(path) as reader:
        yield from reader.read()


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino
