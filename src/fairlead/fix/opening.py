"""The store's file: judged before it is written, made under another name, locked against a second process.

Nothing is written before the file is known to be ours and whole. A file that is foreign, newer or torn
is refused with `StoreError` and stays as it is.
"""

import fcntl
import os
import sqlite3
import stat
import struct
from pathlib import Path

FILE_NAME = "fix.sqlite"
LOCK_NAME = "fix.lock"
APPLICATION_ID = 0x46_4C_46_58  # "FLFX"
SCHEMA_VERSION = 1

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_LOCK_WAIT_S = 5.0  # somebody who reads while we open
_CHECKPOINT_PAGES = 4_000

_SCHEMA = (
    # One row: the machine's start in which the file was last written, and whether it was closed since.
    "CREATE TABLE lives (life INTEGER PRIMARY KEY CHECK (life = 1), boot_id TEXT NOT NULL,"
    " is_closed INTEGER NOT NULL)",
    "CREATE TABLE sessions (session INTEGER PRIMARY KEY, begin_string TEXT NOT NULL,"
    " comp_id TEXT NOT NULL, sub_id TEXT NOT NULL, identity TEXT NOT NULL,"
    " next_out INTEGER NOT NULL, next_in INTEGER NOT NULL, cursor BLOB NOT NULL,"
    " leapt_from INTEGER NOT NULL DEFAULT 0,"  # the number at which the last leap began
    " UNIQUE (begin_string, comp_id, sub_id, identity))",
    # What one flush sent, one row. `place` is session * 2^40 + the last number in it.
    "CREATE TABLE sent (place INTEGER PRIMARY KEY, first INTEGER NOT NULL, messages BLOB NOT NULL)",
)


class StoreError(Exception):
    """The file cannot be used as it is; nothing was changed. The message says what would be right."""


def lock(folder: Path) -> int:
    """Take the folder's FIX store for this process; returns the descriptor that holds it."""
    path = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as cause:
        raise StoreError(
            f"{path}: cannot be opened for writing ({cause.strerror}); the folder must be writable"
        ) from cause
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        os.close(descriptor)
        raise StoreError(
            f"{path}: held by another process; one process at a time may use a FIX store"
        ) from cause
    return descriptor


def connect(folder: Path) -> sqlite3.Connection:
    """Return the connection that writes; makes the file where there is none. The caller holds the lock."""
    path = folder / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        _judge_header(path)
        # Judged read-only: a writer that closes would copy the WAL into a file it has just refused.
        _connect_judged(path, "ro").close()
        connection = _connect_judged(path, "rw")
        # NORMAL: no sync for each commit. What that costs, and what mends it: docs/decisions/0018.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    except (sqlite3.Error, OSError) as cause:
        raise explained(path, cause) from cause
    return connection


def explained(path: Path, cause: sqlite3.Error | OSError) -> StoreError:
    """Return the error that says what `cause` means for the file at `path`."""
    if isinstance(cause, OSError):
        return StoreError(f"{path}: {cause.strerror}; it must be readable and writable")
    match cause.sqlite_errorcode & 0xFF if hasattr(cause, "sqlite_errorcode") else -1:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(f"{path}: in use by another process ({cause})")
        case (
            sqlite3.SQLITE_FULL
            | sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_IOERR
        ):
            return StoreError(f"{path}: {cause}; it needs write permission and free space")
        case _:
            return StoreError(f"{path}: damaged ({cause}); {_WAY_OUT}")


_WAY_OUT = (
    "restore it from a backup, or move it away: then every session begins again with number 1, and"
    " its counterpart must log on with ResetSeqNumFlag (141) Y"
)


def _create(path: Path) -> None:
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreError(f"{path}: missing, while its WAL {wal.name} is there; put it back")
    draft = Path(f"{path}.new")
    for suffix in ("", "-journal", "-wal", "-shm"):
        Path(f"{draft}{suffix}").unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("BEGIN")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO lives VALUES (1, '', 1)")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    draft.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _judge_header(path: Path) -> None:
    """Refuse what is not ours from the file's first bytes, before SQLite touches it."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: not a regular file")
    if not os.access(path, os.W_OK):
        raise StoreError(f"{path}: read-only for this user; it must be writable")
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC):
        raise StoreError(f"{path}: begins with {header[:16]!r}, which is not SQLite; {_WAY_OUT}")
    if len(header) < _HEADER_BYTES:
        raise StoreError(f"{path}: cut short after {len(header)} bytes; {_WAY_OUT}")
    (found,) = struct.unpack_from(">I", header, 68)
    _judge_application(path, found)


def _judge_application(path: Path, found: int) -> None:
    if found != APPLICATION_ID:
        raise StoreError(
            f"{path}: belongs to another program (application_id {found:#010x}, a FIX store has"
            f" {APPLICATION_ID:#010x}); move it away"
        )


def _connect_judged(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_LOCK_WAIT_S,
    )
    try:
        _judge_content(connection, path)
    except (sqlite3.Error, OSError, StoreError):
        connection.close()
        raise
    return connection


def _judge_content(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a foreign, newer or damaged file, seen through its WAL."""
    _judge_application(path, connection.execute("PRAGMA application_id").fetchone()[0])
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {version}, this program knows up to {SCHEMA_VERSION};"
            " use the version that wrote it, or a later one"
        )
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"{path}: damaged ({found}); {_WAY_OUT}")
