"""The journal's files: taking the folder, judging what lies in it, making a new one.

Nothing is written before the file is known to be ours and whole. A new file is built under another
name and renamed, so that `journal.sqlite` is never half made.
"""

import fcntl
import os
import sqlite3
import stat
import struct
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fairlead.disk.room import see_room
from fairlead.journal.errors import (
    JournalError,
    JournalInUse,
    JournalMissing,
    JournalNewer,
    JournalTorn,
    JournalUnwritable,
    NotAJournal,
)
from fairlead.journal.schema import (
    APPLICATION_ID,
    Migration,
    application_id,
    migrate,
    user_version,
)

FILE_NAME = "journal.sqlite"
LOCK_NAME = "journal.lock"
INSTALLATION_ID_LENGTH = 16

_MAGIC = b"SQLite format 3\0"
_OUR_ID_WOULD_BE = f"a Fairlead journal has application_id {APPLICATION_ID:#010x}"
_LOCK_WAIT_S = 5.0  # a reader that opens while the writer recovers or closes
_LOOK_S = 0.05  # whoever looks who holds a folder holds it for a moment
_LOOK_POLL_S = 0.001


class FolderLock:
    """The folder is ours as long as this is open; ends with the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as cause:
            raise JournalUnwritable(
                f"{self._path}: cannot be opened for writing ({cause.strerror});"
                " the data folder must be a writable directory"
            ) from cause
        try:
            _lock(self._descriptor)
        except OSError as cause:
            holder = _pid_in(self._descriptor) or "unknown"
            os.close(self._descriptor)
            raise JournalInUse(
                f"{self._path}: held by another process (pid {holder});"
                " stop it or use another data folder"
            ) from cause
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the folder. The lock file stays: removing it would race."""
        os.close(self._descriptor)


class Holder(msgspec.Struct, frozen=True):
    """Who has the folder's lock: its process, None when it did not say."""

    pid: int | None


def holder_of(folder: Path) -> Holder | None:
    """Return who has the folder, None if nobody does; looks by taking the lock, shared, for a moment."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # there is none, or whoever opens the folder says why it cannot be opened
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = _pid_in(descriptor)
        return Holder(int(said) if said.isdigit() else None)
    else:
        return None
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Take the lock; raises BlockingIOError when somebody has it for longer than a look."""
    until = time.monotonic() + _LOOK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(_LOOK_POLL_S)
        else:
            return


def _pid_in(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip()


def connect_writer(
    folder: Path, migrations: Sequence[Migration], installation_id: bytes
) -> sqlite3.Connection:
    """Return the one connection that writes; makes the file when the folder has none.

    `installation_id` is only used for a new file. The caller holds the `FolderLock`. No other
    connection to this folder may be open in this process: reading the header closes a descriptor of
    the file, and with it POSIX would drop the locks of all. Raises JournalError.
    """
    path = folder / FILE_NAME
    try:
        see_room(path, is_writer=True)
        if not path.exists():
            _create(folder, migrations, installation_id)
        _judge_header(path)
        # Judged read-only: a writer that closes would copy the WAL into a file it has just refused.
        _connect_judged(path, "ro", len(migrations)).close()
        connection = _connect_judged(path, "rw", len(migrations))
        try:
            migrate(connection, migrations)
        except sqlite3.Error:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as cause:
        raise explained(path, cause) from cause
    return connection


def connect_reader(folder: Path, version: int) -> sqlite3.Connection:
    """Return a read-only connection, for one thread at a time. Raises JournalError."""
    path = folder / FILE_NAME
    if not path.exists():
        raise JournalMissing(f"{path}: does not exist; `fairlead up` makes it")
    try:
        see_room(path, is_writer=False)
        return _connect_judged(path, "ro", version)
    except (sqlite3.Error, OSError) as cause:
        raise explained(path, cause) from cause


def explained(path: Path, cause: sqlite3.Error | OSError) -> JournalError:
    """Return the journal error that says what `cause` means for the file at `path`."""
    if isinstance(cause, OSError):
        return JournalUnwritable(f"{path}: {cause.strerror}; it must be readable and writable")
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    found = f"{path}: {cause} ({name})"
    match code:
        case sqlite3.SQLITE_NOTADB:
            return NotAJournal(f"{found}; {_OUR_ID_WOULD_BE}")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return JournalInUse(f"{found}; only one process may use a data folder")
        case (
            sqlite3.SQLITE_FULL
            | sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_IOERR
        ):
            return JournalUnwritable(f"{found}; the folder needs write permission and free space")
        case _:
            return JournalTorn(f"{found}; restore the data folder whole from a backup")


def fsync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(folder: Path, migrations: Sequence[Migration], installation_id: bytes) -> None:
    path = folder / FILE_NAME
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size:
        raise JournalTorn(f"{path}: missing, while its WAL {wal.name} is there; put it back")
    draft = folder / (FILE_NAME + ".new")
    for suffix in ("", "-journal", "-wal", "-shm"):
        Path(f"{draft}{suffix}").unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection, migrations)
        connection.execute("INSERT INTO meta VALUES ('installation_id', ?)", (installation_id,))
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    draft.rename(path)
    fsync_folder(folder)
    fsync_folder(folder.parent)


