"""Sweeps as conversations: their steps, what each may bring, how they fail, and when the next one comes."""

import pytest

from fairlead.core.model import Updater
from fairlead.core.rates import Rate, Ticker
from fairlead.core.reconciliation import Found, Reconciliation, SweepCause
from fairlead.core.requests import QueryAccounts, QueryBalances, QueryReconciliation
from fairlead.core.venue_messages import (
    VenueBalances,
    VenueConnected,
    VenueDisconnected,
    VenueFillsSince,
    VenueInstruments,
    VenueOpenOrders,
    VenuePlace,
    VenueQuery,
    VenueStreamGap,
    VenueTickers,
    VenueTickersStated,
)
from fairlead.edge.reconcile import ReconcileSettings, Step
from tests.core.conversation import CANCELED, FILLED, OPEN, placed, working
from tests.core.words import SECOND_NS, D
from tests.edge.reconciling import Reconciling


def reconciled() -> Reconciling:
    """Return a conversation whose account has had its first sweep."""
    talk = Reconciling()
    talk.appears()
    talk.sweeps_quietly()
    return talk


def next_sweep(talk: Reconciling) -> None:
    """Let time pass until the next sweep has asked its first question."""
    assert talk.reconciler is not None
    assert talk.reconciler.step is Step.IDLE
    while talk.reconciler.step is Step.IDLE:
        talk.wait("0.05")
        assert talk.now.steady_ns < 10**15


# ── one sweep ────────────────────────────────────────────────────────────────────────────────────


def test_a_sweep_asks_one_thing_after_another_and_opens_the_account() -> None:
    talk = Reconciling()
    assert talk.sent == []
    talk.appears()
    steps = [talk.reconciler.step]
    talk.lists_instruments()
    steps.append(talk.reconciler.step)
    talk.lists_open()
    steps.append(talk.reconciler.step)
    assert talk.lists_fills("c1").cursor == ""
    steps.append(talk.reconciler.step)
    assert talk.place().reply.message == "exchange_id SIM: reconciling"
    talk.states_all_balances()
    steps.append(talk.reconciler.step)
    assert steps == [Step.INSTRUMENTS, Step.OPEN_ORDERS, Step.FILLS, Step.BALANCES, Step.IDLE]
    assert talk.reconciler.sweep_count == 1
    (state,) = talk.say(QueryAccounts(account="SIM")).reply.accounts
    assert (state.reconciled, state.loaded, state.trouble) == (True, True, None)
    assert state.reconciled_time_ns == talk.now.utc_ns
    placed(talk)


def test_what_it_found_is_durable() -> None:
    talk = reconciled()
    record = talk.memory.accounts["SIM"]
    assert record.fills_cursor == "c1"
    assert record.is_loaded
    assert record.reconciled_time_ns == talk.now.utc_ns


def test_where_the_fills_begin_is_durable_with_the_login_and_never_goes_back() -> None:
    talk = Reconciling()
    first = VenueConnected(account="SIM", abilities=talk.abilities, cursor_first="c0")
    talk.hear(first)
    assert talk.memory.accounts["SIM"].fills_cursor == "c0"  # nothing is answered yet
    talk.lists_instruments()
    talk.lists_open()
    assert talk.lists_fills("c1").cursor == "c0"
    talk.disconnects()
    talk.hear(first)
    assert talk.memory.accounts["SIM"].fills_cursor == "c1"


def test_every_order_we_think_open_that_is_not_listed_is_asked_about() -> None:
    talk = reconciled()
    for name, exchange_order_id in (("a", "X1"), ("b", "X2"), ("c", "X3")):
        working(talk, name, exchange_order_id)
    talk.accepts(placed(talk, "routed"), "X4")
    placed(talk, "routing")
    talk.loses(placed(talk, "doubted"))
    talk.sent.clear()
    talk.appears()
    talk.sent = [request for request in talk.sent if isinstance(request, VenueInstruments)]
    talk.lists_instruments()
    talk.lists_open(talk.word("X2", OPEN, client_order_id="b"))
    assert talk.reconciler.step is Step.UNLISTED
    assert {type(request) for request in talk.sent} == {VenueQuery}
    assert [request.exchange_order_id for request in talk.sent] == ["X1", "X3", "X4", None]
    assert talk.sent[-1].venue_client_id == talk.venue_id("doubted")


