"""The journal's writer: what the sequencer commits to, recalls from and starts with.

A commit is one row of the log (`frames`) and a sync of the WAL (wal.py); the tables follow in bulk (tail.py,
applying.py). One connection writes and checkpoints, nobody else does. Must never decide: a unit is written as
it is, whole, fsynced, or `CommitFailed` is raised and the process stops.
"""

import math
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from fairlead.core.order import IllegalChange
from fairlead.core.unit import Recalled, Restored, TradeKey, Unit, Wanted, trade_keys
from fairlead.journal.applying import apply_tail
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
    UNDECODABLE,
    Frame,
    accounts_of,
    applied_batch,
    balances_of,
    decode_frame,
    encode,
    installation_id_of,
    narrow,
    positions_of,
    whole_order,
)
from fairlead.journal.schema import MIGRATIONS, Migration
from fairlead.journal.tail import Tail, order_now, unit_of
from fairlead.journal.wal import Wal

APPLY_ORDERS = 256  # changed and not in the tables yet
APPLY_BYTES = 1 << 20  # of frames not in the tables yet: readers read them again
CHECKPOINT_BYTES = 8 << 20  # of the WAL not yet copied into the file
TRUNCATE_BYTES = 64 << 20  # of the WAL file itself: it grew because a reader was slow
CACHE_BYTES = 16 << 20

_INSERT_FRAME = "INSERT INTO frames VALUES (?, ?, ?)"
_FAILURES = (
    sqlite3.Error,
    OSError,
    MemoryError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
)
_PAGES_BESIDES = 8  # more than a row of the log dirties besides the pages that it fills


class Prepared(msgspec.Struct, frozen=True):
    """A unit and the row of the log that will hold it."""

    unit: Unit
    batch: int
    data: bytes


