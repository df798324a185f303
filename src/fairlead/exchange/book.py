"""The order book of one instrument, resting orders by price, then by time; and the market around it.

Each side is a dictionary from price to a queue, and a sorted list of the prices that have one, best
price last. A queue is an ordered dictionary, so that an order leaves from anywhere at constant cost.
Prices are the integers of `Order.price_units`. Must never decide whether orders trade.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from fairlead.core.model import ZERO, Instrument, InstrumentKind, Side
from fairlead.exchange.booking import Booking
from fairlead.exchange.orders import Order

if TYPE_CHECKING:
    from fairlead.exchange.position import Position

Queue = OrderedDict[int, Order]


class HalfBook:
    """One side. `sign` is 1 for bids and −1 for asks, so that the best key is always the greatest.

    `best_key`: None where there is none; while it is the same, so is the best price.
    """

    __slots__ = ("_keys", "_queues", "_sign", "best_key")

    def __init__(self, side: Side) -> None:
        self._sign = 1 if side is Side.BUY else -1
        self.best_key: int | None = None
        self._keys: list[int] = []
        self._queues: dict[int, Queue] = {}

    def add(self, order: Order) -> None:
        """Put `order` behind all others of its price."""
        key = order.price_units * self._sign
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = OrderedDict()
            insort(self._keys, key)
            self.best_key = self._keys[-1]
        queue[order.number] = order

    def remove(self, order: Order) -> None:
        """Take out `order`, which must be in the book."""
        key = order.price_units * self._sign
        queue = self._queues[key]
        del queue[order.number]
        if not queue:
            del self._queues[key]
            del self._keys[bisect_left(self._keys, key)]
            self.best_key = self._keys[-1] if self._keys else None

    def best(self) -> Order | None:
        """Return the order that trades first."""
        if not self._keys:
            return None
        return next(iter(self._queues[self._keys[-1]].values()))

    def best_reached(self, price_units: int) -> Order | None:
        """Return the order that trades first against a limit of `price_units` on the other side."""
        if not self._keys or self._keys[-1] < price_units * self._sign:
            return None
        return next(iter(self._queues[self._keys[-1]].values()))

    def reached(self, price_units: int) -> Iterator[Order]:
        """Iterate, in trading order, over what a limit of `price_units` on the other side reaches.

        The book must not change meanwhile.
        """
        limit = price_units * self._sign
        for key in reversed(self._keys):
            if key < limit:
                return
            yield from self._queues[key].values()

    def orders(self) -> Iterator[Order]:
        """Iterate over all, in trading order. The book must not change meanwhile."""
        for key in reversed(self._keys):
            yield from self._queues[key].values()

    def levels(self, depth: int) -> list[tuple[Decimal, Decimal]]:
        """Return the best `depth` prices with the open quantity at each."""
        answer = []
        for key in self._keys[: -depth - 1 : -1]:
            queue = self._queues[key].values()
            price = next(iter(queue)).price
            answer.append((price, sum((order.leaves_quantity for order in queue), ZERO)))
        return answer


class Book:
    """Both sides of one instrument."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = HalfBook(Side.BUY)
        self.asks = HalfBook(Side.SELL)

    def side(self, side: Side) -> HalfBook:
        """Return the half in which orders of `side` rest."""
        return self.bids if side is Side.BUY else self.asks

    def opposite(self, side: Side) -> HalfBook:
        """Return the half that orders of `side` trade with."""
        return self.asks if side is Side.BUY else self.bids

    def is_crossed(self) -> bool:
        """Whether the best bid reaches the best ask, which must never be so between two changes."""
        bid, ask = self.bids.best(), self.asks.best()
        return bid is not None and ask is not None and bid.price_units >= ask.price_units


class Market:
    """One instrument, its book and its trades. `trades` is the newest trade id given out.

    Of a perpetual only: `mark` is the price that positions are valued at, `mark_set` the one that an
    operator has set, `price_last` that of the last trade while the books give no price. `positions`
    are those that are not flat, by account number. Funding is due at `funding_time_ns`.
    """

    __slots__ = (
        "book",
        "booking",
        "funding_time_ns",
        "instrument",
        "is_perpetual",
        "mark",
        "mark_set",
        "positions",
        "price_last",
        "trades",
    )

    booking: Booking  # set by whoever opens the market

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.book = Book()
        self.trades = 0
        self.is_perpetual = instrument.kind is InstrumentKind.PERPETUAL
        self.mark: Decimal | None = None
        self.mark_set: Decimal | None = None
        self.price_last: Decimal | None = None
        self.positions: dict[int, Position] = {}
        self.funding_time_ns: int | None = None


class Top(msgspec.Struct, frozen=True):
    """The best prices of a market with the open quantity at each; None and 0 where there is none."""

    bid: Decimal | None
    bid_size: Decimal
    ask: Decimal | None
    ask_size: Decimal
