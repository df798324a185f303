"""CANCEL_ON_DISCONNECT as conversations (2.4): what a session placed with it ends with the session."""

import pytest

from fairlead.core.deciding import EngineSettings
from fairlead.core.model import ExecInst, Reason, Stage
from fairlead.core.replies import CancelAllReply, CheckResult, ChecksReply
from fairlead.core.requests import CheckOrder, EndSession
from fairlead.core.venue_messages import VenueCancel, VenueConnected, VenuePlace, VenueQuery
from tests.core.conversation import (
    CANCELED,
    OPEN,
    Conversation,
    Unhurried,
    changed,
    placed,
    reconnected,
    started,
    working,
)
from tests.core.words import ABILITIES, make_request

COD, STAYS = ExecInst.CANCEL_ON_DISCONNECT, ExecInst.DO_NOT_CANCEL_ON_DISCONNECT
POST_ONLY = ExecInst.MAKER_OR_CANCEL
OURS = {"session": "ws:1", "exec_inst": (COD,)}
BY_EXCHANGE_ID_ONLY = changed(ABILITIES, cancel_by_client_id=False)


def ended(talk: Conversation, session: str = "ws:1", account: str = "SIM") -> int:
    """End a session; return how many orders a cancel was requested for."""
    reply = talk.say(EndSession(account=account, session=session)).reply
    assert isinstance(reply, CancelAllReply), reply
    return reply.count


# ── which orders ─────────────────────────────────────────────────────────────────────────────────


def test_an_order_ends_with_the_session_that_placed_it() -> None:
    talk = started()
    working(talk, **OURS)
    assert ended(talk) == 1
    talk.states("X1", CANCELED, asked=talk.next_sent(VenueCancel))
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PENDING_CANCEL CANCELED"
    assert not talk.is_in_memory()
    assert talk.alarms == []


def test_no_other_order_is_touched() -> None:
    supporting = changed(ABILITIES, exec_inst=frozenset({COD, STAYS, POST_ONLY}))
    talk = started(accounts=("SIM", "SIM/B"), abilities=supporting)
    for name, changes in {
        "without": {"session": "ws:1"},
        "stays": {"session": "ws:1", "exec_inst": (STAYS,)},
        "other": {**OURS, "session": "ws:11"},
        "elsewhere": {**OURS, "account": "SIM/B"},
        "rest": {"exec_inst": (COD,)},
    }.items():
        talk.place(name, **changes)
    talk.all_sent()
    assert ended(talk) == 0
    assert ended(talk, "") == 0
    assert talk.sent == []
    assert ended(talk, account="SIM/B") == 1
    assert ended(talk, "ws:11") == 1
    assert not talk.order("rest").cancel_pending


def test_every_order_of_it_that_is_not_final_is_cancelled_once() -> None:
    talk = started()
    for number in (1, 2, 3):
        working(talk, f"o{number}", f"X{number}", **OURS)
    talk.fills("X1", "0.5", client_order_id="o1")
    talk.fills("X2", "2", client_order_id="o2")
    talk.cancel("o3")
    talk.all_sent()
    assert ended(talk) == 2  # as of a cancel-all, the pending one counts
    assert talk.next_sent(VenueCancel).exchange_order_id == "X1"
    assert talk.status("o2") == "FILLED"
    assert ended(talk) == 2
    assert talk.sent == []


def test_an_unknown_account_is_refused() -> None:
    assert started().say(EndSession(account="SIM/X", session="ws:1")).refusal == "ACCOUNT_UNKNOWN"


# ── wherever the order is ────────────────────────────────────────────────────────────────────────


def test_not_yet_sent_it_never_is() -> None:
    talk = Unhurried()
    talk.connects()
    placing = talk.place(**OURS)
    assert ended(talk) == 1
    assert placing.order.stage is Stage.CANCELED
    (request,) = talk.held
    assert not talk.engine.hand_over(request)
    assert talk.available() == 100_000


def test_sent_but_unanswered_the_cancel_goes_now_and_again_with_the_answer() -> None:
    talk = started()
    request = placed(talk, **OURS)
    ended(talk)
    early = talk.next_sent(VenueCancel)
    assert early.venue_client_id == talk.venue_id("a")
    talk.refuses(early, "unknown order", order_unknown=True)
    talk.next_sent(VenueQuery)
    talk.accepts(request, "X1")
    talk.states("X1", CANCELED, asked=talk.next_sent(VenueCancel))
    assert talk.history() == "RECEIVED ROUTING ROUTED CANCELED"


