"""Balances of one account: the exchange's statements, moved on by our fills and reservations.

A statement says an asset's total as of an event of the exchange; a fill after that event moves the
total, one before it is already inside. Locked is what our open orders reserve plus what the exchange
locks besides. Must never learn anything but from orders, fills and statements.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from fairlead.core.model import FINAL_STAGES, ZERO, Balance, Fill, Order, Side, Stage, Updater

_RECEIVED_OR_ROUTING = frozenset({Stage.RECEIVED, Stage.ROUTING})


def reservation(order: Order) -> tuple[str, Decimal]:
    """Return (asset, quantity) that `order` locks: price × leaves of quote, or leaves of base."""
    if order.stage.is_final or order.closed_quantity is not None:
        leaves = ZERO
    else:
        leaves = order.leaves_quantity
    if order.side is Side.BUY:
        return order.quote, order.price * leaves
    return order.base, leaves


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
        self._after_statement: dict[str, list[tuple[int, Decimal]]] = {}
        self._in_flight = 0
        self._changed: set[str] = set()
        self._names_exchange: dict[str, str] = {}

    def balances(self) -> tuple[Balance, ...]:
        """Return all balances by asset."""
        return tuple(self._balances[asset] for asset in sorted(self._balances))

    @property
    def is_in_flight(self) -> bool:
        """Whether the exchange may or may not count some order among its locks now."""
        return self._in_flight > 0

    @property
    def changed_count(self) -> int:
        """Return how many balances moved since they were last taken."""
        return len(self._changed)

    def available(self, asset: str) -> Decimal:
        """Return what may be spent of the asset, 0 if it is unknown."""
        balance = self._balances.get(asset)
        return ZERO if balance is None else balance.available

    def name_assets(self, names_exchange: Mapping[str, str]) -> None:
        """Take the exchange's names of our assets, for those that a fill brings first."""
        self._names_exchange.update(names_exchange)

    def take_changed(self) -> list[Balance]:
        """Return the balances that moved since this was last called, by asset."""
        changed = [self._balances[asset] for asset in sorted(self._changed)]
        self._changed.clear()
        return changed

    def session_started(self) -> None:
        """Forget how far the exchange's statements reached: a new session may count anew."""
        self._after_statement.clear()
        for asset, balance in self._balances.items():
            self._balances[asset] = msgspec.structs.replace(balance, exchange_ordinal=0)

    def order_loaded(self, order: Order) -> None:
        """Count the reservation of an order that the loaded balances already contain."""
        asset, quantity = reservation(order)
        self._reserved[asset] = self._reserved.get(asset, ZERO) + quantity
        self._in_flight += is_in_flight(order)

    def order_changed(self, before: Order | None, after: Order, now_ns: int) -> None:
        """Move the reservation from what `before` held to what `after` holds."""
        self._in_flight += is_in_flight(after)
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
            self._move(asset, now_ns, ZERO, quantity, ZERO)

    def fill_booked(self, order: Order, fill: Fill, now_ns: int) -> None:
        """Move what was bought, what was paid for it, and the fee, where no statement has yet."""
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
        flight; otherwise it cannot be told apart from theirs.
        """
        balance = self._balances.get(asset)
        if balance is not None and 0 < exchange_ordinal < balance.exchange_ordinal:
            return None
        after = [
            (ordinal, delta)
            for ordinal, delta in self._after_statement.get(asset, ())
            if ordinal > exchange_ordinal > 0
        ]
        if after:
            self._after_statement[asset] = after
            for _, delta in after:
                total += delta
        else:
            self._after_statement.pop(asset, None)
        reserved = self._reserved.get(asset, ZERO)
        if self._in_flight == 0:
            elsewhere = max(ZERO, locked - reserved)
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
            self._changed.add(asset)
            return None
        if (total, locked_now) != (balance.total, balance.locked):
            self._changed.add(asset)
        is_comparable = exchange_ordinal and balance.exchange_ordinal
        return total - balance.total if is_comparable else None

    def _fill_move(
        self, asset: str, ordinal: int, delta: Decimal, traded: Decimal, now_ns: int
    ) -> None:
        balance = self._balances.get(asset)
        if balance is not None and 0 < ordinal <= balance.exchange_ordinal:
            delta = ZERO  # the statement we hold already contains this fill
        elif ordinal:
            self._after_statement.setdefault(asset, []).append((ordinal, delta))
        self._move(asset, now_ns, delta, ZERO, traded)

    def _move(
        self, asset: str, now_ns: int, total: Decimal, locked: Decimal, traded: Decimal
    ) -> None:
        balance = self._balances.get(asset)
        if balance is None:
            name_exchange = self._names_exchange.get(asset, asset)
            balance = Balance(
                asset, name_exchange, ZERO, ZERO, ZERO, Updater.BALANCE_MANAGER, now_ns
            )  # fmt: skip
        self._balances[asset] = Balance(
            asset,
            balance.asset_exchange,
            balance.total + total,
            balance.locked + locked,
            balance.traded + traded,
            Updater.BALANCE_MANAGER,
            now_ns,
            balance.exchange_ordinal,
            balance.locked_elsewhere,
        )
        self._changed.add(asset)
