"""Balances of one account: the exchange's statements, moved on by our fills and reservations.

A statement says an asset's total as of an event of the exchange; a fill after that event moves the
total, one before it is already inside. Locked is what our open orders reserve plus what the exchange
locks besides. Must never learn anything but from orders, fills and statements.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from fairlead.core.margin import Margin
from fairlead.core.model import (
    FINAL_STAGES,
    ZERO,
    Balance,
    Fill,
    InstrumentKind,
    Order,
    Position,
    Side,
    Stage,
    Updater,
)

_RECEIVED_OR_ROUTING = frozenset({Stage.RECEIVED, Stage.ROUTING})


def reservation(order: Order) -> tuple[str, Decimal]:
    """Return (asset, quantity) that a spot order locks: price × leaves of quote, or leaves of base."""
    leaves = _open_quantity(order)
    if order.side is Side.BUY:
        return order.quote, order.price * leaves
    return order.base, leaves


def _open_quantity(order: Order) -> Decimal:
    """Return what may still trade of the order."""
    if order.stage in FINAL_STAGES or order.closed_quantity is not None:
        return ZERO
    return order.leaves_quantity


def is_in_flight(order: Order) -> bool:
    """Whether the exchange may or may not count this order among its locks now."""
    return order.stage in _RECEIVED_OR_ROUTING or order.in_doubt_ns is not None


def _reserves_alike(before: Order, after: Order) -> bool:
    """Whether nothing changed that a reservation depends on; most reports are like that."""
    return (
        before.quantity_filled is after.quantity_filled
        and before.closed_quantity is after.closed_quantity
        and after.stage not in FINAL_STAGES
        and before.stage not in FINAL_STAGES
    )


class Ledger:
    """The balances of one account, by our asset name. `changed` names those moved since last taken."""

    def __init__(self, balances: Iterable[Balance] = ()) -> None:
        self._balances = {balance.asset: balance for balance in balances}
        self._reserved: dict[str, Decimal] = {}
        self._margins: dict[str, Margin] = {}  # by symbol
        self._after_statement: dict[str, list[tuple[int, Decimal]]] = {}
        self._in_flight = 0
        self.changed: set[str] = set()
        self._names_exchange: dict[str, str] = {}

    def balances(self) -> tuple[Balance, ...]:
        """Return all balances by asset."""
        return tuple(self._balances[asset] for asset in sorted(self._balances))

    @property
    def is_in_flight(self) -> bool:
        """Whether the exchange may or may not count some order among its locks now."""
        return self._in_flight > 0

    def available(self, asset: str) -> Decimal:
        """Return what may be spent of the asset, 0 if it is unknown."""
        balance = self._balances.get(asset)
        return ZERO if balance is None else balance.available

    def name_assets(self, names_exchange: Mapping[str, str]) -> None:
        """Take the exchange's names of our assets, for those that a fill brings first."""
        self._names_exchange.update(names_exchange)

    def take_changed(self) -> list[Balance]:
        """Return the balances that moved since this was last called, by asset."""
        changed = [self._balances[asset] for asset in sorted(self.changed)]
        self.changed.clear()
        return changed

    def session_started(self) -> None:
        """Forget how far the exchange's statements reached: a new session may count anew."""
        self._after_statement.clear()
        for asset, balance in self._balances.items():
            self._balances[asset] = msgspec.structs.replace(balance, exchange_ordinal=0)

    def order_loaded(self, order: Order) -> None:
        """Count the reservation of an order that the loaded balances already contain."""
        self._in_flight += is_in_flight(order)
        if order.kind is InstrumentKind.PERPETUAL:
            margin = self.margin(order.symbol, order.quote)
            margin.put_order(order, _open_quantity(order))
            self._count(margin)
            return
        asset, quantity = reservation(order)
        self._reserved[asset] = self._reserved.get(asset, ZERO) + quantity

    def position_loaded(self, position: Position) -> None:
        """Count the margin of a position that the loaded balances already contain."""
        margin = self.margin(position.symbol, position.quote)
        margin.put_position(position)
        self._count(margin)

    def position_moved(self, position: Position, now_ns: int) -> None:
        """Lock what the position, and the orders that may reduce it, need as it is now."""
        margin = self.margin(position.symbol, position.quote)
        margin.put_position(position)
        self._relock(margin, now_ns)

    def margin(self, symbol: str, asset: str) -> Margin:
        """Return what a perpetual, margined in `asset`, locks."""
        margin = self._margins.get(symbol)
        if margin is None:
            margin = self._margins[symbol] = Margin(asset)
        return margin

    def order_changed(self, before: Order | None, after: Order, now_ns: int) -> None:
        """Move the reservation from what `before` held to what `after` holds."""
        self._in_flight += is_in_flight(after)
        if after.kind is InstrumentKind.PERPETUAL:
            if before is not None:
                self._in_flight -= is_in_flight(before)
            margin = self.margin(after.symbol, after.quote)
            margin.put_order(after, _open_quantity(after))
            self._relock(margin, now_ns)
            return
        if before is None:
            asset, quantity = reservation(after)
        else:
            self._in_flight -= is_in_flight(before)
            if _reserves_alike(before, after):
                return
            asset, quantity = reservation(after)
            quantity -= reservation(before)[1]
        if quantity:
            self._reserved[asset] = self._reserved.get(asset, ZERO) + quantity
            self._lock(asset, quantity, now_ns)

    def fill_booked(self, order: Order, fill: Fill, now_ns: int) -> None:
        """Move what was bought, what was paid for it, and the fee, where no statement has yet.

        In a perpetual nothing is bought: what was realized moves the quote asset.
        """
        if order.kind is InstrumentKind.PERPETUAL:
            self._perpetual_fill_booked(order, fill, now_ns)
            return
        notional = fill.price * fill.quantity
        ordinal = fill.exchange_ordinal
        if order.side is Side.BUY:
            base, quote = fill.quantity, -notional
        else:
            base, quote = -fill.quantity, notional
        if fill.fee_asset == order.base:
            self._fill_move(order.base, ordinal, base - fill.fee, fill.quantity, now_ns)
            self._fill_move(order.quote, ordinal, quote, notional, now_ns)
        elif fill.fee_asset == order.quote:
            self._fill_move(order.base, ordinal, base, fill.quantity, now_ns)
            self._fill_move(order.quote, ordinal, quote - fill.fee, notional, now_ns)
        else:
            self._fill_move(order.base, ordinal, base, fill.quantity, now_ns)
            self._fill_move(order.quote, ordinal, quote, notional, now_ns)
            self._fill_move(fill.fee_asset, ordinal, -fill.fee, ZERO, now_ns)

    def _perpetual_fill_booked(self, order: Order, fill: Fill, now_ns: int) -> None:
        realized, fee, ordinal = fill.realized, fill.fee, fill.exchange_ordinal
        if fill.fee_asset == order.quote:
            self._fill_move(order.quote, ordinal, realized - fee, abs(realized), now_ns)
            return
        self._fill_move(order.quote, ordinal, realized, abs(realized), now_ns)
        self._fill_move(fill.fee_asset, ordinal, -fee, ZERO, now_ns)

    def stated(
        self,
        asset: str,
        asset_exchange: str,
        total: Decimal,
        locked: Decimal,
        exchange_ordinal: int,
        updated_by: Updater,
        now_ns: int,
    ) -> Decimal | None:
        """Take the exchange's word, unless a later one was already heard.

        Returns how far its total is from ours as of the same event; None where the two cannot be compared:
        no statement of this session came before, or this one is old news.

        Of the fills heard before, those after `exchange_ordinal` are added; without one (0) the word is
        taken as it is. The first load begins to count what is traded.

        What the exchange locks beyond our reservations is believed only while no order of ours is in
        flight; otherwise it cannot be told apart from theirs. Where perpetuals lock, it may also be less
        than them: the exchange knows what a position was entered for more exactly than we do.
        """
        balance = self._balances.get(asset)
        if balance is not None and 0 < exchange_ordinal < balance.exchange_ordinal:
            return None
        moves = self._after_statement.pop(asset, None)
        after = moves and [move for move in moves if move[0] > exchange_ordinal > 0]
        if after:
            self._after_statement[asset] = after
            for _, delta in after:
                total += delta
        reserved = self._reserved.get(asset, ZERO)
        if self._in_flight == 0:
            elsewhere = locked - reserved
            if elsewhere < ZERO and not self._has_margin(asset):
                elsewhere = ZERO
        else:
            elsewhere = ZERO if balance is None else balance.locked_elsewhere
        locked_now = reserved + elsewhere
        stated = Balance(
            asset,
            asset_exchange,
            total,
            locked_now,
            ZERO if balance is None or updated_by is Updater.INITIALIZATION else balance.traded,
            updated_by,
            now_ns,
            exchange_ordinal,
            elsewhere,
        )
        self._balances[asset] = stated
        if balance is None:
            self.changed.add(asset)
            return None
        if (total, locked_now) != (balance.total, balance.locked):
            self.changed.add(asset)
        is_comparable = exchange_ordinal and balance.exchange_ordinal
        return total - balance.total if is_comparable else None

    def _relock(self, margin: Margin, now_ns: int) -> None:
        """Lock what the perpetual needs now instead of what it needed before."""
        more = self._count(margin)
        if more:
            self._lock(margin.asset, more, now_ns)

    def _count(self, margin: Margin) -> Decimal:
        """Count what the perpetual locks now as reserved; return how much more that is."""
        lock = margin.lock()
        more, margin.locked = lock - margin.locked, lock
        self._reserved[margin.asset] = self._reserved.get(margin.asset, ZERO) + more
        return more

    def _has_margin(self, asset: str) -> bool:
        return any(margin.asset == asset for margin in self._margins.values())

    def _fill_move(
        self, asset: str, ordinal: int, delta: Decimal, traded: Decimal, now_ns: int
    ) -> None:
        balance = self._moved(asset, now_ns)
        if 0 < ordinal <= balance.exchange_ordinal:
            delta = ZERO  # the statement we hold already contains this fill
        elif ordinal:
            self._after_statement.setdefault(asset, []).append((ordinal, delta))
        self._balances[asset] = msgspec.structs.replace(
            balance,
            total=balance.total + delta,
            traded=balance.traded + traded,
            updated_by=Updater.BALANCE_MANAGER,
            time_ns=now_ns,
        )

    def _lock(self, asset: str, quantity: Decimal, now_ns: int) -> None:
        balance = self._moved(asset, now_ns)
        self._balances[asset] = msgspec.structs.replace(
            balance,
            locked=balance.locked + quantity,
            updated_by=Updater.BALANCE_MANAGER,
            time_ns=now_ns,
        )

    def _moved(self, asset: str, now_ns: int) -> Balance:
        """Return the balance that is about to move; it begins at 0 where there was none."""
        self.changed.add(asset)
        balance = self._balances.get(asset)
        if balance is not None:
            return balance
        name_exchange = self._names_exchange.get(asset, asset)
        return Balance(asset, name_exchange, ZERO, ZERO, ZERO, Updater.BALANCE_MANAGER, now_ns)
