"""Clients' orders against any recorded market: what must hold whatever it displays and trades.

Prices are whole, from 99 to 102, so that levels, trades and orders meet all the time.
"""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.exchange.ledger import total_holdings
from fairlead.exchange.market import Level, PrintTrade, SetBook
from fairlead.exchange.matching import TAPE_ACCOUNT
from fairlead.exchange.orders import Order
from fairlead.venues.sim_messages import OrderState
from tests.exchange.tape_world import SYMBOL, World

_prices = st.integers(min_value=99, max_value=102)
_quantities = st.integers(min_value=1, max_value=8)
_named = st.dictionaries(_prices, st.integers(min_value=0, max_value=6), max_size=4)
_books = st.tuples(
    st.just("book"), _named, _prices, st.booleans(), st.sampled_from([None, None, None, "a gap"])
)
_trades = st.tuples(st.just("trade"), st.sampled_from(list(Side)), _prices, _quantities)
_orders = st.tuples(
    st.just("order"),
    st.sampled_from(list(Side)),
    _prices,
    _quantities,
    st.sampled_from(
        [
            TimeInForce.GOOD_TILL_CANCEL,
            TimeInForce.GOOD_TILL_CANCEL,
            TimeInForce.IMMEDIATE_OR_CANCEL,
            TimeInForce.FILL_OR_KILL,
        ]
    ),
)
_cancels = st.tuples(st.just("cancel"), st.integers(min_value=0, max_value=50))
_steps = st.lists(
    st.one_of(_books, _trades, _trades, _trades, _orders, _orders, _orders, _cancels),
    min_size=25,
    max_size=60,
)


def _book(named: dict[int, int], middle: int, is_whole: bool, gap: str | None) -> SetBook:
    """Make a message of what is named: bids below `middle`, asks from there."""
    levels = {
        side: tuple(
            Level(Decimal(price), Decimal(named[price]))
            for price in sorted(named, reverse=side is Side.BUY)
            if (price < middle) is (side is Side.BUY) and (named[price] or not is_whole)
        )
        for side in Side
    }
    return SetBook(0, SYMBOL, levels[Side.BUY], levels[Side.SELL], is_whole, gap)


