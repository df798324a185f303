"""The file of the exchange's store: its schema, and whether a file is one.

WAL with `synchronous=NORMAL`: what was committed survives `kill -9`, not a power loss. A file that is
foreign, newer or torn is refused with `StoreError` and never written.
"""

import os
import sqlite3
from pathlib import Path

import msgspec

from fairlead.disk.room import see_room
from fairlead.exchange import client_ids

FILE_NAME = "exchange.sqlite"
APPLICATION_ID = 0x46_4C_53_58  # "FLSX"
SCHEMA_VERSION = (
    4  # 2: positions, perpetuals; 3: the log; 4: its identity; older rows are read as they are
)
_SCHEMA_WITH_LOG = 3
CACHE_KIB = 4_096
CHECKPOINT_PAGES = 4_000
CHECKED_BYTES = 16 * 1024 * 1024  # a file up to this size is checked whole at start

_LOG = "CREATE TABLE log (number INTEGER PRIMARY KEY, body BLOB NOT NULL)"  # see store_log.py
_SCHEMA = (
    """
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    open INTEGER NOT NULL,
    body BLOB NOT NULL
)
""",
    "CREATE INDEX open_orders ON orders (number) WHERE open = 1",
    """
CREATE TABLE fills (
    account INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account, ordinal)
) WITHOUT ROWID
""",
    # By account number; the numbers of `store_rows` that are no account's.
    "CREATE TABLE states (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE client_id_runs (last_number INTEGER PRIMARY KEY)",
    client_ids.SCHEMA,
    _LOG,
)

_IDENTITY = "CREATE TABLE identity (id TEXT NOT NULL)"  # one row, for as long as the file lives


class StoreError(Exception):
    """The file cannot be this exchange's store; the message says why and what would be right."""


def open_file(path: Path | None, identity: str | None = None) -> sqlite3.Connection:
    """Open the file `path`, made if it is not there; None keeps it in memory.

    `identity` is for a seeded world; otherwise a file that has none gets a random one.

    Raises StoreError if the file is not a store of this version.
    """
    if path is not None:
        _see_room(path, is_writer=True)
    connection = sqlite3.connect(
        ":memory:" if path is None else path,
        isolation_level=None,
        check_same_thread=False,
        timeout=0,
    )
    try:
        _check(connection, path)
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "secure_delete = OFF",  # Debian's SQLite would write each page of the emptied log again
            f"cache_size = -{CACHE_KIB}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        identity = identity or os.urandom(8).hex()
        if version == 0:
            _create(connection, identity)
        elif version < SCHEMA_VERSION:
            _migrate(connection, version, identity)
        return connection
    except sqlite3.OperationalError as error:
        connection.close()
        raise StoreError(
            f"{path} cannot be used: {error}; is another exchange running on it?"
        ) from error
    except (StoreError, sqlite3.DatabaseError, msgspec.DecodeError) as error:
        connection.close()
        raise StoreError(f"{path} cannot be used: {error}") from error


class StoreSummary(msgspec.Struct, frozen=True):
    """What a store that nobody has open holds: its schema, and the number of its newest order."""

    schema: int
    orders: int


def examine(path: Path) -> StoreSummary:
    """Look at the store in `path` without writing. Raises StoreError, also when an exchange has it open."""
    _see_room(path, is_writer=False)
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
        try:
            _check(connection, path)
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            newest = _newest_order(connection, schema)
        finally:
            connection.close()
    except (StoreError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    return StoreSummary(schema, newest)


def _see_room(path: Path, *, is_writer: bool) -> None:
    try:
        see_room(path, is_writer=is_writer)
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}") from error


def _newest_order(connection: sqlite3.Connection, schema: int) -> int:
    newest: int | None = connection.execute("SELECT max(number) FROM orders").fetchone()[0]
    log = () if schema < _SCHEMA_WITH_LOG else connection.execute("SELECT body FROM log")
    logged: list[int] = [order[0] for (body,) in log for order in msgspec.msgpack.decode(body)[0]]
    return max([newest or 0, *logged])


def _check(connection: sqlite3.Connection, path: Path | None) -> None:
    """Refuse what is not ours, before anything is written."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if tables == 0 and application == 0 and version == 0:
        return
    if application != APPLICATION_ID:
        raise StoreError("it is a database of another program")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"its schema version {version} is newer than {SCHEMA_VERSION}, the newest known here"
        )

    if path is not None and path.stat().st_size <= CHECKED_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"it is damaged: {found}")


def _migrate(connection: sqlite3.Connection, version: int, identity: str) -> None:
    """Add what a store of an earlier version lacks."""
    connection.execute("BEGIN")
    if version < _SCHEMA_WITH_LOG:
        connection.execute(_LOG)
    _identify(connection, identity)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _create(connection: sqlite3.Connection, identity: str) -> None:
    connection.execute("BEGIN")
    for statement in _SCHEMA:
        connection.execute(statement)
    _identify(connection, identity)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _identify(connection: sqlite3.Connection, identity: str) -> None:
    connection.execute(_IDENTITY)
    connection.execute("INSERT INTO identity VALUES (?)", (identity,))
