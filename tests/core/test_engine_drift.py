"""Drift as a conversation: when the exchange's statement is compared with our books, and what comes of it."""

import msgspec

from fairlead.core.model import Side
from fairlead.core.reconciliation import Drift
from fairlead.core.requests import QueryReconciliation
from fairlead.core.venue_messages import VenueAssetBalance, VenueBalancesStated, VenueOrderState
from tests.core.conversation import Conversation, placed, started, working
from tests.core.words import D


def compared() -> Conversation:
    """Return a conversation in which the exchange has stated balances as of its event 10."""
    talk = started()
    talk.states_balances(ordinal=10, USDT="100000", BTC="1000")
    return talk


def drifts(talk: Conversation) -> tuple[Drift, ...]:
    (stands,) = talk.say(QueryReconciliation(account="SIM")).reply.accounts
    return stands.drifts


def states_one(talk: Conversation, ordinal: int, total: str, **changes: object) -> None:
    """State the USDT alone, as the stream does."""
    news = VenueBalancesStated(
        account="SIM",
        balances=(VenueAssetBalance("USDT", D(total), D(0)),),
        exchange_ordinal=ordinal,
        time_ns=talk.now.utc_ns,
        is_complete=False,
    )
    talk.hear(msgspec.structs.replace(news, **changes))


def test_equal_books_show_no_drift() -> None:
    talk = compared()
    working(talk)
    talk.fills("X1", "1", exchange_ordinal=11)
    states_one(talk, 11, "99900")
    talk.states_balances(ordinal=11, USDT="99900", BTC="1001")
    assert drifts(talk) == ()


def test_a_fill_after_the_statement_is_ours_alone_and_no_drift() -> None:
    talk = compared()
    working(talk)
    talk.fills("X1", "1", exchange_ordinal=12)
    talk.states_balances(ordinal=11, USDT="100000", BTC="1000")
    assert drifts(talk) == ()


def test_a_wrong_fee_is_seen_with_the_fill_itself() -> None:
    talk = compared()
    working(talk)
    talk.fills("X1", "1", exchange_ordinal=11, fee=D("0.25"))
    states_one(talk, 11, "99900")
    assert drifts(talk) == (Drift("USDT", False, D("0.25"), 0, False),)
    assert talk.engine.account("SIM").ledger.available("USDT") == 99_800, "the statement is taken"


def test_an_alarm_names_a_drift_that_sweep_after_sweep_finds() -> None:
    talk = compared()
    for ordinal in (11, 12, 13, 14):
        talk.states_balances(ordinal=ordinal, USDT=str(100_000 - ordinal), BTC="1000")
    assert talk.alarms == ["drift_stays"]
    assert talk.alarm_texts == [
        "the balance of USDT was -1 from our bookkeeping at the exchange, and not the same in 3"
        " sweeps in a row; the exchange's figure is taken"
    ]
    assert drifts(talk) == (Drift("USDT", False, D(-1), 4, True),)
    talk.states_balances(ordinal=15, USDT="99986", BTC="1000")
    assert drifts(talk) == ()
    assert talk.engine.account("SIM").drifts.all()[0].stays is False


def test_what_the_exchange_says_it_moved_itself_is_no_drift() -> None:
    talk = compared()
    states_one(talk, 11, "100500", is_movement=True)
    talk.states_balances(ordinal=12, USDT="100500", BTC="1000")
    assert drifts(talk) == ()


def test_nothing_is_compared_while_an_order_is_in_flight() -> None:
    talk = compared()
    request = placed(talk)
    talk.states_balances(ordinal=11, USDT="99000", BTC="1000")
    assert drifts(talk) == ()
    talk.accepts(request, "X1")
    talk.states_balances(ordinal=12, USDT="98000", BTC="1000")
    assert drifts(talk) == (Drift("USDT", False, D(-1_000), 1, False),)


def test_nothing_is_compared_while_a_fill_waits_for_its_order() -> None:
    talk = compared()
    talk.fills("X9", "1", client_order_id=None, exchange_ordinal=11, side=Side.BUY)
    talk.states_balances(ordinal=11, USDT="99900", BTC="1001")
    assert drifts(talk) == ()


def test_no_sweep_compares_while_a_closed_order_lacks_fills() -> None:
    talk = compared()
    working(talk)
    talk.states("X1", VenueOrderState.CANCELED, filled="1")
    talk.states_balances(ordinal=12, USDT="99900", BTC="1001")
    assert drifts(talk) == ()
    talk.fills("X1", "1", exchange_ordinal=11)
    talk.states_balances(ordinal=13, USDT="99899", BTC="1001")
    assert drifts(talk) == (Drift("USDT", False, D(-1), 1, False),)


def test_the_first_statement_of_a_session_is_where_comparing_begins() -> None:
    talk = compared()
    talk.disconnects()
    talk.connects()
    talk.states_balances(ordinal=3, USDT="70", BTC="7")
    assert drifts(talk) == ()


def test_an_old_statement_is_not_compared() -> None:
    talk = compared()
    talk.states_balances(ordinal=9, USDT="1", BTC="1")
    assert drifts(talk) == ()
