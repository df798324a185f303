"""What people ask of the engine besides trading; everything is read within a batch."""

import msgspec
import pytest

from fairlead.core.model import AccountMode, Stage
from fairlead.core.replies import Refused
from fairlead.core.reports import AccountReport, BalanceReport, OrderReport
from fairlead.core.requests import (
    QueryAccounts,
    QueryAttention,
    QueryBalances,
    QueryInstruments,
    QueryOrders,
    QueryPositions,
    QuerySnapshot,
    SetMode,
)
from fairlead.core.venue_messages import VenueCancel, VenueQuery, VenueStreamGap
from tests.core.conversation import CANCELED, Conversation, placed, started, working
from tests.core.words import BTC_PERP, BTC_USDT, ETH_BTC

TWO = ("SIM", "SIM/ALICE")


def test_an_order_is_found_open_or_not() -> None:
    talk = started()
    working(talk)
    assert talk.look_up().order == talk.order()
    talk.states("X1", CANCELED)
    assert talk.look_up().order == talk.order()
    assert talk.look_up(account="").order == talk.order()


def test_an_unknown_order_is_said_to_be_unknown_and_where() -> None:
    talk = started()
    call = talk.look_up("zzz")
    assert (call.refusal, call.reply.field) == ("ORDER_UNKNOWN", "client_order_id")
    assert call.reply.message == "no order with client_order_id zzz at SIM"
    assert (
        talk.look_up("zzz", account="").reply.message
        == "no order with client_order_id zzz at any account"
    )
    assert talk.look_up(account="SIM/X").refusal == "ORDER_UNKNOWN"


def test_known_at_several_accounts_the_newest_is_meant_unless_one_is_named() -> None:
    talk = started(accounts=TWO)
    placed(talk, account="SIM/ALICE")
    placed(talk, account="SIM")
    assert talk.look_up(account="").order.account == "SIM"
    assert talk.look_up(account="SIM/ALICE").order.account == "SIM/ALICE"


def test_open_orders_of_one_account_or_of_all() -> None:
    talk = started(accounts=TWO)
    working(talk, "mine")
    placed(talk, "alice", account="SIM/ALICE")
    working(talk, "over", "X2")
    talk.states("X2", CANCELED, client_order_id="over")
    ask = {account: talk.say(QueryOrders(account=account)).reply for account in ("", "SIM")}
    assert [order.client_order_id for order in ask[""].orders] == ["mine", "alice"]
    assert [order.client_order_id for order in ask["SIM"].orders] == ["mine"]


def test_balances_of_one_account_or_of_all_loaded_ones() -> None:
    talk = Conversation(accounts=TWO)
    talk.connects()
    ((account, balances),) = talk.say(QueryBalances(account="")).reply.accounts
    assert account == "SIM"
    assert [(b.asset, b.asset_exchange, b.total) for b in balances] == [
        ("BTC", "XBT", 1000),
        ("USDT", "USDT", 100_000),
    ]
    assert talk.say(QueryBalances(account="SIM")).reply.accounts == ((account, balances),)


def test_spot_accounts_have_no_positions_but_are_named() -> None:
    talk = started()
    assert talk.say(QueryPositions(account="SIM")).reply.accounts == (("SIM", ()),)


def test_instruments_by_account() -> None:
    talk = started()
    ((account, instruments),) = talk.say(QueryInstruments(account="")).reply.accounts
    assert (account, instruments) == ("SIM", (BTC_USDT, ETH_BTC, BTC_PERP))


@pytest.mark.parametrize(
    "kind", [QueryOrders, QueryBalances, QueryPositions, QueryInstruments, QuerySnapshot]
)
def test_an_account_never_loaded_cannot_answer_and_a_disconnected_one_can(kind: type) -> None:
    talk = Conversation()
    refused = talk.say(kind(account="SIM"))
    assert refused.refusal == "ACCOUNT_UNAVAILABLE"
    talk.connects()
    talk.disconnects()
    assert not isinstance(talk.say(kind(account="SIM")).reply, Refused)
    assert talk.say(kind(account="SIM/X")).refusal == "ACCOUNT_UNKNOWN"


