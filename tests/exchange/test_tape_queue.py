"""Clients' orders against a recorded market: one BTC/USDT book, prices around 100."""

from decimal import Decimal
from random import Random

import pytest

from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.exchange.ledger import total_holdings
from fairlead.exchange.orders import Order
from fairlead.exchange.settings import INSTRUMENTS
from fairlead.exchange.tape import ByEvents, Tape, events, open_tape
from fairlead.venues.sim_messages import OrderState, Place, WireFill
from tests.exchange.tape_world import SYMBOL, World
from tests.recorded import QUOTES, TRADES, recorded


@pytest.fixture
def world() -> World:
    return World()


# ── quotes ───────────────────────────────────────────────────────────────────────────────────────


def test_what_is_taken_from_a_quote_is_gone_until_the_next_one(world: World) -> None:
    world.quote(ask="101", ask_size="2")
    assert world.take(Side.BUY, "101", "1.5").filled == Decimal("1.5")
    assert world.take(Side.BUY, "101", "1.5").filled == Decimal("0.5")
    assert world.take(Side.BUY, "101", "1.5").filled == ZERO
    world.quote(ask="101", ask_size="2")
    assert world.take(Side.BUY, "101", "1.5").filled == Decimal("1.5")


def test_a_taker_gets_no_more_than_the_one_level_displayed(world: World) -> None:
    world.quote(bid="100", bid_size="3")
    order = world.take(Side.SELL, "90", "5")
    assert order.filled == Decimal(3)
    assert order.state is OrderState.CANCELED
    assert [fill.price for fill in world.fills()] == [100]


def test_a_quote_that_crosses_a_resting_order_trades_at_the_orders_price(world: World) -> None:
    world.quote(bid="100", ask="103")
    order = world.buy("102", "5")
    world.quote(bid="100", ask="101", ask_size="2")
    assert order.filled == Decimal(2)
    assert [fill.price for fill in world.fills()] == [102]
    assert world.matching.top(SYMBOL).ask is None, "the level is used up"


def test_a_side_that_is_not_there_displays_nothing(world: World) -> None:
    world.quote()
    world.quote(ask=None)
    top = world.matching.top(SYMBOL)
    assert top.bid == Decimal(100)
    assert top.ask is None


# ── recorded trades ──────────────────────────────────────────────────────────────────────────────


def test_a_trade_through_an_order_fills_it_at_its_own_price_whatever_the_queue(
    world: World,
) -> None:
    world.quote(bid="100", bid_size="50")
    order = world.buy("100", "1")
    world.sold("99.99", "0.4")
    assert order.filled == Decimal("0.4")
    assert [fill.price for fill in world.fills()] == [100]


def test_a_trade_of_the_other_side_or_at_a_better_price_fills_nothing(world: World) -> None:
    order = world.buy("100", "1")
    world.bought("100", "5")
    world.sold("100.01", "5")
    assert order.filled == ZERO
    world.sold("100", "5")
    assert order.filled == Decimal(1)


def test_a_sell_order_is_filled_by_trades_whose_buyer_took(world: World) -> None:
    world.quote(ask="101", ask_size="2")
    order = world.place(Side.SELL, "101", "3")
    world.bought("101", "4")
    assert order.filled == Decimal(2)
    world.bought("101.5", "4")
    assert order.filled == Decimal(3)


def test_one_trade_fills_no_more_than_its_quantity_by_price_then_time(world: World) -> None:
    late = world.buy("99", "1")
    first, second = world.buy("100", "1"), world.buy("100", "1")
    best = world.buy("101", "1")
    world.sold("99", "2.5")
    assert [each.filled for each in (best, first, second, late)] == [1, 1, Decimal("0.5"), 0]


def test_the_displayed_quantity_trades_before_an_order_that_joined_it(world: World) -> None:
    world.quote(bid="100", bid_size="2")
    order = world.buy("100", "1")
    world.sold("100", "1.5")
    assert order.filled == ZERO
    world.sold("100", "0.75")
    assert order.filled == Decimal("0.25")


