"""Marks and funding as values."""

import msgspec
import pytest

from fairlead.exchange.settings import PerpetualSettings
from fairlead.venues.sim_messages import PositionsChanged
from tests.exchange.pit import BUY, FREE, PERP, SELL, D, Pit, check_always

HOUR_NS = 3600 * 10**9
SETTINGS = msgspec.structs.replace(
    FREE, perpetuals=PerpetualSettings(funding_interval_ms=3_600_000)
)


# ── the mark price ───────────────────────────────────────────────────────────────────────────────


def test_there_is_no_mark_before_anything_gave_a_price() -> None:
    pit = Pit(mark=None)
    pit.settle()
    assert pit.market.mark is None
    pit.accept(pit.alice, BUY, "500", "1")  # nothing to lose against


def test_the_mark_is_the_spot_market_s_mid_to_the_tick() -> None:
    pit = Pit(mark=None)
    pit.quote_spot("100", "100.01")
    assert pit.market.mark == 100
    pit.quote_spot("100.01", "100.02")
    assert str(pit.market.mark) == "100.02", "half goes to the even tick"


def test_without_an_index_the_mark_is_the_perpetual_s_own_mid() -> None:
    pit = Pit(mark=None)
    pit.accept(pit.alice, BUY, "98", "1")
    pit.accept(pit.bob, SELL, "99", "1")
    assert pit.market.mark == D("98.50")
    pit.quote_spot("100", "102")
    assert pit.market.mark == 101


def test_sides_too_far_apart_are_no_price() -> None:
    pit = Pit(mark=None)
    pit.quote_spot("100", "105.01")
    assert pit.market.mark is None
    pit.quote_spot("100", "105")
    assert pit.market.mark == D("102.50")
    pit.quote_spot(None, "900")
    assert pit.market.mark == D("102.50"), "it stays while there is no other"


def test_where_books_give_no_price_the_last_trade_since_does() -> None:
    pit = Pit(mark=None)
    pit.trade(pit.alice, pit.bob, "97", "1")
    assert pit.market.mark == 97
    pit.quote_spot("100", "102")
    pit.quote_spot(None, None)
    assert pit.market.mark == 101, "that trade was before"
    pit.trade(pit.alice, pit.bob, "96", "1")
    assert pit.market.mark == 96


def test_a_mark_that_was_set_stays_until_it_is_cleared() -> None:
    pit = Pit(mark="50")
    pit.quote_spot("100", "102")
    assert pit.market.mark == 50
    pit.mark(None)
    assert pit.market.mark == 101


# ── funding ──────────────────────────────────────────────────────────────────────────────────────


def opened() -> Pit:
    """Alice is long 10 at 100 against bob, in the first hour."""
    pit = Pit(SETTINGS)
    pit.trade(pit.alice, pit.bob, "100", "10")
    return pit


def premium(pit: Pit, index: str, own: str) -> None:
    """Give the index and the perpetual's mid."""
    pit.quote_spot(str(int(index) - 1), str(int(index) + 1))
    pit.matching.place_house(pit.house, PERP, BUY, D(own) - 1, D(1), pit.now_ns)
    pit.matching.place_house(pit.house, PERP, SELL, D(own) + 1, D(1), pit.now_ns)
    pit.settle()


def test_longs_pay_shorts_the_premium_of_their_notional() -> None:
    pit = opened()
    premium(pit, "100", "100.5")
    assert pit.clearing.rate(pit.market) == D("0.005")
    pit.settle(HOUR_NS)
    assert pit.usdt(pit.alice)[0] == 995
    assert pit.usdt(pit.bob)[0] == 1005
    check_always(pit.matching)


def test_below_the_index_shorts_pay() -> None:
    pit = opened()
    premium(pit, "100", "99.9")
    pit.settle(HOUR_NS)
    assert pit.usdt(pit.alice)[0] == 1001
    assert pit.usdt(pit.bob)[0] == 999


@pytest.mark.parametrize(("own", "rate"), [("101.5", "0.0075"), ("98.5", "-0.0075")])
def test_the_rate_has_bounds(own: str, rate: str) -> None:
    pit = opened()
    premium(pit, "100", own)
    assert pit.clearing.rate(pit.market) == D(rate)


def test_without_an_index_the_rate_is_nothing() -> None:
    pit = opened()
    assert pit.clearing.rate(pit.market) == 0
    pit.settle(HOUR_NS)
    assert pit.usdt(pit.alice)[0] == 1000
    assert len(pit.changes(pit.alice)) == 1


def test_each_interval_is_paid_once_when_it_ends() -> None:
    pit = opened()
    premium(pit, "100", "100.5")
    assert pit.clearing.next_time_ns == HOUR_NS
    pit.settle(HOUR_NS - 1)
    assert pit.changes(pit.alice) == []
    pit.settle(HOUR_NS)
    pit.settle(HOUR_NS)
    pit.settle(2 * HOUR_NS - 1)
    assert len(pit.changes(pit.alice)) == 1
    pit.settle(2 * HOUR_NS)
    assert len(pit.changes(pit.alice)) == 2
    assert pit.clearing.next_time_ns == 3 * HOUR_NS


def test_of_intervals_that_were_missed_one_is_paid() -> None:
    pit = opened()
    premium(pit, "100", "100.5")
    pit.settle(100 * HOUR_NS + 5)
    assert len(pit.changes(pit.alice)) == 1
    assert pit.clearing.next_time_ns == 101 * HOUR_NS


def test_a_clock_set_back_does_not_postpone_funding() -> None:
    pit = opened()
    pit.settle(10 * HOUR_NS)
    pit.settle(2 * HOUR_NS + 1)
    assert pit.clearing.next_time_ns == 3 * HOUR_NS
    assert len(pit.changes(pit.alice)) == 1


def test_a_payment_is_told_with_the_position_and_the_balance() -> None:
    pit = opened()
    premium(pit, "100", "100.5")
    pit.settle(HOUR_NS)
    (event,) = pit.changes(pit.bob)
    assert isinstance(event, PositionsChanged)
    assert (event.event, event.time_ns) == (pit.bob.events, HOUR_NS)
    assert (event.positions[0].side, event.positions[0].quantity) == (SELL, D(10))
    assert [(each.asset, each.total) for each in event.balances] == [("USDT", D(1005))]


def test_payments_are_rounded_for_the_insurance_and_still_add_up() -> None:
    pit = opened()
    pit.clearing.pay_funding(pit.market, D("0.000000000333"), pit.now_ns)
    assert pit.usdt(pit.alice)[0] == D("999.99999966")
    assert pit.usdt(pit.bob)[0] == D("1000.00000033")
    assert pit.insurance == D("0.00000001")
    check_always(pit.matching)


def test_funding_can_be_what_liquidates() -> None:
    pit = Pit(SETTINGS)
    pit.trade(pit.alice, pit.bob, "100", "90")
    pit.mark("89.8")  # 82 of 80.82
    pit.clearing.pay_funding(pit.market, D("0.0002"), pit.now_ns)
    pit.settle()
    assert pit.held(pit.alice)[0] == 0
    check_always(pit.matching)


def test_nobody_is_woken_for_funding_while_nobody_holds_a_position() -> None:
    pit = Pit(SETTINGS)
    assert pit.clearing.next_time_ns is None
