"""The journal's writer: what the sequencer commits to, recalls from and starts with.

One connection writes and checkpoints, nobody else does. Must never decide: a unit is written as it
is, whole, fsynced, or `CommitFailed` is raised and the process stops.
"""

import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from fairlead.core.messages import OrderReport
from fairlead.core.unit import Recalled, Restored, TradeKey, Unit, Wanted
from fairlead.journal.errors import CommitFailed, JournalTorn
from fairlead.journal.keys import ClientKeys
from fairlead.journal.opening import (
    FILE_NAME,
    INSTALLATION_ID_LENGTH,
    FolderLock,
    connect_writer,
    explained,
)
from fairlead.journal.rows import (
    FILLS_IN_STATE,
    UNDECODABLE,
    accounts_of,
    balances_of,
    change_seconds,
    encode,
    encode_order,
    narrow,
    order_of,
    whole_order,
)
from fairlead.journal.schema import MIGRATIONS, Migration

CHECKPOINT_BYTES = 8 << 20  # of the WAL not yet copied into the file
TRUNCATE_BYTES = 64 << 20  # of the WAL file itself: it grew because a reader was slow
CACHE_BYTES = 16 << 20

_WAL_INDEX_FRAMES = 16  # offset of mxFrame, https://sqlite.org/walformat.html
_WAL_INDEX_BACKFILLED = 96  # offset of nBackfill


