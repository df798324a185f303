"""Orders by their reports, each compared with its row and indexes and forgotten once it is settled."""

import sqlite3
from collections.abc import Mapping

from fairlead.core.identity import client_key
from fairlead.core.model import Order
from fairlead.core.order import IllegalChange, apply
from fairlead.core.reports import OrderReport
from fairlead.core.unit import TradeKey
from fairlead.journal.keys import recent_pairs
from fairlead.journal.rows import FILLS_IN_STATE, UNDECODABLE, narrow, order_of
from fairlead.journal.verification import Verification


class OrdersReplayed:
    """What the frames so far make of the orders; differences go to `found`.

    `account_numbers` are those of the tables, `applied` is the last frame that is in them.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        found: Verification,
        installation_id: bytes,
        account_numbers: Mapping[str, int],
        applied: int,
    ) -> None:
        self._connection = connection
        self._found = found
        self._installation_id = installation_id
        self._account_numbers = account_numbers
        self._applied = applied
        self._orders: dict[int, Order] = {}  # not yet compared
        self._batches: dict[int, list[int]] = {}  # the frames of each of those
        self._numbers_end = 1  # opened so far: all from 1 up to here
        self._exchange_ids = self._story_rows = self._later_fills = 0
        self._unsettled_now: set[int] = set()
        self._trades_after: set[TradeKey] = set()
        rows = connection.execute("SELECT number FROM unsettled")
        self._unsettled = {number for (number,) in rows}
        self._recent: dict[int, set[int]] = {}
        for key, number in recent_pairs(connection):
            self._recent.setdefault(key, set()).add(number)

    # ── following ────────────────────────────────────────────────────────────────────────────────

    def follow_applied(self, batch: int, report: OrderReport) -> None:
        """Follow a report of a frame that is in the tables."""
        order = self._orders.get(report.number)
        if order is None and report.opened is None and report.number < self._numbers_end:
            self._found.differs(
                f"order {report.number}: frame {batch} goes on after the row said it was finished"
            )
        else:
            self._follow(batch, report, order)

    def follow_later(self, batch: int, report: OrderReport) -> None:
        """Follow a report of a frame that is not in the tables yet."""
        order = self._orders.get(report.number)
        if order is None and report.opened is None:
            order = self._stored(report.number)
        self._follow(batch, report, order)

    def settle(self, number: int) -> None:
        """Compare and forget an order that is settled and does not change any more."""
        order = self._orders.get(number)
        if order is None or not order.is_settled:
            return
        stored = self._stored(number)
        if stored is None or stored.sequence <= order.sequence:
            self._compare_order(number)

    def count(self) -> None:
        """Say how many are not settled."""
        self._found.unsettled = len(self._unsettled_now)

    def _follow(self, batch: int, report: OrderReport, before: Order | None) -> None:
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

    # ── comparing ────────────────────────────────────────────────────────────────────────────────

    def compare_rest(self) -> None:
        """Compare those that something is still owed to, and go on following them."""
        still_owed = dict(self._orders)
        for number in still_owed:
            self._compare_order(number)
        self._orders = still_owed

    def compare_rows_of_none(self) -> None:
        """Say which rows belong to no order that a report opened."""
        for number in sorted(self._unsettled):
            self._found.differs(f"order {number}: in table unsettled, and no report opened it")
        sql = "SELECT count(*) FROM client_keys WHERE number >= ? OR number < 1"
        (count,) = self._connection.execute(sql, (self._numbers_end,)).fetchone()
        if count:
            self._found.differs(f"table client_keys: {count} rows belong to no order")

    def rows(self) -> dict[str, int]:
        """Return how many rows the orders' tables must have."""
        return {
            "orders": self._found.orders,
            "fills": self._later_fills,
            "trades": self._found.fills,
            "exchange_ids": self._exchange_ids,
            "order_frames": self._story_rows,
        }

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

    def _stored(self, number: int) -> Order | None:
        try:
            return order_of(self._connection, number)
        except UNDECODABLE as cause:
            self._found.differs(f"order {number}: its row cannot be decoded: {cause}")
            return None

    def _has(self, where: str, key: tuple[object, ...]) -> bool:
        sql = f"SELECT 1 FROM {where}"  # noqa: S608 - the callers' own text
        return self._connection.execute(sql, key).fetchone() is not None


def _ids(order: Order) -> str:
    return f"{order.account} {order.client_order_id}"
