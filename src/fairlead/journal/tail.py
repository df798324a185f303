"""The tail: what is committed and not yet in the tables, and the bulk of rows it will become.

The frames are the log; the tables are derived from them, for many commits at once. In between the
tail answers for what the tables do not say yet, to the writer and, rebuilt from the frames, to each
reader. Must never write, and never decide: what it holds was decided.
"""

import sqlite3
from collections.abc import Iterable

from fairlead.core.identity import client_key
from fairlead.core.model import Balance, Fill, Order, Position
from fairlead.core.order import apply
from fairlead.core.reports import BalanceReport, OrderReport, PositionReport, Report
from fairlead.core.unit import AccountRecord, ExchangeKey, TradeKey, Unit, empty_unit
from fairlead.journal.rows import FILLS_IN_STATE, NS_PER_SECOND, Frame, order_of


class Tail:
    """The frames after `base`, folded together.

    `orders` as they are now; `batches` the frames that tell of each, the opening one among them.
    `opened` (client key, number) in the order of numbers. `later_fills` (number, position, fill) of
    those that have rows of their own. `changed` the orders that changed, by second.
    `frame_accounts` (first sequence, batch) of the frames with reports of each account.
    """

    def __init__(self, base: int) -> None:
        self.base = base
        self.last = base
        self.size = 0  # bytes of its frames
        self.orders: dict[int, Order] = {}
        self.batches: dict[int, list[int]] = {}
        self.opened: list[tuple[int, int]] = []
        self.identified: list[tuple[ExchangeKey, int]] = []
        self.trades: dict[TradeKey, None] = {}
        self.later_fills: list[tuple[int, int, Fill]] = []
        self.changed: dict[int, set[int]] = {}
        self.accounts: dict[str, AccountRecord] = {}
        self.balances: dict[tuple[str, str], Balance] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self.frame_accounts: dict[str, list[tuple[int, int]]] = {}
        self._by_client: dict[int, list[int]] = {}
        self._by_exchange: dict[ExchangeKey, list[int]] = {}

    def add(self, batch: int, unit: Unit, size: int) -> None:
        """Fold in the frame that follows, which was `size` bytes long."""
        assert batch == self.last + 1, (batch, self.last)
        self.last = batch
        self.size += size
        self.orders.update(unit.orders)
        for number in unit.orders:
            batches = self.batches.get(number)
            if batches is None:
                self.batches[number] = [batch]
            else:
                batches.append(batch)
        self.opened += unit.opened
        for client, number in unit.opened:
            self._by_client.setdefault(client, []).append(number)
        self.identified += unit.identified
        for exchange, number in unit.identified:
            self._by_exchange.setdefault(exchange, []).append(number)
        for number, position, trade, fill in unit.booked:
            self.trades[trade] = None
            if position >= FILLS_IN_STATE:
                self.later_fills.append((number, position, fill))
        self._add_reports(batch, unit.reports)
        self.accounts.update(unit.accounts)
        self.balances.update(unit.balances)
        self.positions.update(unit.positions)

    def numbers_of(
        self, client_keys: Iterable[int], exchange_keys: Iterable[ExchangeKey]
    ) -> set[int]:
        """Return the numbers of orders that were opened, or identified, in the tail under a key."""
        numbers: set[int] = set()
        for client in client_keys:
            numbers.update(self._by_client.get(client, ()))
        for exchange in exchange_keys:
            numbers.update(self._by_exchange.get(exchange, ()))
        return numbers

    def _add_reports(self, batch: int, reports: list[Report]) -> None:
        first_sequences: dict[str, int] = {}
        time_ns = -1
        changed: set[int] = set()
        for report in reports:
            if report.account not in first_sequences:
                first_sequences[report.account] = report.sequence
            if type(report) is not OrderReport:
                continue
            if report.time_ns != time_ns:
                time_ns = report.time_ns
                changed = self.changed.setdefault(time_ns // NS_PER_SECOND, set())
            changed.add(report.number)
            if report.fill is not None and report.fill.time_booked_ns != time_ns:
                second = report.fill.time_booked_ns // NS_PER_SECOND
                self.changed.setdefault(second, set()).add(report.number)
        for account, sequence in first_sequences.items():
            self.frame_accounts.setdefault(account, []).append((sequence, batch))


def order_now(connection: sqlite3.Connection, tail: Tail, number: int) -> Order | None:
    """Return the order as tables and tail together say, or None."""
    order = tail.orders.get(number)
    return order if order is not None else order_of(connection, number)


def unit_of(
    connection: sqlite3.Connection, tail: Tail, installation_id: bytes, time_ns: int, frame: Frame
) -> Unit:
    """Return the unit that `frame`, the one after the tail, was written for.

    Applies reports and decides nothing. Raises IllegalChange when the frame contradicts what was
    before it.
    """
    unit = empty_unit(time_ns)
    unit.reports = frame.reports
    unit.accounts = {record.account: record for record in frame.accounts}
    for report in frame.reports:
        if isinstance(report, OrderReport):
            number = report.number
            before = unit.orders.get(number) or order_now(connection, tail, number)
            _follow(unit, installation_id, before, report)
        elif isinstance(report, BalanceReport):
            unit.balances[report.account, report.balance.asset] = report.balance
        elif isinstance(report, PositionReport):
            unit.positions[report.account, report.position.symbol] = report.position
    for number, order in unit.orders.items():
        (unit.settled if order.is_settled else unit.unsettled).add(number)
    return unit


def _follow(unit: Unit, installation_id: bytes, before: Order | None, report: OrderReport) -> None:
    number = report.number
    after = unit.orders[number] = apply(before, report)
    if report.opened is not None:
        key = client_key(installation_id, after.account, after.client_order_id)
        unit.opened.append((key, number))
    if after.exchange_order_id is not None and (before is None or before.exchange_order_id is None):
        unit.identified.append((ExchangeKey(after.account, after.exchange_order_id), number))
    if report.fill is not None:
        trade = TradeKey(after.account, after.symbol_exchange, report.fill.trade_id)
        unit.booked.append((number, len(after.fills) - 1, trade, report.fill))
