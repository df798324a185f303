"""Liquidation: closing all perpetuals of an account that has too little left of one asset.

In this order: the account's open orders in these markets are canceled; each position is closed by an
order of the exchange at its bankruptcy price, first against the book, then, for what the book does not
take, against the opposite positions with the most profit (auto-deleveraging); the insurance takes what
is left over or pays what is missing. Forced orders pay no fee.

The bankruptcy price of a position is the one at which the account would be left with nothing, if all
its positions moved by the same share: mark × (1 − equity / notional of all) when long, × (1 + …) when
short, rounded to the tick in the account's favor.
"""

from decimal import Decimal

from fairlead.core.model import ZERO, Side
from fairlead.exchange.ledger import INSURANCE_ACCOUNT
from fairlead.exchange.margin import positions_in, standing
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Account
from fairlead.exchange.position import Position
from fairlead.exchange.rounding import CEILING, FLOOR, MONEY_STEP, NEAREST, to_multiple
from fairlead.venues.sim_messages import OrderState

LIQUIDATION_TEXT = "liquidation: the equity is below the maintenance margin"


def liquidate(matching: Matching, account: Account, asset: str, now_ns: int) -> None:
    """Leave `account` without positions and orders in the perpetuals margined in `asset`."""
    held = list(positions_in(account, asset))
    symbols = {each.market.instrument.symbol_exchange for each in held}
    for order in list(account.open_orders.values()):
        if order.symbol in symbols:
            matching.cancel(order, now_ns, LIQUIDATION_TEXT)
    positions = [each for each in held if each.quantity]
    prices = _bankruptcy_prices(account, asset, positions)
    for position, price in zip(positions, prices, strict=True):
        _close(matching, position, price, now_ns)
    stands = standing(account, asset)
    rest = stands.total - stands.spot_locked
    if rest:
        matching.ledger.settle(account, asset, -rest, INSURANCE_ACCOUNT)
        matching.ledger.tell_balance(account, account.holding(asset), now_ns)


def _bankruptcy_prices(account: Account, asset: str, positions: list[Position]) -> list[Decimal]:
    notional = sum((each.notional for each in positions), ZERO)
    share = NEAREST.divide(standing(account, asset).equity, notional)
    prices = []
    for position in positions:
        mark = position.market.mark
        assert mark is not None
        tick = position.market.instrument.price_tick
        if position.side is Side.BUY:
            price = to_multiple(NEAREST.multiply(mark, 1 - share), tick, CEILING)
        else:
            price = to_multiple(NEAREST.multiply(mark, 1 + share), tick, FLOOR)
        prices.append(max(price, tick))
    return prices


def _close(matching: Matching, position: Position, price: Decimal, now_ns: int) -> None:
    """Close one position at `price` or better."""
    market = position.market
    order = matching.force(
        position.account, market, position.side.opposite, price, position.size, now_ns
    )
    while order.state is OrderState.OPEN:
        other = min(
            (each for each in market.positions.values() if each.side is order.side), key=_rank
        )
        quantity = min(order.leaves_quantity, other.size)
        matching.deleverage(market, order, other.account, quantity, now_ns)


def _rank(position: Position) -> tuple[Decimal, bool, int]:
    """Order by profit as a share of the entry, most first; then clients before house accounts."""
    profit = NEAREST.divide(position.unrealized, abs(position.cost) or MONEY_STEP)
    number = position.account.number
    return -profit, number < 0, abs(number)
