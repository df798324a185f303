"""Cancels as conversations (2.4): durable first, sent as soon as can be, followed to the end, bounded."""

import pytest

from fairlead.core.deciding import EngineSettings
from fairlead.core.model import Stage, TimeInForce
from fairlead.core.requests import QueryAttention
from fairlead.core.venue_messages import VenueCancel, VenueConnected, VenueQuery
from tests.core.conversation import (
    CANCELED,
    FILLED,
    OPEN,
    Conversation,
    Unhurried,
    changed,
    placed,
    started,
    working,
)
from tests.core.words import ABILITIES, SECOND_NS

BY_EXCHANGE_ID_ONLY = changed(ABILITIES, cancel_by_client_id=False)

# ── the usual way ────────────────────────────────────────────────────────────────────────────────


def test_a_cancel_is_answered_with_the_last_report_once_it_is_durable() -> None:
    talk = started()
    working(talk)
    call = talk.cancel()
    assert call.order == talk.order()
    assert call.order.cancel_pending
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PENDING_CANCEL"
    request = talk.next_sent(VenueCancel)
    assert (request.exchange_order_id, request.symbol_exchange) == ("X1", "BTC-USDT")
    talk.states("X1", CANCELED, asked=request)
    assert talk.status() == "CANCELED"
    assert not talk.is_in_memory()
    talk.wait("100")
    assert talk.sent == []
    assert talk.alarms == []


def test_an_order_may_be_named_by_the_exchange_s_id() -> None:
    talk = started()
    working(talk)
    assert talk.cancel_by_exchange_id("X1").order.client_order_id == "a"
    talk.next_sent(VenueCancel)


@pytest.mark.parametrize("by", ["client_order_id", "exchange_order_id"])
def test_an_unknown_order_is_refused_by_the_name_it_was_given(by: str) -> None:
    talk = started()
    call = talk.cancel("zzz") if by == "client_order_id" else talk.cancel_by_exchange_id("zzz")
    assert call.refusal == "ORDER_UNKNOWN"
    assert (call.reply.field, call.reply.message) == (by, f"SIM has no order with {by} zzz")


def test_an_unknown_account_is_refused() -> None:
    talk = started()
    assert talk.cancel(account="SIM/X").refusal == "ACCOUNT_UNKNOWN"
    assert talk.cancel_all(account="SIM/X").refusal == "ACCOUNT_UNKNOWN"


def test_a_cancel_of_a_final_order_answers_with_its_report() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED)
    assert talk.cancel().order == talk.order()
    assert talk.cancel_by_exchange_id("X1").order == talk.order()
    assert talk.sent == []
    assert talk.causes().endswith("CANCELED")


def test_a_second_cancel_adds_nothing() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.next_sent(VenueCancel)
    assert talk.cancel().order == talk.order()
    assert talk.sent == []
    assert talk.causes().count("CANCEL_REQUESTED") == 1


def test_a_cancel_before_new_leaves_the_shown_status_as_it_is() -> None:
    talk = started()
    talk.accepts(placed(talk), "X1")
    talk.cancel()
    assert talk.status() == "ROUTED"
    talk.states("X1", OPEN)
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PENDING_CANCEL"


def test_the_order_may_be_filled_instead() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    request = talk.next_sent(VenueCancel)
    talk.fills("X1", "2")
    talk.states("X1", FILLED, "2")
    assert talk.is_in_memory()  # the cancel's answer is still owed
    talk.refuses(request, "filled already")
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PENDING_CANCEL FILLED"
    assert talk.causes().endswith("TRADE CANCEL_ENDED")
    assert not talk.is_in_memory()
    assert talk.sent == []


def test_a_cancel_whose_answer_never_comes_ends_with_its_deadline_once_the_order_is_over() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.next_sent(VenueCancel)
    talk.fills("X1", "2")
    talk.wait("1")
    assert not talk.order().cancel_pending
    assert not talk.is_in_memory()


