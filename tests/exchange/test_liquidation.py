"""Liquidation and auto-deleveraging as values: 1,000 USDT each, leverage 10, 1 % maintenance, no fees."""

import msgspec
import pytest

from fairlead.core.model import ZERO
from fairlead.exchange.liquidation import LIQUIDATION_TEXT
from fairlead.exchange.settings import INSTRUMENTS, PERPETUAL_BTC_USDT, Fees, Settings
from fairlead.venues.sim_messages import BalancesChanged, OrderState, WireOrigin
from tests.exchange.pit import BUY, FREE, PERP, SELL, SETTINGS, SPOT, D, Pit, check_always


@pytest.fixture
def pit() -> Pit:
    """Alice is long 90 at 100 against bob: liquidated below 89.79."""
    pit = Pit()
    pit.trade(pit.alice, pit.bob, "100", "90")
    return pit


def test_an_account_is_liquidated_only_below_its_maintenance(pit: Pit) -> None:
    pit.mark("89.79")  # equity 81.1, required 80.811
    assert pit.held(pit.alice) == (D(90), D(100))
    pit.mark("89.78")
    assert pit.held(pit.alice) == (ZERO, ZERO)


def test_the_order_is_the_exchange_s_own_at_the_bankruptcy_price(pit: Pit) -> None:
    pit.matching.place_house(pit.house, PERP, BUY, D(89), D(90), 1)
    pit.mark("89.5")  # equity 55 of 8055
    order = pit.executions(pit.alice)[-1].order
    assert order.origin is WireOrigin.LIQUIDATION
    assert order.client_id == f"liq-{order.exchange_order_id}"
    assert (order.side, order.price, order.quantity) == (SELL, D("88.89"), D(90))
    assert (order.state, order.filled, order.reduce_only) == (OrderState.FILLED, D(90), True)
    assert pit.fills(pit.alice)[-1].price == 89
    assert pit.fills(pit.alice)[-1].realized == -990
    check_always(pit.matching)


def test_what_the_book_pays_above_the_bankruptcy_price_is_the_insurance_s(pit: Pit) -> None:
    pit.matching.place_house(pit.house, PERP, BUY, D(89), D(90), 1)
    pit.mark("89.5")
    assert pit.usdt(pit.alice) == (ZERO, ZERO)
    assert pit.insurance == 10
    _, event = pit.matching.events[-1]
    assert isinstance(event, BalancesChanged)
    assert [(each.asset, each.total) for each in event.balances] == [("USDT", ZERO)]


def test_the_account_s_open_orders_in_perpetuals_are_canceled_first(pit: Pit) -> None:
    perp = pit.accept(pit.alice, BUY, "80", "1")
    reducing = pit.accept(pit.alice, SELL, "120", "90", reduce_only=True)
    spot = pit.accept(pit.alice, SELL, "120", "1", symbol=SPOT)
    before = len(pit.executions(pit.alice))
    pit.mark("85")
    assert (perp.state, perp.text) == (OrderState.CANCELED, LIQUIDATION_TEXT)
    assert reducing.state is OrderState.CANCELED
    assert spot.state is OrderState.OPEN
    told = [(each.order.client_id[:4], each.fill is None) for each in pit.executions(pit.alice)]
    assert told[before : before + 3] == [
        (perp.client_id, True),
        (reducing.client_id, True),
        ("liq-", False),
    ]
    check_always(pit.matching)


def test_what_spot_orders_lock_is_not_equity_and_stays(pit: Pit) -> None:
    pit.accept(pit.alice, BUY, "50", "1.5", symbol=SPOT)  # locks 75
    pit.mark("91")  # would leave 190 and requires 81.9
    assert pit.held(pit.alice)[0] == 90
    pit.mark("90.5")  # 145 less 75
    assert pit.held(pit.alice)[0] == 0
    assert pit.usdt(pit.alice) == (D(75), D(75))
    check_always(pit.matching)


