"""A journal with many closed orders, made quickly: real reports in large units, no exchange.

Each order has the life that the load's orders have, in two units as in life: received and routing; then
routed, and filled or cancelled. Its ids are out of the way of those that the exchange will give.
"""

from decimal import Decimal
from pathlib import Path

from benchmarks.load import random_ids
from fairlead.core.identity import client_key, venue_client_id
from fairlead.core.model import Fill, Liquidity, Order, Origin, Side, Stage, TimeInForce
from fairlead.core.order import apply
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.unit import AccountRecord, ExchangeKey, TradeKey, Unit, empty_unit
from fairlead.journal import Journal

UNIT_ORDERS = 500
FIRST_NS = 1_750_000_000_000_000_000
STEP_NS = 100_000_000  # between two units
_FOREIGN = 10**15  # exchange order ids and trade ids begin here
_ACCOUNT = "SIM"


class Past:
    """Writes closed orders into a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._identity = journal.installation_id
        self._ids = random_ids()
        self._number = 0
        self._sequence = 0
        self._now_ns = FIRST_NS

    def write(self, count: int) -> None:
        """Add `count` closed orders."""
        while self._number < count:
            size = min(UNIT_ORDERS, count - self._number)
            opened = self._unit()
            orders = [self._open(opened) for _ in range(size)]
            self._commit(opened)
            closed = self._unit()
            for order in orders:
                self._close(closed, order)
            self._commit(closed)
            self._journal.tidy_if_due()

    def _unit(self) -> Unit:
        self._now_ns += STEP_NS
        return empty_unit(self._now_ns)

    def _commit(self, unit: Unit) -> None:
        unit.accounts[_ACCOUNT] = AccountRecord(_ACCOUNT, sequence=self._sequence)
        self._journal.commit(unit)

    def _open(self, unit: Unit) -> Order:
        self._number += 1
        client_id = next(self._ids).decode()
        order = Order(
            number=self._number,
            account=_ACCOUNT,
            client_order_id=client_id,
            venue_client_id=venue_client_id(self._identity, _ACCOUNT, client_id),
            symbol="SIM_SPOT_BTC_USDT",
            symbol_exchange="BTC/USDT",
            base="BTC",
            quote="USDT",
            side=Side.BUY,
            price=Decimal("50000.10"),
            quantity=Decimal("0.0002"),
            time_in_force=TimeInForce.GOOD_TILL_CANCEL,
            time_in_force_text="GOOD_TILL_CANCEL",
            expire_time_ns=None,
            exec_inst=(),
            origin=Origin.CLIENT,
            caller="",
            time_order_ns=unit.time_ns,
            stage=Stage.RECEIVED,
        )
        unit.opened.append((client_key(self._identity, _ACCOUNT, client_id), order.number))
        unit.unsettled.add(order.number)
        received = apply(None, self._report(unit, order, Cause.RECEIVED, opened=order))
        return self._apply(unit, received, Cause.ROUTING, stage=Stage.ROUTING)

    def _close(self, unit: Unit, order: Order) -> None:
        exchange_id = str(_FOREIGN + order.number)
        unit.identified.append((ExchangeKey(_ACCOUNT, exchange_id), order.number))
        unit.unsettled.discard(order.number)
        unit.settled.add(order.number)
        order = self._apply(
            unit, order, Cause.ROUTED, stage=Stage.ROUTED, exchange_order_id=exchange_id
        )
        if order.number % 2:
            self._apply(unit, order, Cause.CANCELED, stage=Stage.CANCELED)
            return
        fill = Fill(
            trade_id=exchange_id,
            price=order.price,
            quantity=order.quantity,
            fee=Decimal("0.0000002"),
            fee_asset="BTC",
            liquidity=Liquidity.TAKER,
            time_ns=unit.time_ns,
            time_booked_ns=unit.time_ns,
            exchange_ordinal=order.number,
        )
        key = TradeKey(_ACCOUNT, order.symbol_exchange, exchange_id)
        unit.booked.append((order.number, 0, key, fill))
        self._apply(unit, order, Cause.TRADE, fill=fill)

    def _apply(self, unit: Unit, order: Order, cause: Cause, **fields: object) -> Order:
        changed = apply(order, self._report(unit, order, cause, **fields))
        unit.orders[order.number] = changed
        return changed

    def _report(self, unit: Unit, order: Order, cause: Cause, **fields: object) -> OrderReport:
        self._sequence += 1
        report = OrderReport(
            _ACCOUNT,
            self._sequence,
            order.number,
            unit.time_ns,
            cause,
            **fields,  # type: ignore[arg-type]
        )
        unit.reports.append(report)
        return report


def write_past(folder: Path, count: int) -> None:
    """Make a journal with `count` closed orders in `folder`, which must not have one yet."""
    folder.mkdir(parents=True)
    with Journal.open(folder) as journal:
        Past(journal).write(count)
        journal.checkpoint("TRUNCATE")