def test_an_order_halted_accounts_hold_can_be_cancelled() -> None:
    talk = started()
    working(talk)
    talk.set_mode("HALTED")
    talk.cancel()
    talk.next_sent(VenueCancel)


# ── not yet sent ─────────────────────────────────────────────────────────────────────────────────


def test_not_yet_sent_it_is_cancelled_at_once() -> None:
    talk = Unhurried()
    talk.connects()
    placing = talk.place()
    call = talk.cancel()
    assert call.order.stage is Stage.CANCELED
    assert placing.order == call.order
    assert talk.history() == "RECEIVED CANCELED"
    assert talk.available() == 100_000
    (request,) = talk.held
    assert not talk.engine.hand_over(request)
    assert not talk.is_in_memory()


def test_placed_and_cancelled_in_one_batch_it_is_never_sent() -> None:
    talk = started()
    with talk.together():
        placing, cancel = talk.place(), talk.cancel()
    assert talk.sent == []
    assert placing.order == cancel.order == talk.order()
    assert talk.history() == "RECEIVED CANCELED"


# ── sent but unanswered, in doubt ────────────────────────────────────────────────────────────────


def test_sent_but_unanswered_the_cancel_goes_now_by_client_id_and_again_with_the_answer() -> None:
    talk = started()
    request = placed(talk)
    talk.cancel()
    early = talk.next_sent(VenueCancel)
    assert early.exchange_order_id is None
    assert early.venue_client_id == talk.venue_id("a")
    talk.refuses(early, "unknown order", order_unknown=True)
    talk.next_sent(VenueQuery)
    assert talk.status() == "ROUTING"
    talk.accepts(request, "X1")
    again = talk.next_sent(VenueCancel)
    assert again.exchange_order_id == "X1"
    talk.states("X1", CANCELED, asked=again)
    assert talk.history() == "RECEIVED ROUTING ROUTED CANCELED"


def test_again_also_when_the_stream_is_quicker_than_the_answer() -> None:
    talk = started()
    placed(talk)
    talk.cancel()
    talk.next_sent(VenueCancel)
    talk.states("X1", OPEN)
    talk.next_sent(VenueCancel)
    assert talk.history() == "RECEIVED ROUTING NEW PENDING_CANCEL"
    talk.fills("X1", "0.5")
    assert talk.sent == []


def test_in_doubt_the_cancel_goes_now_and_again_when_the_doubt_ends() -> None:
    talk = started()
    talk.loses(placed(talk))
    query = talk.next_sent(VenueQuery)
    call = talk.cancel()
    assert call.order.in_doubt_ns is not None  # answered, never 504
    talk.refuses(talk.next_sent(VenueCancel), "unknown order", order_unknown=True)
    talk.all_sent()
    assert talk.status() == "ROUTING"
    talk.states("X1", OPEN, asked=query)
    assert talk.next_sent(VenueCancel).exchange_order_id == "X1"


def test_in_doubt_the_cancel_is_not_given_up() -> None:
    talk = started()
    talk.loses(placed(talk))
    talk.cancel()
    talk.sent.clear()
    talk.wait("600")
    assert talk.order().cancel_pending
    assert talk.alarms == []
    assert talk.all_sent().count(VenueCancel) >= 20
    talk.states("X1", OPEN)
    talk.next_sent(VenueCancel)


def test_in_doubt_and_refused_only_the_end_of_the_doubt_sends_it_again() -> None:
    talk = started()
    talk.loses(placed(talk))
    talk.cancel()
    _, cancel = talk.sent
    talk.sent.clear()
    talk.refuses(cancel, order_unknown=True)
    talk.wait("60")
    assert set(talk.all_sent()) == {VenueQuery}
    talk.states("X1", OPEN)
    talk.next_sent(VenueCancel)


