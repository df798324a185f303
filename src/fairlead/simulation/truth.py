"""What a stream should have said: every durable report of an account, with the order as of it.

Made from the reports on the disk alone, by the core's own `apply`.
"""

import json
from decimal import Decimal
from typing import Any

from fairlead.core.cancelling import is_alive
from fairlead.core.model import Balance, Order, Position
from fairlead.core.order import apply
from fairlead.core.reports import BalanceReport, OrderReport, PositionReport, Report
from fairlead.gateway.rendering import Renderer, encode
from fairlead.simulation.laws import Laws

Shown = dict[str, Any]
TOLD = (OrderReport, BalanceReport, PositionReport)  # of which a WebSocket client hears
_render = Renderer(omit_nulls=False)


class Truth:
    """Follows the disk. A sequence that is asked for must be on it."""

    def __init__(self, laws: Laws) -> None:
        self._record = laws.record
        self._source: object = None
        self._accounts: dict[str, _Account] = {}

    def end(self, account: str) -> int:
        """Return the sequence of the account's last report."""
        return len(self._account(account).reports)

    def report(self, account: str, sequence: int) -> Report:
        """Return a report."""
        return self._account(account).reports[sequence - 1]

    def order(self, account: str, sequence: int) -> Order | None:
        """Return the order that a report is about, as of it."""
        return self._account(account).orders[sequence - 1]

    def shown(self, account: str, sequence: int) -> Shown | None:
        """Return the order of a report as JSON shows it."""
        found = self._account(account)
        shown = found.shown.get(sequence)
        if shown is None:
            order = found.orders[sequence - 1]
            if order is not None:
                shown = found.shown[sequence] = shape_of(order)
        return shown

    def first_between(
        self, account: str, after: int, before: int, kinds: tuple[type[Report], ...]
    ) -> int | None:
        """Return the first sequence after `after` and before `before` with a report of a kind."""
        reports = self._account(account).reports
        for sequence in range(after + 1, min(before, len(reports) + 1)):
            if isinstance(reports[sequence - 1], kinds):
                return sequence
        return None

    def orders_alive(self, account: str, sequence: int) -> dict[str, Shown]:
        """Return the orders that were open as of a sequence, by client id."""
        last: dict[int, int] = {}
        for at, order in enumerate(self._account(account).orders[:sequence], start=1):
            if order is not None:
                last[order.number] = at
        alive: dict[str, Shown] = {}
        for at in last.values():
            order, shown = self.order(account, at), self.shown(account, at)
            if order is not None and is_alive(order) and shown is not None:
                alive[order.client_order_id] = shown
        return alive

    def last_orders(self, account: str) -> dict[str, Order]:
        """Return every order of the account as it is now, by client id."""
        orders = self._account(account).orders
        return {order.client_order_id: order for order in orders if order is not None}

    def states(self, account: str, client_order_id: str, first: int) -> list[Order]:
        """Return an order as of every report of it from a sequence on."""
        return [
            order
            for order in self._account(account).orders[first - 1 :]
            if order is not None and order.client_order_id == client_order_id
        ]

    def balances(self, account: str, sequence: int) -> dict[str, Balance]:
        """Return the balances as of a sequence, by the exchange's name of the asset."""
        reports = self._account(account).reports[:sequence]
        return {
            report.balance.asset_exchange: report.balance
            for report in reports
            if isinstance(report, BalanceReport)
        }

    def positions(self, account: str, sequence: int) -> dict[str, Position]:
        """Return the positions that are not flat as of a sequence, by the exchange's symbol."""
        found = {
            report.position.symbol_exchange: report.position
            for report in self._account(account).reports[:sequence]
            if isinstance(report, PositionReport)
        }
        return {symbol: position for symbol, position in found.items() if position.quantity}

    def _account(self, name: str) -> "_Account":
        if self._source is not self._record.reports:  # another life of the disk
            self._source = self._record.reports
            self._accounts = {}
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = _Account()
        kept = self._record.reports.get(name, [])
        for report in kept[len(found.reports) :]:
            found.add(report)
        return found


class _Account:
    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.orders: list[Order | None] = []
        self.shown: dict[int, Shown] = {}
        self._now: dict[int, Order] = {}

    def add(self, report: Report) -> None:
        self.reports.append(report)
        order = None
        if isinstance(report, OrderReport):
            order = self._now[report.number] = apply(self._now.get(report.number), report)
        self.orders.append(order)


def shape_of(order: Order) -> Shown:
    """Return an order as JSON shows it."""
    return read_json(encode(_render.order(order)))


def read_json(data: bytes) -> Shown:
    """Return a JSON object, its numbers exact."""
    found: Shown = json.loads(data, parse_float=Decimal)
    return found