def test_held_where_the_exchange_cannot_be_told_which_order_is_meant() -> None:
    talk = started(abilities=BY_EXCHANGE_ID_ONLY)
    request = placed(talk, **OURS)
    ended(talk)
    assert talk.sent == []
    talk.accepts(request, "X1")
    assert talk.next_sent(VenueCancel).exchange_order_id == "X1"


def test_in_doubt_it_is_cancelled_when_the_doubt_ends() -> None:
    talk = started()
    talk.loses(placed(talk, **OURS))
    query = talk.next_sent(VenueQuery)
    assert ended(talk) == 1
    talk.refuses(talk.next_sent(VenueCancel), "unknown order", order_unknown=True)
    talk.wait("60")
    assert set(talk.all_sent()) == {VenueQuery}
    talk.states("X1", OPEN, asked=query)
    assert talk.next_sent(VenueCancel).exchange_order_id == "X1"


def test_disconnected_the_cancel_is_stored_and_sent_on_reconnection() -> None:
    talk = started()
    working(talk, **OURS)
    talk.disconnects()
    assert ended(talk) == 1
    talk.wait("300")
    assert (talk.sent, talk.alarms) == ([], [])
    talk.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    assert talk.next_sent(VenueCancel).exchange_order_id == "X1"


def test_refused_it_is_tried_again_and_given_up_loudly_like_any_other_cancel() -> None:
    talk = started(settings=EngineSettings(cancel_attempts_most=2))
    working(talk, **OURS)
    ended(talk)
    for _ in range(2):
        (cancel,) = [each for each in talk.sent if isinstance(each, VenueCancel)]
        talk.sent.clear()
        talk.refuses(cancel, "not now")
        talk.states("X1", OPEN)
        talk.wait("2")
    assert talk.alarms == ["cancel_failed"]
    assert talk.order().attention is not None
    talk.sent.clear()
    assert ended(talk) == 1  # a second word begins anew
    talk.next_sent(VenueCancel)


# ── the order of things ──────────────────────────────────────────────────────────────────────────


def test_placed_before_the_end_in_the_same_batch_it_is_never_sent() -> None:
    talk = started()
    with talk.together():
        placing = talk.place(**OURS)
        talk.say(EndSession(account="SIM", session="ws:1"))
    assert placing.order.stage is Stage.CANCELED
    assert talk.sent == []


def test_placed_after_the_end_it_belongs_to_the_next_session_of_that_name() -> None:
    talk = started()
    with talk.together():
        talk.say(EndSession(account="SIM", session="fix:CLIENT"))
        talk.place(session="fix:CLIENT", exec_inst=(COD,))
    talk.next_sent(VenuePlace)
    assert not talk.order().cancel_pending
    assert ended(talk, "fix:CLIENT") == 1


def test_sent_again_by_another_session_it_stays_with_the_first() -> None:
    talk = started()
    working(talk, **OURS)
    for session in ("ws:2", ""):
        assert talk.place(session=session, exec_inst=(COD,)).order == talk.order()
    assert talk.order().session == "ws:1"
    assert ended(talk, "ws:2") == 0
    assert ended(talk, "ws:1") == 1
    assert talk.place(session="ws:2", exec_inst=(COD,)).order.cancel_pending


# ── the end of the process ───────────────────────────────────────────────────────────────────────


def test_the_next_process_cancels_what_the_last_one_left() -> None:
    talk = started()
    working(talk, "goes", "X1", **OURS)
    working(talk, "goes too", "X2", session="fix:CLIENT", exec_inst=(POST_ONLY, COD))
    working(talk, "without", "X3", session="ws:1")
    working(talk, "stays", "X4", session="ws:1", exec_inst=(STAYS,))
    following = talk.restart()
    assert following.order("goes").cancel_pending  # durable before anything is connected
    assert following.sent == []
    following.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    assert {request.exchange_order_id for request in following.sent} == {"X1", "X2"}
    assert set(following.all_sent()) == {VenueCancel}
    assert following.status("without") == following.status("stays") == "NEW"