def test_an_order_that_never_arrived_needs_no_cancel() -> None:
    talk = started()
    request = placed(talk)
    talk.cancel()
    talk.sent.clear()
    talk.never_gets(request)
    assert talk.status() == "REJECTED"
    assert not talk.order().cancel_pending
    assert not talk.is_in_memory()


def test_held_where_the_exchange_cannot_be_told_which_order_is_meant() -> None:
    talk = started(abilities=BY_EXCHANGE_ID_ONLY)
    request = placed(talk)
    call = talk.cancel()
    assert call.order.cancel_pending
    talk.wait("3")
    assert talk.sent == []
    talk.accepts(request, "X1")
    assert talk.next_sent(VenueCancel).exchange_order_id == "X1"


def test_held_while_in_doubt_too() -> None:
    talk = started(abilities=BY_EXCHANGE_ID_ONLY)
    talk.loses(placed(talk))
    talk.cancel()
    talk.wait("60")
    assert set(talk.all_sent()) == {VenueQuery}
    talk.fills("X1", "0.5")
    talk.next_sent(VenueCancel)


# ── disconnected ─────────────────────────────────────────────────────────────────────────────────


def test_on_a_disconnected_account_it_is_stored_and_sent_on_reconnection() -> None:
    talk = started()
    working(talk)
    talk.disconnects()
    call = talk.cancel()
    assert call.order.cancel_pending
    talk.wait("300")
    assert talk.sent == []
    assert talk.alarms == []
    talk.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    talk.next_sent(VenueCancel)  # before the account is reconciled: cancels pass throughout


def test_a_restart_does_not_forget_it() -> None:
    talk = started()
    working(talk)
    talk.disconnects()
    talk.cancel()
    following = talk.restart()
    following.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    assert following.next_sent(VenueCancel).exchange_order_id == "X1"
    following.states("X1", CANCELED)
    assert following.status() == "CANCELED"


def test_one_that_did_not_leave_is_sent_again() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.never_gets(talk.next_sent(VenueCancel))
    assert talk.sent == []
    talk.wait("2")
    talk.next_sent(VenueCancel)


# ── refused, lost, without effect ────────────────────────────────────────────────────────────────


def test_a_refused_cancel_triggers_a_status_and_fills_query_and_not_another_cancel() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    sweeps = talk.sweeps
    talk.refuses(talk.next_sent(VenueCancel), "not now")
    query = talk.next_sent(VenueQuery)
    assert talk.sweeps == sweeps + 1
    talk.states("X1", OPEN, asked=query)
    assert talk.sent == []
    talk.wait("2")
    talk.next_sent(VenueCancel)


def test_while_the_exchange_has_not_said_why_it_is_asked_rather_than_told_again() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.refuses(talk.next_sent(VenueCancel), "not now")
    talk.loses(talk.next_sent(VenueQuery))
    talk.wait("2.2")
    assert set(talk.all_sent()) == {VenueQuery}
    talk.states("X1", OPEN)
    talk.wait("4")
    assert VenueCancel in talk.all_sent()


def test_the_query_may_find_that_it_was_filled() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.refuses(talk.next_sent(VenueCancel), "filled", order_unknown=True)
    talk.states("X1", FILLED, "2", asked=talk.next_sent(VenueQuery))
    assert talk.status() == "PENDING_CANCEL"
    talk.fills("X1", "2", from_page=True)
    assert talk.status() == "FILLED"


def test_a_cancel_refused_for_too_many_requests_is_sent_when_the_exchange_says() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.refuses(talk.next_sent(VenueCancel), "too often", retry_after_ms=3_000)
    talk.wait("2.9")
    assert talk.sent == []
    talk.wait("0.1")
    talk.next_sent(VenueCancel)


def test_an_unknown_outcome_is_asked_about_and_the_cancel_repeated() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.loses(talk.next_sent(VenueCancel))
    talk.next_sent(VenueQuery)
    talk.wait("2")
    assert VenueCancel in talk.all_sent()


