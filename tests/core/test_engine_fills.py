"""Fills as conversations: a fact from any stage, counted once; closed is not settled (2.1)."""

from decimal import Decimal
from itertools import permutations

import pytest

from fairlead.core.model import Liquidity, Stage
from fairlead.core.requests import QueryAttention, Resolution
from fairlead.core.venue_messages import VenueFillsListed, VenueQuery
from tests.core.conversation import (
    CANCELED,
    EXPIRED,
    FILLED,
    OPEN,
    Unhurried,
    placed,
    started,
    working,
)
from tests.core.words import D

# ── what a fill does ─────────────────────────────────────────────────────────────────────────────


def test_fills_add_up_to_filled() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "0.5", price=D(99))
    assert (talk.status(), talk.order().leaves_quantity) == ("PARTIALLY_FILLED", D("1.5"))
    talk.fills("X1", "1.5")
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PARTIALLY_FILLED FILLED"
    assert talk.order().average_price == D("99.75")
    assert not talk.is_in_memory()


def test_a_fill_is_kept_as_the_exchange_states_it() -> None:
    talk = started()
    working(talk)
    talk.fills(
        "X1",
        "0.5",
        "trade-7",
        price=D("99.5"),
        fee=D("0.01"),
        fee_asset_exchange="XBT",
        liquidity=Liquidity.TAKER,
        time_ns=77,
        exchange_ordinal=12,
    )
    (fill,) = talk.order().fills
    assert (fill.trade_id, fill.price, fill.quantity) == ("trade-7", D("99.5"), D("0.5"))
    assert (fill.fee, fill.fee_asset, fill.liquidity) == (D("0.01"), "BTC", Liquidity.TAKER)
    assert (fill.time_ns, fill.time_booked_ns, fill.exchange_ordinal) == (77, talk.now.utc_ns, 12)


def test_a_fill_moves_the_balances_and_they_are_reported_after_it() -> None:
    talk = started()
    working(talk)
    assert talk.available() == 99_800
    talk.fills("X1", "2", price=D(90), fee=D("0.1"))
    assert talk.available() == D("99819.9")
    assert talk.available("BTC") == 1002
    kinds = [type(report).__name__ for report, _ in talk.reports[-3:]]
    assert kinds == ["OrderReport", "BalanceReport", "BalanceReport"]


@pytest.mark.parametrize("state", [CANCELED, EXPIRED])
def test_a_fill_heard_after_the_end_counts_and_the_last_one_fills(state: str) -> None:
    talk = started()
    working(talk)
    talk.states("X1", state)
    assert not talk.is_in_memory()
    talk.fills("X1", "0.5")
    assert (talk.status(), talk.order().quantity_filled) == ("CANCELED", D("0.5"))
    talk.fills("X1", "1.5")
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW CANCELED FILLED"
    assert not talk.is_in_memory()
    assert talk.alarms == []


def test_filled_never_changes() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "2")
    for state in (OPEN, CANCELED, EXPIRED, "REJECTED", FILLED):
        talk.states("X1", state, "2")
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW FILLED"
    assert talk.alarms == []


def test_more_filled_than_ordered_is_the_truth_and_raises_an_alarm() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "1.5")
    talk.fills("X1", "1.5")
    order = talk.order()
    assert (order.quantity_filled, order.leaves_quantity, talk.status()) == (3, 0, "FILLED")
    assert talk.alarms == ["order_overfilled"]
    assert talk.alarm_texts == ["order a: 3.0 filled of 2"]
    assert talk.available("BTC") == 1003
    assert talk.available() == 99_700


def test_a_fill_names_its_order_by_either_id() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "0.5", client_order_id=None)
    assert talk.order().quantity_filled == D("0.5")


# ── once ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_trade_counts_once_however_often_it_is_heard() -> None:
    talk = started()
    working(talk)
    fill = talk.fills("X1", "0.5")
    talk.hear(fill)
    with talk.together():
        talk.hear(fill)
        talk.hear(fill)
    page = VenueFillsListed(account="SIM", fills=(fill,), cursor="c1", is_last=True)
    talk.hear(page)
    assert talk.order().quantity_filled == D("0.5")
    following = talk.restart()
    following.connects()
    following.hear(fill)
    following.hear(page)
    assert following.order().quantity_filled == D("0.5")