def test_orders_that_joined_one_after_the_other_share_what_passes_them(world: World) -> None:
    world.quote(bid="100", bid_size="1")
    first = world.buy("100", "1")
    world.quote(bid="100", bid_size="3")
    second = world.buy("100", "1")
    world.sold("100", "2")  # 1 before the first, the first, and 1 of the 3 before the second
    assert [first.filled, second.filled] == [1, 0]
    world.sold("100", "2.5")
    assert second.filled == Decimal("0.5")


def test_a_display_that_grows_grows_behind_and_one_that_shrinks_shortens_the_queue(
    world: World,
) -> None:
    world.quote(bid="100", bid_size="2")
    order = world.buy("100", "1")
    world.quote(bid="100", bid_size="9")
    world.quote(bid="100", bid_size="0.5")
    world.quote(bid="100", bid_size="9")
    world.sold("100", "0.75")
    assert order.filled == Decimal("0.25")


def test_what_clients_take_from_the_display_shortens_the_queue(world: World) -> None:
    world.quote(bid="100", bid_size="2")
    order = world.buy("100", "1")
    other = world.matching.ledger.open_account("other", b"", [("BTC", Decimal(10))])
    ticket = Place(
        0, 9, "x", SYMBOL, Side.SELL, Decimal(100), Decimal("1.5"),
        TimeInForce.IMMEDIATE_OR_CANCEL, False, None,
    )  # fmt: skip
    world.matching.place(other, ticket, 9)
    world.sold("100", "0.75")
    assert order.filled == Decimal("0.25")


def test_an_order_that_was_better_than_the_tape_stays_first_when_the_tape_joins(
    world: World,
) -> None:
    world.quote(bid="99")
    order = world.buy("100", "1")
    world.quote(bid="100", bid_size="5")
    world.sold("100", "0.5")
    assert order.filled == Decimal("0.5")


def test_an_order_before_the_first_quote_is_first(world: World) -> None:
    order = world.buy("100", "1")
    world.quote(bid="100", bid_size="5")
    world.sold("100", "0.5")
    assert order.filled == Decimal("0.5")


def test_an_order_behind_the_best_waits_for_what_is_displayed_when_its_price_is_best(
    world: World,
) -> None:
    world.quote(bid="101", ask="103")
    order = world.buy("100", "1")
    world.sold("100", "7")
    assert order.filled == ZERO, "its queue is not known yet"
    world.quote(bid="100", bid_size="2", ask="103")
    world.sold("100", "2.5")
    assert order.filled == Decimal("0.5")


def test_a_queue_is_kept_while_a_better_price_is_best(world: World) -> None:
    world.quote(bid="100", bid_size="2")
    order = world.buy("100", "1")
    world.sold("100", "1.5")
    world.quote(bid="100.50", bid_size="5")
    world.sold("100", "0.25")
    assert order.filled == ZERO
    world.quote(bid="100", bid_size="5")
    world.sold("100", "0.5")
    assert order.filled == Decimal("0.25")


def test_a_queue_is_gone_once_the_best_price_fell_behind_the_order(world: World) -> None:
    world.quote(bid="100", bid_size="2")
    order = world.buy("100", "1")
    world.quote(bid="99")
    world.quote(bid="100", bid_size="2")
    world.sold("100", "0.5")
    assert order.filled == Decimal("0.5")


def test_nothing_is_left_of_a_canceled_order(world: World) -> None:
    world.quote(bid="100", bid_size="2")
    first, second = world.buy("100", "1"), world.buy("100", "1")
    world.sold("100", "1")
    world.matching.cancel(first, 99)
    world.sold("100", "1.5")
    assert [first.filled, second.filled] == [0, Decimal("0.5")]


# ── books ────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_behind_the_best_stands_behind_what_its_own_level_displays(world: World) -> None:
    world.book(bids="101:5 100:2 99:7", asks="103:1")
    order = world.buy("100", "1")
    world.sold("100", "2.25")
    assert order.filled == Decimal("0.25")


def test_an_order_at_a_price_that_is_known_to_be_empty_is_first(world: World) -> None:
    world.book(bids="101:5 99:7", asks="103:1")
    order = world.buy("100", "1")
    world.update(bids="100:9")
    world.sold("100", "0.25")
    assert order.filled == Decimal("0.25")


