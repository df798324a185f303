"""Perpetuals: a trade moves two positions, and money only by the profit that it realizes.

Profit and loss of a close go between the account and `house:clearing`, which therefore owes exactly
what open positions were entered for: all totals add up to zero at any time. Fees are paid in the quote
asset. Rules of margin are in `margin`.
"""

from decimal import Decimal

from fairlead.core.model import ZERO, Liquidity, Side
from fairlead.exchange.book import Market
from fairlead.exchange.booking import Booked
from fairlead.exchange.ledger import CLEARING_ACCOUNT, Ledger
from fairlead.exchange.margin import (
    available,
    margin_of_orders,
    relock,
    standing,
    wire_position,
)
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.position import Position
from fairlead.exchange.rounding import told
from fairlead.exchange.rules import Refusal
from fairlead.venues.sim_messages import Place, RefusalCode, WireBalance, WireOrigin

_ONE = Decimal(1)


class PerpetualBooking:
    """The booking of one perpetual market."""

    __slots__ = ("_ledger", "_leverage", "_market")

    def __init__(self, market: Market, ledger: Ledger, leverage: Decimal) -> None:
        instrument = market.instrument
        assert instrument.leverage_max >= _ONE
        assert instrument.leverage_max * instrument.maintenance_rate < _ONE
        self._market = market
        self._ledger = ledger
        self._leverage = min(leverage, instrument.leverage_max)

    def position(self, account: Account) -> Position:
        """Return the account's position, flat and with the default leverage if it is new."""
        symbol = self._market.instrument.symbol_exchange
        found = account.positions.get(symbol)
        if found is None:
            found = account.positions[symbol] = Position(account, self._market, self._leverage)
        return found

    def refusal(
        self, account: Account, ticket: Place, price: Decimal, quantity: Decimal
    ) -> Refusal | None:
        """Return why the account cannot have this order.

        An order that increases needs its margin, its loss against the mark price and its fee to be
        available, all at the worst price at which it can trade. One that only reduces must leave no
        debt.
        """
        position, side = self.position(account), ticket.side
        instrument = self._market.instrument
        if ticket.reduce_only and not position.against(side):
            held = f"{position.side.value} {told(position.size)}" if position.quantity else "flat"
            return Refusal(
                RefusalCode.REDUCE_ONLY,
                f"a reduce-only {side.value} reduces nothing: the position in"
                f" {instrument.symbol_exchange} is {held}",
            )
        dearest = self._dearest(side, price)
        margin = ZERO
        if not ticket.reduce_only:
            margin = margin_of_orders(position, side, dearest, quantity) - position.order_margin
        loss = self._loss(side, price, quantity)
        fee = self._ledger.fee_most(dearest * quantity)
        asset = instrument.quote_exchange
        needed = margin + loss + fee
        spendable = available(account, asset) if margin else standing(account, asset).equity
        if needed > spendable:
            return Refusal(
                RefusalCode.BALANCE,
                f"the order needs {_plain(needed)} {asset} ({_plain(margin)} initial margin,"
                f" {_plain(loss)} loss at the mark price, {_plain(fee)} fee) and"
                f" {_plain(spendable)} {asset} is available",
            )
        return None

    def reducible(self, order: Order) -> Decimal:
        """Return how much of a position the order could reduce now."""
        return self.position(order.account).against(order.side)

    def lock(self, order: Order) -> None:
        """Lock the margin of what is not filled."""
        position = self.position(order.account)
        if not order.reduce_only:
            position.open_side(order.side).add(order)
            relock(position)

    def locked(self, order: Order) -> tuple[WireBalance, ...]:
        """State the balance in which the order locks."""
        return (order.account.holding(self._market.instrument.quote_exchange).wire(),)

    def release(self, order: Order) -> None:
        """Unlock the margin of what was not filled."""
        if not order.reduce_only:
            position = self.position(order.account)
            position.open_side(order.side).remove(order)
            relock(position)

    def fill(self, order: Order, price: Decimal, quantity: Decimal, liquidity: Liquidity) -> Booked:
        """Move the position, settle what it realized, take the fee."""
        account = order.account
        holding = account.holding(self._market.instrument.quote_exchange)
        position = self.position(account)
        realized = self._move(position, order.side, price, quantity)
        if not order.reduce_only:
            position.open_side(order.side).filled(order, quantity)
        fee = ZERO
        if order.origin is WireOrigin.CLIENT:
            fee = self._ledger.take_fee(holding, price * quantity, liquidity)
        relock(position)
        self._ledger.unchecked[account] = None
        return Booked(fee, holding.asset, (holding.wire(),), realized, (wire_position(position),))

    def fill_house(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Move the position and settle what it realized."""
        self._move(self.position(order.account), order.side, price, quantity)

    def restore(
        self, account: Account, quantity: Decimal, cost: Decimal, leverage: Decimal
    ) -> None:
        """Take back a stored position, before the account's orders."""
        position = self.position(account)
        position.quantity, position.cost, position.leverage = quantity, cost, leverage
        self._list(position)
        if not account.is_house:
            relock(position)

    def _move(self, position: Position, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        realized = position.fill(side, price, quantity)
        asset = self._market.instrument.quote_exchange
        if realized:
            self._ledger.settle(position.account, asset, realized, CLEARING_ACCOUNT)
        self._market.price_last = price
        self._ledger.changes.perpetuals = True  # the mark is stored with who depends on it
        self._list(position)
        return realized

    def _list(self, position: Position) -> None:
        """Keep the lists of who is not flat."""
        account, market = position.account, self._market
        held_by = (account.number, market.instrument.symbol_exchange)
        if not position.quantity:
            market.positions.pop(account.number, None)
            self._ledger.holders.pop(held_by, None)
            return
        market.positions[account.number] = position
        if not account.is_house:
            self._ledger.holders[held_by] = account

    def _dearest(self, side: Side, price: Decimal) -> Decimal:
        """Return the highest price at which an order with this limit can trade."""
        if side is Side.SELL:
            best = self._market.book.bids.best()
            if best is not None and best.price > price:
                return best.price
        return price

    def _loss(self, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Return what filling an order at its limit would lose against the mark price."""
        mark = self._market.mark
        if mark is None:
            return ZERO
        worse = price - mark if side is Side.BUY else mark - price
        return max(worse, ZERO) * quantity


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
