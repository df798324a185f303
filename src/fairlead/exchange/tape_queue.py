"""A recorded market's books and trades in the matching engine, and who is first in the queue.

The queue: a client's order at a price where the tape displays a quantity stands behind that quantity.
Trades of the tape at this very price use the queue up before they fill the order; a trade at a worse
price for the client fills it regardless, at the order's price. The queue is never longer than what is
displayed (what vanishes from the display is taken to have stood behind, until it cannot have). Where
nothing is displayed, though it would be known, there is none. Where it is not known what is displayed,
the queue stays as it was; one that never was known is endless: no trade at its own price fills the
order.

Must never let anything but resting orders of clients change what it does.
"""

from collections.abc import Iterator
from decimal import Decimal

from fairlead.exchange.market import PrintTrade, SetBook
from fairlead.exchange.matching import TAPE_ACCOUNT, Matching
from fairlead.exchange.orders import PRICE_UNITS, Order
from fairlead.exchange.tape_book import TapeBook


class TapeQueue:
    """The tape's books and the queues before all clients' orders, in front of one matching engine."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._books = {symbol: TapeBook(matching, symbol) for symbol in matching.markets}
        # By symbol and order number. Only orders that were open when the tape moved last.
        self._queues: dict[str, dict[int, Decimal]] = {}

    @property
    def stale_levels(self) -> int:
        """How many displayed levels were removed because a newer message crossed them."""
        return sum(book.stale_levels for book in self._books.values())

    def set_book(self, action: SetBook, now_ns: int) -> None:
        """Let the tape display what the action says."""
        self._measure(action.symbol)
        self._books[action.symbol].state(action, now_ns)
        self._measure(action.symbol)

    def print_trade(self, action: PrintTrade, now_ns: int) -> None:
        """Fill the clients' orders that the recorded trade would have met, up to its quantity.

        Better prices first, then time; each at the order's own price.
        """
        queues = self._measure(action.symbol)
        tape = self._matching.ledger.house(TAPE_ACCOUNT)
        left = action.quantity
        for order in list(self._met_by(action)):
            fillable = left
            if order.price == action.price:
                # The same quantity passes through the queues of all orders at the price.
                queue = queues.get(order.number, left)
                passed = min(queue, left)
                if order.number in queues:
                    queues[order.number] = queue - passed
                fillable -= passed
            filled = min(fillable, order.leaves_quantity)
            if filled:
                self._matching.fill_from_house(tape, order, filled, now_ns)
                left -= filled

    def queues(self, symbol: str) -> dict[int, Decimal]:
        """Return what stands before each client's order now, by number; none where it is not known."""
        return self._measure(symbol).copy()

    def _measure(self, symbol: str) -> dict[int, Decimal]:
        """Bring the queues of one instrument up to what is displayed now, and return them.

        Between two actions of the tape a display only shrinks (clients take from it), and it shrinks
        from its front: so what is left of it now is what stands before an order that is new since.
        """
        book, queues = self._books[symbol], self._queues.get(symbol, {})
        measured: dict[int, Decimal] = {}
        for number, order in self._matching.open_orders.items():
            if order.symbol != symbol:
                continue
            shown, queue = book.shown(order), queues.get(number)
            if shown is not None:
                measured[number] = shown if queue is None else min(queue, shown)
            elif queue is not None:
                measured[number] = queue
        self._queues[symbol] = measured
        return measured

    def _met_by(self, action: PrintTrade) -> Iterator[Order]:
        """Iterate over the clients' orders that a trade meets, in trading order."""
        half = self._matching.markets[action.symbol].book.opposite(action.aggressor)
        orders = half.reached(int(action.price * PRICE_UNITS))
        return (order for order in orders if not order.account.is_house)
