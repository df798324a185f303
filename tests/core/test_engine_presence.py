"""Accounts that go and come back: what becomes of their orders, and of those who wait for them."""

import pytest

from fairlead.core.model import AccountMode, ExecInst, Reason, Stage, TimeInForce
from fairlead.core.reports import AccountReport
from fairlead.core.requests import (
    CancelAll,
    CheckOrder,
    EndSession,
    QueryAccounts,
    QueryAttention,
    QueryBalances,
    QueryInstruments,
    QueryOrders,
    QueryPositions,
    QueryReconciliation,
    QuerySnapshot,
    Request,
)
from fairlead.core.venue_messages import VenueCancel, VenueConnected, VenueQuery
from tests.core.conversation import (
    CANCELED,
    OPEN,
    Conversation,
    Unhurried,
    placed,
    started,
    working,
)
from tests.core.words import ABILITIES, SECOND_NS, make_request

BOB = "SIM/BOB"


def back(talk: Conversation) -> None:
    """Let the account come back and connect."""
    talk.come()
    talk.connects()


def test_an_account_that_comes_trades_like_any_other() -> None:
    talk = started()
    talk.come(BOB)
    talk.connects(BOB)
    placed(talk, account=BOB)
    assert talk.order("a", BOB).stage is Stage.ROUTING
    first, *_ = [report for report, _ in talk.reports if report.account == BOB]
    assert first == AccountReport(BOB, 1, first.time_ns, AccountMode.ACTIVE, True)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: make_request("b"),
        lambda: CancelAll(account="SIM"),
        lambda: QueryOrders(account="SIM"),
        lambda: QueryAttention(account="SIM"),
        lambda: QueryBalances(account="SIM"),
        lambda: QueryPositions(account="SIM"),
        lambda: QueryAccounts(account="SIM"),
        lambda: QueryInstruments(account="SIM"),
        lambda: QueryReconciliation(account="SIM"),
        lambda: QuerySnapshot(account="SIM"),
        lambda: EndSession(account="SIM", session="s"),
    ],
    ids=[
        "place", "cancel_all", "orders", "attention", "balances", "positions", "accounts",
        "instruments", "reconciliation", "snapshot", "end_session",
    ],
)  # fmt: skip
def test_an_account_that_has_gone_is_unknown(request_of: "type[Request]") -> None:
    talk = started()
    working(talk)
    talk.go()
    assert talk.say(request_of()).refusal == "ACCOUNT_UNKNOWN"
    assert talk.cancel().refusal == "ACCOUNT_UNKNOWN"


def test_its_orders_are_seen_nowhere_and_stay_as_they_were() -> None:
    talk = started(accounts=("SIM", BOB))
    working(talk)
    before = talk.order()
    talk.go()
    assert talk.look_up().refusal == "ORDER_UNKNOWN"
    assert talk.look_up(account="").refusal == "ORDER_UNKNOWN"
    assert talk.say(QueryOrders(account="")).reply.orders == ()
    assert talk.say(QueryAttention(account="")).reply.orders == ()
    checks = talk.say(CheckOrder(account="SIM", order=make_request("b"))).reply.checks
    assert "ACCOUNT_UNKNOWN" in {each.refusal for each in checks}
    talk.wait("100")
    assert talk.sent == []
    assert talk.order() == before
    assert talk.memory.unsettled == {before.number}
    assert not talk.is_in_memory()


def test_what_was_not_sent_is_withdrawn_and_its_caller_told() -> None:
    talk = Unhurried()
    talk.connects()
    call = talk.place()
    assert call.reply is None
    talk.go()
    assert call.order.stage is Stage.REJECTED
    assert call.order.reason is Reason.NOT_SENT
    assert (
        call.order.error_message
        == "not_sent: exchange_id SIM is no account of this server any more"
    )


def test_what_was_on_its_way_is_in_doubt_and_its_caller_told() -> None:
    talk = started()
    call = talk.place()
    talk.go()
    assert call.refusal == "IN_DOUBT"
    assert "is in doubt until the account is back" in call.reply.message
    assert talk.order().in_doubt_ns is not None
    assert talk.causes().endswith("IN_DOUBT")


def test_fills_that_happened_meanwhile_are_booked_once_when_it_is_back() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "0.5", "t1")
    talk.go()
    back(talk)
    talk.fills("X1", "0.5", "t1", from_page=True)
    talk.fills("X1", "0.7", "t2", from_page=True)
    talk.fills("X1", "0.7", "t2")
    talk.states("X1", CANCELED, "1.2")
    order = talk.order()
    assert [fill.trade_id for fill in order.fills] == ["t1", "t2"]
    assert (order.stage, order.is_settled) == (Stage.CANCELED, True)


def test_an_order_in_doubt_is_asked_about_again_and_never_sent_again() -> None:
    talk = started()
    placed(talk)
    talk.go()
    talk.all_sent()
    talk.come()
    talk.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    talk.wait("0")
    assert set(talk.all_sent()) == {VenueQuery}