def test_a_cancel_that_was_done_but_changed_nothing_yet_is_asked_about() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.accepts(talk.next_sent(VenueCancel))
    talk.states("X1", CANCELED, asked=talk.next_sent(VenueQuery))
    assert talk.status() == "CANCELED"


def test_when_the_attempts_are_used_up_the_mark_ends_and_an_operator_is_told() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.wait("60")
    assert talk.all_sent() == [VenueCancel] * 5
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PENDING_CANCEL NEW"
    assert talk.alarms == ["cancel_failed"]
    assert talk.alarm_texts == ["cancel of a had no effect after 5 attempts"]
    ((order, text),) = talk.say(QueryAttention(account="SIM")).reply.orders
    assert (order.client_order_id, text) == ("a", "cancel of a had no effect after 5 attempts")
    talk.cancel()
    talk.next_sent(VenueCancel)
    talk.states("X1", CANCELED)
    assert talk.say(QueryAttention(account="SIM")).reply.orders == ()


def test_partly_filled_the_mark_ends_where_it_was() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "0.5")
    talk.cancel()
    talk.wait("60")
    assert talk.history().endswith("PARTIALLY_FILLED PENDING_CANCEL PARTIALLY_FILLED")


def test_questions_instead_of_cancels_are_attempts_too() -> None:
    talk = started(settings=EngineSettings(cancel_attempts_most=3))
    working(talk)
    talk.cancel()
    talk.refuses(talk.next_sent(VenueCancel))
    talk.wait("60")
    assert set(talk.all_sent()) == {VenueQuery}
    assert talk.alarms == ["cancel_failed"]


def test_an_answer_to_a_cancel_of_an_order_long_over_means_nothing() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    request = talk.next_sent(VenueCancel)
    talk.states("X1", CANCELED)
    talk.refuses(request)
    assert talk.sent == []
    assert talk.causes().endswith("CANCELED")


# ── cancel all ───────────────────────────────────────────────────────────────────────────────────


def test_cancel_all_covers_every_order_that_is_not_final_and_only_this_account_s() -> None:
    talk = started(accounts=("SIM", "SIM/ALICE"))
    working(talk, "new", "X1")
    talk.accepts(placed(talk, "routed"), "X2")
    placed(talk, "routing")
    talk.loses(placed(talk, "doubted"))
    talk.sent.clear()
    working(talk, "filled", "X3")
    talk.fills("X3", "2", client_order_id="filled")
    placed(talk, "alice", account="SIM/ALICE")
    talk.sent.clear()
    assert talk.cancel_all().reply.count == 4
    assert talk.all_sent() == [VenueCancel] * 4
    pending = [talk.order(name).cancel_pending for name in ("new", "routed", "routing", "doubted")]
    assert all(pending)
    assert not talk.order("alice", account="SIM/ALICE").cancel_pending
    assert talk.cancel_all().reply.count == 4
    assert talk.sent == []


def test_cancel_all_withdraws_what_was_not_sent_and_reaches_strangers_orders() -> None:
    talk = Unhurried()
    talk.connects()
    talk.place()
    talk.states("X9", OPEN, client_order_id=None)
    assert talk.cancel_all().reply.count == 2
    assert talk.status() == "CANCELED"
    assert isinstance(talk.held[-1], VenueCancel)
    assert talk.held[-1].exchange_order_id == "X9"


def test_cancel_all_leaves_alone_what_only_waits_for_its_fills() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED, "0.5")
    assert talk.cancel_all().reply.count == 0
    assert talk.sent == []


def test_cancel_all_of_an_account_without_orders_or_connection() -> None:
    assert Conversation().cancel_all().reply.count == 0


# ── GOOD_TILL_TIME_OMS ───────────────────────────────────────────────────────────────────────────


