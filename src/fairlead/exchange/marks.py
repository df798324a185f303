"""The mark price of a perpetual: what positions are valued at. Pure functions of the books.

The first there is of: what an operator has set; the index, which is the mid of the spot market of the
same two assets; the mid of the perpetual's own book; its last trade since there was a mid; the mark as
it was. A book has a mid when it has both sides and they are not further apart than the settings allow,
so that a few orders far from everything are no price.
"""

from collections.abc import Iterable
from decimal import Decimal

from fairlead.core.model import ZERO, InstrumentKind
from fairlead.exchange.book import Market
from fairlead.exchange.rounding import NEAREST, divided, to_multiple

_HALF = Decimal("0.5")


def spot_of(perpetual: Market, markets: Iterable[Market]) -> Market | None:
    """Return the spot market that gives the perpetual its index."""
    wanted = perpetual.instrument
    for market in markets:
        found = market.instrument
        if (
            found.kind is InstrumentKind.SPOT
            and found.base_exchange == wanted.base_exchange
            and found.quote_exchange == wanted.quote_exchange
        ):
            return market
    return None


def mid(market: Market | None, spread_max: Decimal) -> Decimal | None:
    """Return the middle of the best bid and ask, exactly; None where they give no price.

    `spread_max` is a share of the bid.
    """
    if market is None:
        return None
    bid, ask = market.book.bids.best(), market.book.asks.best()
    if bid is None or ask is None or ask.price - bid.price > bid.price * spread_max:
        return None
    return (bid.price + ask.price) * _HALF


def mark_price(perpetual: Market, of_books: Decimal | None) -> Decimal | None:
    """Return the mark price by the rule above, to the tick; None before anything gave a price."""
    if perpetual.mark_set is not None:
        return perpetual.mark_set
    price = perpetual.price_last if of_books is None else of_books
    if price is None:
        return perpetual.mark
    tick = perpetual.instrument.price_tick
    return to_multiple(price, tick, NEAREST) or tick


def funding_rate(
    perpetual: Market, spot: Market | None, spread_max: Decimal, rate_max: Decimal
) -> Decimal:
    """Return what longs pay for one unit of notional: the premium over the index, within bounds.

    Rounded to 10⁻⁸; 0 where the index or the perpetual's mid is missing.
    """
    index, own = mid(spot, spread_max), mid(perpetual, spread_max)
    if index is None or own is None:
        return ZERO
    return min(max(divided(own - index, index, NEAREST), -rate_max), rate_max)
