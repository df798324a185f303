"""What an order in a perpetual locks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.margin import MARGIN_STEP, Margin, initial_margin
from fairlead.core.model import (
    ExecInst,
    InstrumentKind,
    Order,
    Position,
    Side,
    Stage,
    Updater,
)
from tests.core.words import D, make_order


@pytest.mark.parametrize(
    ("notional", "leverage", "margin"),
    [
        ("1000", "10", "100"),
        ("1000", "3", "333.33333334"),
        ("0.00000001", "50", "0.00000001"),
        ("0", "7", "0"),
        ("1234.5", "1", "1234.5"),
        ("1234.5", "2.5", "493.8"),
    ],
)
def test_the_margin_of_a_notional(notional: str, leverage: str, margin: str) -> None:
    assert initial_margin(D(notional), D(leverage)) == D(margin)


@given(st.integers(0, 10**24), st.integers(1, 125))
def test_it_covers_the_notional_and_is_at_most_a_step_too_much(units: int, leverage: int) -> None:
    notional = D(units) * D("0.000000000001")
    margin = initial_margin(notional, D(leverage))
    assert notional <= margin * leverage < notional + MARGIN_STEP * leverage


def margin(signed: str = "0", entry: str = "100", leverage: str = "10") -> Margin:
    found = Margin("USDT")
    quantity = D(signed)
    side = Side.SELL if quantity < 0 else Side.BUY
    found.put_position(
        Position(
            "SIM_PERP_BTC_USDT", "BTC-PERP", "USDT", side, abs(quantity), D(entry), D(100), D(0),
            D(leverage), True, None, Updater.EXCHANGE, 0,
        )
    )  # fmt: skip
    return found


def order(number: int, side: Side, price: str, quantity: str, **changes: object) -> Order:
    return make_order(
        Stage.WORKING, number=number, side=side, price=D(price), quantity=D(quantity),
        kind=InstrumentKind.PERPETUAL, **changes,
    )  # fmt: skip


def put(found: Margin, *orders: Order) -> Margin:
    for each in orders:
        found.put_order(each, each.leaves_quantity)
    return found


def test_orders_of_both_sides_lock_their_notional() -> None:
    found = put(margin(), order(1, Side.BUY, "90", "2"), order(2, Side.SELL, "110", "3"))
    assert found.lock() == 51
    put(found, order(1, Side.BUY, "90", "1"))
    assert found.lock() == 42
    found.put_order(order(2, Side.SELL, "110", "3"), D(0))
    assert found.lock() == 9


def test_the_orders_that_trade_first_reduce_and_only_the_rest_locks() -> None:
    found = margin("4", "100")
    assert found.lock() == 40
    put(found, order(1, Side.SELL, "120", "3"))
    assert found.lock() == 40
    put(found, order(2, Side.SELL, "110", "2"))
    assert found.lock() == 40 + 12, "the dearer one sells last: 1 of it goes beyond"
    put(found, order(3, Side.BUY, "90", "1"))
    assert found.lock() == 40 + 12 + 9


def test_a_short_position_is_reduced_by_buys_the_highest_first() -> None:
    found = put(margin("-2"), order(1, Side.BUY, "90", "2"), order(2, Side.BUY, "95", "1"))
    assert found.lock() == 20 + 9
    put(found, order(3, Side.SELL, "110", "1"))
    assert found.lock() == 20 + 9 + 11


def test_what_may_only_reduce_locks_nothing() -> None:
    only = order(1, Side.SELL, "90", "2", exec_inst=(ExecInst.DO_NOT_INCREASE,))
    assert put(margin("2"), only).lock() == 20
    assert put(margin(), only).lock() == 0


def test_what_one_more_order_would_lock() -> None:
    found = put(margin("2"), order(1, Side.SELL, "110", "1"))
    assert found.more(Side.SELL, D(100), D(1)) == 0
    assert found.more(Side.SELL, D(100), D(2)) == 11, "it sells first, and the other goes beyond"
    assert found.more(Side.BUY, D(100), D(2)) == 20
    assert found.lock() == 20


def test_both_sides_are_rounded_up_together_and_the_position_for_itself() -> None:
    found = put(margin("1", "100", "3"), order(1, Side.BUY, "100", "1"))
    put(found, order(2, Side.SELL, "100", "2"))
    assert found.lock() == D("33.33333334") + D("66.66666667")


@given(
    st.integers(-5, 5),
    st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(90, 110), st.integers(1, 4))),
)
def test_it_equals_the_exchange_s_rule_by_hand(
    held: int, tickets: list[tuple[Side, int, int]]
) -> None:
    found = margin(str(held))
    for number, (side, price, quantity) in enumerate(tickets):
        put(found, order(number, side, str(price), str(quantity)))
    expected = 0
    for side in Side:
        left = max(0, -held if side is Side.BUY else held)
        units = [price for its, price, quantity in tickets if its is side for _ in range(quantity)]
        units.sort(reverse=side is Side.BUY)
        expected += sum(units[left:])
    assert found.lock() == initial_margin(D(expected), D(10)) + abs(held) * 10
