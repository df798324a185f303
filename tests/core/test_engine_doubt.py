"""Orders whose outcome is unknown: asked about, never guessed, resolved by the exchange or an operator."""

from itertools import pairwise

import pytest

from fairlead.core.model import Order, Reason, Stage
from fairlead.core.requests import QueryAttention, Resolution
from fairlead.core.venue_messages import VenueCancel, VenueConnected, VenuePlace, VenueQuery
from tests.core.conversation import (
    CANCELED,
    EXPIRED,
    FILLED,
    OPEN,
    Conversation,
    changed,
    placed,
    started,
    working,
)
from tests.core.words import ABILITIES, MS, D


def doubted(talk: Conversation, client_order_id: str = "a") -> VenueQuery:
    """Place an order whose answer is lost; return the first question about it."""
    request = placed(talk, client_order_id)
    talk.loses(request)
    return talk.next_sent(VenueQuery)


def attention(talk: Conversation) -> list[tuple[str, str]]:
    """Return (client id, what is the matter) of the orders an operator should look at."""
    reply = talk.say(QueryAttention(account="SIM")).reply
    return [(order.client_order_id, text) for order, text in reply.orders]


# ── asking ───────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_outcome_puts_the_order_in_doubt_and_asks_at_once_by_client_id() -> None:
    talk = started()
    query = doubted(talk)
    assert talk.order().in_doubt_ns == talk.now.utc_ns
    assert (talk.status(), talk.causes()) == ("ROUTING", "ROUTING IN_DOUBT")
    assert query.venue_client_id == talk.venue_id("a")
    assert query.exchange_order_id is None
    assert attention(talk) == [("a", "in doubt: the exchange has not said what became of it")]


