"""How much of an order may trade, now and against the book as it is. Changes nothing."""

from decimal import Decimal

from fairlead.core.model import ZERO
from fairlead.exchange.book import Market
from fairlead.exchange.orders import Account, Order


def fillable(market: Market, order: Order) -> Decimal:
    """Return how much of an open order may trade now."""
    if not order.reduce_only:
        return order.leaves_quantity
    return min(order.leaves_quantity, market.booking.reducible(order))


def can_fill_whole(market: Market, order: Order) -> bool:
    """Whether the book holds the whole quantity within the price and before an own order."""
    missing = order.quantity
    if fillable(market, order) < missing:
        return False
    reducible: dict[Account, Decimal] = {}  # as the makers before would leave it
    for maker in market.book.opposite(order.side).reached(order.price_units):
        if maker.account is order.account and not order.account.is_house:
            return False
        offered = maker.leaves_quantity
        if market.is_perpetual:
            left = reducible.get(maker.account, market.booking.reducible(maker))
            if maker.reduce_only:
                offered = min(offered, left)
            reducible[maker.account] = max(left - offered, ZERO)
        missing -= offered
        if missing <= ZERO:
            return True
    return False
