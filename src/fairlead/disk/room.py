"""Whether the disk has room for the index of a WAL, before SQLite maps it into memory.

SQLite writes one byte of each 4 KiB of the index and takes it that the disk has given the rest. Where the
file system's blocks are smaller and none is left, the process dies by SIGBUS at the first touch, wordlessly.
"""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

_INDEX_BYTES = 32 << 10  # for about 4,000 frames, https://sqlite.org/walformat.html
_FRAMES_SHARE = 400  # a frame of 4 KiB takes 8 bytes of the index: at most this share of the WAL
_WRITER_BYTES = 256 << 10  # for what else is written, and the indexes of the databases beside it
_FULL = (errno.ENOSPC, errno.EDQUOT)
_fallocate = getattr(os, "posix_fallocate", None)  # macOS has none


def see_room(database: Path, *, is_writer: bool) -> None:
    """Raise OSError, with the bytes in its words, if the disk has no room to open a database in WAL mode.

    Nothing is asked where the index has its room: the database is open, or its last process was killed.
    """
    if _allocated(Path(f"{database}-shm")) >= _INDEX_BYTES:
        return
    wal_bytes = 0
    with contextlib.suppress(OSError):
        wal_bytes = os.stat(f"{database}-wal").st_size
    needed = _INDEX_BYTES + wal_bytes // _FRAMES_SHARE + (_WRITER_BYTES if is_writer else 0)
    try:
        with tempfile.TemporaryFile(dir=database.parent, buffering=0) as tried:
            written = 0
            while written < needed:
                written += tried.write(bytes(needed - written))
    except OSError as error:
        if error.errno in _FULL:  # of other trouble the opening says more
            text = f"its disk is full, opening it takes {needed >> 10} KiB: make room"
            raise OSError(error.errno, text) from None


def give_room(index: int) -> None:
    """Have the disk give an open index all its blocks, where that can be said; raises OSError if it is full.

    Its file must stay open as long as the database: closing it drops SQLite's locks.
    """
    if _fallocate is None:
        return
    try:
        _fallocate(index, 0, _INDEX_BYTES)
    except OSError as error:
        if error.errno in _FULL:  # some file systems cannot be asked
            raise


def _allocated(file: Path) -> int:
    try:
        return file.stat().st_blocks * 512
    except OSError:
        return 0
