"""A new process: every stage an order can be in is taken up from what is durable, and from nothing else."""

import pytest

from fairlead.core.model import Reason, Stage
from fairlead.core.venue_messages import VenueCancel, VenueConnected, VenuePlace, VenueQuery
from tests.core.conversation import (
    CANCELED,
    FILLED,
    OPEN,
    Unhurried,
    changed,
    placed,
    reconnected,
    started,
    working,
)
from tests.core.words import ABILITIES, D


def test_an_order_that_was_not_sent_is_withdrawn() -> None:
    talk = Unhurried()
    talk.connects()
    talk.place()
    following = talk.restart()
    assert following.history() == "RECEIVED REJECTED"
    assert following.order().reason is Reason.NOT_SENT
    assert following.order().error_message == (
        "not_sent: withdrawn, the process restarted before it was sent"
    )
    assert following.place().order.stage is Stage.REJECTED
    assert not following.is_in_memory()


def test_an_order_on_its_way_is_in_doubt_and_asked_about_when_connected() -> None:
    talk = started()
    placed(talk)
    following = talk.restart()
    assert following.order().in_doubt_ns == following.now.utc_ns
    assert following.sent == []
    assert following.place().refusal == "IN_DOUBT"
    following.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    following.states("X1", OPEN, asked=following.next_sent(VenueQuery))
    assert following.history() == "RECEIVED ROUTING NEW"


def test_it_is_never_sent_twice_whatever_the_exchange_says() -> None:
    talk = started()
    placed(talk)
    following = reconnected(talk)
    for _ in range(10):
        following.wait("10")
        for request in [r for r in following.sent if isinstance(r, VenueQuery)][-1:]:
            following.does_not_know(request)
        assert VenuePlace not in following.all_sent()
    assert following.order().error_message == "never reached the exchange"


def test_the_window_begins_anew_for_nobody_knows_when_it_left() -> None:
    talk = started()
    placed(talk)
    following = reconnected(talk)
    query = following.next_sent(VenueQuery)
    for _ in range(3):
        following.does_not_know(query)
    assert following.status() == "ROUTING"


def test_an_order_in_doubt_stays_in_doubt_since_then() -> None:
    talk = started()
    talk.loses(placed(talk))
    since_ns = talk.order().in_doubt_ns
    following = reconnected(talk)
    assert following.order().in_doubt_ns == since_ns
    following.wait("0")
    assert set(following.all_sent()) == {VenueQuery}
    assert following.causes() == ""


def test_a_revived_order_stays_revived_and_its_cancel_goes_out() -> None:
    talk = started()
    talk.refuses(placed(talk), "no")
    talk.states("X1", OPEN)
    following = reconnected(talk)
    assert set(following.all_sent()) == {VenueCancel, VenueQuery}
    following.states("X1", CANCELED)
    assert following.history() == "RECEIVED ROUTING REJECTED CANCELED"


@pytest.mark.parametrize("is_open", [True, False])
def test_an_order_the_exchange_has_is_as_it_was(is_open: bool) -> None:
    talk = started()
    if is_open:
        working(talk)
        talk.fills("X1", "0.5")
    else:
        talk.accepts(placed(talk), "X1")
    following = talk.restart()
    assert following.order() == talk.order()
    assert following.causes() == ""
    assert following.available() == talk.available()
    following.connects()
    assert following.sent == []
    assert following.engine.ask_unlisted("SIM", set())
    following.fills("X1", "1.5" if is_open else "2")
    assert following.status() == "FILLED"


def test_a_pending_cancel_is_still_pending_and_sent_again() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    following = reconnected(talk)
    assert following.status() == "PENDING_CANCEL"
    following.next_sent(VenueCancel)


def test_a_pending_cancel_of_an_order_that_is_over_ends() -> None:
    talk = started()
    working(talk)
    talk.cancel()
    talk.fills("X1", "2")
    assert talk.is_in_memory()
    following = talk.restart()
    assert not following.order().cancel_pending
    assert not following.is_in_memory()


def test_missing_fills_are_fetched_and_the_deadline_begins_anew() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED, "0.5")
    following = talk.restart()
    assert following.sweeps == 1
    following.wait("60")
    assert following.alarms == ["fills_missing"]
    following.fills("X1", "0.5")
    assert not following.is_in_memory()


def test_said_to_be_filled_it_still_waits_for_its_fills() -> None:
    talk = started()
    working(talk)
    talk.states("X1", FILLED, "2")
    following = talk.restart()
    assert following.sweeps == 1
    following.fills("X1", "2")
    assert following.history() == "RECEIVED ROUTING ROUTED NEW FILLED"


def test_what_is_over_is_not_loaded_and_not_forgotten() -> None:
    talk = started()
    working(talk)
    talk.fills("X1", "2")
    following = talk.restart()
    assert not following.is_in_memory()
    assert following.look_up().order == talk.order()
    assert following.cancel().order == talk.order()


def test_balances_modes_and_sequences_go_on() -> None:
    talk = started()
    working(talk)
    talk.set_mode("REDUCING")
    sequence = talk.engine.account("SIM").sequence
    following = talk.restart()
    account = following.engine.account("SIM")
    assert (account.sequence, account.mode, account.is_loaded) == (sequence, "REDUCING", True)
    assert account.ledger.balances() == talk.engine.account("SIM").ledger.balances()
    assert following.available() == 99_800


def test_new_orders_have_new_numbers() -> None:
    talk = started()
    working(talk)
    following = talk.restart()
    following.connects()
    placed(following, "b")
    assert following.order("b").number == talk.order("a").number + 1


def test_an_account_no_longer_configured_keeps_its_orders() -> None:
    talk = started(accounts=("SIM", "SIM/ALICE"))
    talk.accepts(placed(talk, account="SIM/ALICE"), "X1")
    following = talk.restart(accounts=("SIM",))
    assert following.order(account="SIM/ALICE").stage is Stage.ROUTED
    assert following.place("b", account="SIM/ALICE").refusal == "ACCOUNT_UNKNOWN"
    assert following.cancel(account="SIM/ALICE").refusal == "ACCOUNT_UNKNOWN"
    assert not following.order(account="SIM/ALICE").cancel_pending


def test_an_order_an_exchange_cannot_be_asked_about_waits_for_an_operator() -> None:
    talk = started()
    placed(talk)
    following = talk.restart(abilities=changed(ABILITIES, query_by_client_id=False))
    following.connects()
    following.wait("60")
    assert following.sent == []
    assert following.order().in_doubt_ns is not None


def test_restarting_twice_is_restarting_once() -> None:
    talk = started()
    placed(talk, "routing")
    talk.loses(placed(talk, "doubted"))
    talk.sent.clear()
    working(talk, "open", "X3", quantity=D(1))
    once = talk.restart()
    durable = dict(once.memory.orders)
    twice = once.restart()
    assert twice.memory.orders == durable
    assert twice.reports == []