class Journal:
    """An open journal. Use from one thread at a time; it need not be the one that opened it.

    Close every `JournalReader` of this process before it: closing drops the file's POSIX locks.
    Attributes for metrics: `commit_count`, `rows_written`, `checkpoint_count`, `wal_bytes` (not yet
    copied into the file).
    """

    def __init__(self, folder: Path, lock: FolderLock, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.commit_count = 0
        self.rows_written = 0
        self.checkpoint_count = 0
        self._path = folder / FILE_NAME
        self._lock = lock
        self._connection = connection
        self._failed: CommitFailed | None = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 0",
            "secure_delete = OFF",
            "mmap_size = 0",
            "busy_timeout = 0",  # nobody else writes; a truncating checkpoint must not wait for readers
            f"cache_size = -{CACHE_BYTES >> 10}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        self._page_size: int
        (self._page_size,) = connection.execute("PRAGMA page_size").fetchone()
        row = connection.execute("SELECT value FROM meta WHERE name = 'installation_id'").fetchone()
        if row is None or len(row[0]) != INSTALLATION_ID_LENGTH:
            raise JournalTorn(f"{self._path}: has no installation_id; restore it from a backup")
        self.installation_id: bytes = row[0]
        self._account_numbers = {record.account: no for no, record in accounts_of(connection)}
        (last,) = connection.execute("SELECT max(batch) FROM frames").fetchone()
        self._batch: int = last or 0
        self._keys = ClientKeys(connection, self._batch)
        self._wal_path = f"{self._path}-wal"
        self._wal_index = os.open(f"{self._path}-shm", os.O_RDONLY | os.O_CLOEXEC)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        migrations: Sequence[Migration] = MIGRATIONS,
        installation_id: bytes | None = None,
    ) -> Self:
        """Open the journal in `folder`, or make one.

        `installation_id` (16 bytes) is for a seeded world; otherwise a new file gets a random one.
        Raises JournalError: what is not ours, torn, newer or in use is left untouched.
        """
        lock = FolderLock(folder)
        try:
            fresh = installation_id or os.urandom(INSTALLATION_ID_LENGTH)
            connection = connect_writer(folder, migrations, fresh)
            try:
                return cls(folder, lock, connection)
            except (sqlite3.Error, OSError, *UNDECODABLE) as cause:
                connection.close()
                raise _explained(folder / FILE_NAME, cause) from cause
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise

    def restore(self) -> Restored:
        """Return what a process starts with: the unsettled orders and all that is not an order."""
        run = self._connection.execute
        try:
            (last,) = run("SELECT max(number) FROM orders").fetchone()
            unsettled = "SELECT state FROM unsettled JOIN orders USING (number) ORDER BY number"
            states = run(unsettled).fetchall()
            orders = [whole_order(self._connection, state) for (state,) in states]
            return Restored(
                installation_id=self.installation_id,
                next_number=(last or 0) + 1,
                orders=orders,
                accounts=[record for _, record in accounts_of(self._connection)],
                balances=list(balances_of(self._connection)),
            )
        except (sqlite3.Error, *UNDECODABLE) as cause:
            raise _explained(self._path, cause) from cause

    def recall(self, wanted: Wanted) -> Recalled:
        """Return the orders and booked trades on disk that `wanted` names."""
        try:
            numbers = set(wanted.numbers)
            numbers.update(self._keys.numbers_of(wanted.client_keys))
            for key in wanted.exchange_keys:
                account_no = self._account_numbers.get(key.account)
                numbers.update(
                    number
                    for (number,) in self._connection.execute(
                        "SELECT number FROM exchange_ids"
                        " WHERE account_no = ? AND exchange_order_id = ?",
                        (account_no, narrow(key.exchange_order_id)),
                    )
                )
            found = (order_of(self._connection, number) for number in numbers)
            orders = [order for order in found if order is not None]
            return Recalled(orders, {key for key in wanted.trades if self._is_booked(key)})
        except (sqlite3.Error, *UNDECODABLE) as cause:
            raise _explained(self._path, cause) from cause

    def commit(self, unit: Unit) -> None:
        """Make `unit` durable, whole. Raises CommitFailed: the process must then stop."""
        if self._failed is not None:
            raise self._failed
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            rows = self._write(unit)
            self._connection.execute("COMMIT")
        except (
            sqlite3.Error,
            OSError,
            MemoryError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
        ) as cause:
            self._failed = CommitFailed(
                f"{self._path}: a unit of {len(unit.reports)} reports was not made durable:"
                f" {type(cause).__name__}: {cause}; the process must stop and start again"
            )
            raise self._failed from cause
        self.commit_count += 1
        self.rows_written += rows

    def checkpoint_if_due(self) -> bool:
        """Copy the WAL into the file when it is long; say whether that was tried."""
        if self.wal_bytes < CHECKPOINT_BYTES:
            return False
        try:
            is_grown = os.stat(self._wal_path).st_size > TRUNCATE_BYTES
        except OSError as cause:
            raise explained(self._path, cause) from cause
        self.checkpoint("TRUNCATE" if is_grown else "PASSIVE")
        return True

    def checkpoint(self, how: Literal["PASSIVE", "TRUNCATE"]) -> None:
        """Copy the WAL into the file as far as readers allow; TRUNCATE also empties it if they do."""
        try:
            self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        except (sqlite3.Error, OSError) as cause:
            raise explained(self._path, cause) from cause
        self.checkpoint_count += 1

    @property
    def wal_bytes(self) -> int:
        """Bytes of the WAL that are not yet copied into the file."""
        index = os.pread(self._wal_index, 100, 0)
        frames = _word(index, _WAL_INDEX_FRAMES) - _word(index, _WAL_INDEX_BACKFILLED)
        return frames * (self._page_size + 24)

    def close(self) -> None:
        """Copy the WAL into the file, close it and let the folder go."""
        self._connection.close()
        os.close(self._wal_index)
        self._lock.release()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def _write(self, unit: Unit) -> int:
        """Write the unit's rows in the open transaction and return how many there were."""
        self._write_accounts(unit)
        account_numbers = self._account_numbers
        batch = self._batch = self._batch + 1
        rows = self._many(
            "INSERT INTO frames VALUES (?, ?, ?)", [(batch, unit.time_ns, encode(unit.reports))]
        )
        first_sequences: dict[str, int] = {}
        changed: dict[int, set[int]] = {}
        for report in unit.reports:
            if report.account not in first_sequences:
                first_sequences[report.account] = report.sequence
            if type(report) is OrderReport:
                for second in change_seconds(report):
                    changed.setdefault(second, set()).add(report.number)
        rows += self._many(
            "INSERT INTO frame_accounts VALUES (?, ?, ?)",
            [(account_numbers[a], sequence, batch) for a, sequence in first_sequences.items()],
        )
        rows += self._many(
            "INSERT INTO changed VALUES (?, ?, ?)",
            [(second, batch, encode(numbers)) for second, numbers in changed.items()],
        )
        opened = {number for _, number in unit.opened}
        rows += self._many(
            "INSERT INTO orders VALUES (?, ?, ?, zeroblob(128))",
            [(number, batch, encode_order(unit.orders[number])) for number in sorted(opened)],
        )
        updates = [(n, o) for n, o in unit.orders.items() if n not in opened]
        rows += self._many_changing(
            "UPDATE orders SET state = ?, room = NULL WHERE number = ?",
            [(encode_order(order), number) for number, order in updates],
        )
        rows += self._many(
            "INSERT INTO order_frames VALUES (?, ?)", [(n, batch) for n, _ in updates]
        )
        self._keys.add(batch, unit.opened)
        rows += self._many(
            "INSERT OR IGNORE INTO exchange_ids VALUES (?, ?, ?)",
            [
                (account_numbers[k.account], narrow(k.exchange_order_id), n)
                for k, n in unit.identified
            ],
        )
        rows += self._many(
            "INSERT INTO fills VALUES (?, ?, ?)",
            [
                (number, position, encode(fill))
                for number, position, _, fill in unit.booked
                if position >= FILLS_IN_STATE
            ],
        )
        rows += self._many(
            "INSERT INTO trades VALUES (?, ?, ?)",
            [
                (account_numbers[key.account], key.symbol_exchange, narrow(key.trade_id))
                for _, _, key, _ in unit.booked
            ],
        )
        rows += self._many(
            "INSERT OR IGNORE INTO unsettled VALUES (?)", [(number,) for number in unit.unsettled]
        )
        rows += self._many(
            "DELETE FROM unsettled WHERE number = ?", [(number,) for number in unit.settled]
        )
        rows += self._many(
            "INSERT OR REPLACE INTO balances VALUES (?, ?, ?)",
            [
                (account_numbers[account], asset, encode(balance))
                for (account, asset), balance in unit.balances.items()
            ],
        )
        return rows

    def _write_accounts(self, unit: Unit) -> None:
        known = self._account_numbers
        for account, record in unit.accounts.items():
            number = known.get(account)
            if number is None:
                number = known[account] = len(known) + 1
            self._connection.execute(
                "INSERT INTO accounts VALUES (?, ?, ?)"
                " ON CONFLICT (account_no) DO UPDATE SET record = excluded.record",
                (number, account, encode(record)),
            )

    def _many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        if rows:
            self._connection.executemany(sql, rows)
        return len(rows)

    def _many_changing(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run an UPDATE that must find every row."""
        if rows:
            found = self._connection.executemany(sql, rows).rowcount
            if found != len(rows):
                raise ValueError(f"{len(rows)} rows to change, {found} found: {sql}")
        return len(rows)

    # ── recalling ────────────────────────────────────────────────────────────────────────────────

    def _is_booked(self, key: TradeKey) -> bool:
        row = self._connection.execute(
            "SELECT 1 FROM trades WHERE account_no = ? AND symbol = ? AND trade_id = ?",
            (self._account_numbers.get(key.account), key.symbol_exchange, narrow(key.trade_id)),
        ).fetchone()
        return row is not None


def _explained(path: Path, cause: Exception) -> Exception:
    if isinstance(cause, sqlite3.Error | OSError):
        return explained(path, cause)
    return JournalTorn(f"{path}: a row cannot be decoded ({cause}); restore it from a backup")


def _word(data: bytes, offset: int) -> int:
    """Return the 32-bit number at `offset` in the machine's own byte order, as the WAL index has."""
    return int.from_bytes(data[offset : offset + 4], sys.byteorder)
