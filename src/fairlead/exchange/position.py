"""A position: what one account holds of one perpetual, with the orders that may change it.

Exact: `cost` is what the held quantity was entered for, so that over all fills it is the sum of
signed notionals plus what was realized. A partial close rounds once, to 10⁻⁸, and what it rounds away
stays in `cost`. Changes in place, and only `perpetual` and `clearing` change it.
"""

from collections.abc import Iterator
from decimal import Decimal

from fairlead.core.model import ZERO, Side
from fairlead.exchange.book import Market
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.rounding import NEAREST, divided


class OpenSide:
    """An account's open orders of one side in one perpetual; those that only reduce are not in it."""

    __slots__ = ("leaves", "notional", "orders")

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.leaves = ZERO  # what is not filled of them
        self.notional = ZERO  # the same at their prices

    def add(self, order: Order) -> None:
        """Count an order that is open now."""
        self.orders[order.number] = order
        self.leaves += order.leaves_quantity
        self.notional += order.price * order.leaves_quantity

    def remove(self, order: Order) -> None:
        """Count an order no longer, nor what is not filled of it."""
        del self.orders[order.number]
        self.leaves -= order.leaves_quantity
        self.notional -= order.price * order.leaves_quantity

    def filled(self, order: Order, quantity: Decimal) -> None:
        """Count a fill of `quantity`, which `order.filled` has already."""
        self.leaves -= quantity
        self.notional -= order.price * quantity
        if not order.leaves_quantity:
            del self.orders[order.number]

    def pieces(self) -> Iterator[tuple[Decimal, Decimal]]:
        """Iterate over price and leaves of each order."""
        return ((order.price, order.leaves_quantity) for order in self.orders.values())


class Position:
    """`quantity` and `cost` are above zero when long, below when short.

    `order_margin` and `position_margin` are the parts of the quote asset's lock that are this
    position's; `margin.relock` keeps them.
    """

    __slots__ = (
        "account",
        "buys",
        "cost",
        "leverage",
        "market",
        "order_margin",
        "position_margin",
        "quantity",
        "sells",
    )

    def __init__(self, account: Account, market: Market, leverage: Decimal) -> None:
        self.account = account
        self.market = market
        self.leverage = leverage
        self.quantity = ZERO
        self.cost = ZERO
        self.order_margin = ZERO
        self.position_margin = ZERO
        self.buys = OpenSide()
        self.sells = OpenSide()

    @property
    def side(self) -> Side:
        """SELL when short, else BUY."""
        return Side.SELL if self.quantity < ZERO else Side.BUY

    @property
    def size(self) -> Decimal:
        """How much is held, on whichever side."""
        return abs(self.quantity)

    @property
    def entry_price(self) -> Decimal:
        """The average price of what is held, to 10⁻⁸; 0 when flat."""
        return divided(self.cost, self.quantity, NEAREST) if self.quantity else ZERO

    @property
    def unrealized(self) -> Decimal:
        """The profit if all were closed at the mark price; 0 while there is none."""
        mark = self.market.mark
        return ZERO if mark is None else self.quantity * mark - self.cost

    @property
    def notional(self) -> Decimal:
        """What is held at the mark price, on whichever side."""
        mark = self.market.mark
        return abs(self.cost) if mark is None else abs(self.quantity) * mark

    def open_side(self, side: Side) -> OpenSide:
        """Return the open orders of `side`."""
        return self.buys if side is Side.BUY else self.sells

    def against(self, side: Side) -> Decimal:
        """Return how much an order of `side` could reduce."""
        if side is Side.BUY:
            return -self.quantity if self.quantity < ZERO else ZERO
        return max(ZERO, self.quantity)

    def fill(self, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Move by one fill and return the realized profit: first what closes, then what opens."""
        closed = min(self.against(side), quantity)
        sign = 1 if side is Side.BUY else -1
        realized = ZERO
        if closed:
            entered = self.cost
            if closed != self.size:
                entered = divided(self.cost * closed, self.size, NEAREST)
            realized = -sign * price * closed - entered
            self.cost -= entered
            self.quantity += sign * closed
        opened = quantity - closed
        if opened:
            self.cost += sign * price * opened
            self.quantity += sign * opened
        return realized