def test_the_sweep_goes_on_when_all_of_them_are_answered() -> None:
    talk = reconciled()
    working(talk, "a", "X1")
    working(talk, "b", "X2")
    next_sweep(talk)
    talk.lists_instruments()
    talk.lists_open()
    first, second = talk.sent
    talk.sent.clear()
    talk.states("X1", CANCELED, asked=first)
    assert talk.reconciler.step is Step.UNLISTED
    assert talk.status("a") == "CANCELED"
    talk.does_not_know(second)
    assert talk.status("b") == "NEW"  # absence is not evidence
    talk.lists_fills("c1")
    talk.states_all_balances()
    assert talk.reconciler.sweep_count == 2


def test_ids_that_are_counted_per_market_are_told_apart() -> None:
    talk = reconciled()
    working(talk, "a", "7")
    next_sweep(talk)
    talk.lists_instruments()
    talk.lists_open(talk.word("7", OPEN, client_order_id=None, symbol_exchange="ETH-XBT"))
    assert talk.next_sent(VenueQuery).exchange_order_id == "7"


def test_fills_are_booked_page_by_page_and_the_cursor_goes_with_them() -> None:
    talk = reconciled()
    working(talk)
    next_sweep(talk)
    talk.lists_instruments()
    talk.lists_open(talk.word("X1", OPEN))
    page = talk.lists_fills("c2", talk.fill("X1", "0.5", from_page=True), is_last=False)
    assert page.cursor == "c1"
    assert talk.memory.accounts["SIM"].fills_cursor == "c2"
    page = talk.lists_fills("c3", talk.fill("X1", "0.25", from_page=True), is_last=False)
    assert page.cursor == "c2"
    assert talk.lists_fills("c3").cursor == "c3"
    assert str(talk.order().quantity_filled) == "0.75"
    talk.states_all_balances()
    assert talk.memory.accounts["SIM"].reconciled_trade_id == talk.order().fills[-1].trade_id


def test_the_next_sweep_and_the_next_process_continue_from_the_cursor() -> None:
    talk = reconciled()
    next_sweep(talk)
    talk.lists_instruments()
    talk.lists_open()
    assert talk.lists_fills("c9").cursor == "c1"
    following = talk.restart()
    following.appears()
    following.lists_instruments()
    following.lists_open()
    assert following.next_sent(VenueFillsSince).cursor == "c9"


def test_a_page_that_leads_nowhere_fails_the_sweep() -> None:
    talk = reconciled()
    next_sweep(talk)
    talk.lists_instruments()
    talk.lists_open()
    talk.lists_fills("c1", is_last=False)
    assert talk.reconciler.step is Step.IDLE
    assert talk.sent == []


def test_an_order_filled_while_we_were_away_is_found_and_its_fills_are_booked() -> None:
    talk = reconciled()
    working(talk)
    following = talk.restart("3600")
    following.appears()
    following.lists_instruments()
    following.lists_open()
    query = following.next_sent(VenueQuery)
    following.states("X1", FILLED, "2", asked=query)
    following.lists_fills("c2", following.fill("X1", "2", from_page=True))
    following.states_all_balances()
    assert following.history() == "RECEIVED ROUTING ROUTED NEW FILLED"
    assert following.engine.account("SIM").is_reconciled
    assert not following.is_in_memory()


# ── orphans ──────────────────────────────────────────────────────────────────────────────────────


def test_no_cursor_passes_a_fill_that_waits_for_its_order() -> None:
    talk = reconciled()
    next_sweep(talk)
    talk.lists_instruments()
    talk.lists_open()
    orphan = talk.fill("X9", "0.5", client_order_id=None, from_page=True)
    talk.lists_fills("c2", orphan, is_last=False)
    query, page = talk.sent
    assert isinstance(query, VenueQuery)
    talk.sent[:] = [page]
    assert talk.lists_fills("c3").cursor == "c2"  # the sweep reads on, the account stays behind
    assert talk.memory.accounts["SIM"].fills_cursor == "c1"
    talk.states_all_balances()
    talk.states("X9", OPEN, "0.5", client_order_id=None, asked=query)
    next_sweep(talk)
    talk.lists_instruments()
    talk.lists_open(talk.word("X9", OPEN, "0.5", client_order_id=None))
    assert talk.lists_fills("c3", orphan).cursor == "c1"
    assert talk.memory.accounts["SIM"].fills_cursor == "c3"
    assert str(talk.order("external-X9").quantity_filled) == "0.5"


