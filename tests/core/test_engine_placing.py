"""New orders as conversations: the checks in the contract's order (2.3), and what sending comes to (2.1)."""

import msgspec
import pytest

from fairlead.core.deciding import EngineSettings
from fairlead.core.model import AccountMode, ExecInst, Reason, Side, Stage, TimeInForce
from fairlead.core.order import apply
from fairlead.core.reports import OrderReport
from fairlead.core.requests import QueryOrder, QueryOrders
from fairlead.core.venue_messages import (
    VenueDisconnected,
    VenueInstrumentsListed,
    VenuePlace,
    VenueQuery,
)
from tests.core.conversation import (
    CANCELED,
    FILLED,
    OPEN,
    REJECTED,
    Conversation,
    Unhurried,
    changed,
    placed,
    started,
    working,
)
from tests.core.words import ABILITIES, BTC_USDT, SECOND_NS, D

# ── 2.1: the way of an order ─────────────────────────────────────────────────────────────────────


def test_an_order_is_durable_before_it_is_sent_and_answered_when_the_exchange_has_answered() -> (
    None
):
    talk = started()
    call = talk.place()
    assert talk.history() == "RECEIVED ROUTING"  # what `next_sent` returns was committed with it
    request = talk.next_sent(VenuePlace)
    assert call.reply is None
    talk.accepts(request, "X1")
    assert call.order.stage is Stage.ROUTED
    assert call.order.exchange_order_id == "X1"
    talk.states("X1", OPEN)
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW"


def test_an_order_that_goes_out_in_the_batch_that_received_it_opens_with_one_report() -> None:
    talk = started()
    before = talk.engine.account("SIM").sequence
    talk.place()
    assert (talk.causes(), talk.history()) == ("ROUTING", "RECEIVED ROUTING")
    opening, balance = (report for report, _ in talk.reports[-2:])
    assert isinstance(opening, OrderReport)
    assert (opening.sequence, balance.sequence) == (before + 1, before + 2)
    assert opening.opened is not None
    assert (opening.opened.stage, opening.stage) == (Stage.RECEIVED, Stage.ROUTING)
    assert talk.order().sequence == opening.sequence
    assert talk.restart().order().status_history == apply(None, opening).status_history


def test_what_a_batch_has_shown_of_an_order_stays_a_report_of_its_own() -> None:
    for look in (QueryOrder(account="SIM", client_order_id="a"), QueryOrders(account="SIM")):
        talk = started()
        with talk.together():
            talk.place()
            seen = talk.say(look)
        assert talk.causes() == "RECEIVED ROUTING", look
        assert seen.reply is not None


def test_of_two_orders_only_the_one_that_was_shown_opens_with_two_reports() -> None:
    talk = started()
    with talk.together():
        talk.place("a")
        talk.place("b")
        talk.look_up("b")
    assert (talk.causes("a"), talk.causes("b")) == ("ROUTING", "RECEIVED ROUTING")


def test_an_order_cancelled_in_its_batch_is_never_routing() -> None:
    talk = started()
    with talk.together():
        talk.place()
        talk.cancel()
    assert talk.causes() == "RECEIVED CANCELED"
    assert talk.history() == "RECEIVED CANCELED"


def test_what_the_exchange_is_sent_is_what_was_ordered() -> None:
    talk = started()
    request = placed(
        talk,
        side=Side.SELL,
        time_in_force=TimeInForce.GOOD_TILL_TIME_EXCHANGE,
        expire_time_ns=talk.now.utc_ns + SECOND_NS,
        exec_inst=(ExecInst.MAKER_OR_CANCEL,),
    )
    assert (request.symbol_exchange, request.side) == ("BTC-USDT", Side.SELL)
    assert (request.price, request.quantity) == (100, 2)
    assert request.time_in_force is TimeInForce.GOOD_TILL_TIME_EXCHANGE
    assert request.expire_time_ns == talk.now.utc_ns + SECOND_NS
    assert request.exec_inst == (ExecInst.MAKER_OR_CANCEL,)
    assert request.venue_client_id == talk.venue_id("a") == talk.order().venue_client_id


