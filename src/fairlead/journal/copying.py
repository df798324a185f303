"""Copying a journal, also beside its writer, and saying what the copy promises.

One read transaction is held over the whole copy, so that it is of one moment however long it takes;
the writer is not held up, but its WAL grows meanwhile. Reads only: nothing is written to the journal
and nothing of it is checkpointed (docs/decisions/0002).
"""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from fairlead.journal.errors import JournalTorn
from fairlead.journal.opening import FILE_NAME, connect_reader, explained
from fairlead.journal.rows import (
    UNDECODABLE,
    accounts_of,
    applied_batch,
    decode_frame,
    installation_id_of,
)
from fairlead.journal.schema import MIGRATIONS, user_version

PAGES_AT_ONCE = 512  # 2 MiB between two reports of progress

Progress = Callable[[int, int], None]  # done, total


class Promise(msgspec.Struct, frozen=True):
    """What a journal holds: every report of each account up to its sequence, in `frames` commits."""

    installation_id: str
    schema: int
    frames: int
    sequences: dict[str, int]


def copy_journal(folder: Path, target: Path, progress: Progress) -> Promise:
    """Copy the journal in `folder` into the new file `target`; return what the copy promises.

    The copy is whole and needs no WAL; making it durable is the caller's. `progress` is told pages.
    Raises JournalError, which names `target` when that cannot be written.
    """
    source = connect_reader(folder, len(MIGRATIONS))
    try:
        source.execute("BEGIN")
        promise = _promise(source, folder / FILE_NAME)  # its first read fixes the moment
        _copy(source, target, progress)
        return promise
    finally:
        source.close()


def promise_of(folder: Path) -> Promise:
    """Return what the journal in `folder` holds. Raises JournalError."""
    connection = connect_reader(folder, len(MIGRATIONS))
    try:
        connection.execute("BEGIN")
        return _promise(connection, folder / FILE_NAME)
    finally:
        connection.close()


def _promise(connection: sqlite3.Connection, path: Path) -> Promise:
    try:
        installation_id = installation_id_of(connection)
        if installation_id is None:
            raise JournalTorn(f"{path}: has no installation_id; restore it from a backup")
        sequences = {record.account: record.sequence for _, record in accounts_of(connection)}
        frames = applied_batch(connection)
        sql = "SELECT batch, data FROM frames WHERE batch > ? ORDER BY batch"
        for batch, data in connection.execute(sql, (frames,)):
            for record in decode_frame(data).accounts:
                sequences[record.account] = record.sequence
            frames = batch
        schema = user_version(connection)
    except sqlite3.Error as cause:
        raise explained(path, cause) from cause
    except UNDECODABLE as cause:
        raise JournalTorn(f"{path}: a row cannot be decoded ({cause})") from cause
    return Promise(installation_id.hex(), schema, frames, sequences)


def _copy(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
    try:
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            # Half a copy is thrown away, so neither a rollback journal nor a sync of its own is needed.
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(
                copy,
                pages=PAGES_AT_ONCE,
                progress=lambda _, remaining, total: progress(total - remaining, total),
            )
    except sqlite3.Error as cause:
        raise explained(target, cause) from cause
