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

import msgspec

from fairlead.core.identity import client_key
from fairlead.core.model import AccountMode, Balance, Order, Position
from fairlead.core.order import IllegalChange, apply
from fairlead.core.reports import AccountReport, BalanceReport, OrderReport, PositionReport, Report
from fairlead.core.unit import AccountRecord, TradeKey, empty_unit
from fairlead.journal.keys import recent_pairs
from fairlead.journal.opening import FILE_NAME, connect_reader, explained
from fairlead.journal.rows import (
    FILLS_IN_STATE,
    UNDECODABLE,
    Frame,
    accounts_of,
    applied_batch,
    decode_balance,
    decode_frame,
    decode_numbers,
    decode_pairs,
    installation_id_of,
    narrow,
    order_of,
    positions_of,
)
from fairlead.journal.schema import MIGRATIONS, POSITIONS_VERSION, user_version
from fairlead.journal.tail import Tail

_BATCH_MAX = (1 << 63) - 1
DIFFERENCES_MAX = 100  # told in words; the others are counted
_PROGRESS_FRAMES = 256  # between two words on how far it is

Progress = Callable[[int, int], None]  # frames looked at, of how many


def _unheard(_done: int, _count: int) -> None:
    """Nobody wants to know."""


class Verification(msgspec.Struct):
    """What was looked at, and every difference found: the first in words, all of them counted."""

    frames: int = 0
    reports: int = 0
    orders: int = 0
    unsettled: int = 0
    fills: int = 0
    accounts: int = 0
    balances: int = 0
    positions: int = 0
    difference_count: int = 0
    differences: list[str] = msgspec.field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the journal says the same everywhere."""
        return self.difference_count == 0

    def differs(self, text: str) -> None:
        """Count a difference and keep its words while there are few."""
        self.difference_count += 1
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(text)


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
    """One pass over the frames, and what must be remembered on the way."""

    def __init__(
        self, connection: sqlite3.Connection, verification: Verification, on_progress: Progress
    ) -> None:
        self._connection = connection
        self._found = verification
        self._on_progress = on_progress
        self._frame_count = 0
        self._orders: dict[int, Order] = {}  # not yet compared
        self._batches: dict[int, list[int]] = {}  # the frames of each of those
        self._sequences: dict[str, int] = {}
        self._modes: dict[str, AccountMode] = {}
        self._balances: dict[tuple[str, str], Balance] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._numbers_end = 1  # opened so far: all from 1 up to here
        self._exchange_ids = self._story_rows = self._changed_rows = self._account_rows = 0
        self._later_fills = 0
        self._records: dict[str, AccountRecord] = {}
        self._unsettled_now: set[int] = set()
        self._trades_after: set[TradeKey] = set()
        self._applied = 0
        self._group = Tail(0)  # of what one application wrote: only changed and frame_accounts
        self._account_numbers: dict[str, int] = {}
        self._unsettled: set[int] = set()
        self._recent: dict[int, set[int]] = {}
        self._installation_id = b""

    def run(self) -> None:
        run = self._connection.execute
        installation_id = installation_id_of(self._connection)
        if installation_id is None:
            self._found.differs("meta: installation_id is missing")
            return
        self._installation_id = installation_id
        (self._frame_count,) = run("SELECT coalesce(max(batch), 0) FROM frames").fetchone()
        accounts = dict(accounts_of(self._connection))
        self._account_numbers = {record.account: no for no, record in accounts.items()}
        self._unsettled = {number for (number,) in run("SELECT number FROM unsettled")}
        for key, number in recent_pairs(self._connection):
            self._recent.setdefault(key, set()).add(number)
        self._applied = applied_batch(self._connection)
        self._replay_applied(list(accounts.values()))
        self._replay_frames(self._applied, self._follow_frame)
        self._found.unsettled = len(self._unsettled_now)
        self._found.accounts = len(self._records)
        self._found.balances = len(self._balances)
        self._found.positions = len(self._positions)

    # ── the pass ─────────────────────────────────────────────────────────────────────────────────

    def _replay_applied(self, records: list[AccountRecord]) -> None:
        """Follow the frames that are in the tables, and compare all of the tables with them."""
        ends = self._connection.execute("SELECT batch FROM applied ORDER BY batch")
        start = 0
        for (end,) in ends.fetchall():
            self._group = Tail(start)
            self._replay_frames(start, self._follow_applied, end)
            self._compare_group(end)
            start = end
        still_owed = dict(self._orders)
        for number in still_owed:
            self._compare_order(number)
        self._compare_accounts(records)
        self._compare_balances()
        self._compare_positions()
        self._compare_counts()
        self._orders = still_owed

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
            self._follow_accounts(batch, frame)
        if end is not None and expected != end + 1:
            self._lost(end + 1, expected)

    def _lost(self, batch: int, expected: int) -> None:
        self._found.differs(f"frame {batch}: follows {expected - 1}; frames are lost between")

    def _follow_applied(self, batch: int, frame: Frame) -> None:
        """Follow a frame that is in the tables."""
        self._group.last = batch - 1  # frames may be missing
        unit = empty_unit(0)
        unit.reports = frame.reports
        self._group.add(batch, unit, 0)
        numbers: dict[int, None] = {}  # in order, once each
        for report in frame.reports:
            self._follow_report(batch, report)
            if isinstance(report, OrderReport):
                numbers[report.number] = None
                order = self._orders.get(report.number)
                if order is None and report.opened is None and report.number < self._numbers_end:
                    self._found.differs(
                        f"order {report.number}: frame {batch} goes on after the row said it was"
                        " finished"
                    )
                else:
                    self._follow_order(batch, report, order)
        for number in numbers:
            self._settle(number)

    def _follow_frame(self, batch: int, frame: Frame) -> None:
        """Follow a frame that is not in the tables yet."""
        for report in frame.reports:
            self._follow_report(batch, report)
            if isinstance(report, OrderReport):
                order = self._orders.get(report.number)
                if order is None and report.opened is None:
                    order = self._stored(report.number)
                self._follow_order(batch, report, order)

    def _follow_report(self, batch: int, report: Report) -> None:
        self._found.reports += 1
        expected = self._sequences.get(report.account, 0) + 1
        if report.sequence != expected:
            self._found.differs(
                f"account {report.account}: sequence {report.sequence} in frame {batch} where"
                f" {expected} was due"
            )
        self._sequences[report.account] = report.sequence
        if isinstance(report, BalanceReport):
            self._balances[report.account, report.balance.asset] = report.balance
        elif isinstance(report, PositionReport):
            self._positions[report.account, report.position.symbol] = report.position
        elif isinstance(report, AccountReport):
            self._modes[report.account] = report.mode

    def _follow_accounts(self, batch: int, frame: Frame) -> None:
        for record in frame.accounts:
            self._records[record.account] = record
            self._compare_with_reports(record, f" in frame {batch}")

    def _follow_order(self, batch: int, report: OrderReport, before: Order | None) -> None:
        number = report.number
        try:
            order = self._orders[number] = apply(before, report)
        except (IllegalChange, ArithmeticError) as cause:
            self._found.differs(f"order {number}: frame {batch}: {cause}")
            return
        (self._unsettled_now.discard if order.is_settled else self._unsettled_now.add)(number)
        if report.opened is not None:
            self._found.orders += 1
            if number != self._numbers_end:
                self._found.differs(
                    f"order {number}: opened in frame {batch} where {self._numbers_end} was due"
                )
            self._numbers_end = max(self._numbers_end, number + 1)
        if report.fill is not None:
            self._found.fills += 1
            self._follow_trade(batch, order, report.fill.trade_id)
        if batch > self._applied:
            return
        batches = self._batches.setdefault(number, [])
        if not batches or batches[-1] != batch:
            batches.append(batch)
        exchange_id = order.exchange_order_id
        if exchange_id is not None and (before is None or before.exchange_order_id is None):
            self._compare_exchange_id(order, exchange_id)

    def _follow_trade(self, batch: int, order: Order, trade_id: str) -> None:
        account_no = self._account_numbers.get(order.account)
        key = (account_no, order.symbol_exchange, narrow(trade_id))
        has = self._has("trades WHERE account_no = ? AND symbol = ? AND trade_id = ?", key)
        if batch <= self._applied:
            if not has:
                self._found.differs(f"order {order.number}: trade {trade_id} is not remembered")
            return
        after = TradeKey(order.account, order.symbol_exchange, trade_id)
        if has or after in self._trades_after:
            self._found.differs(f"order {order.number}: frame {batch} books trade {trade_id} again")
        self._trades_after.add(after)

    def _settle(self, number: int) -> None:
        """Compare and forget an order that is settled and does not change any more."""
        order = self._orders.get(number)
        if order is None or not order.is_settled:
            return
        stored = self._stored(number)
        if stored is None or stored.sequence <= order.sequence:
            self._compare_order(number)

    # ── comparing ────────────────────────────────────────────────────────────────────────────────

    def _stored(self, number: int) -> Order | None:
        try:
            return order_of(self._connection, number)
        except UNDECODABLE as cause:
            self._found.differs(f"order {number}: its row cannot be decoded: {cause}")
            return None

    def _compare_order(self, number: int) -> None:
        order = self._orders.pop(number)
        batches = self._batches.pop(number, [])  # none: the table `applied` contradicts itself
        stored = self._stored(number)
        found = self._found
        self._later_fills += max(0, len(order.fills) - FILLS_IN_STATE)
        self._story_rows += len(batches) - 1
        if stored is None:
            found.differs(f"order {number} ({_ids(order)}): has no row that can be read")
        elif stored != order:
            for name in order.__struct_fields__:
                said, kept = getattr(order, name), getattr(stored, name)
                if said != kept:
                    found.differs(
                        f"order {number} ({_ids(order)}): {name} is {kept!r}, its reports make it"
                        f" {said!r}"
                    )
        if (number in self._unsettled) == order.is_settled:
            said = "is settled" if order.is_settled else "is not settled"
            found.differs(f"order {number} ({_ids(order)}): {said}, table unsettled says otherwise")
        self._unsettled.discard(number)
        self._compare_story(number, batches)
        key = client_key(self._installation_id, order.account, order.client_order_id)
        if number not in self._recent.get(key, ()) and not self._has(
            "client_keys WHERE key = ? AND number = ?", (key, number)
        ):
            found.differs(f"order {number} ({_ids(order)}): its client key {key} is not remembered")

    def _compare_story(self, number: int, batches: list[int]) -> None:
        run = self._connection.execute
        kept = [b for (b,) in run("SELECT opened_batch FROM orders WHERE number = ?", (number,))]
        sql = "SELECT batch FROM order_frames WHERE number = ? ORDER BY batch"
        kept += [batch for (batch,) in run(sql, (number,))]
        if kept != batches:
            self._found.differs(f"order {number}: frames {batches} tell of it, index says {kept}")

    def _compare_exchange_id(self, order: Order, exchange_id: str) -> None:
        self._exchange_ids += 1
        key = (self._account_numbers.get(order.account), narrow(exchange_id), order.number)
        where = "exchange_ids WHERE account_no = ? AND exchange_order_id = ? AND number = ?"
        if not self._has(where, key):
            self._found.differs(
                f"order {order.number}: exchange id {exchange_id} is not remembered"
            )

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

    def _compare_accounts(self, records: list[AccountRecord]) -> None:
        known = set()
        for record in records:
            known.add(record.account)
            self._compare_with_reports(record, "")
            said = self._records.get(record.account)
            if record != said:
                self._found.differs(
                    f"account {record.account}: is {record}, its last frame says {said}"
                )
        for account in sorted(self._sequences.keys() - known):
            self._found.differs(f"account {account}: has reports and no row")

    def _compare_with_reports(self, record: AccountRecord, where: str) -> None:
        sequence = self._sequences.get(record.account, 0)
        if record.sequence != sequence:
            self._found.differs(
                f"account {record.account}: sequence {record.sequence}{where}, its last report has"
                f" {sequence}"
            )
        mode = self._modes.get(record.account, AccountMode.ACTIVE)
        if record.mode is not mode:
            self._found.differs(
                f"account {record.account}: mode {record.mode}{where}, its reports make it {mode}"
            )

    def _compare_balances(self) -> None:
        sql = "SELECT exchange_id, asset, data FROM balances JOIN accounts USING (account_no)"
        rows = {
            (a, asset): decode_balance(data) for a, asset, data in self._connection.execute(sql)
        }
        for account, asset in sorted(rows.keys() | self._balances.keys()):
            kept, said = rows.get((account, asset)), self._balances.get((account, asset))
            if kept is None or said is None:
                where = "no row" if kept is None else "no report"
                self._found.differs(f"account {account}: balance of {asset} has {where}")
                continue
            for name in ("asset", "total", "locked", "traded", "locked_elsewhere"):
                if getattr(kept, name) != getattr(said, name):
                    self._found.differs(
                        f"account {account}: {name} of {asset} is {getattr(kept, name)}, its last"
                        f" report says {getattr(said, name)}"
                    )

    def _compare_positions(self) -> None:
        if not self._has_positions():
            return
        rows = {
            (account, position.symbol): position
            for account, position in positions_of(self._connection)
        }
        for account, symbol in sorted(rows.keys() | self._positions.keys()):
            kept, said = rows.get((account, symbol)), self._positions.get((account, symbol))
            if kept != said:
                self._found.differs(
                    f"account {account}: position in {symbol} is {kept}, its last report says {said}"
                )

    def _has_positions(self) -> bool:
        """Whether the file is of a version that has positions; before, there were no reports of any."""
        return user_version(self._connection) >= POSITIONS_VERSION

    def _compare_counts(self) -> None:
        """What no report asked for: rows beyond those that were looked up."""
        for number in sorted(self._unsettled):
            self._found.differs(f"order {number}: in table unsettled, and no report opened it")
        for table, expected in (
            ("orders", self._found.orders),
            ("fills", self._later_fills),
            ("trades", self._found.fills),
            ("exchange_ids", self._exchange_ids),
            ("order_frames", self._story_rows),
            ("changed", self._changed_rows),
            ("frame_accounts", self._account_rows),
        ):
            (count,) = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            if count != expected:
                self._found.differs(f"table {table}: has {count} rows, the reports make {expected}")
        sql = "SELECT count(*) FROM client_keys WHERE number >= ? OR number < 1"
        (count,) = self._connection.execute(sql, (self._numbers_end,)).fetchone()
        if count:
            self._found.differs(f"table client_keys: {count} rows belong to no order")

    def _has(self, where: str, key: tuple[object, ...]) -> bool:
        sql = f"SELECT 1 FROM {where}"  # noqa: S608 - the callers' own text
        return self._connection.execute(sql, key).fetchone() is not None


def _ids(order: Order) -> str:
    return f"{order.account} {order.client_order_id}"