def test_sequences_go_on_and_the_books_are_what_they_were() -> None:
    talk = started()
    working(talk)
    talk.set_mode(AccountMode.REDUCING)
    available, balances = talk.available(), talk.engine.account("SIM").ledger.balances()
    talk.go()
    last = talk.memory.sequences["SIM"]
    talk.come()
    account = talk.engine.account("SIM")
    assert account.sequence == last + 1
    assert account.mode is AccountMode.REDUCING
    assert account.ledger.balances() == balances
    assert talk.available() == available
    assert not account.is_connected
    assert not account.is_reconciled


def test_an_order_that_expired_meanwhile_is_cancelled_when_it_is_back() -> None:
    talk = started()
    due_ns = talk.now.utc_ns + 5 * SECOND_NS
    by_oms = TimeInForce.GOOD_TILL_TIME_OMS
    working(talk, time_in_force=by_oms, time_in_force_text=by_oms.value, expire_time_ns=due_ns)
    talk.go()
    talk.wait("10")
    assert talk.sent == []
    back(talk)
    talk.wait("0")
    assert talk.all_sent() == [VenueCancel]


def test_a_pending_cancel_rests_and_goes_out_again() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.all_sent()
    talk.go()
    talk.wait("60")
    assert talk.sent == []
    back(talk)
    assert VenueCancel in talk.all_sent()


@pytest.mark.parametrize("ends", [True, False])
def test_an_order_ends_with_its_session_also_when_that_ended_meanwhile(ends: bool) -> None:
    talk = started()
    working(talk, exec_inst=(ExecInst.CANCEL_ON_DISCONNECT,), session="s")
    talk.go()
    if ends:
        talk.say(EndSession(account="SIM", session="s"))
    back(talk)
    assert talk.order().cancel_pending is ends
    assert talk.all_sent() == ([VenueCancel] if ends else [])


def test_fills_that_waited_for_their_order_are_forgotten_and_fetched_again() -> None:
    talk = started()
    talk.fills("X9", "1", "t9", client_order_id=None)
    assert talk.engine.has_orphans("SIM")
    talk.go()
    talk.come()
    assert not talk.engine.has_orphans("SIM")


def test_coming_twice_and_going_twice_changes_nothing_more() -> None:
    talk = started()
    working(talk)
    talk.come()
    assert talk.memory.sequences["SIM"] == talk.engine.account("SIM").sequence
    talk.go()
    last = talk.memory.sequences["SIM"]
    talk._begin_batch()
    talk.engine.go("SIM")
    talk._end_batch()
    assert talk.memory.sequences["SIM"] == last


@pytest.mark.parametrize("is_settled", [True, False])
def test_whether_something_is_owed_is_known_here_and_gone(is_settled: bool) -> None:
    talk = started()
    working(talk)
    if is_settled:
        talk.states("X1", CANCELED)
    assert talk.engine.is_unsettled("SIM") is not is_settled
    talk.go()
    assert talk.engine.is_unsettled("SIM") is not is_settled
    following = talk.restart(accounts=())
    assert following.engine.is_unsettled("SIM") is not is_settled
    assert not following.engine.is_unsettled(BOB)


def test_a_client_id_of_an_order_that_has_ended_is_taken_for_ever() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED)
    talk.go()
    back(talk)
    talk.all_sent()
    assert talk.place().order.stage is Stage.CANCELED
    assert talk.place(price="101").refusal == "CONFLICT"
    assert talk.sent == []


# ── over a restart ───────────────────────────────────────────────────────────────────────────────


def test_an_account_that_a_process_is_not_given_has_gone() -> None:
    talk = started(accounts=("SIM", BOB))
    working(talk)
    following = talk.restart(accounts=(BOB,))
    following.connects(BOB)
    following.wait("100")
    assert following.sent == []
    assert following.alarms == []
    assert following.look_up().refusal == "ORDER_UNKNOWN"
    assert following.say(QueryOrders(account="")).reply.orders == ()
    assert [each.account for each in following.say(QueryAccounts(account="")).reply.accounts] == [
        BOB
    ]
    following.come()
    following.connects()
    following.fills("X1", "2", "t1", from_page=True)
    assert following.status() == "FILLED"


def test_what_was_under_way_when_the_process_ended_is_told_without_the_account() -> None:
    talk = Unhurried()
    talk.connects()
    talk.place()
    following = talk.restart(accounts=())
    assert following.history() == "RECEIVED REJECTED"
    talk = started()
    placed(talk)
    following = talk.restart(accounts=())
    assert following.order().in_doubt_ns is not None
    again = following.restart(accounts=())
    assert again.causes() == ""


def test_orders_of_sessions_that_ended_with_the_process_are_cancelled_when_it_is_back() -> None:
    talk = started()
    working(talk, exec_inst=(ExecInst.CANCEL_ON_DISCONNECT,), session="s")
    following = talk.restart(accounts=())
    assert not following.order().cancel_pending
    following.come()
    following.connects()
    assert following.order().cancel_pending
    following.states("X1", OPEN, asked=None)
    assert VenueCancel in following.all_sent()