def test_bytes_written_change_nothing_without_an_answer_the_order_stays_routing() -> None:
    talk = started()
    placed(talk)
    talk.wait("4.9")
    assert talk.status() == "ROUTING"


def test_a_refusal_of_the_exchange_ends_rejected_in_its_own_words() -> None:
    talk = started()
    call = talk.place()
    talk.refuses(talk.next_sent(VenuePlace), "post-only would cross")
    assert call.order.stage is Stage.REJECTED
    assert call.order.error_message == "post-only would cross"
    assert (call.order.reason, call.order.exchange_order_id) == (Reason.EXCHANGE, None)
    assert talk.available() == 100_000
    assert not talk.is_in_memory()


def test_a_refusal_without_a_word_says_so() -> None:
    talk = started()
    call = talk.place()
    talk.refuses(talk.next_sent(VenuePlace), "")
    assert call.order.error_message == "refused without a word"


def test_the_stream_may_be_quicker_than_the_answer() -> None:
    talk = started()
    call = talk.place()
    request = talk.next_sent(VenuePlace)
    talk.states("X1", OPEN)
    assert call.order.stage is Stage.WORKING
    talk.accepts(request, "X1")
    assert talk.history() == "RECEIVED ROUTING NEW"
    assert talk.alarms == []


def test_a_fill_may_be_quicker_than_the_acknowledgement() -> None:
    talk = started()
    call = talk.place()
    request = talk.next_sent(VenuePlace)
    talk.fills("X1", "0.5")
    assert call.order.quantity_filled == D("0.5")
    assert call.order.exchange_order_id == "X1"
    talk.accepts(request, "X1")
    talk.fills("X1", "1.5")
    talk.states("X1", FILLED, "2")
    assert talk.history() == "RECEIVED ROUTING PARTIALLY_FILLED FILLED"
    assert not talk.is_in_memory()


def test_a_refusal_that_contradicts_the_stream_changes_nothing() -> None:
    talk = started()
    request = placed(talk)
    talk.states("X1", OPEN)
    talk.refuses(request, "no")
    assert talk.history() == "RECEIVED ROUTING NEW"


def test_an_immediate_order_may_end_before_its_answer() -> None:
    talk = started()
    call = talk.place(time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
    request = talk.next_sent(VenuePlace)
    talk.fills("X1", "0.5")
    talk.states("X1", CANCELED, "0.5")
    talk.accepts(request, "X1")
    assert call.order.stage is Stage.WORKING  # as it was when the caller was answered
    assert talk.history() == "RECEIVED ROUTING PARTIALLY_FILLED CANCELED"
    assert talk.order().leaves_quantity == D("1.5")


def test_the_exchange_may_reject_by_the_stream() -> None:
    talk = started()
    call = talk.place()
    talk.next_sent(VenuePlace)
    talk.states("X1", REJECTED, text="too large")
    assert call.order.stage is Stage.REJECTED
    assert (call.order.error_message, call.order.reason) == ("too large", Reason.EXCHANGE)


def test_what_has_filled_was_not_rejected() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "0.5")
    talk.states("X1", REJECTED, "0.5")
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PARTIALLY_FILLED CANCELED"


def test_a_send_that_certainly_failed_ends_rejected() -> None:
    talk = started()
    call = talk.place()
    talk.never_gets(talk.next_sent(VenuePlace))
    assert call.order.stage is Stage.REJECTED
    assert call.order.error_message == "not_sent: not connected"
    assert call.order.reason is Reason.NOT_SENT


# ── 2.3.2: the account ───────────────────────────────────────────────────────────────────────────