def test_a_trade_of_an_order_closed_long_ago_counts_once() -> None:
    talk = started()
    working(talk)
    fill = talk.fills("X1", "2")
    assert not talk.is_in_memory()
    talk.hear(fill)
    following = talk.restart()
    following.connects()
    following.hear(fill)
    assert following.order().quantity_filled == 2
    assert len(following.order().fills) == 1


def test_trade_ids_are_counted_per_instrument() -> None:
    talk = started()
    working(talk)
    working(talk, "b", "X2", symbol="SIM_SPOT_ETH_BTC", price=D("0.05"), quantity=D(1))
    talk.fills("X1", "0.5", "t1")
    talk.fills("X2", "0.5", "t1", client_order_id="b", symbol_exchange="ETH-XBT")
    assert talk.order("a").quantity_filled == talk.order("b").quantity_filled == D("0.5")


def test_trade_ids_are_counted_per_account() -> None:
    talk = started(accounts=("SIM", "SIM/ALICE"))
    working(talk)
    talk.place(account="SIM/ALICE")
    alice = talk.venue_id("a", "SIM/ALICE")
    talk.fills("X1", "0.5", "t1")
    talk.fills("X9", "0.5", "t1", account="SIM/ALICE", venue_client_id=alice)
    assert talk.order(account="SIM/ALICE").quantity_filled == D("0.5")


# ── in any order ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_events_in_any_order_and_twice_come_to_the_same(order: tuple[int, ...]) -> None:
    talk = started()
    request = placed(talk)
    first, second = talk.fill("X1", "0.5"), talk.fill("X1", "0.25")
    events = [
        lambda: talk.states("X1", OPEN),
        lambda: talk.hear(first),
        lambda: talk.hear(second),
        lambda: talk.states("X1", CANCELED, "0.75"),
    ]
    for number in order:
        events[number]()
        events[number]()
    talk.accepts(request, "X1")
    assert talk.status() == "CANCELED"
    assert talk.order().quantity_filled == D("0.75")
    assert not talk.is_in_memory()
    assert talk.alarms == []
    assert talk.available() == 99_925


# ── closed is not settled ────────────────────────────────────────────────────────────────────────


def test_closed_with_fills_missing_it_stays_and_fills_are_fetched_at_once() -> None:
    talk = started()
    working(talk)
    sweeps = talk.sweeps
    talk.states("X1", CANCELED, "0.75")
    assert talk.status() == "CANCELED"
    assert talk.order().closed_quantity == D("0.75")
    assert talk.is_in_memory()
    assert talk.sweeps == sweeps + 1
    talk.fills("X1", "0.5", from_page=True)
    assert talk.is_in_memory()
    talk.fills("X1", "0.25", from_page=True)
    assert not talk.is_in_memory()
    talk.wait("3600")
    assert talk.sweeps == sweeps + 1
    assert talk.alarms == []


def test_said_to_be_filled_it_is_filled_when_our_fills_say_so() -> None:
    talk = started()
    working(talk)
    talk.states("X1", FILLED, "2")
    assert talk.status() == "NEW"
    assert talk.available() == 100_000  # it locks nothing any more
    talk.fills("X1", "2", from_page=True)
    assert talk.status() == "FILLED"
    assert not talk.is_in_memory()


def test_past_the_deadline_an_operator_is_told_once_and_fetching_goes_on() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED, "0.75")
    talk.fills("X1", "0.5")
    talk.wait("29")
    assert talk.alarms == []
    talk.wait("31")
    assert talk.alarms == ["fills_missing"]
    text = "order a is closed at the exchange with 0.75 filled, of which only 0.5 was reported"
    assert talk.alarm_texts == [text]
    ((order, told),) = talk.say(QueryAttention(account="SIM")).reply.orders
    assert (order.client_order_id, told) == ("a", text)
    sweeps = talk.sweeps
    talk.wait("600")
    assert talk.sweeps == sweeps + 10
    assert talk.alarms == ["fills_missing"]
    talk.fills("X1", "0.25", from_page=True)
    assert not talk.is_in_memory()