def _judge_header(path: Path) -> None:
    """Refuse what is not ours from the file's first bytes, before SQLite touches it."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise NotAJournal(f"{path}: not a regular file; {_OUR_ID_WOULD_BE}")
    if not os.access(path, os.W_OK):
        raise JournalUnwritable(f"{path}: read-only for this user; it must be writable")
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        raise JournalTorn(f"{path}: empty; restore the data folder whole from a backup")
    if not header.startswith(_MAGIC):
        raise NotAJournal(
            f"{path}: begins with {header[:16]!r}, which is not SQLite; {_OUR_ID_WOULD_BE}"
        )
    if len(header) < 100:
        raise JournalTorn(f"{path}: cut short after {len(header)} bytes; restore it from a backup")
    (found,) = struct.unpack_from(">I", header, 68)
    if found != APPLICATION_ID:
        raise NotAJournal(f"{path}: SQLite with application_id {found:#010x}; {_OUR_ID_WOULD_BE}")


def _connect_judged(path: Path, mode: str, version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_LOCK_WAIT_S,
    )
    try:
        _judge_content(connection, path, version)
    except (sqlite3.Error, OSError, JournalError):
        connection.close()
        raise
    return connection


def _judge_content(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Refuse a foreign, newer or shortened file, seen through its WAL."""
    found = application_id(connection)
    if found != APPLICATION_ID:
        raise NotAJournal(f"{path}: SQLite with application_id {found:#010x}; {_OUR_ID_WOULD_BE}")
    found = user_version(connection)
    if found > version:
        raise JournalNewer(
            f"{path}: schema version {found}, this program knows up to {version};"
            " use the version of Fairlead that wrote it, or a later one"
        )
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    (page_count,) = connection.execute("PRAGMA page_count").fetchone()
    pages_in_file = path.stat().st_size // page_size
    if pages_in_file < page_count:
        missing = set(range(pages_in_file + 1, page_count + 1)) - _pages_in_wal(path, page_size)
        if missing:
            raise JournalTorn(
                f"{path}: cut short: has {pages_in_file} of {page_count} pages and its WAL lacks"
                f" {len(missing)} of them; restore the data folder whole from a backup"
            )


def _pages_in_wal(path: Path, page_size: int) -> set[int]:
    """Return the numbers of the pages whose frames carry the WAL's current salt.

    https://sqlite.org/fileformat.html#the_write_ahead_log: 32 bytes of header, the salt at 16;
    each frame 24 bytes and a page, its page number at 0, the salt at 8.
    """
    pages: set[int] = set()
    wal = Path(f"{path}-wal")
    if not wal.exists():
        return pages
    with wal.open("rb") as file:
        salt = file.read(32)[16:24]
        while len(frame := file.read(24)) == 24 and frame[8:16] == salt:
            pages.add(int.from_bytes(frame[:4], "big"))
            file.seek(page_size, os.SEEK_CUR)
    return pages
