"""The journal's WAL as a file: brought to the disk, and measured.

SQLite writes it, and with `synchronous = NORMAL` syncs it before each checkpoint and where it begins anew
(https://sqlite.org/wal.html#performance_considerations), but not at a commit. That sync is made here, in two
steps, so that the disk already writes while something else is done. Must never change what is in the file.
"""

import ctypes
import os
import sys
from pathlib import Path

from fairlead.disk import anew
from fairlead.disk.room import give_room

HEADER_BYTES = 32  # of the file, https://sqlite.org/walformat.html
_INDEX_FRAMES = 16  # offset of mxFrame
_INDEX_BACKFILLED = 96  # offset of nBackfill
_FRAME_HEADER_BYTES = 24
_SYNC_FILE_RANGE_WRITE = 2  # start, and do not wait: sync_file_range(2)

_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)  # Linux alone has it
if _sync_file_range is not None:
    _sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


class Wal:
    """The WAL of an open journal, and its index. A frame is a page in it, `frame_bytes` long."""

    def __init__(self, journal: Path, page_size: int) -> None:
        """Open the files of `journal`, which SQLite keeps as long as a connection is open. Raises OSError."""
        self._path = Path(f"{journal}-wal")
        self.frame_bytes = page_size + _FRAME_HEADER_BYTES
        self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        # Closing it drops SQLite's locks: https://sqlite.org/howtocorrupt.html, 2.2
        self._index = os.open(f"{journal}-shm", os.O_RDWR | os.O_CLOEXEC)
        try:
            give_room(self._index)
        except OSError:
            self.close()
            raise

    def begin_sync(self) -> None:
        """Have the disk begin to write what the file has got, where that can be said; `sync` must follow."""
        if _sync_file_range is not None:
            _sync_file_range(self._file, 0, 0, _SYNC_FILE_RANGE_WRITE)

    def sync(self) -> None:
        """Return when all that was written to the file is on the disk. Raises OSError."""
        anew.sync(self._file)

    def sync_anew(self) -> None:
        """Write every frame once more, then `sync`: an earlier sync may have failed. Raises OSError."""
        anew.write_anew(self._file, HEADER_BYTES + self.frames * self.frame_bytes, self._path)
        self.sync()

    @property
    def size(self) -> int:
        """Bytes of the file. Raises OSError."""
        return os.stat(self._path).st_size

    @property
    def uncopied_bytes(self) -> int:
        """Bytes of the file that are not yet copied into the database."""
        return (self.frames - self._number_at(_INDEX_BACKFILLED)) * self.frame_bytes

    @property
    def frames(self) -> int:
        """Frames in the file since it was last begun anew."""
        return self._number_at(_INDEX_FRAMES)

    def close(self) -> None:
        """Let the files go, after the last connection."""
        os.close(self._file)
        os.close(self._index)

    def _number_at(self, offset: int) -> int:
        """Return the 32-bit number of the index, which is in the machine's own byte order."""
        return int.from_bytes(os.pread(self._index, 4, offset), sys.byteorder)
