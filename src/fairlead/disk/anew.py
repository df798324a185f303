"""What an earlier process wrote and could not sync is brought to the disk.

A sync that failed is not made good by the next one: the system may take for written what it could not write
(fsync(2), EIO), shows it to every reader while it remembers it, and skips it. Who finds a WAL at a start
cannot know, so all of it is written once more, as it is. Must never change what is in a file.
"""

import os
from pathlib import Path

_ANEW_BYTES = 1 << 20  # written at once

sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def write_anew(file: int, end: int, path: Path) -> None:
    """Write the bytes of an open file before `end` once more; a sync must follow. Raises OSError.

    That it is at `path` is synced here: SQLite does that for a WAL that it makes, behind its first sync.
    Nobody else may write it meanwhile.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    at = 0
    while data := os.pread(file, min(_ANEW_BYTES, end - at), at):
        at += os.pwrite(file, data, at)


def bring_to_disk(wal: Path) -> None:
    """Do it with a WAL as a whole, and sync; nothing if there is none. Raises OSError.

    Nobody may write the database meanwhile. It may be open: SQLite has no locks on its WAL, which closing
    would drop.
    """
    try:
        file = os.open(wal, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        write_anew(file, os.fstat(file).st_size, wal)
        sync(file)
    finally:
        os.close(file)