def test_an_unknown_account_is_refused_and_nothing_is_stored() -> None:
    talk = started()
    call = talk.place(account="SIM/NOBODY")
    assert call.refusal == "ACCOUNT_UNKNOWN"
    assert call.reply.field == "exchange_id"
    assert talk.memory.orders == {}


# ── 2.3.3: the client id ─────────────────────────────────────────────────────────────────────────


def test_an_identical_order_under_the_same_id_gets_the_current_report_and_places_nothing() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "0.5")
    again = talk.place()
    assert again.order == talk.order()
    assert talk.sent == []


def test_identical_means_parsed_values_and_the_instrument_not_its_spelling() -> None:
    talk = started()
    working(talk, time_in_force=TimeInForce.GOOD_TILL_TIME_OMS, expire_time_ns=10**19)
    again = talk.place(
        symbol=None,
        symbol_exchange="BTC-USDT",
        price=D("100.00"),
        quantity=D("2.000"),
        time_in_force=TimeInForce.GOOD_TILL_TIME_OMS,
        time_in_force_text="GOOD_TILL_TIME_OEML",
        expire_time_ns=10**19,
        caller="somebody else",
    )
    assert again.order == talk.order()


@pytest.mark.parametrize(
    "changes",
    [
        {"price": D("100.01")},
        {"quantity": D("2.1")},
        {"side": Side.SELL},
        {"symbol": "SIM_SPOT_ETH_BTC"},
        {"symbol": "SIM_SPOT_BTC_USDT", "symbol_exchange": "ETH-XBT"},
        {"time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL},
        {"expire_time_ns": 5},
        {"exec_inst": (ExecInst.MAKER_OR_CANCEL,)},
    ],
)
def test_a_different_order_under_the_same_id_is_a_conflict(changes: dict[str, object]) -> None:
    talk = started()
    working(talk)
    call = talk.place(**changes)
    assert call.refusal == "CONFLICT"
    assert call.reply.field == "client_order_id"
    assert talk.sent == []


def test_who_ends_an_order_may_be_left_open_then_the_exchange_does_where_it_can() -> None:
    by_exchange, by_oms = TimeInForce.GOOD_TILL_TIME_EXCHANGE, TimeInForce.GOOD_TILL_TIME_OMS
    wanted = {"time_in_force": by_exchange, "expire_time_ns": 10**19, "or_oms": True}
    talk = started()
    assert placed(talk, **wanted).time_in_force is by_exchange

    unable = changed(ABILITIES, time_in_force=frozenset(TimeInForce) - {by_exchange})
    talk = started(abilities=unable)
    request = placed(talk, **wanted)
    assert request.time_in_force is by_oms
    order = talk.order()
    assert (order.time_in_force, order.time_in_force_text) == (by_oms, by_oms.value)
    talk.accepts(request, "X1")
    assert talk.place(**wanted).order == talk.order()
    assert talk.place(**(wanted | {"or_oms": False})).refusal == "CONFLICT"


def test_what_the_protocol_wants_to_be_told_again_comes_back_with_the_order() -> None:
    talk = started()
    working(talk, echo="101")
    talk.fills("X1", "0.5")
    assert talk.order().echo == "101"


def test_the_first_answer_is_waited_for_by_all_who_ask_for_the_same() -> None:
    talk = started()
    with talk.together():
        first, second = talk.place(), talk.place()
    third = talk.place()
    request = talk.next_sent(VenuePlace)
    assert [call.reply for call in (first, second, third)] == [None, None, None]
    talk.accepts(request, "X1")
    assert first.order == second.order == third.order
    assert first.order.stage is Stage.ROUTED


def test_an_id_is_unique_for_ever_also_long_after_the_order_ended() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED)
    assert not talk.is_in_memory()
    assert talk.place().order.stage is Stage.CANCELED
    assert talk.place(price=D(99)).refusal == "CONFLICT"
    following = talk.restart()
    assert following.place().order.stage is Stage.CANCELED
    assert following.place(price=D(99)).refusal == "CONFLICT"
    assert following.sent == []


