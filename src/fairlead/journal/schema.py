"""The tables of a journal, their version, and how an older file becomes a newer one.

`MIGRATIONS[n]` brings version n to n + 1; a new file runs them all. An entry that was ever shipped
must never change: append a new one.

A commit is one row of `frames`, and nothing else. All other tables follow from the frames and are
written later, for many commits at once (docs/decisions/0015): `applied` says up to which frame. They
grow at their right edge or nearly so, so that writing touches few pages however old the journal is.
"""

import sqlite3
from collections.abc import Sequence

APPLICATION_ID = 0x466C4564  # "FlEd"
Migration = str  # statements, each ended by a semicolon at the end of its line

BASE = """
-- What is true of the whole file.
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- The truth: one row for each commit (rows.Frame). All else follows from it.
CREATE TABLE frames (batch INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, data BLOB NOT NULL);

-- The last frames of each application: what the tables say is as of the greatest of them.
CREATE TABLE applied (batch INTEGER PRIMARY KEY);

-- Where an account's sequence numbers are: for each application, (first sequence, batch) of its
-- frames that have any.
CREATE TABLE frame_accounts (account_no INTEGER, first_sequence INTEGER, frames BLOB NOT NULL,
  PRIMARY KEY (account_no, first_sequence)) WITHOUT ROWID;

-- AccountRecord, and a short number that other tables repeat.
CREATE TABLE accounts (account_no INTEGER PRIMARY KEY, exchange_id TEXT NOT NULL UNIQUE,
  record BLOB NOT NULL);
CREATE TABLE balances (account_no INTEGER, asset TEXT, data BLOB NOT NULL,
  PRIMARY KEY (account_no, asset)) WITHOUT ROWID;

-- The orders as they are now, with their first fills (rows.FILLS_IN_STATE); the later fills.
-- `opened_batch` is the frame that opened the order. While something is owed `room` holds as many
-- bytes as an acknowledgement and a fill will add: so the order's growth does not split its page.
CREATE TABLE orders (number INTEGER PRIMARY KEY, opened_batch INTEGER NOT NULL,
  state BLOB NOT NULL, room BLOB);
CREATE TABLE fills (number INTEGER, position INTEGER, data BLOB NOT NULL,
  PRIMARY KEY (number, position)) WITHOUT ROWID;

-- Orders to which something is owed: what a start loads.
CREATE TABLE unsettled (number INTEGER PRIMARY KEY);

-- Remembered for ever: client ids (by hash), exchange ids, trades booked. Ids that are plain
-- numbers are kept as such (rows.narrow).
-- keys.py says why client ids have two tables.
CREATE TABLE recent_keys (batch INTEGER PRIMARY KEY, pairs BLOB NOT NULL);
CREATE TABLE client_keys (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) WITHOUT ROWID;
CREATE TABLE exchange_ids (account_no INTEGER, exchange_order_id, number INTEGER,
  PRIMARY KEY (account_no, exchange_order_id, number)) WITHOUT ROWID;
CREATE TABLE trades (account_no INTEGER, symbol TEXT, trade_id,
  PRIMARY KEY (account_no, symbol, trade_id)) WITHOUT ROWID;

-- The other frames with reports of an order; and, per second, the orders that changed in it, a row for
-- each application (`batch` is its last frame).
CREATE TABLE order_frames (number INTEGER, batch INTEGER, PRIMARY KEY (number, batch))
  WITHOUT ROWID;
CREATE TABLE changed (second INTEGER, batch INTEGER, numbers BLOB NOT NULL,
  PRIMARY KEY (second, batch)) WITHOUT ROWID;
"""

POSITIONS = """
-- As balances are, by our symbol.
CREATE TABLE positions (account_no INTEGER, symbol TEXT, data BLOB NOT NULL,
  PRIMARY KEY (account_no, symbol)) WITHOUT ROWID;
"""

POSITIONS_VERSION = 2  # files before this one have no table of positions
MIGRATIONS: tuple[Migration, ...] = (BASE, POSITIONS)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring the file to the last version in one transaction; does nothing when it is there.

    The caller holds the folder's lock. Raises sqlite3.Error and leaves the file as it was.
    """
    version = user_version(connection)
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in (s for step in migrations[version:] for s in step.split(";\n")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise


def user_version(connection: sqlite3.Connection) -> int:
    """Return the schema version the file says it has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def application_id(connection: sqlite3.Connection) -> int:
    """Return the program the file says it belongs to."""
    return int(connection.execute("PRAGMA application_id").fetchone()[0])
