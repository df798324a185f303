"""Margin: what orders and positions lock, what an account is worth, and where it would be liquidated.

Pure functions of accounts and marks. An account's perpetuals of one quote asset share that asset's
balance (cross margin):

    equity       total + unrealized profit and loss − what spot orders lock
    available    total − locked, less the unrealized loss where there is one
    maintenance  Σ quantity × mark price × maintenance rate

A position locks its cost / leverage. The open orders of one side, in the order in which they would
trade, are first held against the opposite position, which they reduce; what goes beyond it locks price
× quantity / leverage. Both are rounded up to 10⁻⁸. Reduce-only orders lock nothing.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from fairlead.core.model import ZERO, Side
from fairlead.exchange.orders import Account
from fairlead.exchange.position import Position
from fairlead.exchange.rounding import NEAREST, UP, divided, to_multiple
from fairlead.venues.sim_messages import WirePosition


class Standing(msgspec.Struct, frozen=True):
    """How an account stands in one asset that its perpetuals are margined in."""

    total: Decimal
    spot_locked: Decimal
    unrealized: Decimal
    maintenance: Decimal

    @property
    def equity(self) -> Decimal:
        """What could be lost."""
        return self.total + self.unrealized - self.spot_locked


def positions_in(account: Account, asset: str) -> Iterator[Position]:
    """Iterate over the account's positions, flat ones too, that are margined in `asset`."""
    for position in account.positions.values():
        if position.market.instrument.quote_exchange == asset:
            yield position


def standing(account: Account, asset: str) -> Standing:
    """Return how the account stands in `asset`."""
    holding = account.holding(asset)
    spot_locked, unrealized, maintenance = holding.locked, ZERO, ZERO
    for position in positions_in(account, asset):
        spot_locked -= position.order_margin + position.position_margin
        if position.quantity:
            unrealized += position.unrealized
            maintenance += maintenance_of(position)
    return Standing(holding.total, spot_locked, unrealized, maintenance)


def maintenance_of(position: Position) -> Decimal:
    """Return the equity that the position alone requires."""
    return position.notional * position.market.instrument.maintenance_rate


def available(account: Account, asset: str) -> Decimal:
    """Return what a new order may use: neither locked nor lost already."""
    holding = account.holding(asset)
    unrealized = sum((each.unrealized for each in positions_in(account, asset)), ZERO)
    return holding.total - holding.locked + min(unrealized, ZERO)


def increasing_notional(
    position: Position, side: Side, price: Decimal = ZERO, quantity: Decimal = ZERO
) -> Decimal:
    """Return the notional of the orders of `side` beyond what would reduce the position.

    With `quantity`, as if one more order of that price were open.
    """
    opened = position.open_side(side)
    notional = opened.notional + price * quantity
    reducing = position.against(side)
    if not reducing:
        return notional
    if opened.leaves + quantity <= reducing:
        return ZERO
    pieces = [*opened.pieces(), (price, quantity)]
    pieces.sort(key=_price, reverse=side is Side.BUY)
    for piece_price, leaves in pieces:
        reduced = min(reducing, leaves)
        notional -= piece_price * reduced
        reducing -= reduced
        if not reducing:
            break
    return notional


def margin_of_orders(
    position: Position, side: Side = Side.BUY, price: Decimal = ZERO, quantity: Decimal = ZERO
) -> Decimal:
    """Return what the open orders lock; with `quantity`, as if one more were open."""
    notional = increasing_notional(position, side, price, quantity)
    notional += increasing_notional(position, side.opposite)
    return divided(notional, position.leverage, UP) if notional else ZERO


def relock(position: Position) -> None:
    """Make the account's lock that of the position and its orders as they are now."""
    order_margin = margin_of_orders(position)
    position_margin = divided(abs(position.cost), position.leverage, UP)
    holding = position.account.holding(position.market.instrument.quote_exchange)
    holding.locked += order_margin - position.order_margin
    holding.locked += position_margin - position.position_margin
    position.order_margin, position.position_margin = order_margin, position_margin


def liquidation_price(position: Position) -> Decimal | None:
    """Return the mark price, to the tick, at which the equity is what is required; None without one.

    All other marks stay as they are.
    """
    if not position.quantity:
        return None
    instrument = position.market.instrument
    stands = standing(position.account, instrument.quote_exchange)
    others = stands.equity - position.unrealized - stands.maintenance + maintenance_of(position)
    per_price = position.quantity - position.size * instrument.maintenance_rate
    price = NEAREST.divide(position.cost - others, per_price)
    return to_multiple(price, instrument.price_tick, NEAREST) if price > ZERO else None


def wire_position(position: Position) -> WirePosition:
    """State the position as it is now."""
    return WirePosition(
        position.market.instrument.symbol_exchange,
        position.side,
        position.size,
        position.entry_price,
        position.market.mark or ZERO,
        position.unrealized,
        position.leverage,
        True,
        None if position.account.is_house else liquidation_price(position),
    )


def _price(piece: tuple[Decimal, Decimal]) -> Decimal:
    return piece[0]
