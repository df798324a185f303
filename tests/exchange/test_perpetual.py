"""Positions and margin as values: BTC-PERP with a tick of 0.01, leverage 10, without fees if not said."""

from decimal import Decimal

import pytest

from fairlead.core.model import ZERO, Side
from fairlead.exchange.ledger import FEES_ACCOUNT
from fairlead.exchange.matching import REDUCED_TEXT
from fairlead.exchange.orders import Order
from fairlead.venues.sim_messages import OrderState, RefusalCode, WireOrigin
from tests.exchange.pit import BUY, FOK, IOC, PERP, SELL, SETTINGS, SPOT, D, Pit, check_always


@pytest.fixture
def pit() -> Pit:
    return Pit()


# ── fills ────────────────────────────────────────────────────────────────────────────────────────


def test_a_trade_opens_two_positions_and_moves_no_money(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    assert pit.held(pit.alice) == (D(2), D(100))
    assert pit.held(pit.bob) == (D(-2), D(100))
    assert pit.usdt(pit.alice) == pit.usdt(pit.bob) == (D(1000), D(20))
    assert pit.alice.holding("BTC").total == 10
    check_always(pit.matching)


def test_the_entry_price_is_the_average_of_what_was_bought(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "1")
    pit.trade(pit.alice, pit.bob, "103", "2")
    assert pit.held(pit.alice) == (D(3), D(102))
    assert pit.position(pit.alice).unrealized == -6
    assert pit.position(pit.bob).unrealized == 6


def test_an_average_that_does_not_come_out_even_is_stated_to_eight_decimals(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    pit.trade(pit.alice, pit.bob, "101", "1")
    assert pit.held(pit.alice)[1] == D("100.33333333")
    pit.trade(pit.bob, pit.alice, "100", "1")
    assert pit.fills(pit.alice)[-1].realized == D("-0.33333333")
    pit.trade(pit.bob, pit.alice, "100", "2")
    realized = sum(fill.realized for fill in pit.fills(pit.alice))
    assert realized == -1, "what one close rounds away the last one gets"
    check_always(pit.matching)


def test_a_close_realizes_its_part_and_keeps_the_entry_price(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    pit.trade(pit.carol, pit.alice, "110", "0.5")
    assert pit.held(pit.alice) == (D("1.5"), D(100))
    assert pit.fills(pit.alice)[-1].realized == 5
    assert pit.usdt(pit.alice) == (D(1005), D(15))
    assert pit.fills(pit.carol)[-1].realized == 0
    check_always(pit.matching)


def test_a_flip_closes_the_old_position_and_opens_a_new_one(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "1")
    pit.trade(pit.carol, pit.alice, "90", "3")
    assert pit.held(pit.alice) == (D(-2), D(90))
    assert [fill.realized for fill in pit.fills(pit.alice)] == [0, -10]
    assert pit.usdt(pit.alice) == (D(990), D(18))
    check_always(pit.matching)


def test_a_short_gains_when_it_buys_back_lower(pit: Pit) -> None:
    pit.trade(pit.bob, pit.alice, "100", "1")
    pit.trade(pit.alice, pit.carol, "80", "1")
    assert pit.held(pit.alice) == (ZERO, ZERO)
    assert pit.usdt(pit.alice) == (D(1020), ZERO)


def test_fees_are_paid_in_the_quote_asset_on_either_side() -> None:
    pit = Pit(SETTINGS)
    pit.trade(pit.alice, pit.bob, "100", "2")
    taker, maker = pit.fills(pit.alice)[0], pit.fills(pit.bob)[0]
    assert (taker.fee, taker.fee_asset) == (D("0.2"), "USDT")
    assert (maker.fee, maker.fee_asset) == (D("0.16"), "USDT")
    assert pit.usdt(pit.alice)[0] == D("999.8")
    assert pit.matching.accounts[FEES_ACCOUNT].holding("USDT").total == D("0.36")
    check_always(pit.matching)


def test_an_execution_states_the_position_and_the_balance_it_leaves(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    event = pit.executions(pit.alice)[-1]
    (position,) = event.positions
    assert (position.symbol, position.side, position.quantity) == (PERP, BUY, D(2))
    assert (position.entry_price, position.mark_price, position.unrealized) == (100, 100, 0)
    assert (position.leverage, position.is_cross) == (10, True)
    assert [(each.asset, each.locked) for each in event.balances] == [("USDT", D(20))]
    resting = pit.executions(pit.bob)[0]
    assert resting.positions == ()


def test_house_accounts_have_positions_without_margin(pit: Pit) -> None:
    pit.matching.place_house(pit.house, PERP, SELL, D(100), D(5000), 1)
    pit.accept(pit.alice, BUY, "100", "2")
    assert pit.house.positions[PERP].quantity == -2
    assert pit.usdt(pit.house) == (ZERO, ZERO)
    check_always(pit.matching)


# ── margin ───────────────────────────────────────────────────────────────────────────────────────


def test_an_order_locks_its_notional_by_the_leverage(pit: Pit) -> None:
    order = pit.accept(pit.alice, BUY, "90", "3")
    assert pit.usdt(pit.alice) == (D(1000), D(27))
    pit.matching.cancel(order, 5)
    assert pit.usdt(pit.alice) == (D(1000), ZERO)


def test_margin_is_rounded_up(pit: Pit) -> None:
    assert pit.clearing.set_leverage(pit.alice, pit.market, D(3), 1) is None
    pit.accept(pit.alice, BUY, "100", "1")
    assert pit.usdt(pit.alice)[1] == D("33.33333334")


def test_both_sides_of_a_flat_account_lock(pit: Pit) -> None:
    pit.accept(pit.alice, BUY, "90", "1")
    pit.accept(pit.alice, SELL, "110", "1")
    assert pit.usdt(pit.alice)[1] == 20


def test_an_order_that_only_reduces_locks_nothing(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    pit.accept(pit.alice, SELL, "110", "2")
    assert pit.usdt(pit.alice)[1] == 20


def test_what_goes_beyond_the_position_locks_and_the_best_prices_reduce_first(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    pit.accept(pit.alice, SELL, "120", "2")
    pit.accept(pit.alice, SELL, "110", "1")
    assert pit.usdt(pit.alice)[1] == 20 + 12, "110 and one of 120 reduce, the other locks"
    pit.trade(pit.carol, pit.alice, "105", "1")
    assert pit.usdt(pit.alice)[1] == 10 + 24
    check_always(pit.matching)


def test_a_fill_that_opens_turns_order_margin_into_position_margin(pit: Pit) -> None:
    pit.accept(pit.alice, BUY, "100", "3")
    pit.accept(pit.bob, SELL, "100", "1")
    position = pit.position(pit.alice)
    assert (position.order_margin, position.position_margin) == (20, 10)


def test_an_order_beyond_what_is_available_is_refused_with_the_numbers(pit: Pit) -> None:
    refusal = pit.refuse(pit.alice, BUY, "100", "100.1")
    assert refusal.code is RefusalCode.BALANCE
    assert refusal.text == (
        "the order needs 1001 USDT (1001 initial margin, 0 loss at the mark price, 0 fee)"
        " and 1000 USDT is available"
    )
    pit.accept(pit.alice, BUY, "100", "100")


def test_the_fee_must_be_available_too() -> None:
    pit = Pit(SETTINGS)
    assert pit.code(pit.alice, BUY, "100", "100") is RefusalCode.BALANCE
    pit.accept(pit.alice, BUY, "100", "99")


def test_a_price_worse_than_the_mark_needs_its_loss(pit: Pit) -> None:
    assert pit.code(pit.alice, BUY, "110", "50") is RefusalCode.BALANCE  # 550 margin, 500 loss
    pit.accept(pit.alice, BUY, "110", "47")
    assert pit.code(pit.bob, SELL, "90", "53") is RefusalCode.BALANCE
    pit.accept(pit.bob, SELL, "90", "5")


def test_a_sell_needs_margin_for_the_best_price_it_meets(pit: Pit) -> None:
    pit.mark("200")
    pit.matching.place_house(pit.house, PERP, BUY, D(200), D(100), 1)
    assert pit.code(pit.alice, SELL, "190", "49") is RefusalCode.BALANCE  # 20 and a loss of 10 each
    pit.accept(pit.alice, SELL, "190", "33")
    assert pit.held(pit.alice) == (D(-33), D(200))
    assert pit.usdt(pit.alice) == (D(1000), D(660))


def test_an_unrealized_loss_is_not_available_and_a_profit_is_not_either(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "50")  # 500 locked
    pit.mark("95")  # a loss of 250
    assert pit.code(pit.alice, BUY, "90", "28") is RefusalCode.BALANCE
    pit.accept(pit.alice, BUY, "90", "27")
    assert pit.code(pit.bob, BUY, "90", "106") is RefusalCode.BALANCE, "50 close, 56 open"
    pit.accept(pit.bob, BUY, "90", "105")


def test_spot_and_perpetuals_share_the_balance(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "50")
    assert pit.code(pit.alice, BUY, "90", "5.6", symbol=SPOT) is RefusalCode.BALANCE
    pit.mark("97")
    assert pit.code(pit.alice, BUY, "90", "4", symbol=SPOT) is RefusalCode.BALANCE
    pit.accept(pit.alice, BUY, "90", "3.8", symbol=SPOT)
    assert pit.usdt(pit.alice) == (D(1000), D(842))
    assert pit.code(pit.alice, BUY, "90", "1") is RefusalCode.BALANCE
    check_always(pit.matching)


def test_an_unrealized_loss_cannot_be_withdrawn(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "50")
    pit.mark("97")
    adjust = pit.matching.ledger.adjust
    assert not adjust(pit.alice, "USDT", D(-351), 9)
    assert adjust(pit.alice, "USDT", D(-350), 9)
    assert adjust(pit.alice, "USDT", D(1), 9)


def test_closing_is_possible_when_nothing_is_available(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "100")
    pit.mark("95")
    pit.accept(pit.alice, SELL, "95", "100")
    assert pit.code(pit.alice, SELL, "95", "1") is RefusalCode.BALANCE, "that one would open"


def test_closing_so_badly_that_a_debt_is_left_is_refused(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "50")
    assert pit.code(pit.alice, SELL, "79", "50") is RefusalCode.BALANCE
    pit.accept(pit.alice, SELL, "80", "50")


@pytest.mark.parametrize("side", list(Side))
def test_the_liquidation_price_is_where_equity_meets_maintenance(pit: Pit, side: Side) -> None:
    if side is BUY:
        pit.trade(pit.alice, pit.bob, "100", "50")
    else:
        pit.trade(pit.bob, pit.alice, "100", "50")
    stated = pit.executions(pit.alice)[-1].positions[0].liquidation_price
    # 1000 ± 50 × (price − 100) = 0.01 × 50 × price
    assert stated == (D("80.81") if side is BUY else D("118.81"))
    assert stated is not None
    away = D("0.01") if side is BUY else D("-0.01")
    pit.mark(str(stated + away))
    assert pit.held(pit.alice)[0]
    pit.mark(str(stated - away))
    assert not pit.held(pit.alice)[0]


def test_a_position_that_its_equity_always_covers_has_no_liquidation_price(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "1")
    assert pit.executions(pit.alice)[-1].positions[0].liquidation_price is None


# ── leverage ─────────────────────────────────────────────────────────────────────────────────────


def test_leverage_changes_what_is_locked_and_is_told(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "50")
    pit.accept(pit.alice, BUY, "90", "10")
    assert pit.clearing.set_leverage(pit.alice, pit.market, D(20), 9) is None
    assert pit.usdt(pit.alice)[1] == 250 + 45
    (event,) = pit.changes(pit.alice)
    assert event.event == pit.alice.events
    assert event.positions[0].leverage == 20
    assert event.balances[0].locked == 295
    check_always(pit.matching)


def test_leverage_that_would_lock_more_than_there_is_is_refused(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "50")
    before = pit.state()
    assert pit.clearing.set_leverage(pit.alice, pit.market, D(4), 9) == 750
    assert pit.state() == before
    assert pit.clearing.set_leverage(pit.alice, pit.market, D(5), 9) is None


# ── reduce-only ──────────────────────────────────────────────────────────────────────────────────


def test_reduce_only_is_refused_where_nothing_can_be_reduced(pit: Pit) -> None:
    assert pit.code(pit.alice, SELL, "100", "1", reduce_only=True) is RefusalCode.REDUCE_ONLY
    pit.trade(pit.alice, pit.bob, "100", "1")
    refusal = pit.refuse(pit.alice, BUY, "100", "1", reduce_only=True)
    assert (
        refusal.text
        == "a reduce-only BUY reduces nothing: the position in BTC-PERP is BUY 1.000000"
    )
    assert pit.code(pit.bob, SELL, "100", "1", reduce_only=True) is RefusalCode.REDUCE_ONLY


def test_reduce_only_is_refused_in_spot(pit: Pit) -> None:
    code = pit.code(pit.alice, SELL, "100", "1", reduce_only=True, symbol=SPOT)
    assert code is RefusalCode.REDUCE_ONLY


def test_a_reduce_only_order_locks_nothing_and_says_what_it_is(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    order = pit.accept(pit.alice, SELL, "110", "5", reduce_only=True)
    assert pit.usdt(pit.alice)[1] == 20
    assert order.wire().reduce_only
    assert order.wire().origin is WireOrigin.CLIENT
    check_always(pit.matching)


def test_a_taking_reduce_only_order_stops_at_the_position(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    pit.matching.place_house(pit.house, PERP, BUY, D(100), D(9), 1)
    order = pit.accept(pit.alice, SELL, "100", "5", reduce_only=True)
    assert (order.filled, order.state, order.text) == (2, OrderState.CANCELED, REDUCED_TEXT)
    assert pit.held(pit.alice)[0] == 0
    check_always(pit.matching)


def test_a_resting_reduce_only_order_stops_at_the_position(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    resting = pit.accept(pit.alice, SELL, "101", "5", reduce_only=True)
    taking = pit.accept(pit.carol, BUY, "101", "4", IOC)
    assert (resting.filled, resting.state, resting.text) == (2, OrderState.CANCELED, REDUCED_TEXT)
    assert taking.filled == 2
    check_always(pit.matching)


def test_a_reduce_only_order_whose_position_is_gone_is_canceled_when_it_is_met(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    resting = pit.accept(pit.alice, SELL, "101", "2", reduce_only=True)
    pit.trade(pit.bob, pit.alice, "100", "2")
    assert resting.state is OrderState.OPEN
    behind = pit.accept(pit.bob, SELL, "101", "1")
    taking = pit.accept(pit.carol, BUY, "101", "1")
    assert (resting.state, resting.text) == (OrderState.CANCELED, REDUCED_TEXT)
    assert behind.state is taking.state is OrderState.FILLED
    check_always(pit.matching)


def test_two_reduce_only_orders_reduce_the_position_once(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    first = pit.accept(pit.alice, SELL, "101", "2", reduce_only=True)
    second = pit.accept(pit.alice, SELL, "101", "2", reduce_only=True)
    assert pit.accept(pit.carol, BUY, "101", "4", IOC).filled == 2
    assert (first.state, second.state) == (OrderState.FILLED, OrderState.CANCELED)


def test_a_fill_or_kill_counts_only_what_reduce_only_orders_may_give(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    pit.accept(pit.alice, SELL, "101", "2", reduce_only=True)
    pit.accept(pit.alice, SELL, "101", "2", reduce_only=True)
    assert pit.accept(pit.carol, BUY, "101", "3", FOK).filled == 0
    assert pit.accept(pit.carol, BUY, "101", "2", FOK).filled == 2


def test_a_fill_or_kill_that_only_reduces_cannot_be_more_than_the_position(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    pit.matching.place_house(pit.house, PERP, BUY, D(100), D(9), 1)
    assert pit.accept(pit.alice, SELL, "100", "3", FOK, reduce_only=True).filled == 0
    assert pit.accept(pit.alice, SELL, "100", "2", FOK, reduce_only=True).filled == 2


def test_the_house_trades_only_what_a_reduce_only_order_may(pit: Pit) -> None:
    pit.trade(pit.alice, pit.bob, "100", "2")
    order = pit.accept(pit.alice, SELL, "101", "5", reduce_only=True)
    pit.matching.fill_from_house(pit.house, order, Decimal(4), 9)
    assert (order.filled, order.state) == (2, OrderState.CANCELED)
    order = pit.accept(pit.bob, BUY, "99", "2", reduce_only=True)
    pit.trade(pit.bob, pit.carol, "100", "2")
    pit.matching.fill_from_house(pit.house, order, Decimal(2), 9)
    assert (order.filled, order.state) == (0, OrderState.CANCELED)


@pytest.mark.parametrize("client_id", ["liq-1", "adl-x"])
def test_client_ids_of_the_exchange_are_its_own(pit: Pit, client_id: str) -> None:
    assert pit.code(pit.alice, BUY, "90", "1", client_id=client_id) is RefusalCode.MALFORMED
    assert isinstance(pit.place(pit.alice, BUY, "90", "1", client_id=f"x{client_id}"), Order)
