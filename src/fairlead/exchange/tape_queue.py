"""A recorded market's quotes and trades in the matching engine, and who is first in the queue.

The queue: a client's order at a price where the tape displays a quantity stands behind that quantity.
Trades of the tape at this very price use the queue up before they fill the order; a trade at a worse
price for the client fills it regardless, at the order's price. The queue is never longer than what is
displayed (what vanishes from the display is taken to have stood behind, until it cannot have), and it
is gone when the tape's best price falls behind the order's. Nothing is known of prices behind the
best: before an order that waits there stands what is displayed when its price first becomes the best,
and until then no trade at its own price fills it. An order at a better price than the tape's best is
first, also when the tape joins it.

Must never let anything but resting orders of clients change what it does.
"""

from collections.abc import Iterator
from decimal import Decimal

from fairlead.core.model import ZERO, Side
from fairlead.exchange.market import PrintTrade, SetQuote
from fairlead.exchange.matching import TAPE_ACCOUNT, Matching
from fairlead.exchange.orders import PRICE_UNITS, Order


class TapeQueue:
    """The queues before all clients' orders, in front of one matching engine."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._queues: dict[tuple[str, Side], dict[int, Decimal]] = {}  # by order number

    def set_quote(self, action: SetQuote, now_ns: int) -> None:
        """Make the action's levels the tape's best bid and ask."""
        for side in Side:
            self._measure(action.symbol, side)
        bid, ask = action.bid, action.ask
        self._matching.set_quote(
            action.symbol,
            None if bid is None else bid.price,
            ZERO if bid is None else bid.quantity,
            None if ask is None else ask.price,
            ZERO if ask is None else ask.quantity,
            now_ns,
        )
        for side in Side:
            self._measure(action.symbol, side)

    def print_trade(self, action: PrintTrade, now_ns: int) -> None:
        """Fill the clients' orders that the recorded trade would have met, up to its quantity.

        Better prices first, then time; each at the order's own price.
        """
        side = action.aggressor.opposite
        queues = self._measure(action.symbol, side)
        tape = self._matching.ledger.house(TAPE_ACCOUNT)
        left = action.quantity
        for order in list(self._clients_orders(action.symbol, side, action.price)):
            fillable = left
            if order.price == action.price:
                # The same quantity passes through the queues of all orders at the price. An order
                # whose price never was the best has a queue of unknown length: nothing gets through.
                queue = queues.get(order.number, left)
                passed = min(queue, left)
                if order.number in queues:
                    queues[order.number] = queue - passed
                fillable -= passed
            filled = min(fillable, order.leaves_quantity)
            if filled:
                self._matching.fill_from_house(tape, order, filled, now_ns)
                left -= filled

    def _measure(self, symbol: str, side: Side) -> dict[int, Decimal]:
        """Bring the queues of one side up to what is displayed now, and return them.

        Between two actions of the tape a display only shrinks (clients take from it), and it shrinks
        from its front: so what is left of it now is what stands before an order that is new since.
        """
        queues = self._queues.get((symbol, side), {})
        quote = self._matching.markets[symbol].quotes.get(side)
        measured: dict[int, Decimal] = {}
        if quote is not None:
            # Behind the best price nothing is displayed: what was known there stays as it is.
            for number, queue in queues.items():
                order = self._matching.open_orders.get(number)
                if order is not None and _is_behind(order, quote):
                    measured[number] = queue
        for order in self._clients_orders(symbol, side, None if quote is None else quote.price):
            if quote is not None and order.price == quote.price:
                shown = quote.leaves_quantity
                measured[order.number] = min(queues.get(order.number, shown), shown)
            else:
                measured[order.number] = ZERO
        self._queues[symbol, side] = measured
        return measured

    def _clients_orders(self, symbol: str, side: Side, price: Decimal | None) -> Iterator[Order]:
        """Iterate over the clients' orders that a trade at `price` (any, if None) meets, in order."""
        half = self._matching.markets[symbol].book.side(side)
        orders = half.orders() if price is None else half.reached(int(price * PRICE_UNITS))
        return (order for order in orders if not order.account.is_house)


def _is_behind(order: Order, quote: Order) -> bool:
    if order.side is Side.BUY:
        return order.price_units < quote.price_units
    return order.price_units > quote.price_units