def test_accounts_as_an_operator_sees_them() -> None:
    talk = started(accounts=TWO)
    placed(talk, "a")
    talk.loses(placed(talk, "b"))
    talk.next_sent(VenueQuery)
    talk.disconnects("SIM/ALICE")
    sim, alice = talk.say(QueryAccounts(account="")).reply.accounts
    assert (sim.account, sim.connected, sim.reconciled, sim.loaded) == ("SIM", True, True, True)
    assert (sim.orders_open, sim.orders_in_doubt, sim.trouble) == (2, 1, None)
    assert (alice.account, alice.connected, alice.reconciled) == ("SIM/ALICE", False, False)
    assert alice.trouble == "disconnected: the line is dead"


def test_attention_and_accounts_are_answered_before_anything_is_loaded() -> None:
    talk = Conversation()
    assert talk.say(QueryAttention(account="SIM")).reply.orders == ()
    (state,) = talk.say(QueryAccounts(account="SIM")).reply.accounts
    assert (state.loaded, state.trouble) == (False, "not connected yet")


def test_a_snapshot_is_of_one_account_with_its_sequence() -> None:
    talk = started(accounts=TWO)
    working(talk)
    snapshot = talk.say(QuerySnapshot(account="SIM")).reply
    assert snapshot.sequence == talk.engine.account("SIM").sequence
    assert [order.client_order_id for order in snapshot.orders] == ["a"]
    assert [balance.asset for balance in snapshot.balances] == ["BTC", "USDT"]
    assert talk.say(QuerySnapshot(account="")).refusal == "ACCOUNT_UNKNOWN"


def test_a_snapshot_in_the_midst_of_a_batch_is_of_its_end() -> None:
    talk = started()
    working(talk)
    talk.reports.clear()
    with talk.together():
        talk.fills("X1", "0.5", exchange_ordinal=11)  # moves the total of USDT
        snapshot = talk.say(QuerySnapshot(account="SIM"))
        talk.place("b")  # moves what is locked of it
    reports = [report for report, _ in talk.reports]
    assert snapshot.reply.sequence == reports[-1].sequence == talk.engine.account("SIM").sequence
    stated = {each.balance for each in reports if isinstance(each, BalanceReport)}
    assert set(snapshot.reply.balances) == stated
    opened = [each for each in reports if isinstance(each, OrderReport) and each.opened is not None]
    assert [report.stage for report in opened] == [Stage.ROUTING]  # shown as it is told
    assert snapshot.reply.orders == (talk.order("a"), talk.order("b"))
    talk.reports.clear()
    talk.set_mode(AccountMode.HALTED)
    assert talk.reports[0][0].sequence == snapshot.reply.sequence + 1


def test_a_query_in_a_batch_sees_what_the_batch_decided_before_it() -> None:
    talk = started()
    with talk.together():
        talk.place()
        looking = talk.look_up()
    assert looking.order.client_order_id == "a"
    assert looking.reply is not None


def test_a_mode_is_set_once_reported_once_and_survives() -> None:
    talk = started()
    for _ in range(2):
        assert talk.set_mode(AccountMode.HALTED).reply is not None
    modes = [report.mode for report, _ in talk.reports if isinstance(report, AccountReport)]
    assert modes == [AccountMode.HALTED]
    assert talk.say(SetMode(account="SIM/X", mode=AccountMode.ACTIVE)).refusal == "ACCOUNT_UNKNOWN"
    (state,) = talk.restart().say(QueryAccounts(account="SIM")).reply.accounts
    assert state.mode is AccountMode.HALTED


def test_a_gap_in_the_stream_is_the_reconciler_s_business() -> None:
    talk = started()
    talk.hear(VenueStreamGap(account="SIM", expected=5, got=9))
    assert talk.sent == []
    assert talk.alarms == []


def test_an_answer_to_nothing_we_know_of_is_nothing() -> None:
    talk = started()
    stranger = msgspec.structs.replace(placed(talk), number=99)
    talk.accepts(stranger, "X9")
    talk.loses(stranger)
    talk.cancel()
    talk.refuses(msgspec.structs.replace(talk.next_sent(VenueCancel), number=99))
    assert talk.status() == "ROUTING"
    assert talk.order().in_doubt_ns is None
    assert talk.sent == []