def test_an_order_behind_all_that_is_displayed_waits_until_its_level_is(world: World) -> None:
    world.book(bids="101:5 99:7", asks="103:1")
    order = world.buy("98", "1")
    world.sold("98", "50")
    assert order.filled == ZERO, "its queue is not known"
    world.update(bids="98:2")
    world.sold("98", "2.25")
    assert order.filled == Decimal("0.25")


def test_an_update_of_another_level_leaves_a_queue_alone(world: World) -> None:
    world.book(bids="101:5 100:2")
    order = world.buy("100", "1")
    world.update(bids="101:1 99:3")
    world.sold("100", "2.25")
    assert order.filled == Decimal("0.25")


def test_cancels_behind_the_order_are_believed_until_they_cannot_be(world: World) -> None:
    world.book(bids="100:2")
    order = world.buy("100", "1")
    world.update(bids="100:5")
    world.update(bids="100:3")  # 2 of the 3 behind went
    world.sold("100", "1.5")
    assert order.filled == ZERO
    world.update(bids="100:0.25")
    world.sold("100", "0.5")
    assert order.filled == Decimal("0.25")


def test_a_queue_is_gone_with_its_level_inside_the_known_range(world: World) -> None:
    world.book(bids="101:5 100:2 99:7")
    order = world.buy("100", "1")
    world.update(bids="100:0")
    world.update(bids="100:4")
    world.sold("100", "0.5")
    assert order.filled == Decimal("0.5")


def test_a_level_that_leaves_the_range_of_the_display_proves_nothing(world: World) -> None:
    world.book(bids="101:5 100:2")
    order = world.buy("100", "1")
    world.update(bids="102:1 100:0")
    world.update(bids="102:0 100:9")
    world.sold("100", "1.5")
    assert order.filled == ZERO
    world.sold("100", "0.75")
    assert order.filled == Decimal("0.25")


def test_after_a_gap_a_queue_stays_and_a_new_order_waits_for_its_level(world: World) -> None:
    world.book(bids="101:5 100:2 99:1")
    order = world.buy("100", "1")
    world.book(bids="101:1", is_whole=False, gap="something is missing")
    late = world.buy("99", "1")
    world.sold("99", "0.5")
    assert order.filled == Decimal("0.5"), "a trade at a worse price fills it"
    assert late.filled == ZERO
    world.sold("100", "2.25")
    assert order.filled == Decimal("0.75")
    world.update(bids="99:3")
    world.sold("99", "3.5")
    assert late.filled == Decimal("0.25"), "0.25 went to the better price, 3 to its queue"


# ── the real recording ───────────────────────────────────────────────────────────────────────────


def traded_along_the_recording(seed: int) -> list[WireFill]:
    """500 random orders between steps of the recorded tape; the fills."""
    files = open_tape(
        [str(path) for path in recorded(TRADES, QUOTES)],
        INSTRUMENTS,
    )
    world, random = World(), Random(seed)
    tape = Tape(events(files, INSTRUMENTS))
    orders: list[Order] = []
    for _ in range(500):
        for action in tape.advance(ByEvents(random.randrange(1, 9))):
            world.do(action)
        top = world.matching.top(SYMBOL)
        side = Side.BUY if random.randrange(2) else Side.SELL
        near = top.bid if side is Side.BUY else top.ask
        near = near or top.bid or top.ask or Decimal(39_450)
        price = str(near + random.randrange(-300, 300) * Decimal("0.01"))
        quantity = str(random.randrange(200, 100_000) * Decimal("0.000001"))
        kind = random.choice(
            [
                TimeInForce.GOOD_TILL_CANCEL,
                TimeInForce.IMMEDIATE_OR_CANCEL,
                TimeInForce.FILL_OR_KILL,
            ]
        )
        orders.append(world.place(side, price, quantity, kind))
        canceled = random.choice(orders)
        if canceled.state is OrderState.OPEN and random.randrange(3) == 0:
            world.matching.cancel(canceled, world.now_ns)
        assert not world.matching.markets[SYMBOL].book.is_crossed()
    assert not any(total_holdings(world.matching.accounts.values()).values())
    return world.fills()


def test_trading_along_the_recording_gives_the_same_fills_twice() -> None:
    fills = traded_along_the_recording(1)
    assert len(fills) > 100
    assert {fill.liquidity for fill in fills} == {"MAKER", "TAKER"}
    assert fills == traded_along_the_recording(1)
