"""The ledger: statements against fills in any order, reservations, fees, what others lock, restarts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.ledger import Ledger, is_in_flight, reservation
from fairlead.core.model import (
    Balance,
    ExecInst,
    InstrumentKind,
    Order,
    Position,
    Side,
    Stage,
    Updater,
)
from fairlead.core.reports import Cause
from tests.core.words import START_NS, D, change, make_fill, make_order

NOW_NS = START_NS + 1


def state(
    ledger: Ledger,
    asset: str,
    total: str,
    locked: str = "0",
    ordinal: int = 0,
    updated_by: Updater = Updater.EXCHANGE,
) -> None:
    ledger.stated(asset, asset, D(total), D(locked), ordinal, updated_by, NOW_NS)


def held(ledger: Ledger, asset: str) -> tuple[Decimal, Decimal, Decimal]:
    """Return (total, locked, traded)."""
    for balance in ledger.balances():
        if balance.asset == asset:
            return balance.total, balance.locked, balance.traded
    raise KeyError(asset)


def loaded(**totals: str) -> Ledger:
    ledger = Ledger()
    for asset, total in totals.items():
        state(ledger, asset, total, ordinal=10, updated_by=Updater.INITIALIZATION)
    ledger.take_changed()
    return ledger


# ── reservations ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("order", "asset", "quantity"),
    [
        (make_order(Stage.RECEIVED), "USDT", 1000),
        (make_order(Stage.WORKING, side=Side.SELL), "BTC", 10),
        (change(make_order(Stage.WORKING), Cause.TRADE, fill=make_fill("4")), "USDT", 600),
        (make_order(Stage.CANCELED), "USDT", 0),
        (make_order(Stage.FILLED), "USDT", 0),
        (
            change(make_order(Stage.WORKING), Cause.CLOSED, closed_quantity=D(3)),
            "USDT",
            0,
        ),
        (change(make_order(Stage.WORKING), Cause.TRADE, fill=make_fill("12")), "USDT", 0),
    ],
)
def test_what_an_order_locks(order: Order, asset: str, quantity: int) -> None:
    assert reservation(order) == (asset, quantity)


def perpetual(number: int = 1, **changes: object) -> Order:
    """Return an order for 10 contracts at 100 in a perpetual."""
    return make_order(
        Stage.WORKING, number=number, symbol="SIM_PERP_BTC_USDT", kind=InstrumentKind.PERPETUAL,
        **changes,
    )  # fmt: skip


def position(signed: str, entry: str = "100", leverage: str = "10") -> Position:
    quantity = D(signed)
    side = Side.SELL if quantity < 0 else Side.BUY
    return Position(
        "SIM_PERP_BTC_USDT", "BTC-PERP", "USDT", side, abs(quantity), D(entry), D(100), D(0),
        D(leverage), True, None, Updater.EXCHANGE, NOW_NS,
    )  # fmt: skip


@pytest.mark.parametrize("side", list(Side))
def test_an_order_in_a_perpetual_locks_its_margin_in_quote_while_it_is_open(side: Side) -> None:
    ledger = loaded(USDT="5000")
    ledger.position_moved(position("0", "0", "3"), NOW_NS)
    order = perpetual(side=side)
    ledger.order_changed(None, order, NOW_NS)
    assert held(ledger, "USDT") == (5000, D("333.33333334"), 0)
    filled = change(order, Cause.TRADE, fill=make_fill("4"))
    ledger.order_changed(order, filled, NOW_NS)
    assert held(ledger, "USDT") == (5000, 200, 0)
    ledger.order_changed(filled, change(filled, Cause.CANCELED, stage=Stage.CANCELED), NOW_NS)
    assert held(ledger, "USDT") == (5000, 0, 0)


def test_an_order_that_may_only_reduce_locks_nothing() -> None:
    ledger = loaded(USDT="5000")
    order = perpetual(exec_inst=(ExecInst.DO_NOT_INCREASE,))
    ledger.order_changed(None, order, NOW_NS)
    assert held(ledger, "USDT") == (5000, 0, 0)


def test_a_position_locks_what_it_was_entered_for_and_frees_the_orders_that_reduce_it() -> None:
    ledger = loaded(USDT="5000")
    ledger.position_moved(position("4", "90"), NOW_NS)
    assert held(ledger, "USDT") == (5000, 36, 0)
    ledger.order_changed(None, perpetual(side=Side.SELL), NOW_NS)
    assert held(ledger, "USDT") == (5000, 36 + 60, 0)
    ledger.order_changed(None, perpetual(2), NOW_NS)
    assert held(ledger, "USDT") == (5000, 36 + 60 + 100, 0)
    ledger.position_moved(position("0", "0"), NOW_NS)
    assert held(ledger, "USDT") == (5000, 100 + 100, 0)


def test_what_the_exchange_locks_otherwise_for_perpetuals_is_believed_both_ways() -> None:
    ledger = loaded(USDT="5000")
    ledger.position_moved(position("4", "90"), NOW_NS)
    state(ledger, "USDT", "5000", "35.99999999", ordinal=11)
    assert held(ledger, "USDT") == (5000, D("35.99999999"), 0)
    ledger.position_moved(position("0", "0"), NOW_NS)
    state(ledger, "USDT", "5000", "7", ordinal=12)
    assert held(ledger, "USDT") == (5000, 7, 0)


def test_after_a_restart_positions_and_orders_lock_what_the_balances_contain() -> None:
    ledger = loaded(USDT="5000")
    ledger.position_moved(position("4", "90"), NOW_NS)
    order = perpetual()
    ledger.order_changed(None, order, NOW_NS)
    restarted = Ledger(ledger.balances())
    restarted.position_loaded(position("4", "90"))
    restarted.order_loaded(order)
    assert held(restarted, "USDT") == (5000, 136, 0)
    state(restarted, "USDT", "5000", "136", ordinal=12)
    restarted.order_changed(order, change(order, Cause.CANCELED, stage=Stage.CANCELED), NOW_NS)
    assert held(restarted, "USDT") == (5000, 36, 0)


def test_a_fill_of_a_perpetual_moves_the_quote_by_what_it_realized_less_the_fee() -> None:
    ledger = loaded(USDT="1000", BTC="1")
    order = make_order(Stage.WORKING, kind=InstrumentKind.PERPETUAL)
    fill = make_fill("4", realized=D("-50"), fee=D("0.25"), exchange_ordinal=11)
    ledger.fill_booked(order, fill, NOW_NS)
    assert held(ledger, "USDT") == (D("949.75"), 0, 50)
    assert held(ledger, "BTC") == (1, 0, 0)
    odd_fee = make_fill("4", fee=D("0.5"), fee_asset="SIM", exchange_ordinal=12)
    ledger.fill_booked(order, odd_fee, NOW_NS)
    assert held(ledger, "SIM") == (D("-0.5"), 0, 0)


@pytest.mark.parametrize(
    ("order", "is_unsure"),
    [
        (make_order(Stage.RECEIVED), True),
        (make_order(Stage.ROUTING), True),
        (change(make_order(Stage.ROUTING), Cause.IN_DOUBT), True),
        (make_order(Stage.ROUTED), False),
        (make_order(Stage.WORKING), False),
        (make_order(Stage.REJECTED), False),
        (change(make_order(Stage.REJECTED), Cause.REVIVED), True),
    ],
)
def test_when_the_exchange_may_or_may_not_count_an_order(order: Order, is_unsure: bool) -> None:
    assert is_in_flight(order) is is_unsure


def test_an_order_locks_from_its_first_moment_to_its_last() -> None:
    ledger = loaded(USDT="5000")
    opened = make_order()
    ledger.order_changed(None, opened, NOW_NS)
    assert held(ledger, "USDT") == (5000, 1000, 0)
    assert ledger.available("USDT") == 4000
    routing = change(opened, Cause.ROUTING, stage=Stage.ROUTING)
    ledger.take_changed()
    ledger.order_changed(opened, routing, NOW_NS)
    assert ledger.take_changed() == []
    working = change(routing, Cause.WORKING, stage=Stage.WORKING)
    ledger.order_changed(routing, working, NOW_NS)
    assert held(ledger, "USDT") == (5000, 1000, 0)
    canceled = change(working, Cause.CANCELED, stage=Stage.CANCELED)
    ledger.order_changed(working, canceled, NOW_NS)
    assert held(ledger, "USDT") == (5000, 0, 0)
    (balance,) = ledger.take_changed()
    assert (balance.updated_by, balance.available) == (Updater.BALANCE_MANAGER, 5000)


def test_a_fill_below_the_limit_frees_what_was_locked_too_much() -> None:
    ledger = loaded(USDT="5000", BTC="1")
    order = make_order(Stage.WORKING)
    ledger.order_changed(None, order, NOW_NS)
    fill = make_fill("4", "99", exchange_ordinal=11)
    ledger.fill_booked(order, fill, NOW_NS)
    ledger.order_changed(order, change(order, Cause.TRADE, fill=fill), NOW_NS)
    assert held(ledger, "USDT") == (4604, 600, 396)
    assert held(ledger, "BTC") == (5, 0, 4)


# ── fees ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("side", "fee_asset", "fee", "usdt", "btc", "bnb"),
    [
        (Side.BUY, "USDT", "0.5", "599.5", "104", "7"),
        (Side.SELL, "USDT", "0.5", "1399.5", "96", "7"),
        (Side.BUY, "BTC", "0.004", "600", "103.996", "7"),
        (Side.SELL, "BTC", "0.004", "1400", "95.996", "7"),
        (Side.BUY, "BNB", "0.01", "600", "104", "6.99"),
        (Side.BUY, "USDT", "-0.5", "600.5", "104", "7"),
    ],
)
def test_the_fee_is_taken_from_whichever_asset_it_was_taken(
    side: Side, fee_asset: str, fee: str, usdt: str, btc: str, bnb: str
) -> None:
    ledger = loaded(USDT="1000", BTC="100", BNB="7")
    order = make_order(Stage.WORKING, side=side)
    fill = make_fill("4", fee=D(fee), fee_asset=fee_asset, exchange_ordinal=11)
    ledger.fill_booked(order, fill, NOW_NS)
    assert held(ledger, "USDT") == (D(usdt), 0, 400)
    assert held(ledger, "BTC") == (D(btc), 0, 4)
    assert held(ledger, "BNB") == (D(bnb), 0, 0)


def test_a_fee_in_an_asset_never_seen_makes_its_balance_under_the_exchange_s_name() -> None:
    ledger = loaded(USDT="1000", BTC="100")
    ledger.name_assets({"BNB": "XBNB"})
    fill = make_fill("4", fee=D("0.01"), fee_asset="BNB")
    ledger.fill_booked(make_order(Stage.WORKING), fill, NOW_NS)
    assert held(ledger, "BNB") == (D("-0.01"), 0, 0)
    assert {b.asset: b.asset_exchange for b in ledger.balances()}["BNB"] == "XBNB"


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def buy(ledger: Ledger, quantity: str, ordinal: int) -> None:
    fill = make_fill(quantity, exchange_ordinal=ordinal)
    ledger.fill_booked(make_order(Stage.WORKING), fill, NOW_NS)


def test_a_fill_that_the_statement_already_contains_moves_nothing_but_counts_as_traded() -> None:
    ledger = loaded(BTC="100")
    state(ledger, "BTC", "104", ordinal=12)
    buy(ledger, "4", ordinal=11)
    assert held(ledger, "BTC") == (104, 0, 4)


def test_a_fill_after_the_statement_moves_and_stays_when_an_older_one_comes() -> None:
    ledger = loaded(BTC="100")
    buy(ledger, "4", ordinal=13)
    state(ledger, "BTC", "101", ordinal=12)
    assert held(ledger, "BTC") == (105, 0, 4)
    state(ledger, "BTC", "105", ordinal=13)
    assert held(ledger, "BTC") == (105, 0, 4)


def test_a_late_statement_from_before_the_first_event_keeps_the_fill() -> None:
    ledger = loaded(BTC="100")
    ledger.session_started()
    buy(ledger, "4", ordinal=2)
    state(ledger, "BTC", "100", ordinal=1)
    assert held(ledger, "BTC") == (104, 0, 4)


def test_an_older_statement_than_the_one_held_is_ignored() -> None:
    ledger = loaded(BTC="100")
    state(ledger, "BTC", "104", ordinal=12)
    state(ledger, "BTC", "100", ordinal=11)
    assert held(ledger, "BTC") == (104, 0, 0)


def test_a_statement_without_an_ordinal_is_taken_as_it_is() -> None:
    ledger = loaded(BTC="100")
    buy(ledger, "4", ordinal=11)
    state(ledger, "BTC", "107")
    assert held(ledger, "BTC") == (107, 0, 4)
    buy(ledger, "1", ordinal=0)
    assert held(ledger, "BTC") == (108, 0, 5)


def test_a_statement_that_says_what_we_know_is_no_news() -> None:
    ledger = loaded(BTC="100")
    state(ledger, "BTC", "100", ordinal=12)
    assert ledger.take_changed() == []
    state(ledger, "BTC", "101", ordinal=13)
    (balance,) = ledger.take_changed()
    assert (balance.total, balance.updated_by, balance.exchange_ordinal) == (
        101,
        Updater.EXCHANGE,
        13,
    )


def test_the_first_load_begins_to_count_what_is_traded() -> None:
    ledger = Ledger()
    buy(ledger, "4", ordinal=5)
    state(ledger, "BTC", "104", ordinal=10, updated_by=Updater.INITIALIZATION)
    assert held(ledger, "BTC") == (104, 0, 0)
    buy(ledger, "1", ordinal=11)
    assert held(ledger, "BTC") == (105, 0, 1)


def test_a_new_session_may_count_anew() -> None:
    ledger = loaded(BTC="100")
    state(ledger, "BTC", "104", ordinal=500)
    buy(ledger, "1", ordinal=501)
    ledger.session_started()
    state(ledger, "BTC", "90", ordinal=3)
    assert held(ledger, "BTC") == (90, 0, 1)
    buy(ledger, "2", ordinal=4)
    assert held(ledger, "BTC") == (92, 0, 3)


# An exchange's account: at each event a quantity is bought; a statement says the total as of an event.
BOUGHT = st.lists(st.integers(1, 50), min_size=1, max_size=8)


@given(bought=BOUGHT, data=st.data())
def test_statements_and_fills_in_any_order_come_to_the_exchange_s_total(
    bought: list[int], data: st.DataObject
) -> None:
    first = 10
    totals = [100]
    for quantity in bought:
        totals.append(totals[-1] + quantity)
    stated = data.draw(st.lists(st.integers(0, len(bought)), max_size=6))
    news = [("fill", number) for number in range(1, len(bought) + 1)]
    news += [("statement", number) for number in stated]
    ledger = loaded(BTC="100")
    order = make_order(Stage.WORKING, quantity=D(10**6))
    for kind, number in data.draw(st.permutations(news)):
        if kind == "fill":
            fill = make_fill(str(bought[number - 1]), exchange_ordinal=first + number)
            ledger.fill_booked(order, fill, NOW_NS)
        else:
            state(ledger, "BTC", str(totals[number]), ordinal=first + number)
    assert held(ledger, "BTC") == (totals[-1], 0, sum(bought))


# ── what others lock ─────────────────────────────────────────────────────────────────────────────


def test_what_the_exchange_locks_besides_our_orders_is_not_available() -> None:
    ledger = loaded(USDT="5000")
    ledger.order_changed(None, make_order(Stage.WORKING), NOW_NS)
    state(ledger, "USDT", "5000", locked="1700", ordinal=11)
    assert held(ledger, "USDT") == (5000, 1700, 0)
    assert ledger.available("USDT") == 3300
    state(ledger, "USDT", "5000", locked="1000", ordinal=12)
    assert ledger.available("USDT") == 4000


def test_while_an_order_is_in_flight_the_last_word_on_other_locks_stands() -> None:
    ledger = loaded(USDT="5000")
    state(ledger, "USDT", "5000", locked="700", ordinal=11)
    received = make_order()
    ledger.order_changed(None, received, NOW_NS)
    state(ledger, "USDT", "5000", locked="1700", ordinal=12)
    assert held(ledger, "USDT") == (5000, 1700, 0)
    state(ledger, "USDT", "5000", locked="0", ordinal=13)
    assert held(ledger, "USDT") == (5000, 1700, 0)
    working = change(received, Cause.TRADE, fill=make_fill("1"))
    ledger.order_changed(received, working, NOW_NS)
    state(ledger, "USDT", "4900", locked="900", ordinal=14)
    assert held(ledger, "USDT") == (4900, 900, 0)


def test_an_asset_first_heard_of_while_an_order_is_in_flight_has_no_other_locks() -> None:
    ledger = Ledger()
    ledger.order_changed(None, make_order(), NOW_NS)
    state(ledger, "BTC", "3", locked="1", ordinal=11)
    assert held(ledger, "BTC") == (3, 0, 0)


def test_an_unknown_asset_has_nothing_available() -> None:
    assert Ledger().available("BTC") == 0


# ── a life, and a second one ─────────────────────────────────────────────────────────────────────

LIVES = st.lists(
    st.tuples(
        st.integers(0, 2),  # which order
        st.sampled_from([Cause.ROUTING, Cause.WORKING, Cause.TRADE, Cause.CLOSED, Cause.CANCELED]),
    ),
    max_size=25,
)


@given(LIVES)
def test_locked_is_what_the_open_orders_reserve_also_after_a_restart(
    steps: list[tuple[int, Cause]],
) -> None:
    ledger = loaded(USDT="100000", BTC="1000")
    orders: dict[int, Order] = {}
    for number, cause in steps:
        before = orders.get(number)
        if before is None:
            side = Side.BUY if number else Side.SELL
            after = make_order(number=number, side=side, price=D(100 + number))
        elif cause is Cause.TRADE:
            fill = make_fill("3", exchange_ordinal=11 + before.sequence)
            ledger.fill_booked(before, fill, NOW_NS)
            after = change(before, cause, fill=fill)
        elif cause is Cause.CLOSED:
            after = change(before, cause, closed_quantity=D(9))
        elif cause is Cause.CANCELED:
            after = change(before, Cause.IDENTIFIED, exchange_order_id=f"X{number}")
            if not before.stage.is_final:
                after = change(before, cause, stage=Stage.CANCELED)
        elif before.stage is Stage.RECEIVED:
            after = change(before, Cause.ROUTING, stage=Stage.ROUTING)
        else:
            continue
        orders[number] = after
        ledger.order_changed(before, after, NOW_NS)
        for asset in ("USDT", "BTC"):
            reserved = sum(q for a, q in map(reservation, orders.values()) if a == asset)
            assert held(ledger, asset)[1] == reserved
    again = Ledger(ledger.balances())
    for order in orders.values():
        if not order.is_settled:
            again.order_loaded(order)
    assert again.balances() == ledger.balances()
    assert again.take_changed() == []
    for either in (ledger, again):
        either.session_started()
        state(either, "USDT", "77777", locked="5000", ordinal=99)
    assert again.balances() == ledger.balances()


def test_balances_come_by_asset() -> None:
    ledger = loaded(USDT="1", BTC="2", ETH="3")
    assert [balance.asset for balance in ledger.balances()] == ["BTC", "ETH", "USDT"]
    assert isinstance(ledger.balances()[0], Balance)