def test_an_order_on_its_way_is_cancelled_by_the_next_process_when_it_is_found() -> None:
    talk = started()
    placed(talk, **OURS)
    following = reconnected(talk)
    cancel, query = following.sent
    assert isinstance(cancel, VenueCancel)
    assert isinstance(query, VenueQuery)
    following.sent.clear()
    following.refuses(cancel, order_unknown=True)
    following.sent.clear()
    following.states("X1", OPEN, asked=query)
    assert following.next_sent(VenueCancel).exchange_order_id == "X1"


def test_an_order_not_yet_sent_is_withdrawn_by_the_next_process() -> None:
    talk = Unhurried()
    talk.connects()
    talk.place(**OURS)
    assert talk.restart().order().reason is Reason.NOT_SENT


def test_a_cancel_that_was_given_up_is_taken_up_by_the_next_process() -> None:
    talk = started(settings=EngineSettings(cancel_attempts_most=1))
    working(talk, **OURS)
    ended(talk)
    talk.refuses(talk.next_sent(VenueCancel), "not now")
    talk.states("X1", OPEN, asked=talk.next_sent(VenueQuery))
    talk.wait("5")
    assert not talk.order().cancel_pending
    reconnected(talk).next_sent(VenueCancel)


# ── what the exchange supports, and what it is told ──────────────────────────────────────────────


@pytest.mark.parametrize("instruction", [COD, STAYS])
def test_without_a_session_it_needs_the_exchange(instruction: ExecInst) -> None:
    talk = started()
    call = talk.place(exec_inst=(instruction,))
    assert call.refusal == "NOT_SUPPORTED"
    assert call.reply.message == (
        f"exec_inst: {instruction} is not supported by SIM in SPOT markets, only by WebSocket or FIX;"
        " supported: MAKER_OR_CANCEL"
    )
    supporting = changed(ABILITIES, exec_inst=frozenset({instruction}))
    talk = started(abilities=supporting)
    assert placed(talk, exec_inst=(instruction,)).exec_inst == (instruction,)


@pytest.mark.parametrize(
    ("known", "given", "told"),
    [
        ({POST_ONLY}, (COD,), ()),
        ({POST_ONLY}, (POST_ONLY, COD), (POST_ONLY,)),
        ({POST_ONLY}, (STAYS, POST_ONLY), (POST_ONLY,)),
        ({POST_ONLY, COD, STAYS}, (COD, POST_ONLY), (POST_ONLY,)),
        ({POST_ONLY, COD, STAYS}, (STAYS, POST_ONLY), (STAYS, POST_ONLY)),
        ({POST_ONLY}, (POST_ONLY,), (POST_ONLY,)),
    ],
)
def test_what_an_exchange_is_told_of_an_order_with_a_session(
    known: set[ExecInst], given: tuple[ExecInst, ...], told: tuple[ExecInst, ...]
) -> None:
    talk = started(abilities=changed(ABILITIES, exec_inst=frozenset(known)))
    assert placed(talk, session="ws:1", exec_inst=given).exec_inst == told
    assert talk.order().exec_inst == given  # and the client is told what it asked for


def test_a_session_does_not_make_the_exchange_able_to_do_anything_else() -> None:
    talk = started()
    call = talk.place(session="ws:1", exec_inst=(ExecInst.AUCTION_ONLY,))
    assert call.reply.message == (
        "exec_inst: AUCTION_ONLY is not supported by SIM in SPOT markets; supported:"
        " CANCEL_ON_DISCONNECT, DO_NOT_CANCEL_ON_DISCONNECT, MAKER_OR_CANCEL"
    )
    both = talk.place(session="ws:1", exec_inst=(COD, STAYS))
    assert both.refusal == "INVALID"


@pytest.mark.parametrize("session", ["", "ws:1"])
def test_a_dry_run_says_what_the_order_would_come_to(session: str) -> None:
    order = make_request(session=session, exec_inst=(COD,))
    reply = started().say(CheckOrder(account="SIM", order=order)).reply
    assert isinstance(reply, ChecksReply)
    failed = [each.name for each in reply.checks if each.result is CheckResult.FAILED]
    assert failed == ([] if session else ["instrument"])
