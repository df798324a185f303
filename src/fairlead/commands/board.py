"""What a watcher knows of the accounts: events in, tables and lines out. No IO and no clock.

Holds the open orders, balances and positions as they are, and the newest fills; must never hold more.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import TypeVar

from fairlead.client.events import (
    AccountInfo,
    BalancesSnapshot,
    BalanceUpdate,
    OrdersSnapshot,
    OrderUpdate,
    PositionsSnapshot,
    PositionUpdate,
    Told,
)
from fairlead.client.shapes import FINAL, Balance, Fill, OrderReport, Position
from fairlead.commands import lives, show
from fairlead.commands.show import Table, number

Item = TypeVar("Item")
FILLS_MOST = 100
_COUNTED_MOST = 10_000  # orders whose fills are counted: also ended ones, which may still be filled
_BALANCE_COLUMNS = show.columns("account", "asset", "balance#", "available#", "locked#")
_POSITION_COLUMNS = show.columns(
    *("account", "symbol", "side", "quantity#", "entry#", "mark#", "profit#", "liquidation#"),
)


class Board:
    """Everything that is shown. `take` every event; it returns what happened, in lines."""

    def __init__(self) -> None:
        self.accounts: dict[str, AccountInfo] = {}
        self._orders: dict[tuple[str, str], OrderReport] = {}
        self._balances: dict[tuple[str, str], Balance] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._fills: deque[tuple[OrderReport, Fill]] = deque(maxlen=FILLS_MOST)
        self._counted: OrderedDict[tuple[str, str], int] = OrderedDict()

    def take(self, told: Told) -> list[str]:
        """Take an event; return a line for each thing that it says is new."""
        match told:
            case AccountInfo():
                return self._account(told)
            case OrdersSnapshot():
                _forget(self._orders, told.exchange_id)
                return [line for each in told.orders for line in self._known(each)]
            case OrderUpdate():
                return self._order(told.order)
            case BalancesSnapshot():
                gone = _forget(self._balances, told.exchange_id)
                return [
                    line
                    for each in told.balances
                    for line in self._balance(told.exchange_id, each, gone)
                ]
            case BalanceUpdate():
                return self._balance(told.exchange_id, told.balance, self._balances)
            case PositionsSnapshot():
                gone_positions = _forget(self._positions, told.exchange_id)
                return [
                    line
                    for each in told.positions
                    for line in self._position(told.exchange_id, each, gone_positions)
                ]
            case PositionUpdate():
                return self._position(told.exchange_id, told.position, self._positions)
            case _:
                return []

    # ── what happened ────────────────────────────────────────────────────────────────────────────

    def _account(self, info: AccountInfo) -> list[str]:
        before = self.accounts.get(info.exchange_id)
        self.accounts[info.exchange_id] = info
        said = state_of(info)
        return [] if before and state_of(before) == said else [f"{info.exchange_id}  {said}"]

    def _known(self, order: OrderReport) -> list[str]:
        """An open order of before: its fills are not news."""
        key = (order.exchange_id, order.client_order_id)
        self._orders[key] = order
        self._count(key, len(order.fills))
        return [_order_line(order)]

    def _order(self, order: OrderReport) -> list[str]:
        key = (order.exchange_id, order.client_order_id)
        counted = self._counted.get(key, max(0, len(order.fills) - 1))
        new = order.fills[counted:]
        before = self._orders.pop(key, None)
        if order.status not in FINAL or order.in_doubt:
            self._orders[key] = order
        self._count(key, len(order.fills))
        self._fills.extend((order, fill) for fill in new)
        lines = [
            f"{order.exchange_id}  {order.client_order_id}  {lives.fill_text(fill)}" for fill in new
        ]
        if before is None or _shown(before) != _shown(order):
            lines.append(_order_line(order))
        return lines

    def _count(self, key: tuple[str, str], fills: int) -> None:
        self._counted[key] = fills
        self._counted.move_to_end(key)
        if len(self._counted) > _COUNTED_MOST:
            self._counted.popitem(last=False)

    def _balance(
        self, account: str, balance: Balance, known: dict[tuple[str, str], Balance]
    ) -> list[str]:
        key = (account, balance.asset_id_coinapi)
        before = known.get(key)
        self._balances[key] = balance
        amounts = (balance.balance, balance.available)
        if before is not None and (before.balance, before.available) == amounts:
            return []
        total, available = map(number, amounts)
        return [f"{account}  {balance.asset_id_coinapi} {total}, {available} available"]

    def _position(
        self, account: str, position: Position, known: dict[tuple[str, str], Position]
    ) -> list[str]:
        key = (account, position.symbol_id_coinapi)
        before = known.get(key)
        self._positions.pop(key, None)
        if position.quantity:
            self._positions[key] = position
        held = (position.side, position.quantity, position.avg_entry_price)
        if before is not None and held == (before.side, before.quantity, before.avg_entry_price):
            return []
        if not position.quantity:
            return [f"{account}  {position.symbol_id_coinapi} flat"] if before is not None else []
        side = "long" if position.side == "BUY" else "short"
        entry = f"{number(position.quantity)} at {number(position.avg_entry_price)}"
        return [f"{account}  {position.symbol_id_coinapi} {side} {entry}"]

    # ── how it stands ────────────────────────────────────────────────────────────────────────────

    def orders(self) -> Table:
        """Return the open orders, the newest first."""
        newest = sorted(self._orders.values(), key=lambda each: each.time_order, reverse=True)
        return Table(lives.ORDER_COLUMNS, [lives.order_row(each) for each in newest], "none")

    def fills(self) -> Table:
        """Return the fills since watching began, the newest first."""
        rows = [lives.fill_row(order, fill) for order, fill in reversed(self._fills)]
        return Table(lives.FILL_COLUMNS, rows, "none yet")

    def balances(self) -> Table:
        """Return the balances."""
        rows = [
            [account, asset, *map(number, (row.balance, row.available, row.locked))]
            for (account, asset), row in sorted(self._balances.items())
        ]
        return Table(_BALANCE_COLUMNS, rows, "none yet")

    def positions(self) -> Table:
        """Return the positions that are not flat."""
        return Table(_POSITION_COLUMNS, list(self._position_rows()), "none")

    def _position_rows(self) -> Iterator[list[str]]:
        for (account, symbol), row in sorted(self._positions.items()):
            prices = (row.avg_entry_price, row.raw_data.mark_price, row.unrealized_pnl)
            amounts = (row.quantity, *prices, row.liquidation_price)
            yield [account, symbol, row.side, *map(number, amounts)]


def state_of(info: AccountInfo) -> str:
    """Return how an account stands, in a word or its trouble."""
    if not info.is_running:
        return info.trouble or "stopping"
    if info.trouble:
        return info.trouble
    return "reconciled" if info.reconciled else "not reconciled"


def _forget(known: dict[tuple[str, str], Item], account: str) -> dict[tuple[str, str], Item]:
    """Remove and return what is known of an account."""
    return {key: known.pop(key) for key in list(known) if key[0] == account}


def _shown(order: OrderReport) -> tuple[object, ...]:
    return order.status, order.amount_filled, order.in_doubt, order.error_message


def _order_line(order: OrderReport) -> str:
    remark = "  in doubt" if order.in_doubt else ""
    if order.error_message:
        remark += f"  {order.error_message}"
    return (
        f"{order.exchange_id}  {order.client_order_id}  {order.side} {number(order.amount_order)}"
        f" {order.symbol_id_coinapi} at {number(order.price)}  {order.status},"
        f" {number(order.amount_filled)} filled{remark}"
    )
