"""Why the exchange ended an order that nobody asked it to end: its own words, however they are heard."""

import pytest

from fairlead.core.model import Reason, Stage
from fairlead.core.venue_messages import VenueCancel, VenueConnected, VenueOrderState, VenueQuery
from tests.core.conversation import (
    CANCELED,
    OPEN,
    Conversation,
    placed,
    started,
    working,
)
from tests.core.words import ABILITIES

WORDS = "self-trade prevention: the order met one of its own account"
ENDED = [VenueOrderState.CANCELED, VenueOrderState.EXPIRED]


def why(talk: Conversation) -> tuple[str | None, str | None]:
    """Return the reason and the message that the order has."""
    order = talk.order()
    return order.reason, order.error_message


@pytest.mark.parametrize("state", ENDED)
def test_an_order_that_the_exchange_ended_unasked_has_its_words(state: VenueOrderState) -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "0.5")
    talk.states("X1", state, "0.5", text=WORDS)
    assert talk.history() == "RECEIVED ROUTING ROUTED NEW PARTIALLY_FILLED CANCELED"
    assert why(talk) == (Reason.EXCHANGE, WORDS)
    assert not talk.is_in_memory()


def test_the_words_may_come_before_the_answer() -> None:
    talk = started()
    request = placed(talk)
    talk.states("X1", CANCELED, text=WORDS)
    talk.accepts(request, "X1")
    assert why(talk) == (Reason.EXCHANGE, WORDS)


def test_an_order_that_a_client_cancelled_has_no_message() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.states("X1", CANCELED, asked=talk.next_sent(VenueCancel))
    assert why(talk) == (None, None)


def test_an_exchange_that_ended_it_before_the_cancel_came_still_says_why() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.states("X1", CANCELED, text=WORDS)
    talk.refuses(talk.next_sent(VenueCancel), "it is CANCELED")
    assert why(talk) == (Reason.EXCHANGE, WORDS)
    assert not talk.is_in_memory()


def test_an_exchange_that_says_nothing_leaves_nothing() -> None:
    talk = started()
    working(talk)
    talk.states("X1", VenueOrderState.EXPIRED, text="")
    assert why(talk) == (None, None)


def test_what_it_says_of_an_open_order_is_no_reason() -> None:
    talk = started()
    talk.accepts(placed(talk), "X1")
    talk.states("X1", OPEN, text="welcome")
    assert why(talk) == (None, None)


def test_after_a_restart_the_answer_to_a_question_brings_them_too() -> None:
    talk = started()
    placed(talk)
    following = talk.restart()
    following.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    following.states("X1", CANCELED, asked=following.next_sent(VenueQuery), text=WORDS)
    assert why(following) == (Reason.EXCHANGE, WORDS)
    again = following.restart()
    assert why(again) == (Reason.EXCHANGE, WORDS)


def test_an_order_given_up_that_the_exchange_had_and_ended_has_the_exchange_s_words() -> None:
    talk = started()
    talk.loses(placed(talk))
    for seconds in ("8", "8"):
        talk.wait(seconds)
        talk.does_not_know(talk.sent.pop())
        talk.sent.clear()
    assert why(talk) == (Reason.NEVER_REACHED, "never reached the exchange")
    talk.states("X1", CANCELED, text=WORDS)
    assert talk.order().stage is Stage.CANCELED
    assert why(talk) == (Reason.EXCHANGE, WORDS)


def test_what_the_exchange_made_keeps_the_reason_for_which_it_did() -> None:
    talk = started()
    made = {"client_order_id": None, "venue_client_id": "liq-1", "reason": Reason.LIQUIDATION}
    talk.states("L1", OPEN, **made)
    talk.states("L1", CANCELED, **made, text="the remainder of an immediate-or-cancel order")
    order = talk.order("liq-1")
    assert (order.stage, order.reason) == (Stage.CANCELED, Reason.LIQUIDATION)
    assert (order.error_message or "").startswith("liquidation: ")