def test_accounts_have_their_own_ids() -> None:
    talk = started(accounts=("SIM", "SIM/ALICE"))
    placed(talk)
    request = placed(talk, account="SIM/ALICE", price=D(99))
    assert request.account == "SIM/ALICE"
    assert request.venue_client_id != talk.venue_id("a")


def test_a_known_id_is_answered_whatever_connection_clock_or_rules_now_say() -> None:
    talk = started()
    expire_time_ns = talk.now.utc_ns + SECOND_NS
    working(talk, time_in_force=TimeInForce.GOOD_TILL_TIME_EXCHANGE, expire_time_ns=expire_time_ns)
    rules = msgspec.structs.replace(BTC_USDT, quantity_min=D(5))
    talk.hear(VenueInstrumentsListed(account="SIM", instruments=(rules,)))
    talk.wait("2")
    talk.set_mode(AccountMode.HALTED)
    talk.disconnects()
    again = {
        "time_in_force": TimeInForce.GOOD_TILL_TIME_EXCHANGE,
        "expire_time_ns": expire_time_ns,
    }
    assert talk.place(**again).order == talk.order()
    assert talk.place(**again, price=D("100.001")).refusal == "CONFLICT"
    assert talk.place("b").refusal == "INVALID"


# ── 2.3.4: instrument rules and expire_time ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"price": D("100.001")}, ["price"]),
        ({"quantity": D("0.00001")}, ["amount_order"] * 3),
        ({"expire_time_ns": 1}, ["expire_time"]),
        ({"exec_inst": (ExecInst.AUCTION_ONLY,)}, ["exec_inst"]),
        ({"exec_inst": (ExecInst.CANCEL_ON_DISCONNECT,)}, ["exec_inst"]),
        ({"symbol": "SIM_SPOT_XRP_USDT"}, ["symbol_id_coinapi"]),
        ({"symbol": None, "symbol_exchange": "XRP"}, ["symbol_id_exchange"]),
        ({"symbol_exchange": "XRP"}, ["symbol_id_exchange"]),
        ({"symbol_exchange": "ETH-XBT"}, ["symbol_id_exchange"]),
        ({"price": D("100.001"), "expire_time_ns": 1}, ["price", "expire_time"]),
    ],
)
def test_broken_rules_are_refused_by_field_and_nothing_is_stored(
    changes: dict[str, object], fields: list[str]
) -> None:
    talk = started()
    call = talk.place(**changes)
    is_unsupported = set(fields) == {"exec_inst"}
    assert call.refusal == ("NOT_SUPPORTED" if is_unsupported else "INVALID")
    assert call.reply.field == fields[0]
    assert [field for field, _ in call.reply.findings] == fields
    assert call.reply.message == "; ".join(f"{f}: {text}" for f, text in call.reply.findings)
    assert talk.memory.orders == {}
    assert talk.sent == []
    placed(talk)  # the id is not used up


def test_contradictory_symbols_are_explained() -> None:
    talk = started()
    call = talk.place(symbol_exchange="ETH-XBT")
    assert call.reply.message == (
        "symbol_id_exchange: ETH-XBT contradicts symbol_id_coinapi SIM_SPOT_BTC_USDT, which is"
        " BTC-USDT; give one of the two, or both of the same instrument"
    )


def test_rules_are_those_of_now() -> None:
    talk = started()
    rules = msgspec.structs.replace(BTC_USDT, price_tick=D("0.5"))
    talk.hear(VenueInstrumentsListed(account="SIM", instruments=(rules,)))
    assert talk.place(price=D("100.25")).refusal == "INVALID"
    placed(talk, price=D("100.5"))


# ── 2.3.5: the connection ────────────────────────────────────────────────────────────────────────