class Journal:
    """An open journal. Use from one thread at a time; it need not be the one that opened it.

    Close every `JournalReader` of this process before it: closing drops the file's POSIX locks.
    Attributes for metrics: `commit_count`, `rows_written`, `apply_count`, `checkpoint_count`,
    `wal_bytes` (not yet copied into the file).
    """

    wal_class = Wal

    def __init__(self, folder: Path, lock: FolderLock, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.commit_count = 0
        self.rows_written = 0
        self.apply_count = 0
        self.checkpoint_count = 0
        self._path = folder / FILE_NAME
        self._lock = lock
        self._connection = connection
        self._highest_trades: dict[tuple[str, str], float] = {}
        self._failed: CommitFailed | None = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",  # commits are synced by `sync`
            "wal_autocheckpoint = 0",
            "secure_delete = OFF",
            "mmap_size = 0",
            "busy_timeout = 0",  # nobody else writes; a truncating checkpoint must not wait for readers
            f"cache_size = -{CACHE_BYTES >> 10}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        self._page_size: int
        (self._page_size,) = connection.execute("PRAGMA page_size").fetchone()
        installation_id = installation_id_of(connection)
        if installation_id is None or len(installation_id) != INSTALLATION_ID_LENGTH:
            raise JournalTorn(f"{self._path}: has no installation_id; restore it from a backup")
        self.installation_id = installation_id
        accounts = list(accounts_of(connection))
        self._account_numbers = {record.account: no for no, record in accounts}
        self._sequences = {record.account: record.sequence for _, record in accounts}
        (last,) = connection.execute("SELECT max(number) FROM orders").fetchone()
        self._next_number: int = (last or 0) + 1
        self._tail = Tail(applied_batch(connection))
        self._keys = ClientKeys(connection, self._tail.base)
        self._replay()
        self._wal_bytes_most = CHECKPOINT_BYTES  # at most so many, since it was looked at
        self._wal = self.wal_class(self._path, self._page_size)
        self._wal.sync_anew()  # of what was replayed, an earlier process may only have written some

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
        self.apply()
        run = self._connection.execute
        try:
            unsettled = "SELECT state FROM unsettled JOIN orders USING (number) ORDER BY number"
            states = run(unsettled).fetchall()
            orders = [whole_order(self._connection, state) for (state,) in states]
            return Restored(
                installation_id=self.installation_id,
                next_number=self._next_number,
                orders=orders,
                accounts=[record for _, record in accounts_of(self._connection)],
                balances=list(balances_of(self._connection)),
                positions=list(positions_of(self._connection)),
            )
        except (sqlite3.Error, *UNDECODABLE) as cause:
            raise _explained(self._path, cause) from cause

    def recall(self, wanted: Wanted) -> Recalled:
        """Return the durable orders and booked trades that `wanted` names."""
        try:
            numbers = self._tail.numbers_of(wanted.client_keys, wanted.exchange_keys)
            numbers |= wanted.numbers
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
            found = (order_now(self._connection, self._tail, number) for number in numbers)
            orders = [order for order in found if order is not None]
            return Recalled(orders, {key for key in wanted.trades if self._is_booked(key)})
        except (sqlite3.Error, *UNDECODABLE) as cause:
            raise _explained(self._path, cause) from cause

    def commit(self, unit: Unit) -> None:
        """Make `unit` durable, whole. Raises CommitFailed: the process must then stop.

        The same as `prepare`, `write`, `sync`, `keep` in a row.
        """
        prepared = self.prepare(unit)
        self.write(prepared)
        self.sync()
        self.keep(prepared)

    def prepare(self, unit: Unit) -> "Prepared":
        """Return the row that will hold `unit`. Raises CommitFailed when it contradicts the log."""
        if self._failed is not None:
            raise self._failed
        try:
            self._check(unit)
            data = encode(Frame(unit.reports, list(unit.accounts.values())))
        except _FAILURES as cause:
            raise self._failure(f"a unit of {len(unit.reports)} reports", cause) from cause
        return Prepared(unit, self._tail.last + 1, data)

    def write(self, prepared: "Prepared") -> None:
        """Write the row; `sync` makes it durable, and must follow before anything else is written.

        Readers see it at once. Raises CommitFailed.
        """
        row = (prepared.batch, prepared.unit.time_ns, prepared.data)
        try:
            self._connection.execute(_INSERT_FRAME, row)
            self._wal.begin_sync()
        except _FAILURES as cause:
            raise self._failure(f"a unit of {len(prepared.unit.reports)} reports", cause) from cause

    def sync(self) -> None:
        """Make what was written durable; may run in another thread, alone. Raises CommitFailed."""
        try:
            self._wal.sync()
        except OSError as cause:
            raise self._failure("the last unit", cause) from cause

    def keep(self, prepared: "Prepared") -> None:
        """Remember what is written now, until the tables have it."""
        size = len(prepared.data)
        self._keep(prepared.batch, prepared.unit, size)
        self._wal_bytes_most += (size // self._page_size + _PAGES_BESIDES) * self._page_size
        self.commit_count += 1
        self.rows_written += 1

    def _failure(self, what: str, cause: Exception) -> CommitFailed:
        self._failed = CommitFailed(
            f"{self._path}: {what} was not made durable:"
            f" {type(cause).__name__}: {cause}; the process must stop: see that the disk takes writes,"
            " then start again"
        )
        return self._failed

    def tidy_if_due(self) -> bool:
        """Do one step of what commits leave to be done, if one is due; say whether it was tried.

        Either the tables are brought up to the last commit, or the WAL is copied into the file. Raises
        JournalError: the process must then stop.
        """
        if len(self._tail.orders) >= APPLY_ORDERS or self._tail.size >= APPLY_BYTES:
            self.apply()
            return True
        if self._wal_bytes_most < CHECKPOINT_BYTES:
            return False
        self._wal_bytes_most = self.wal_bytes
        if self._wal_bytes_most < CHECKPOINT_BYTES:
            return False
        try:
            is_grown = self._wal.size > TRUNCATE_BYTES
        except OSError as cause:
            raise explained(self._path, cause) from cause
        self.checkpoint("TRUNCATE" if is_grown else "PASSIVE")
        return True

    def apply(self) -> None:
        """Bring the tables up to the last commit. Raises CommitFailed: the process must then stop."""
        if self._failed is not None:
            raise self._failed
        tail = self._tail
        if tail.last == tail.base:
            return
        try:
            self.rows_written += apply_tail(
                self._connection, tail, self._account_numbers, self._keys
            )
        except _FAILURES as cause:
            self._failed = CommitFailed(
                f"{self._path}: frames {tail.base + 1} to {tail.last} are durable, but were not"
                f" brought into the tables: {type(cause).__name__}: {cause}; the process must stop"
                " and start again"
            )
            raise self._failed from cause
        self._tail = Tail(tail.last)
        self._wal_bytes_most = CHECKPOINT_BYTES  # or less: look
        self.apply_count += 1

    def checkpoint(self, how: Literal["PASSIVE", "TRUNCATE"]) -> None:
        """Copy the WAL into the file as far as readers allow; TRUNCATE also empties it if they do."""
        try:
            self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        except (sqlite3.Error, OSError) as cause:
            self._failed = CommitFailed(f"{self._path}: a checkpoint failed; the process must stop")
            raise explained(self._path, cause) from cause
        self.checkpoint_count += 1

    @property
    def wal_bytes(self) -> int:
        """Bytes of the WAL that are not yet copied into the file."""
        return self._wal.uncopied_bytes

    def close(self) -> None:
        """Bring the tables up to date, copy the WAL into the file, close it, let the folder go."""
        try:
            if self._failed is None:
                self.apply()
        finally:
            self._connection.close()
            self._wal.close()
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

    def _check(self, unit: Unit) -> None:
        """Refuse what could not be applied: once it is durable it would be too late."""
        moved = 0
        for account, record in unit.accounts.items():
            moved += record.sequence - self._sequences.get(account, 0)
        if moved != len(unit.reports):
            raise ValueError(f"{len(unit.reports)} reports, and sequences move by {moved}")
        next_number = self._next_number
        for _, number in unit.opened:
            if number != next_number:
                raise ValueError(f"order {number} is opened where {next_number} was due")
            next_number += 1
        if unit.orders and max(unit.orders) >= next_number:
            raise ValueError(f"order {max(unit.orders)} was never opened")
        if unit.booked:
            trades = trade_keys(unit.booked)
            if len(trades) != len(unit.booked) or any(map(self._is_booked, trades)):
                ids = sorted(key.trade_id for key in trades)
                raise ValueError(f"a trade is booked twice: {ids}")

    def _keep(self, batch: int, unit: Unit, size: int) -> None:
        """Have the tail say what the frame on disk says."""
        self._tail.add(batch, unit, size)
        for _, _, key, _ in unit.booked:
            market = _market(key)
            known = self._highest_trades.get(market)
            if known is not None:
                self._highest_trades[market] = _highest([known, narrow(key.trade_id)])
        self._next_number += len(unit.opened)
        for account, record in unit.accounts.items():
            self._sequences[account] = record.sequence
            if account not in self._account_numbers:
                self._account_numbers[account] = len(self._account_numbers) + 1

    def _replay(self) -> None:
        """Read the frames that a crash kept from the tables. Restores, never decides."""
        sql = "SELECT batch, time_ns, data FROM frames WHERE batch > ? ORDER BY batch"
        for batch, time_ns, data in self._connection.execute(sql, (self._tail.base,)).fetchall():
            if batch != self._tail.last + 1:
                raise JournalTorn(
                    f"{self._path}: frame {self._tail.last + 1} is missing; run `fairlead verify`"
                )
            try:
                unit = unit_of(
                    self._connection, self._tail, self.installation_id, time_ns, decode_frame(data)
                )
                self._check(unit)
            except (IllegalChange, ArithmeticError, *UNDECODABLE) as cause:
                raise JournalTorn(
                    f"{self._path}: frame {batch} makes no sense ({cause}); run `fairlead verify`"
                ) from cause
            self._keep(batch, unit, len(data))

    # ── recalling ────────────────────────────────────────────────────────────────────────────────

    def _is_booked(self, key: TradeKey) -> bool:
        trade_id = narrow(key.trade_id)
        if isinstance(trade_id, int) and trade_id > self._highest_trade(key):
            return False
        if key in self._tail.trades:
            return True
        row = self._connection.execute(
            "SELECT 1 FROM trades WHERE account_no = ? AND symbol = ? AND trade_id = ?",
            (self._account_numbers.get(key.account), key.symbol_exchange, trade_id),
        ).fetchone()
        return row is not None

    def _highest_trade(self, key: TradeKey) -> float:
        """Return a number that no booked trade id of the market is above; most ids only grow."""
        market = (key.account, key.symbol_exchange)
        highest = self._highest_trades.get(market)
        if highest is None:
            (highest,) = self._connection.execute(
                "SELECT max(trade_id) FROM trades WHERE account_no = ? AND symbol = ?",
                (self._account_numbers.get(key.account), key.symbol_exchange),
            ).fetchone()
            ids = [
                narrow(trade.trade_id) for trade in self._tail.trades if _market(trade) == market
            ]
            highest = _highest([*ids, 0 if highest is None else highest])
            self._highest_trades[market] = highest
        return highest


def _market(key: TradeKey) -> tuple[str, str]:
    return key.account, key.symbol_exchange


def _highest(ids: list[int | float | str]) -> float:
    """Return the highest of numeric ids; infinity where one is not a number, so that all are looked up."""
    numbers = [each for each in ids if not isinstance(each, str)]
    return max(numbers) if len(numbers) == len(ids) else math.inf


def _explained(path: Path, cause: Exception) -> Exception:
    if isinstance(cause, sqlite3.Error | OSError):
        return explained(path, cause)
    return JournalTorn(f"{path}: a row cannot be decoded ({cause}); restore it from a backup")
