"""Whether the files that stores have open are still those at their paths.

A file that is deleted, moved or replaced takes every write and every sync as before, and nobody finds there
what was written: only a look at its path tells. Must never open a file: closing it drops SQLite's locks on it
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

_EVERY_S = 0.5  # between looks
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)  # others do not say so


class FileGone(Exception):
    """What a store writes is at its path no more. The message says which file, and what would be right."""


class OpenFile(msgspec.Struct, frozen=True):
    """An open file. While it is open, no other file of its device is given its inode."""

    path: Path
    device: int
    inode: int


def opened(*paths: Path) -> tuple[OpenFile, ...]:
    """Return the files at `paths`, which were opened just now and stay open. Raises OSError."""
    return tuple(OpenFile(path, *_identity(path)) for path in paths)


def opened_database(path: Path) -> tuple[OpenFile, ...]:
    """Return the files of a SQLite database in WAL mode, to which a connection stays open. Raises OSError."""
    beside = (Path(f"{path}{suffix}") for suffix in ("-wal", "-shm"))
    return opened(path, *(each for each in beside if each.exists()))


class Whereabouts:
    """Looks at every file again and again, from `start` to `stop`. For one event loop."""

    def __init__(self, gone: Callable[[FileGone], None]) -> None:
        """`gone` is called once; by then nothing is looked at any more."""
        self._gone = gone
        self._files: list[OpenFile] = []
        self._look: asyncio.TimerHandle | None = None

    def add(self, files: Iterable[OpenFile]) -> None:
        """Look at these too."""
        self._files += files

    def start(self) -> None:
        """Begin to look, within the running loop."""
        self._look = asyncio.get_running_loop().call_later(_EVERY_S, self._on_look)

    def stop(self) -> None:
        """Look no more: stores may close, and SQLite removes the WAL of one that does."""
        if self._look is not None:
            self._look.cancel()

    def _on_look(self) -> None:
        for file in self._files:
            if not _is_there(file):
                self._gone(
                    FileGone(
                        f"{file.path}: was deleted, moved or replaced while it was open, so the next"
                        " start would not find what is written to it; before that, put the folder"
                        " back as it was, or restore it whole from a backup"
                    )
                )
                return
        self.start()


def _is_there(file: OpenFile) -> bool:
    try:
        return _identity(file.path) == (file.device, file.inode)
    except OSError as error:
        return error.errno not in _GONE


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
