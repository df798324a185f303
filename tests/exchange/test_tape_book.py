"""What a recorded market displays, level by level."""

from decimal import Decimal

import pytest

from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.exchange import tape_book
from fairlead.venues.sim_messages import OrderState
from tests.exchange.tape_world import SYMBOL, World


@pytest.fixture
def world() -> World:
    return World()


def both(world: World) -> tuple[str, str]:
    return world.displayed(Side.BUY), world.displayed(Side.SELL)


def test_a_whole_book_replaces_what_was_displayed(world: World) -> None:
    world.book(bids="100:2 99:1", asks="101:3 102:4")
    assert both(world) == ("100:2 99:1", "101:3 102:4")
    world.book(bids="99:5", asks="103:1")
    assert both(world) == ("99:5", "103:1")


def test_an_update_changes_the_levels_it_names_and_no_other(world: World) -> None:
    world.book(bids="100:2 99:1", asks="101:3 102:4")
    world.update(bids="100:0 99.5:7", asks="102:1")
    assert both(world) == ("99.5:7 99:1", "101:3 102:1")
    world.update(bids="98:0")
    assert both(world) == ("99.5:7 99:1", "101:3 102:1")


def test_a_taker_walks_the_levels_and_gets_what_they_display(world: World) -> None:
    world.book(bids="90:1", asks="101:1 102:2 103:4")
    order = world.take(Side.BUY, "102", "5")
    assert (order.filled, order.state) == (Decimal(3), OrderState.CANCELED)
    assert [(fill.price, fill.quantity) for fill in world.fills()] == [(101, 1), (102, 2)]
    assert world.displayed(Side.SELL) == "103:4"


def test_a_fill_or_kill_order_counts_all_levels_within_its_price(world: World) -> None:
    world.book(asks="101:1 102:2 103:4")
    assert world.place(Side.BUY, "102", "3.5", TimeInForce.FILL_OR_KILL).filled == ZERO
    assert world.place(Side.BUY, "102", "3", TimeInForce.FILL_OR_KILL).filled == Decimal(3)


def test_what_was_taken_from_a_level_stays_taken_until_the_tape_names_it(world: World) -> None:
    world.book(asks="101:2 102:5")
    world.take(Side.BUY, "101", "1.5")
    world.update(asks="102:6", bids="99:1")
    assert world.displayed(Side.SELL) == "101:0.5 102:6"
    world.take(Side.BUY, "101", "1.5")
    world.update(asks="102:5")
    assert world.displayed(Side.SELL) == "102:5"
    world.update(asks="101:2")
    assert world.displayed(Side.SELL) == "101:2 102:5"


def test_trades_of_the_tape_do_not_take_from_what_it_displays(world: World) -> None:
    world.book(bids="99:1", asks="101:2")
    world.bought("101", "2")
    assert world.displayed(Side.SELL) == "101:2"


def test_a_new_level_that_crosses_a_resting_order_fills_it_at_its_price(world: World) -> None:
    world.book(bids="99:1", asks="105:1")
    order = world.buy("103", "4")
    world.update(asks="101:1 102:2 104:9")
    assert order.filled == Decimal(3)
    assert [fill.price for fill in world.fills()] == [103, 103]
    assert world.displayed(Side.SELL) == "104:9 105:1"


def test_levels_that_a_newer_message_crosses_are_removed_and_counted(world: World) -> None:
    world.book(bids="100:2 99:1", asks="101:3 102:4")
    world.update(bids="101:1")
    assert both(world) == ("101:1 100:2 99:1", "102:4")
    world.update(asks="99:2")
    assert both(world) == ("", "99:2 102:4")
    assert world.queue.stale_levels == 4
    assert world.fills() == [], "levels of the tape never trade with one another"


def test_a_gap_forgets_all_that_was_displayed(world: World) -> None:
    world.book(bids="100:2 99:1", asks="101:3 102:4")
    world.book(bids="99:8 98:0", is_whole=False, gap="something is missing")
    assert both(world) == ("99:8", "")
    world.update(asks="101:1")
    assert both(world) == ("99:8", "101:1")


def test_more_levels_than_the_most_lose_the_worst_and_what_is_known_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape_book, "LEVELS_MAX", 2)
    world.book(bids="100:2 99:1")
    world.update(bids="101:3 98:1")
    assert world.displayed(Side.BUY) == "101:3 100:2"
    order = world.buy("99", "1")
    world.sold("99", "50")
    assert order.filled == ZERO, "it is not known what is displayed there"


def test_other_markets_are_left_alone(world: World) -> None:
    world.book(bids="100:2", asks="101:3")
    assert all(
        market.book.bids.best() is None
        for symbol, market in world.matching.markets.items()
        if symbol != SYMBOL
    )