def test_before_the_first_connection_orders_are_refused_and_not_stored() -> None:
    talk = Conversation()
    call = talk.place()
    assert call.refusal == "ACCOUNT_UNAVAILABLE"
    assert call.reply.message == "exchange_id SIM: not connected yet"
    assert talk.memory.orders == {}
    talk.connects()
    talk.all_sent()
    placed(talk)


def test_a_disconnected_account_says_why() -> None:
    talk = started()
    talk.disconnects()
    call = talk.place()
    assert call.refusal == "ACCOUNT_UNAVAILABLE"
    assert call.reply.message == "exchange_id SIM: disconnected: the line is dead"


def test_a_connected_account_that_is_not_reconciled_says_reconciling() -> None:
    talk = started()
    talk.disconnects()
    talk.connects()
    talk.engine.account("SIM").is_reconciled = False
    talk.engine.account("SIM").trouble = "reconciling"
    call = talk.place()
    assert call.refusal == "ACCOUNT_UNAVAILABLE"
    assert call.reply.message == "exchange_id SIM: reconciling"


def test_rules_come_before_the_connection() -> None:
    talk = started()
    talk.disconnects()
    assert talk.place(price=D("100.001")).refusal == "INVALID"


def test_a_refused_login_is_told_in_its_words() -> None:
    talk = started()
    talk.hear(VenueDisconnected(account="SIM", text="unknown key", refused_login=True))
    assert talk.place().reply.message == "exchange_id SIM: disconnected: unknown key"


# ── 2.3.6: risk ──────────────────────────────────────────────────────────────────────────────────


def test_too_little_available_is_stored_and_rejected_with_the_nearest_that_would_do() -> None:
    talk = started()
    call = talk.place(quantity=D(1000), price=D(101))
    assert call.order.stage is Stage.REJECTED
    assert call.order.reason is Reason.INSUFFICIENT_BALANCE
    assert call.order.error_message == (
        "insufficient_balance: needs 101000 USDT, 100000 available;"
        " the most that amount_order can be at this price is 990.099"
    )
    assert talk.history() == "RECEIVED REJECTED"
    assert talk.sent == []
    assert talk.available() == 100_000
    assert talk.place(quantity=D(1000), price=D(101)).order == call.order
    assert talk.place().refusal == "CONFLICT"


def test_orders_of_one_batch_see_what_those_before_them_need() -> None:
    talk = started()
    with talk.together():
        calls = [talk.place(name, quantity=D(400)) for name in "abc"]
    assert talk.all_sent() == [VenuePlace, VenuePlace]
    assert calls[2].order.reason is Reason.INSUFFICIENT_BALANCE


def test_the_order_rate_of_the_account() -> None:
    talk = started(settings=EngineSettings(order_rate_per_s=2))
    for name in "ab":
        placed(talk, name)
    call = talk.place("c")
    assert call.order.reason is Reason.ORDER_RATE
    assert call.order.error_message == (
        "order_rate_exceeded: the account's order rate is used up; send again in a second"
    )
    talk.wait("0.5")
    placed(talk, "d")
    assert talk.place("e").order.reason is Reason.ORDER_RATE


def test_orders_that_risk_rejects_leave_the_rate_to_those_that_are_sent() -> None:
    talk = started(settings=EngineSettings(order_rate_per_s=2))
    for name in ("poor1", "poor2", "poor3"):
        call = talk.place(name, quantity=D(1000), price=D(101))
        assert call.order.reason is Reason.INSUFFICIENT_BALANCE
    talk.set_mode(AccountMode.HALTED)
    for name in ("late1", "late2", "late3"):
        assert talk.place(name).order.reason is Reason.ACCOUNT_HALTED
    talk.set_mode(AccountMode.ACTIVE)
    for name in "ab":
        placed(talk, name)
    assert talk.place("c").order.reason is Reason.ORDER_RATE