def test_while_fills_wait_sweeps_come_soon_and_then_ever_less_often() -> None:
    talk = reconciled()
    orphan = talk.fills("X9", "0.5", client_order_id=None)
    talk.does_not_know(talk.next_sent(VenueQuery))
    waits = []
    for _ in range(7):
        began_ns = talk.now.steady_ns
        next_sweep(talk)
        waits.append((talk.now.steady_ns - began_ns) // 1_000_000)
        talk.lists_instruments()
        talk.lists_open()
        talk.does_not_know(talk.next_sent(VenueQuery))
        talk.lists_fills("c2", orphan)
        talk.states_all_balances()
    assert waits == [250, 1000, 2000, 4000, 8000, 16000, 30_000]
    assert talk.alarms == ["fills_orphaned"]
    assert str(talk.order("external-X9").quantity_filled) == "0.5"  # made of it, in the last sweep
    assert talk.memory.accounts["SIM"].fills_cursor == "c2"


def test_with_its_order_known_the_sweeps_are_periodic_again() -> None:
    talk = reconciled()
    talk.fills("X9", "0.5", client_order_id=None)
    query = talk.next_sent(VenueQuery)
    next_sweep(talk)
    talk.states("X9", OPEN, "0.5", client_order_id=None, asked=query)
    talk.sweeps_quietly(talk.word("X9", OPEN, "0.5", client_order_id=None))
    talk.wait("29")
    assert talk.sent == []
    talk.wait("1")
    talk.next_sent(VenueInstruments)


# ── failures ─────────────────────────────────────────────────────────────────────────────────────

STEPS = [VenueInstruments, VenueOpenOrders, VenueQuery, VenueFillsSince, VenueBalances]


@pytest.mark.parametrize("failing", STEPS)
@pytest.mark.parametrize("how", ["loses", "refuses", "never_gets"])
def test_a_step_that_fails_ends_the_sweep_which_is_tried_again(failing: type, how: str) -> None:
    talk = reconciled()
    working(talk)
    talk.disconnects()
    talk.appears()
    answers = [talk.lists_instruments, talk.lists_open, None, None, None]
    for kind, answer in zip(STEPS, answers, strict=True):
        if kind is failing:
            break
        if answer is not None:
            answer()
        elif kind is VenueQuery:
            talk.states("X1", OPEN, asked=talk.next_sent(VenueQuery))
        else:
            talk.lists_fills("c1")
    step = talk.reconciler.step.value
    getattr(talk, how)(talk.next_sent(failing))
    assert talk.reconciler.step is Step.IDLE
    reply = talk.place("b").reply
    assert reply.refusal == "ACCOUNT_UNAVAILABLE"
    assert reply.message.startswith(f"exchange_id SIM: reconciling: {step}: ")  # and what failed
    talk.wait("0.99")
    assert talk.sent == []
    talk.wait("0.01")
    talk.sweeps_quietly(talk.word("X1", OPEN))
    assert talk.engine.account("SIM").is_reconciled
    placed(talk, "b")


def test_a_periodic_sweep_that_fails_does_not_close_the_account() -> None:
    talk = reconciled()
    next_sweep(talk)
    talk.loses(talk.next_sent(VenueInstruments))
    assert talk.engine.account("SIM").trouble is None
    placed(talk)


def test_a_lost_connection_ends_the_sweep_and_the_next_begins_anew() -> None:
    talk = Reconciling()
    talk.appears()
    instruments = talk.next_sent(VenueInstruments)
    talk.disconnects()
    assert talk.reconciler.step is Step.IDLE
    talk.loses(instruments)
    talk.wait("60")
    assert talk.sent == []
    talk.appears()
    talk.sweeps_quietly()
    assert talk.engine.account("SIM").is_reconciled


def test_a_connection_that_replaces_another_begins_anew_too() -> None:
    talk = Reconciling()
    talk.appears()
    instruments = talk.next_sent(VenueInstruments)
    talk.appears()
    talk.loses(instruments)
    talk.sweeps_quietly()
    assert talk.engine.account("SIM").is_reconciled


def test_answers_to_what_it_did_not_ask_are_not_its_business() -> None:
    talk = Reconciling()
    talk.appears()
    stranger = VenueFillsSince(account="SIM", request_id=777, cursor="")
    talk.accepts(stranger)
    assert talk.reconciler.step is Step.INSTRUMENTS


# ── when ─────────────────────────────────────────────────────────────────────────────────────────


def test_sweeps_are_periodic() -> None:
    talk = reconciled()
    for _ in range(3):
        talk.wait("29.999")
        assert talk.sent == []
        talk.wait("0.001")
        talk.sweeps_quietly()
    assert talk.reconciler.sweep_count == 4


def test_a_gap_in_the_stream_has_the_account_swept_but_not_too_often() -> None:
    talk = reconciled()
    talk.hear(VenueStreamGap(account="SIM", expected=5, got=9))
    assert talk.sent == []
    talk.wait("0.25")
    talk.sweeps_quietly()
    talk.wait("10")
    talk.hear(VenueStreamGap(account="SIM", expected=10, got=12))
    talk.wait("0")
    talk.sweeps_quietly()
    talk.wait("29")
    assert talk.sent == []


def test_a_gap_during_a_sweep_has_another_follow() -> None:
    talk = reconciled()
    next_sweep(talk)
    talk.lists_instruments()
    talk.hear(VenueStreamGap(account="SIM", expected=5, got=9))
    talk.lists_open()
    talk.lists_fills("c1")
    talk.states_all_balances()
    talk.wait("0.25")
    talk.next_sent(VenueInstruments)


def test_disconnected_nothing_is_wanted() -> None:
    talk = reconciled()
    talk.hear(VenueDisconnected(account="SIM", text="gone"))
    talk.reconciler.want(talk.now)
    talk.wait("60")
    assert talk.sent == []
    assert talk.reconciler.due_ns is None


def test_missing_fills_have_the_account_swept_at_once() -> None:
    talk = reconciled()
    working(talk)
    talk.wait("5")
    talk.states("X1", CANCELED, "0.5")
    talk.wait("0")
    talk.lists_instruments()
    talk.lists_open()
    talk.lists_fills("c2", talk.fill("X1", "0.5", from_page=True))
    assert not talk.is_in_memory()


def test_the_times_are_settings() -> None:
    settings = ReconcileSettings(interval_ms=2_000, retry_ms=500, gap_ms=100, tickers_ms=0)
    talk = Reconciling(sweeping=settings)
    talk.appears()
    talk.loses(talk.next_sent(VenueInstruments))
    talk.wait("0.5")
    talk.sweeps_quietly()
    talk.wait("2")
    talk.next_sent(VenueInstruments)


def test_orders_may_be_placed_while_a_sweep_is_under_way() -> None:
    talk = reconciled()
    next_sweep(talk)
    talk.all_sent()
    placed(talk)
    assert VenuePlace not in talk.all_sent()
    assert talk.status() == "ROUTING"


def test_what_happens_during_a_sweep_is_heard() -> None:
    talk = reconciled()
    working(talk)
    next_sweep(talk)
    talk.lists_instruments()
    talk.fills("X1", "2")
    talk.lists_open(talk.word("X1", OPEN))  # a stale list
    assert talk.status() == "FILLED"
    talk.lists_fills("c2", talk.fill("X1", "2", "t1", from_page=True))
    assert len(talk.order().fills) == 1


def test_a_second_connection_report_without_a_sweep_in_between() -> None:
    talk = Reconciling()
    talk.hear(VenueConnected(account="SIM", abilities=talk.abilities))
    assert talk.all_sent() == [VenueInstruments]


# ── what people see of it ────────────────────────────────────────────────────────────────────────


def stands(talk: Reconciling) -> Reconciliation:
    """Return how the account stands, as a client is told."""
    (account,) = talk.say(QueryReconciliation(account="SIM")).reply.accounts
    assert isinstance(account, Reconciliation)
    return account


def test_before_the_first_sweep_there_is_nothing_to_tell() -> None:
    talk = Reconciling()
    before = stands(talk)
    assert (before.connected, before.reconciled, before.step) == (False, False, None)
    assert (before.last_sweep, before.reconciled_time_ns) == (None, None)
    assert before.trouble == "not connected yet"


def test_a_sweep_under_way_says_what_it_asks_for() -> None:
    talk = Reconciling()
    talk.appears()
    steps = [stands(talk).step]
    for answer in (talk.lists_instruments, talk.lists_open):
        answer()
        steps.append(stands(talk).step)
    assert steps == ["instruments", "open orders", "fills"]
    talk.lists_fills("c1")
    talk.states_all_balances()
    assert stands(talk).step is None


def test_a_sweep_tells_when_it_was_why_how_long_and_what_it_found() -> None:
    talk = reconciled()
    working(talk)
    working(talk, "b", "X2")
    next_sweep(talk)
    began_ns = talk.now.utc_ns
    talk.wait("0.5")
    talk.lists_instruments()
    talk.lists_open(talk.word("X7", OPEN, client_order_id=None), talk.word("X1", OPEN))
    query = talk.next_sent(VenueQuery)
    talk.states("X2", OPEN, client_order_id="b", asked=query)
    talk.lists_fills("c2", talk.fill("X1", "0.5", "t7", from_page=True))
    talk.states_all_balances(USDT="99950", BTC="1000.5", ETH="3")
    after = stands(talk)
    assert after.last_sweep is not None
    assert (after.last_sweep.time_ns, after.last_sweep.cause) == (began_ns, SweepCause.PERIODIC)
    assert (after.last_sweep.duration_ns, after.last_sweep.trouble) == (500_000_000, None)
    assert after.last_sweep.found == Found(
        orders_adopted=1, orders_asked=1, fills_booked=1, balances_moved=1
    )
    assert (after.reconciled_trade_id, after.reconciled_time_ns) == ("t7", talk.now.utc_ns)
    assert (after.sweeps_succeeded, after.sweeps_failed) == (2, 0)


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        (lambda talk: None, SweepCause.PERIODIC),
        (
            lambda talk: talk.hear(VenueStreamGap(account="SIM", expected=3, got=5)),
            SweepCause.STREAM_GAP,
        ),
        (lambda talk: talk.fills("X9", "1", client_order_id=None), SweepCause.WANTED),
    ],
)
def test_why_a_sweep_was_made(trouble, cause: SweepCause) -> None:
    talk = reconciled()
    trouble(talk)
    talk.sent.clear()
    next_sweep(talk)
    talk.loses(next(r for r in talk.sent if isinstance(r, VenueInstruments)))
    last = stands(talk).last_sweep
    assert last is not None
    assert (last.cause, last.trouble) == (cause, "instruments: no answer")
    talk.sent.clear()
    next_sweep(talk)
    talk.disconnects()
    last = stands(talk).last_sweep
    assert last is not None
    assert (last.cause, last.trouble) == (SweepCause.RETRY, "instruments: disconnected")
    assert stands(talk).step is None