def test_it_is_asked_about_at_0_and_then_after_a_quarter_a_half_1_2_4_seconds() -> None:
    talk = started()
    doubted(talk)
    begun_ns = talk.now.steady_ns
    asked_ms = []
    for _ in range(400):
        talk.wait("0.25")
        asked_ms += [(talk.now.steady_ns - begun_ns) // MS] * len(talk.sent)
        assert set(talk.all_sent()) <= {VenueQuery}
    assert asked_ms[:7] == [250, 500, 1000, 2000, 4000, 8000, 16000]
    assert [later - earlier for earlier, later in pairwise(asked_ms)][-2:] == [30_000, 30_000]
    assert talk.status() == "ROUTING"


def test_nobody_is_asked_while_the_account_is_disconnected_and_at_once_after() -> None:
    talk = started()
    doubted(talk)
    talk.disconnects()
    talk.wait("60")
    assert talk.sent == []
    talk.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    talk.next_sent(VenueQuery)
    talk.wait("0.25")
    talk.next_sent(VenueQuery)


def test_an_order_that_cannot_be_asked_about_stays_in_doubt_visibly() -> None:
    talk = started(abilities=changed(ABILITIES, query_by_client_id=False))
    talk.loses(placed(talk))
    talk.wait("100")
    assert talk.sent == []
    assert talk.place().refusal == "IN_DOUBT"
    assert [name for name, _ in attention(talk)] == ["a"]


def test_a_question_that_fails_is_asked_again() -> None:
    talk = started()
    query = doubted(talk)
    talk.refuses(query, "too often", retry_after_ms=100)
    assert talk.sent == []
    talk.wait("0.25")
    talk.loses(talk.next_sent(VenueQuery))
    talk.wait("0.25")
    talk.next_sent(VenueQuery)


# ── resolved by the exchange ─────────────────────────────────────────────────────────────────────


def test_the_query_may_find_it_open() -> None:
    talk = started()
    talk.states("X1", OPEN, asked=doubted(talk))
    assert talk.order().in_doubt_ns is None
    assert talk.order().exchange_order_id == "X1"
    assert talk.history() == "RECEIVED ROUTING NEW"
    talk.wait("100")
    assert talk.sent == []
    assert attention(talk) == []


def test_the_stream_may_be_first() -> None:
    talk = started()
    query = doubted(talk)
    talk.fills("X1", "0.5")
    assert talk.order().in_doubt_ns is None
    assert talk.history() == "RECEIVED ROUTING PARTIALLY_FILLED"
    talk.does_not_know(query)
    talk.wait("30")
    assert talk.sent == []
    assert talk.order().in_doubt_ns is None


def test_the_answer_may_come_late_after_all() -> None:
    talk = started()
    call = talk.place()
    request = talk.next_sent(VenuePlace)
    talk.wait("5")
    assert call.refusal == "IN_DOUBT"
    talk.accepts(request, "X1")
    assert talk.history() == "RECEIVED ROUTING ROUTED"
    assert talk.order().in_doubt_ns is None


def test_the_late_answer_may_be_a_refusal() -> None:
    talk = started()
    request = placed(talk)
    talk.wait("6")
    talk.refuses(request, "no money")
    assert (talk.status(), talk.order().error_message) == ("REJECTED", "no money")
    assert talk.order().in_doubt_ns is None


def test_what_was_not_sent_by_the_link_later_does_not_end_an_earlier_doubt() -> None:
    talk = started()
    request = placed(talk)
    talk.loses(request)
    talk.loses(request)
    talk.never_gets(request)
    assert talk.status() == "ROUTING"
    assert talk.order().in_doubt_ns is not None
    assert talk.causes().count("IN_DOUBT") == 1


@pytest.mark.parametrize("state", [CANCELED, EXPIRED])
def test_the_query_may_find_it_over(state: str) -> None:
    talk = started()
    talk.states("X1", state, asked=doubted(talk))
    assert talk.status() == "CANCELED"
    assert not talk.is_in_memory()


def test_the_query_may_find_it_filled_then_its_fills_are_fetched() -> None:
    talk = started()
    sweeps = talk.sweeps
    talk.states("X1", FILLED, "2", asked=doubted(talk))
    assert talk.history() == "RECEIVED ROUTING ROUTED"
    assert talk.order().in_doubt_ns is None
    assert talk.sweeps == sweeps + 1
    talk.fills("X1", "2", from_page=True)
    assert talk.history() == "RECEIVED ROUTING ROUTED FILLED"


# ── "not found" ──────────────────────────────────────────────────────────────────────────────────


def ask_until(talk: Conversation, seconds: str) -> VenueQuery:
    """Let time pass; return the last question asked in it."""
    talk.wait(seconds)
    query = talk.sent[-1]
    assert isinstance(query, VenueQuery)
    talk.sent.clear()
    return query


def test_not_found_counts_only_after_the_request_window_and_twice() -> None:
    talk = started()  # the window is 5 s, the margin one and a half
    talk.does_not_know(doubted(talk))
    talk.does_not_know(ask_until(talk, "4"))
    talk.does_not_know(ask_until(talk, "4"))
    assert talk.status() == "ROUTING"
    talk.does_not_know(ask_until(talk, "8"))
    assert talk.history() == "RECEIVED ROUTING REJECTED"
    order = talk.order()
    assert (order.error_message, order.reason) == (
        "never reached the exchange",
        Reason.NEVER_REACHED,
    )
    assert talk.available() == 100_000
    assert talk.place().order.stage is Stage.REJECTED
    assert not talk.is_in_memory()


def test_the_window_begins_when_the_order_leaves_not_when_it_was_decided() -> None:
    talk = started()
    request = placed(talk)
    talk.wait("2")
    talk.engine.sent([request], talk.now)  # the commit took two seconds: it may arrive until 7 s
    talk.loses(request)
    talk.does_not_know(ask_until(talk, "4"))  # asked at 6 s
    talk.does_not_know(ask_until(talk, "4"))  # at 10 s
    assert talk.status() == "ROUTING"
    talk.does_not_know(ask_until(talk, "8"))  # at 18 s
    assert talk.status() == "REJECTED"


def test_not_found_is_never_believed_where_there_is_no_window() -> None:
    talk = started(abilities=changed(ABILITIES, request_window_ms=None))
    talk.does_not_know(doubted(talk))
    for _ in range(10):
        talk.does_not_know(ask_until(talk, "40"))
    assert talk.status() == "ROUTING"
    assert talk.order().in_doubt_ns is not None


def test_not_found_counts_as_of_when_its_question_was_asked() -> None:
    talk = started()  # questions at 0, 0.25, 0.5, 1, 2, 4, 8, 16 and 32 s
    doubted(talk)
    talk.wait("40")
    early, late = talk.sent[:5], talk.sent[5:]
    for query in early:
        talk.does_not_know(query)
    assert talk.status() == "ROUTING"
    # Their answers waited for the exchange's rate, and each was followed by another question.
    talk.does_not_know(late[0])
    talk.does_not_know(late[0])
    assert talk.status() == "ROUTING"
    talk.does_not_know(late[1])
    assert talk.status() == "REJECTED"


def test_two_questions_in_the_same_breath_are_one() -> None:
    talk = started()
    doubted(talk)
    talk.wait("10")
    talk.sent.clear()
    for _ in range(2):
        talk.connects()
    queries = [request for request in talk.sent if isinstance(request, VenueQuery)]
    assert len(queries) == 2
    for query in queries:
        talk.does_not_know(query)
    assert talk.status() == "ROUTING"
    talk.does_not_know(ask_until(talk, "1"))
    assert talk.status() == "REJECTED"


def test_being_found_in_between_begins_the_count_anew() -> None:
    talk = started()
    request = placed(talk)
    talk.wait("8")
    talk.does_not_know(talk.sent.pop())
    talk.accepts(request, "X1")
    talk.wait("60")
    assert talk.status() == "ROUTED"


def test_an_order_that_only_its_early_cancel_was_too_early_for_is_in_doubt_not_gone() -> None:
    talk = started()
    request = placed(talk)
    talk.cancel()
    talk.refuses(talk.next_sent(VenueCancel), "unknown order", order_unknown=True)
    talk.does_not_know(talk.next_sent(VenueQuery))
    assert talk.status() == "ROUTING"
    assert talk.order().in_doubt_ns is not None
    talk.accepts(request, "X1")
    assert talk.status() == "ROUTED"


# ── it appears after all ─────────────────────────────────────────────────────────────────────────


def never_reached(talk: Conversation) -> VenuePlace:
    """Place an order and have the exchange say twice, late enough, that it does not know it."""
    request = placed(talk)
    talk.loses(request)
    for seconds in ("8", "8"):
        talk.wait(seconds)
        talk.does_not_know(talk.sent.pop())
        talk.sent.clear()
    assert talk.order().error_message == "never reached the exchange"
    return request


def revived(talk: Conversation) -> Order:
    """Return the order, of which the exchange has just shown that it has it."""
    order = talk.order()
    assert "REVIVED" in talk.causes()
    assert talk.alarms == ["order_revived"]
    assert talk.alarm_texts == ["order a was never reached the exchange, and is at the exchange"]
    return order


def test_found_open_its_remainder_is_cancelled_at_once() -> None:
    talk = started()
    never_reached(talk)
    talk.states("X1", OPEN)
    order = revived(talk)
    assert order.cancel_pending
    assert talk.status() == "REJECTED"
    assert talk.place().refusal == "IN_DOUBT"
    assert [name for name, _ in attention(talk)] == ["a"]
    cancel, query = talk.sent
    assert isinstance(cancel, VenueCancel)
    assert isinstance(query, VenueQuery)
    assert cancel.exchange_order_id == "X1"
    talk.sent.clear()
    talk.states("X1", CANCELED, asked=cancel)
    assert talk.history() == "RECEIVED ROUTING REJECTED CANCELED"
    assert not talk.is_in_memory()


def test_its_fills_are_booked_and_it_ends_filled() -> None:
    talk = started()
    never_reached(talk)
    talk.fills("X1", "0.5")
    assert revived(talk).quantity_filled == D("0.5")
    assert VenueCancel in talk.all_sent()
    talk.fills("X1", "1.5")
    assert talk.history() == "RECEIVED ROUTING REJECTED FILLED"
    assert talk.available() == 99_800
    assert talk.alarms == ["order_revived"]


def test_partly_filled_it_ends_cancelled() -> None:
    talk = started()
    never_reached(talk)
    talk.fills("X1", "0.5")
    cancel = next(request for request in talk.sent if isinstance(request, VenueCancel))
    talk.sent.clear()
    talk.states("X1", CANCELED, "0.5", asked=cancel)
    assert talk.history() == "RECEIVED ROUTING REJECTED CANCELED"
    assert talk.order().quantity_filled == D("0.5")
    assert talk.order().leaves_quantity == D("1.5")


def test_said_to_be_filled_it_is_revived_once_and_its_fills_are_fetched() -> None:
    talk = started()
    never_reached(talk)
    talk.states("X1", FILLED, "2")
    talk.states("X1", FILLED, "2")
    revived(talk)
    assert talk.status() == "REJECTED"
    talk.fills("X1", "2", from_page=True)
    assert talk.history() == "RECEIVED ROUTING REJECTED FILLED"


def test_a_late_acceptance_revives_it_too() -> None:
    talk = started()
    request = never_reached(talk)
    talk.accepts(request, "X1")
    revived(talk)
    talk.states("X1", OPEN)
    assert talk.alarms == ["order_revived"]


def test_ended_at_the_exchange_it_ends_here() -> None:
    talk = started()
    never_reached(talk)
    talk.states("X1", CANCELED)
    revived(talk)
    assert talk.history() == "RECEIVED ROUTING REJECTED CANCELED"
    assert not talk.is_in_memory()


def test_its_cancel_is_not_given_up() -> None:
    talk = started()
    never_reached(talk)
    talk.states("X1", OPEN)
    cancels = 0
    for _ in range(40):
        talk.wait("30")
        for request in talk.sent:
            if isinstance(request, VenueCancel):
                cancels += 1
                talk.refuses(request)
        talk.sent.clear()
        talk.states("X1", OPEN)
    assert cancels > 20
    assert talk.alarms == ["order_revived"]


def test_not_known_again_it_goes_back_to_where_it_was() -> None:
    talk = started()
    never_reached(talk)
    talk.states("X1", OPEN)
    for _ in range(8):
        talk.wait("8")
        for request in [request for request in talk.sent if isinstance(request, VenueQuery)]:
            talk.does_not_know(request)
        talk.sent.clear()
    assert talk.status() == "REJECTED"
    assert talk.order().in_doubt_ns is None
    assert not talk.is_in_memory()


def test_with_fills_it_cannot_be_unknown_and_stays_in_doubt() -> None:
    talk = started()
    never_reached(talk)
    talk.fills("X1", "0.5")
    for _ in range(8):
        talk.wait("8")
        for request in [request for request in talk.sent if isinstance(request, VenueQuery)]:
            talk.does_not_know(request)
        talk.sent.clear()
    assert talk.order().in_doubt_ns is not None


def test_other_rejected_orders_that_appear_are_revived_too() -> None:
    talk = started()
    request = placed(talk)
    talk.refuses(request, "too large")
    talk.fills("X1", "2")
    assert talk.history() == "RECEIVED ROUTING REJECTED FILLED"
    assert talk.alarm_texts == ["order a was too large, and is at the exchange"]


# ── an operator resolves it ──────────────────────────────────────────────────────────────────────


def hopeless() -> Conversation:
    """Return a conversation with an order in doubt that nobody can be asked about."""
    talk = started(abilities=changed(ABILITIES, query_by_client_id=False))
    talk.loses(placed(talk))
    talk.wait("10")
    return talk


@pytest.mark.parametrize(
    ("resolution", "history", "message"),
    [
        (
            Resolution.NEVER_REACHED,
            "RECEIVED ROUTING REJECTED",
            "an operator resolved it: never reached the exchange",
        ),
        (
            Resolution.CANCELED,
            "RECEIVED ROUTING CANCELED",
            "an operator resolved it: canceled at the exchange",
        ),
        (Resolution.WORKING, "RECEIVED ROUTING NEW", None),
    ],
)
def test_an_operator_may_declare_what_became_of_it(
    resolution: Resolution, history: str, message: str | None
) -> None:
    talk = hopeless()
    call = talk.resolve(resolution)
    assert call.order == talk.order()
    assert (talk.history(), talk.order().error_message) == (history, message)
    assert (talk.order().reason, talk.order().in_doubt_ns) == (Reason.OPERATOR, None)
    assert talk.place().order == talk.order()
    assert talk.is_in_memory() is (resolution is Resolution.WORKING)


def test_an_operator_s_word_ends_a_pending_cancel_or_lets_it_go_out() -> None:
    talk = hopeless()
    talk.cancel()
    talk.all_sent()
    talk.resolve(Resolution.CANCELED)
    assert not talk.order().cancel_pending
    assert not talk.is_in_memory()
    talk = hopeless()
    talk.cancel()
    talk.all_sent()
    talk.resolve(Resolution.WORKING)
    assert talk.next_sent(VenueCancel).venue_client_id == talk.venue_id("a")


def test_an_operator_may_be_wrong_about_working() -> None:
    talk = hopeless()
    talk.resolve(Resolution.WORKING)
    assert talk.resolve(Resolution.NEVER_REACHED).refusal == "INVALID"
    assert talk.resolve(Resolution.CANCELED).order.stage is Stage.CANCELED


def test_an_order_an_operator_declared_dead_is_revived_like_any_other() -> None:
    talk = hopeless()
    talk.resolve(Resolution.NEVER_REACHED)
    talk.states("X1", OPEN)
    assert talk.alarms == ["order_revived"]
    talk.resolve(Resolution.NEVER_REACHED)
    assert (talk.status(), talk.order().in_doubt_ns) == ("REJECTED", None)


def test_a_revived_order_may_be_declared_cancelled_but_not_working_or_with_fills_never_there() -> (
    None
):
    talk = hopeless()
    talk.resolve(Resolution.NEVER_REACHED)
    talk.fills("X1", "0.5")
    assert talk.resolve(Resolution.WORKING).refusal == "INVALID"
    assert talk.resolve(Resolution.NEVER_REACHED).refusal == "INVALID"
    assert talk.resolve(Resolution.CANCELED).order.stage is Stage.CANCELED
    assert talk.history() == "RECEIVED ROUTING REJECTED CANCELED"


def test_an_order_declared_cancelled_that_is_open_raises_an_alarm_once() -> None:
    talk = hopeless()
    talk.resolve(Resolution.CANCELED)
    talk.states("X1", OPEN)
    talk.states("X1", OPEN)
    assert talk.alarms == ["order_open"]
    assert talk.status() == "CANCELED"
    talk.fills("X1", "2")
    assert talk.history() == "RECEIVED ROUTING CANCELED FILLED"


@pytest.mark.parametrize("resolution", list(Resolution))
def test_what_is_known_cannot_be_declared(resolution: Resolution) -> None:
    talk = started()
    working(talk)
    call = talk.resolve(resolution)
    assert call.refusal == "INVALID"
    assert call.reply.message == (
        f"order a is WORKING and cannot be declared {resolution}; orders in doubt can be resolved,"
        " and as CANCELED also orders that an operator was told to look at or whose fills do not come"
    )
    assert talk.status() == "NEW"


def test_resolving_names_an_account_and_an_order() -> None:
    talk = started()
    assert talk.resolve(Resolution.CANCELED).refusal == "ORDER_UNKNOWN"
    request = talk.resolve(Resolution.CANCELED).request
    elsewhere = type(request)(
        account="SIM/X", client_order_id="a", resolution=Resolution.CANCELED
    )  # fmt: skip
    assert talk.say(elsewhere).refusal == "ACCOUNT_UNKNOWN"


# ── hidden ───────────────────────────────────────────────────────────────────────────────────────


def test_an_open_order_that_the_exchange_no_longer_knows_stays_and_an_operator_is_told_once() -> (
    None
):
    talk = started()
    working(talk)
    for _ in range(4):
        assert talk.engine.ask_unlisted("SIM", set())
        with talk.together():
            pass
        talk.does_not_know(talk.next_sent(VenueQuery))
        talk.wait("0.3")
    assert talk.status() == "NEW"
    assert talk.alarms == ["order_hidden"]
    assert [name for name, _ in attention(talk)] == ["a"]
    assert talk.resolve(Resolution.CANCELED).order.stage is Stage.CANCELED


def hidden(talk: Conversation) -> None:
    """Have a working order, of which the exchange says twice that it does not know it."""
    working(talk)
    for _ in range(2):
        unlisted(talk)
        talk.wait("0.3")
    assert talk.alarms == ["order_hidden"]


def unlisted(talk: Conversation) -> None:
    """Leave the order out of a list, and say when asked that it is not known."""
    talk.engine.ask_unlisted("SIM", set())
    with talk.together():
        pass
    query = next(request for request in talk.sent if isinstance(request, VenueQuery))
    talk.sent.clear()
    talk.does_not_know(query)


def test_a_hidden_order_that_is_shown_again_needs_no_attention_any_more() -> None:
    talk = started()
    hidden(talk)
    assert [name for name, _ in attention(talk)] == ["a"]
    talk.states("X1", OPEN)
    assert attention(talk) == []
    assert talk.order().attention is None
    assert talk.resolve(Resolution.CANCELED).refusal == "INVALID"


def test_a_hidden_order_shown_after_a_restart_needs_no_attention_either() -> None:
    talk = started()
    hidden(talk)
    following = talk.restart()
    following.connects()
    assert [name for name, _ in attention(following)] == ["a"]
    following.states("X1", OPEN)
    assert attention(following) == []


def test_an_order_that_hides_again_is_an_alarm_again() -> None:
    talk = started()
    hidden(talk)
    talk.states("X1", OPEN)
    for _ in range(2):
        unlisted(talk)
        talk.wait("0.3")
    assert talk.alarms == ["order_hidden", "order_hidden"]
    assert [name for name, _ in attention(talk)] == ["a"]


def test_what_else_draws_attention_to_an_open_order_stays() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    for _ in range(40):
        talk.wait("40")
        for request in list(talk.sent):
            if isinstance(request, VenueQuery):
                talk.states("X1", OPEN, asked=request)
        talk.sent.clear()
    assert talk.alarms == ["cancel_failed"]
    talk.states("X1", OPEN)
    assert [name for name, _ in attention(talk)] == ["a"]


def test_two_not_founds_asked_for_in_one_breath_are_one() -> None:
    talk = started()
    working(talk)
    for _ in range(4):
        unlisted(talk)
    assert talk.alarms == []


def test_an_order_hidden_for_a_moment_is_no_alarm() -> None:
    talk = started()
    working(talk)
    for _ in range(3):
        talk.engine.ask_unlisted("SIM", set())
        with talk.together():
            pass
        talk.does_not_know(talk.next_sent(VenueQuery))
        talk.states("X1", OPEN)
    assert talk.alarms == []


def test_not_found_of_an_order_that_is_over_is_old_news() -> None:
    talk = started()
    query = doubted(talk)
    talk.states("X1", CANCELED, "1")
    talk.does_not_know(query)
    assert talk.status() == "CANCELED"
    talk.fills("X1", "1")
    talk.does_not_know(query)
    assert not talk.is_in_memory()