def test_an_operator_may_settle_it_without_the_missing_fills() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED, "0.75")
    talk.wait("60")
    assert talk.resolve(Resolution.WORKING).refusal == "INVALID"
    call = talk.resolve(Resolution.CANCELED)
    assert call.order.stage is Stage.CANCELED
    assert not talk.is_in_memory()
    talk.fills("X1", "0.75")
    assert talk.order().quantity_filled == D("0.75")


def test_said_to_be_filled_an_operator_may_settle_it_too() -> None:
    talk = started()
    working(talk)
    talk.states("X1", FILLED, "2")
    assert talk.resolve(Resolution.CANCELED).order.stage is Stage.CANCELED
    assert not talk.is_in_memory()


def test_a_later_word_may_raise_what_is_missing_and_never_lower_it() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED, "0.5")
    talk.states("X1", CANCELED, "0.75")
    talk.states("X1", CANCELED, "0.25")
    assert talk.order().closed_quantity == D("0.75")


def test_an_order_settled_long_ago_is_taken_up_again_when_more_was_filled() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED)
    assert not talk.is_in_memory()
    talk.states("X1", CANCELED, "0.5")
    assert talk.is_in_memory()
    talk.fills("X1", "0.5")
    assert not talk.is_in_memory()


def test_fills_missing_of_an_open_order_are_fetched_too() -> None:
    talk = started()
    working(talk)
    sweeps = talk.sweeps
    talk.states("X1", OPEN, "0.5")
    assert talk.sweeps == sweeps + 1
    talk.wait("100")
    assert talk.sweeps == sweeps + 1  # the periodic sweep looks again
    talk.states("X1", CANCELED, "0.5")
    assert talk.sweeps == sweeps + 2
    talk.wait("29")
    assert talk.alarms == []  # the deadline begins when it closed
    talk.fills("X1", "0.5")
    assert not talk.is_in_memory()


def test_fills_of_an_open_order_that_come_end_the_fetching() -> None:
    talk = started()
    working(talk)
    talk.states("X1", OPEN, "0.5")
    talk.fills("X1", "0.5")
    sweeps = talk.sweeps
    talk.wait("60")
    assert talk.sweeps == sweeps


def test_made_smaller_at_the_exchange_and_filled_the_rest_is_canceled() -> None:
    talk = started()
    working(talk)
    talk.states("X1", FILLED, "1.5")
    talk.fills("X1", "1")
    assert talk.status() == "PARTIALLY_FILLED"
    talk.fills("X1", "0.5")
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PARTIALLY_FILLED CANCELED"
    assert not talk.is_in_memory()


def test_made_smaller_with_its_fills_heard_first() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "1.5")
    talk.states("X1", FILLED, "1.5")
    assert talk.status() == "CANCELED"
    assert not talk.is_in_memory()


# ── contradictions ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", [OPEN, CANCELED, FILLED])
def test_news_of_an_order_that_was_never_sent_raises_an_alarm(state: str) -> None:
    talk = Unhurried()
    talk.connects()
    talk.place()
    talk.states("X1", state)
    assert talk.alarms == ["order_impossible"]
    assert talk.alarm_texts == [f"the exchange says {state} of order a, which was never sent"]


def test_an_order_we_rejected_that_is_open_is_revived() -> None:
    talk = started()
    talk.place(quantity=D(1000), price=D(101))
    assert talk.status() == "REJECTED"
    talk.states("X5", OPEN)
    assert talk.alarms == ["order_revived"]


def test_quantities_stay_exact() -> None:
    talk = started()
    working(talk)
    for number in range(1, 11):
        talk.fills("X1", "0.0000000000000000000000000000000000001", f"s{number}")
    assert talk.order().quantity_filled == Decimal("1.0E-36")


def test_a_question_about_another_order_is_not_answered_by_this_one() -> None:
    talk = started()
    talk.loses(placed(talk, "a"))
    query = talk.next_sent(VenueQuery)
    working(talk, "b", "X2")
    talk.states("X2", OPEN, client_order_id="b")
    assert talk.order("a").in_doubt_ns is not None
    talk.states("X1", OPEN, asked=query)
    assert talk.order("a").in_doubt_ns is None