class Watched:
    """A world whose every step is checked."""

    def __init__(self) -> None:
        self.world = World()
        self.orders: list[Order] = []

    def do(self, step: tuple) -> None:  # type: ignore[type-arg]
        filled = {order.number: order.filled for order in self.orders}
        before = self.world.queue.queues(SYMBOL)
        if step[0] == "book":
            self.world.do(_book(*step[1:]))
        elif step[0] == "trade":
            _, aggressor, price, quantity = step
            queues = self._queues_before(aggressor.opposite, price)
            self.world.do(PrintTrade(0, SYMBOL, Decimal(price), Decimal(quantity), aggressor))
            self._check_trade(filled, queues, aggressor, price, quantity)
        elif step[0] == "order":
            self._order(*step[1:])
        elif self.orders:
            order = self.orders[step[1] % len(self.orders)]
            if order.state is OrderState.OPEN:
                self.world.matching.cancel(order, self.world.now_ns)
        for number, queue in self.world.queue.queues(SYMBOL).items():
            assert queue <= before.get(number, queue), "a queue never grows"
        self._check_always()

    def _order(self, side: Side, price: int, quantity: int, kind: TimeInForce) -> None:
        """A client crosses its own orders in nobody's interest: such an order is left out."""
        if any(
            other.side is side.opposite
            and other.state is OrderState.OPEN
            and (other.price <= price if side is Side.BUY else other.price >= price)
            for other in self.orders
        ):
            return
        displayed = self._displayed(side.opposite, Decimal(price))
        order = self.world.place(side, str(price), str(quantity), kind)
        self.orders.append(order)
        # A taker gets what is displayed within its price: no more and, but for its kind, no less.
        expected = min(displayed, Decimal(quantity))
        if kind is TimeInForce.FILL_OR_KILL and displayed < quantity:
            expected = ZERO
        assert order.filled == expected

    def _displayed(self, side: Side, limit: Decimal, is_at_price: bool = False) -> Decimal:
        """Return what the tape displays on `side` within `limit`, or at that very price."""
        shown = ZERO
        for order in self.world.matching.markets[SYMBOL].book.side(side).orders():
            is_within = order.price <= limit if side is Side.SELL else order.price >= limit
            if order.account.is_house and (order.price == limit if is_at_price else is_within):
                shown += order.leaves_quantity
        return shown

    def _queues_before(self, side: Side, price: int) -> dict[int, Decimal | None]:
        """Return the queue before each open order at the price, None where it is not known."""
        queues = self.world.queue.queues(SYMBOL)
        return {
            order.number: queues.get(order.number)
            for order in self.orders
            if order.state is OrderState.OPEN and order.side is side and order.price == price
        }

    def _check_trade(
        self,
        before: dict[int, Decimal],
        queues: dict[int, Decimal | None],
        aggressor: Side,
        price: int,
        quantity: int,
    ) -> None:
        """A trade fills no more than it is worth, best price and oldest first, queues before that."""
        gains = {order: order.filled - before[order.number] for order in self.orders}
        assert sum(gains.values()) <= quantity
        met = [
            order
            for order in self.orders
            if order.side is aggressor.opposite
            and (order.price >= price if aggressor is Side.SELL else order.price <= price)
        ]
        assert all(order in met for order, gain in gains.items() if gain)
        sign = -1 if aggressor is Side.SELL else 1
        met.sort(key=lambda order: (sign * order.price, order.number))
        gained = ZERO
        for order in met:
            wanted = order.quantity - before[order.number]
            if order.state is OrderState.CANCELED:
                assert not gains[order]
                continue
            if order.number in queues:
                queue = queues[order.number]
                fillable = ZERO if queue is None else quantity - gained - queue
            else:
                fillable = quantity - gained
            assert gains[order] == min(wanted, max(ZERO, fillable))
            left = self.world.queue.queues(SYMBOL).get(order.number)
            if left is not None and queues.get(order.number) is not None:
                assert left == max(ZERO, gained - quantity + queues[order.number])
            gained += gains[order]

    def _check_always(self) -> None:
        matching = self.world.matching
        assert not matching.markets[SYMBOL].book.is_crossed()
        assert not any(total_holdings(matching.accounts.values()).values()), "nothing made or lost"
        queues = self.world.queue.queues(SYMBOL)
        by_price: dict[tuple[Side, Decimal], list[Order]] = defaultdict(list)
        for order in self.orders:
            assert ZERO <= order.filled <= order.quantity
            if order.state is OrderState.OPEN:
                by_price[order.side, order.price].append(order)
                shown = self._displayed(order.side, order.price, is_at_price=True)
                assert not shown or queues[order.number] <= shown
        for orders in by_price.values():
            known = [queues[order.number] for order in orders if order.number in queues]
            assert known == sorted(known), "who came later stands behind"
            assert [order.number in queues for order in orders] == sorted(
                (order.number in queues for order in orders), reverse=True
            ), "and waits no less where it is not known how long"


@settings(max_examples=200, deadline=None)
@given(_steps)
def test_whatever_the_market_nobody_gets_more_than_it_traded_or_before_his_turn(steps) -> None:  # type: ignore[no-untyped-def]
    watched = Watched()
    for step in steps:
        watched.do(step)


@settings(max_examples=30, deadline=None)
@given(_steps)
def test_whatever_the_market_the_same_orders_get_the_same_fills(steps) -> None:  # type: ignore[no-untyped-def]
    fills = []
    for _ in range(2):
        watched = Watched()
        for step in steps:
            watched.do(step)
        fills.append(watched.world.fills())
    assert fills[0] == fills[1]


@settings(max_examples=30, deadline=None)
@given(_steps)
def test_whatever_clients_do_the_tapes_account_is_their_other_side(steps) -> None:  # type: ignore[no-untyped-def]
    watched = Watched()
    for step in steps:
        watched.do(step)
    moved = sum(
        (fill.quantity if fill.side is Side.BUY else -fill.quantity)
        for fill in watched.world.fills()
    )
    tape = watched.world.matching.ledger.house(TAPE_ACCOUNT)
    assert tape.holding("BTC").total == -moved
