"""`fairlead verify`: applies every report again and says where the tables differ.

The frames are the truth; each other row follows from them. They are streamed in one pass: an order
is compared and forgotten once it is settled as its row says, so that memory holds the unsettled
ones. The tables are compared as of the last frame that was applied to them; those after it must still
follow from what was before. Works on a stopped journal, and read-only on a running one: it sees one
moment of it, and the WAL grows while it looks. Must never write.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from fairlead.core.reports import OrderReport
from fairlead.core.unit import AccountRecord, empty_unit
from fairlead.journal.opening import FILE_NAME, connect_reader, explained
from fairlead.journal.rows import (
    UNDECODABLE,
    Frame,
    accounts_of,
    applied_batch,
    decode_frame,
    decode_numbers,
    decode_pairs,
    installation_id_of,
)
from fairlead.journal.schema import MIGRATIONS
from fairlead.journal.tail import Tail
from fairlead.journal.verification import Verification
from fairlead.journal.verify_accounts import AccountsReplayed
from fairlead.journal.verify_orders import OrdersReplayed

_BATCH_MAX = (1 << 63) - 1
_PROGRESS_FRAMES = 256  # between two words on how far it is

Progress = Callable[[int, int], None]  # frames looked at, of how many


def _unheard(_done: int, _count: int) -> None:
    """Nobody wants to know."""


def verify(folder: Path, on_progress: Progress = _unheard) -> Verification:
    """Compare all of the journal in `folder` with its own reports; `on_progress` hears how far it is.

    Raises JournalError when it cannot be read as a journal at all; damage found later is a
    difference.
    """
    connection = connect_reader(folder, len(MIGRATIONS))
    verification = Verification()
    try:
        connection.execute("BEGIN")
        try:
            for (line,) in connection.execute("PRAGMA integrity_check(20)"):
                if line != "ok":
                    verification.differs(f"SQLite integrity: {line}")
            _Replay(connection, verification, on_progress).run()
        except sqlite3.Error as cause:
            verification.differs(f"cannot be read on: {explained(folder / FILE_NAME, cause)}")
        except UNDECODABLE as cause:
            verification.differs(f"a row cannot be decoded: {cause}")
    finally:
        connection.close()
    return verification


class _Replay:
    """One pass over the frames; what must be remembered of orders and accounts, those remember."""

    def __init__(
        self, connection: sqlite3.Connection, verification: Verification, on_progress: Progress
    ) -> None:
        self._connection = connection
        self._found = verification
        self._on_progress = on_progress
        self._accounts = AccountsReplayed(connection, verification)
        self._account_numbers: dict[str, int] = {}
        self._frame_count = 0
        self._changed_rows = self._account_rows = 0
        self._group = Tail(0)  # of what one application wrote: only changed and frame_accounts

    def run(self) -> None:
        run = self._connection.execute
        installation_id = installation_id_of(self._connection)
        if installation_id is None:
            self._found.differs("meta: installation_id is missing")
            return
        (self._frame_count,) = run("SELECT coalesce(max(batch), 0) FROM frames").fetchone()
        accounts = dict(accounts_of(self._connection))
        self._account_numbers = {record.account: no for no, record in accounts.items()}
        applied = applied_batch(self._connection)
        orders = OrdersReplayed(
            self._connection, self._found, installation_id, self._account_numbers, applied
        )
        self._replay_applied(orders, list(accounts.values()))
        self._replay_frames(applied, lambda batch, frame: self._follow_later(orders, batch, frame))
        orders.count()
        self._accounts.count()

    # ── the pass ─────────────────────────────────────────────────────────────────────────────────

    def _replay_applied(self, orders: OrdersReplayed, records: list[AccountRecord]) -> None:
        """Follow the frames that are in the tables, and compare all of the tables with them."""
        ends = self._connection.execute("SELECT batch FROM applied ORDER BY batch")
        start = 0
        for (end,) in ends.fetchall():
            self._group = Tail(start)
            self._replay_frames(
                start, lambda batch, frame: self._follow_applied(orders, batch, frame), end
            )
            self._compare_group(end)
            start = end
        orders.compare_rest()
        self._accounts.compare(records)
        orders.compare_rows_of_none()
        self._compare_counts(orders.rows())

    def _replay_frames(
        self, start: int, follow: Callable[[int, Frame], None], end: int | None = None
    ) -> None:
        sql = "SELECT batch, data FROM frames WHERE batch > ? AND batch <= ? ORDER BY batch"
        expected = start + 1
        last = end if end is not None else _BATCH_MAX
        for batch, data in self._connection.execute(sql, (start, last)):
            if batch != expected:
                self._lost(batch, expected)
            expected = batch + 1
            self._found.frames += 1
            if self._found.frames % _PROGRESS_FRAMES == 0:
                self._on_progress(self._found.frames, self._frame_count)
            try:
                frame = decode_frame(data)
            except UNDECODABLE as cause:
                self._found.differs(f"frame {batch}: cannot be decoded: {cause}")
                continue
            follow(batch, frame)
            self._accounts.follow_records(batch, frame)
        if end is not None and expected != end + 1:
            self._lost(end + 1, expected)

    def _lost(self, batch: int, expected: int) -> None:
        self._found.differs(f"frame {batch}: follows {expected - 1}; frames are lost between")

    def _follow_applied(self, orders: OrdersReplayed, batch: int, frame: Frame) -> None:
        """Follow a frame that is in the tables."""
        self._group.last = batch - 1  # frames may be missing
        unit = empty_unit(0)
        unit.reports = frame.reports
        self._group.add(batch, unit, 0)
        numbers: dict[int, None] = {}  # in order, once each
        for report in frame.reports:
            self._accounts.follow(batch, report)
            if isinstance(report, OrderReport):
                numbers[report.number] = None
                orders.follow_applied(batch, report)
        for number in numbers:
            orders.settle(number)

    def _follow_later(self, orders: OrdersReplayed, batch: int, frame: Frame) -> None:
        """Follow a frame that is not in the tables yet."""
        for report in frame.reports:
            self._accounts.follow(batch, report)
            if isinstance(report, OrderReport):
                orders.follow_later(batch, report)

    # ── comparing ────────────────────────────────────────────────────────────────────────────────

    def _compare_group(self, end: int) -> None:
        """Compare what one application, ending with frame `end`, wrote of its frames together."""
        run = self._connection.execute
        self._changed_rows += len(self._group.changed)
        self._account_rows += len(self._group.frame_accounts)
        for second, numbers in self._group.changed.items():
            sql = "SELECT numbers FROM changed WHERE second = ? AND batch = ?"
            row = run(sql, (second, end)).fetchone()
            kept = set(decode_numbers(row[0])) if row is not None else set()
            for number in sorted(numbers ^ kept):
                self._found.differs(
                    f"order {number}: history of second {second}, frames up to {end}"
                )
        for account, frames in self._group.frame_accounts.items():
            sql = "SELECT frames FROM frame_accounts WHERE account_no = ? AND first_sequence = ?"
            row = run(sql, (self._account_numbers.get(account), frames[0][0])).fetchone()
            kept_frames = [] if row is None else decode_pairs(row[0])
            for sequence, batch in sorted(set(frames) ^ set(kept_frames)):
                self._found.differs(
                    f"account {account}: sequence {sequence} is not indexed in frame {batch}"
                )

    def _compare_counts(self, rows_of_orders: dict[str, int]) -> None:
        """Find rows that no report asked for, beyond those that were looked up."""
        expected = rows_of_orders | {
            "changed": self._changed_rows,
            "frame_accounts": self._account_rows,
        }
        for table, most in expected.items():
            (count,) = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
            if count != most:
                self._found.differs(f"table {table}: has {count} rows, the reports make {most}")