# ── tickers ──────────────────────────────────────────────────────────────────────────────────────


def rated(talk: Reconciling) -> dict[str, Rate]:
    reply = talk.say(QueryBalances(account="SIM")).reply
    rates: dict[str, Rate] = reply.rates["SIM"]
    return rates


def test_tickers_are_asked_for_after_a_sweep_that_does_not_wait_for_them() -> None:
    talk = Reconciling(sweeping=ReconcileSettings())
    talk.appears()
    talk.sweeps_quietly()
    assert talk.engine.account("SIM").is_reconciled
    assert talk.reconciler.step is Step.IDLE
    request = talk.next_sent(VenueTickers)
    assert rated(talk) == {"USDT": Rate(D(1), 0)}
    with talk.together():
        tickers = (Ticker("BTC-USDT", D(99), D(101)),)
        talk.hear(VenueTickersStated(account="SIM", request_id=request.request_id, tickers=tickers))
        talk.accepts(request)
    talk.wait("2")
    assert rated(talk) == {"USDT": Rate(D(1), 0), "BTC": Rate(D(100), 2 * SECOND_NS)}
    talk.wait("119")
    assert rated(talk).keys() == {"USDT"}


def test_tickers_are_not_asked_for_more_often_than_they_may_be() -> None:
    talk = Reconciling(sweeping=ReconcileSettings(interval_ms=1_000, tickers_ms=2_500))
    asked = 0
    talk.appears()
    for _ in range(6):
        talk.sweeps_quietly()
        asked += sum(isinstance(request, VenueTickers) for request in talk.sent)
        talk.sent.clear()
        next_sweep(talk)
    assert asked == 2


def test_tickers_that_do_not_come_change_nothing() -> None:
    talk = Reconciling(sweeping=ReconcileSettings())
    talk.appears()
    talk.sweeps_quietly()
    talk.refuses(talk.next_sent(VenueTickers))
    assert talk.engine.account("SIM").is_reconciled
    assert talk.say(QueryBalances(account="SIM")).reply.accounts[0][1][0].updated_by is (
        Updater.INITIALIZATION
    )