def test_a_reducing_account_lets_only_sells_through_and_a_halted_one_nothing() -> None:
    talk = started()
    talk.set_mode(AccountMode.REDUCING)
    assert talk.place("a").order.reason is Reason.ACCOUNT_REDUCING
    placed(talk, "b", side=Side.SELL)
    talk.set_mode(AccountMode.HALTED)
    assert talk.place("c", side=Side.SELL).order.reason is Reason.ACCOUNT_HALTED
    talk.set_mode(AccountMode.ACTIVE)
    placed(talk, "d")


def test_a_mode_survives_a_restart_and_open_orders_stay() -> None:
    talk = started()
    working(talk)
    talk.set_mode(AccountMode.HALTED)
    assert talk.sent == []
    following = talk.restart()
    following.connects()
    assert following.place("b").order.reason is Reason.ACCOUNT_HALTED
    assert following.status() == "NEW"


def test_risk_comes_after_the_connection() -> None:
    talk = started()
    talk.set_mode(AccountMode.HALTED)
    talk.disconnects()
    assert talk.place().refusal == "ACCOUNT_UNAVAILABLE"


# ── from here the order exists ───────────────────────────────────────────────────────────────────


def test_an_order_not_sent_by_the_answer_timeout_is_withdrawn_and_rejected() -> None:
    talk = Unhurried()
    talk.connects()
    call = talk.place()
    talk.wait("4.99")
    assert call.reply is None
    talk.wait("0.01")
    assert call.order.stage is Stage.REJECTED
    assert call.order.reason is Reason.NOT_SENT
    assert call.order.error_message == "not_sent: withdrawn, it could not be sent within 5000 ms"
    (request,) = talk.held
    assert isinstance(request, VenuePlace)
    talk.engine.begin(talk.now)
    assert not talk.engine.hand_over(request)


def test_an_order_that_waited_when_the_connection_went_is_rejected_at_once() -> None:
    talk = Unhurried()
    talk.connects()
    call = talk.place()
    (request,) = talk.held
    talk.never_gets(request)
    assert call.order.stage is Stage.REJECTED
    assert talk.history() == "RECEIVED REJECTED"
    assert call.order.error_message == "not_sent: not connected"


def test_a_sent_order_without_an_answer_is_in_doubt_and_says_so_until_it_is_resolved() -> None:
    talk = started()
    call = talk.place()
    talk.next_sent(VenuePlace)
    talk.wait("4.999")
    assert call.reply is None
    talk.wait("0.001")
    assert call.refusal == "IN_DOUBT"
    assert call.reply.message == (
        "no answer from the exchange in time; order a is in doubt, is being resolved,"
        " and stays queryable under its client_order_id"
    )
    assert call.order.in_doubt_ns == talk.now.utc_ns
    assert talk.status() == "ROUTING"
    query = talk.next_sent(VenueQuery)
    assert talk.place().refusal == "IN_DOUBT"
    assert talk.look_up().order.in_doubt_ns is not None
    assert talk.place(price=D(99)).refusal == "CONFLICT"
    talk.states("X1", OPEN, asked=query)
    assert talk.place().order.stage is Stage.WORKING


def test_a_caller_waits_for_the_timeout_also_when_the_answer_is_known_to_be_lost() -> None:
    talk = started()
    call = talk.place()
    talk.loses(talk.next_sent(VenuePlace))
    query = talk.next_sent(VenueQuery)
    same = talk.place()
    assert (call.reply, same.reply) == (None, None)
    talk.states("X1", OPEN, asked=query)
    assert call.order.stage is Stage.WORKING
    assert same.order == call.order


def test_the_timeout_means_nothing_once_the_order_was_answered() -> None:
    talk = started()
    call = talk.place()
    talk.accepts(talk.next_sent(VenuePlace), "X1")
    talk.wait("10")
    assert call.order.stage is Stage.ROUTED
    assert talk.order().in_doubt_ns is None