def test_what_the_book_does_not_take_is_deleveraged_at_the_bankruptcy_price(pit: Pit) -> None:
    pit.matching.place_house(pit.house, PERP, BUY, D(89), D(30), 1)
    pit.mark("89.5")
    sold = [(fill.price, fill.quantity) for fill in pit.fills(pit.alice)[1:]]
    assert sold == [(D(89), D(30)), (D("88.89"), D(60))]
    order = pit.executions(pit.bob)[-1].order
    assert order.origin is WireOrigin.DELEVERAGING
    assert order.client_id == f"adl-{order.exchange_order_id}"
    assert (order.side, order.price, order.filled) == (BUY, D("88.89"), D(60))
    assert order.state is OrderState.FILLED
    assert pit.held(pit.bob) == (D(-30), D(100))
    fill = pit.fills(pit.bob)[-1]
    assert (fill.realized, fill.fee) == (D("666.60"), ZERO)
    check_always(pit.matching)


def test_the_most_profitable_opposite_position_is_deleveraged_first() -> None:
    pit = Pit()
    pit.trade(pit.alice, pit.bob, "100", "45")
    pit.trade(pit.alice, pit.carol, "100.1", "45")
    pit.mark("89")
    # Carol sold higher: all of hers is closed, and bob's.
    deleveraged = [
        fill.client_id[:4] for _, fill in pit.matching.changes.fills if fill.client_id[:4] == "adl-"
    ]
    assert len(deleveraged) == 2
    owners = [number for number, fill in pit.matching.changes.fills if fill.client_id[:4] == "adl-"]
    assert owners == [pit.carol.number, pit.bob.number]
    assert pit.held(pit.carol)[0] == pit.held(pit.bob)[0] == 0
    check_always(pit.matching)


def test_of_equal_profits_a_client_s_comes_before_the_house_s() -> None:
    pit = Pit()
    pit.matching.place_house(pit.house, PERP, SELL, D(100), D(45), 1)
    pit.accept(pit.alice, BUY, "100", "45")
    pit.trade(pit.alice, pit.bob, "100", "45")
    pit.mark("89.5")
    assert pit.held(pit.bob)[0] == pit.house.positions[PERP].quantity == 0
    trades = [fill.trade_id for fill in pit.fills(pit.alice)][2:]
    assert pit.fills(pit.bob)[-1].trade_id == trades[0]
    check_always(pit.matching)


def test_a_gap_beyond_bankruptcy_is_paid_by_the_other_side_not_by_the_account(pit: Pit) -> None:
    pit.mark("80")  # equity −800
    assert pit.usdt(pit.alice) == (ZERO, ZERO)
    assert pit.fills(pit.alice)[-1].price == D("88.89")
    assert pit.usdt(pit.bob)[0] == D("1999.9")
    assert pit.insurance == D("0.1"), "the tick is rounded in the account's favor"
    check_always(pit.matching)


def test_a_short_is_liquidated_the_same_way(pit: Pit) -> None:
    pit.mark("110.5")  # bob's equity is 55
    order = pit.executions(pit.bob)[-1].order
    assert (order.side, order.price, order.origin) == (BUY, D("111.11"), WireOrigin.LIQUIDATION)
    assert pit.usdt(pit.bob) == (ZERO, ZERO)
    assert pit.usdt(pit.alice)[0] == D("1999.9")
    check_always(pit.matching)


def test_a_gap_so_wide_that_no_price_helps_is_the_insurance_s_loss() -> None:
    pit = Pit()
    pit.trade(pit.alice, pit.bob, "100", "90")
    pit.mark("100000")
    assert pit.usdt(pit.bob) == (ZERO, ZERO)
    assert pit.held(pit.bob) == pit.held(pit.alice) == (ZERO, ZERO)
    assert pit.usdt(pit.alice)[0] + pit.insurance == 2000
    check_always(pit.matching)