def expiring(talk: Conversation, seconds: int = 60) -> dict[str, object]:
    """Return what makes an order end after so many seconds by our clock."""
    return {
        "time_in_force": TimeInForce.GOOD_TILL_TIME_OMS,
        "expire_time_ns": talk.now.utc_ns + seconds * SECOND_NS,
    }


def test_we_send_the_cancel_at_expire_time() -> None:
    talk = started()
    working(talk, **expiring(talk))
    talk.wait("59.999")
    assert talk.sent == []
    talk.wait("0.001")
    talk.states("X1", CANCELED, asked=talk.next_sent(VenueCancel))
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PENDING_CANCEL CANCELED"


def test_an_order_that_ended_before_is_left_alone() -> None:
    talk = started()
    working(talk, **expiring(talk))
    talk.fills("X1", "2")
    talk.wait("61")
    assert talk.sent == []


def test_an_order_that_only_waits_for_its_fills_is_left_alone_too() -> None:
    talk = started()
    working(talk, **expiring(talk))
    talk.states("X1", CANCELED, "0.5")
    talk.wait("61")
    assert VenueCancel not in talk.all_sent()


def test_the_wall_clock_decides_also_when_it_jumps() -> None:
    talk = started()
    working(talk, **expiring(talk, seconds=3600))
    talk.wait("10")
    talk.jump("3590")
    talk.next_sent(VenueCancel)


def test_a_clock_set_back_after_the_cancel_does_not_lose_it() -> None:
    talk = started()
    working(talk, **expiring(talk))
    talk.wait("60")
    talk.jump("-3600")
    talk.wait("120")
    assert talk.alarms == ["cancel_failed"]
    talk.sent.clear()
    talk.wait("3500")
    assert VenueCancel in talk.all_sent()


def test_due_while_we_were_down_it_is_sent_when_we_are_back() -> None:
    talk = started()
    working(talk, **expiring(talk))
    following = talk.restart("3600")
    following.wait("0")
    assert following.order().cancel_pending
    assert following.sent == []
    following.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    assert following.next_sent(VenueCancel).exchange_order_id == "X1"


def test_not_due_yet_after_a_restart_it_is_sent_in_time() -> None:
    talk = started()
    working(talk, **expiring(talk))
    following = talk.restart("30")
    following.connects()
    following.all_sent()
    following.wait("29.9")
    assert following.sent == []
    following.wait("0.1")
    following.next_sent(VenueCancel)


def test_a_due_cancel_is_retried_slowly_until_the_order_ends() -> None:
    talk = started()
    working(talk, **expiring(talk, seconds=1))
    talk.wait("1")
    talk.wait("3600")
    cancels = talk.all_sent().count(VenueCancel)
    assert 110 < cancels < 130
    assert talk.alarms == []
    assert talk.status() == "PENDING_CANCEL"
    talk.states("X1", CANCELED)
    talk.wait("3600")
    assert talk.sent == []


def test_due_while_in_doubt_the_cancel_goes_out_and_again_when_the_doubt_ends() -> None:
    talk = started()
    request = placed(talk, **expiring(talk, seconds=2))
    talk.loses(request)
    talk.sent.clear()
    talk.wait("2.5")
    assert VenueCancel in talk.all_sent()
    talk.accepts(request, "X1")
    talk.next_sent(VenueCancel)


def test_due_before_it_was_sent_it_is_withdrawn() -> None:
    talk = Unhurried()
    talk.connects()
    call = talk.place(**expiring(talk, seconds=2))
    talk.wait("2")
    assert call.order.stage is Stage.CANCELED


def test_a_client_s_cancel_that_was_given_up_is_taken_up_when_the_time_comes() -> None:
    talk = started()
    working(talk, **expiring(talk, seconds=300))
    talk.cancel()
    talk.wait("100")
    assert talk.alarms == ["cancel_failed"]
    talk.sent.clear()
    talk.wait("199")
    assert talk.sent == []
    talk.wait("1")
    talk.next_sent(VenueCancel)