def test_liquidations_set_one_another_off() -> None:
    """Bob buys what alice must sell, at a price that his own equity does not bear."""
    pit = Pit(usdt="1000")
    pit.trade(pit.alice, pit.carol, "100", "90")
    pit.accept(pit.bob, BUY, "99", "90")
    pit.mark("88.7")
    assert pit.held(pit.alice)[0] == pit.held(pit.bob)[0] == pit.held(pit.carol)[0] == 0
    origins = {
        name: [each.order.origin for each in pit.executions(account) if each.fill is not None][-1]
        for name, account in (("alice", pit.alice), ("bob", pit.bob), ("carol", pit.carol))
    }
    assert origins == {
        "alice": WireOrigin.LIQUIDATION,
        "bob": WireOrigin.LIQUIDATION,
        "carol": WireOrigin.DELEVERAGING,
    }
    check_always(pit.matching)


def test_forced_orders_pay_no_fee_and_whoever_takes_them_does() -> None:
    pit = Pit(msgspec.structs.replace(FREE, fees=Fees()))
    pit.trade(pit.alice, pit.bob, "100", "90")
    pit.accept(pit.carol, BUY, "89", "1")
    pit.mark("89")
    assert {fill.fee for fill in pit.fills(pit.alice)[1:]} == {ZERO}
    assert pit.fills(pit.carol)[0].fee > 0
    check_always(pit.matching)


def test_a_debt_of_an_account_without_positions_is_paid_by_the_insurance(pit: Pit) -> None:
    """A resting order that reduces at a price far below the mark, met after the equity has shrunk."""
    resting = pit.accept(pit.alice, SELL, "89", "90")
    pit.matching.ledger.adjust(pit.alice, "USDT", D(-100), 9)
    pit.accept(pit.carol, BUY, "89", "90")
    assert resting.state is OrderState.FILLED
    assert pit.fills(pit.alice)[-1].realized == -990
    assert pit.usdt(pit.alice) == (ZERO, ZERO)
    assert pit.insurance == -90
    check_always(pit.matching)


def test_all_positions_of_one_quote_asset_stand_for_one_another() -> None:
    other = msgspec.structs.replace(
        PERPETUAL_BTC_USDT,
        symbol="SIM_PERP_ETH_USDT",
        symbol_exchange="ETH-PERP",
        base="ETH",
        base_exchange="ETH",
    )
    settings = Settings(
        instruments=(*INSTRUMENTS, PERPETUAL_BTC_USDT, other), fees=Fees(maker=ZERO, taker=ZERO)
    )
    pit = Pit(settings)
    eth = pit.matching.markets["ETH-PERP"]
    pit.clearing.set_mark(eth, D(10))
    pit.trade(pit.alice, pit.bob, "100", "50")
    pit.accept(pit.carol, BUY, "10", "400", symbol="ETH-PERP")
    pit.accept(pit.alice, SELL, "10", "400", symbol="ETH-PERP")
    pit.clearing.set_mark(eth, D("7.6"))  # 960 more
    pit.mark("70")  # 1500 less: covered
    assert pit.held(pit.alice)[0] == 50
    pit.clearing.set_mark(eth, D(9))  # 560 less
    pit.settle()
    assert pit.held(pit.alice)[0] == pit.alice.positions["ETH-PERP"].quantity == 0
    assert pit.usdt(pit.alice) == (ZERO, ZERO)
    check_always(pit.matching)


def test_the_example_of_the_documentation() -> None:
    """docs/reference/exchange.md, section Perpetuals; change both together."""
    pit = Pit(SETTINGS, mark="40000")
    pit.trade(pit.alice, pit.bob, "40000", "0.2")
    assert pit.usdt(pit.alice) == (D(992), D(800))
    assert pit.usdt(pit.bob) == (D("993.6"), D(800))
    assert pit.executions(pit.alice)[-1].positions[0].liquidation_price == D("35393.94")
    pit.matching.place_house(pit.house, PERP, BUY, D(35700), D("0.15"), 1)
    pit.mark("35393")
    assert [(fill.price, fill.quantity, fill.realized) for fill in pit.fills(pit.alice)[1:]] == [
        (D(35700), D("0.15"), D(-645)),
        (D(35040), D("0.05"), D(-248)),
    ]
    assert pit.insurance == 99
    assert pit.usdt(pit.alice) == (ZERO, ZERO)
    assert pit.held(pit.bob) == (D("-0.15"), D(40000))
    assert pit.usdt(pit.bob) == (D("1241.6"), D(600))
