"""Take, decide, commit, release: the order of events, its limits, and what a failing commit stops."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fairlead.core.deciding import EngineSettings
from fairlead.core.model import Side, Stage, TimeInForce
from fairlead.core.replies import CancelAllReply, OrderReply, Refusal, Refused, Reply
from fairlead.core.requests import CancelOrder, EndSession, QueryOrder, QueryOrders
from fairlead.core.venue_messages import (
    Outcome,
    VenueCancel,
    VenueConnected,
    VenueDisconnected,
    VenueInstruments,
    VenueOrder,
    VenueOrderState,
    VenuePlace,
    VenueQuery,
    VenueStreamGap,
)
from fairlead.edge.clock import SystemClock
from fairlead.edge.limits import Limits
from fairlead.edge.timers import PRUNE_LEAST
from fairlead.journal.errors import CommitFailed
from tests.core.words import ABILITIES, SECOND_NS, D, make_request
from tests.edge.desk import Desk, hold_syncs

pytestmark = pytest.mark.asyncio
OpenDesk = Callable[..., Desk]
CANCEL_A = CancelOrder(account="SIM", client_order_id="a")


@pytest.fixture(params=[False, True], ids=["inline", "thread"])
def open_desk(request: pytest.FixtureRequest, tmp_path: Path) -> OpenDesk:
    """Open desks on one journal, which commits inline or in a thread."""
    return partial(Desk, tmp_path, in_thread=request.param)


# ── nothing leaves before it is durable ──────────────────────────────────────────────────────────


async def test_an_order_costs_two_commits_each_before_what_it_lets_out(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        reply = desk.place()
        request = await desk.link.next_sent(VenuePlace)
        assert not reply.done()
        desk.answers(request, Outcome.DONE, exchange_order_id="X1")
        assert (await reply).order.stage is Stage.ROUTED
        assert desk.events == [
            ("committed", "ROUTING", "BalanceReport"),
            ("sent", "VenuePlace"),
            ("released", "ROUTING"),
            ("committed", "ROUTED"),
            ("released", "ROUTED"),
            ("answered",),
        ]


async def test_a_cancel_is_durable_before_it_leaves_and_before_it_is_answered(
    open_desk: OpenDesk,
) -> None:
    async with open_desk() as desk:
        await desk.connect()
        placing = desk.place()
        desk.answers(await desk.link.next_sent(VenuePlace), Outcome.DONE, exchange_order_id="X1")
        await placing
        desk.events.clear()
        assert (await desk.submit(CANCEL_A)).order.cancel_pending
        await desk.link.next_sent(VenueCancel)
        assert [name for name, *_ in desk.events] == ["committed", "sent", "released", "answered"]


async def test_a_batch_is_one_commit(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        for name in "abc":
            desk.place(name)
        for _ in range(3):
            await desk.link.next_sent(VenuePlace)
        assert [name for name, *_ in desk.events][:2] == ["committed", "sent"]
        assert len(desk.journal.units) == 1
        assert len(desk.journal.units[0].opened) == 3


async def test_what_changes_nothing_is_not_committed(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        await desk.batch()
        assert (await desk.submit(QueryOrder(account="SIM", client_order_id="zzz"))) is not None
        assert desk.journal.units == []


async def test_what_will_leave_is_made_ready_before_it_is_durable(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        prepared: list[tuple[Reply, int]] = []

        def prepare(reply: Reply) -> None:
            prepared.append((reply, len(desk.journal.units)))

        reply = desk.sequencer.submit(make_request("a"), prepare)
        request = await desk.link.next_sent(VenuePlace)
        assert prepared == []
        desk.answers(request, Outcome.DONE, exchange_order_id="X1")
        answered = await reply
        assert [(shown is answered, commits) for shown, commits in prepared] == [(True, 1)]
        assert len(desk.journal.units) == 2


async def test_requests_are_worded_while_the_disk_writes_unless_a_thread_waits_for_it(
    open_desk: OpenDesk,
) -> None:
    async with open_desk() as desk:
        await desk.connect()
        desk.link.worded.clear()
        desk.place()
        request = await desk.link.next_sent(VenuePlace)
        # In a thread it may take long, and the connection be another one afterwards.
        expected = [] if desk.is_threaded else [([request], [])]
        assert desk.link.worded == expected


async def test_a_thread_waits_only_for_a_slow_disk(open_desk: OpenDesk) -> None:
    async with open_desk(slow_sync_us=1_000) as desk:
        await desk.connect()
        sync, threads = desk.journal.sync, []

        def sync_in(milliseconds: str) -> Callable[[], None]:
            def run() -> None:
                threads.append(threading.current_thread() is not threading.main_thread())
                desk.clock.advance(f"0.{milliseconds:0>3}")
                sync()

            return run

        for name, milliseconds in (("a", "0"), ("b", "100"), ("c", "0")):
            desk.journal.sync = sync_in(milliseconds)
            desk.place(name)
            await desk.link.next_sent(VenuePlace)
        assert threads == [False, False, desk.is_threaded]


async def test_a_query_is_answered_with_its_batch(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        desk.place()
        reply = await desk.submit(QueryOrder(account="SIM", client_order_id="a"))
        assert isinstance(reply, OrderReply)
        assert desk.causes()[:2] == ["RECEIVED", "ROUTING"]


async def test_while_a_thread_commits_the_inbox_fills_and_nothing_is_decided(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(in_thread=True) as desk:
        await desk.connect()
        _, may_end = hold_syncs(desk.journal)
        first = desk.place("a")
        for _ in range(3):
            await asyncio.sleep(0)
        second = desk.place("b")
        for _ in range(3):
            await asyncio.sleep(0)
        assert desk.sequencer.inbox_size == 1
        assert desk.events == []
        may_end.set()
        requests = [await desk.link.next_sent(VenuePlace) for _ in range(2)]
        assert len(desk.journal.units) == 2
        for number, request in enumerate(requests):
            desk.answers(request, Outcome.DONE, exchange_order_id=f"X{number}")
        assert (await first).order.number + 1 == (await second).order.number


async def test_stopped_while_a_thread_commits_nothing_is_let_out(open_desk: OpenDesk) -> None:
    async with open_desk(in_thread=True) as desk:
        await desk.connect()
        _, may_end = hold_syncs(desk.journal)
        reply = desk.place()
        for _ in range(3):
            await asyncio.sleep(0)
        desk.sequencer.stop(ConnectionError("shutting down"))
        may_end.set()
        with pytest.raises(ConnectionError):
            await reply
        await asyncio.get_running_loop().run_in_executor(desk._thread, lambda: None)
        assert desk.link.waiting.empty()
        assert desk.fatal == []
    async with open_desk() as desk:  # and yet it was durable
        await desk.batch()
        assert desk.causes() == ["IN_DOUBT"]


# ── a failing commit ─────────────────────────────────────────────────────────────────────────────


async def test_a_failing_commit_stops_everything_and_lets_nothing_out(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        desk.journal.is_full = True
        first, second = desk.place("a"), desk.submit(CANCEL_A)
        for reply in (first, second):
            with pytest.raises(ConnectionError, match="the edge has stopped: disk full"):
                await reply
        assert [type(error) for error in desk.fatal] == [CommitFailed]
        assert desk.sequencer.failure is desk.fatal[0]
        assert {event for event in desk.events if event != ("answered",)} == set()
        assert desk.link.waiting.empty()
        with pytest.raises(ConnectionError, match="disk full"):
            await desk.place("b")
        desk.sequencer.hear([VenueStreamGap(account="SIM", expected=1, got=2)])
        desk.sequencer._schedule_wake()
        await asyncio.sleep(0)
        assert len(desk.fatal) == 1


async def test_a_failing_commit_of_an_answer_keeps_the_answer_back(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        reply = desk.place()
        request = await desk.link.next_sent(VenuePlace)
        desk.events.clear()
        desk.journal.is_full = True
        desk.answers(request, Outcome.DONE, exchange_order_id="X1")
        with pytest.raises(ConnectionError):
            await reply
        assert ("released", "ROUTED") not in desk.events
    async with open_desk() as desk:
        await desk.batch()
        assert desk.causes() == ["IN_DOUBT"]


async def test_a_broken_invariant_stops_it_too(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        reply = desk.place()
        request = await desk.link.next_sent(VenuePlace)
        desk.answers(request, Outcome.DONE)  # done without an id: no dialect may say so
        with pytest.raises(ConnectionError):
            await reply
        assert isinstance(desk.fatal[0], AssertionError)


async def test_stopping_tells_everybody_who_waits_once(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        waiting, gone = desk.place("a"), desk.place("b")
        await desk.link.next_sent(VenuePlace)
        gone.cancel()
        desk.sequencer.stop(ConnectionError("shutting down"))
        desk.sequencer.stop(ConnectionError("again"))
        with pytest.raises(ConnectionError, match="shutting down"):
            await waiting
        assert desk.fatal == []


async def test_a_caller_who_left_is_no_trouble(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        reply = desk.place()
        request = await desk.link.next_sent(VenuePlace)
        reply.cancel()
        desk.answers(request, Outcome.DONE, exchange_order_id="X1")
        found = await desk.submit(QueryOrder(account="SIM", client_order_id="a"))
        assert found.order.stage is Stage.ROUTED
        assert desk.fatal == []


# ── restart ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_process_takes_up_what_was_under_way(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        desk.place("a")
        desk.place("b", price=D(99))
        first = await desk.link.next_sent(VenuePlace)
        await desk.link.next_sent(VenuePlace)
        desk.answers(first, Outcome.DONE, exchange_order_id="X1")
        await desk.batch()
    async with open_desk() as desk:
        await desk.batch()
        assert desk.causes() == ["IN_DOUBT"]
        desk.link.is_silent = True
        await desk.batch()
        same = await desk.place("b", price=D(99))
        assert isinstance(same, Refused)
        assert (await desk.submit(QueryOrder(account="SIM", client_order_id="a"))).order.stage is (
            Stage.ROUTED
        )
        assert ("sent", "VenuePlace") not in desk.events


async def test_an_account_that_is_no_longer_configured_has_gone_until_it_is_back(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(accounts=("SIM", "SIM/ALICE")) as desk:
        await desk.connect()
        desk.place(account="SIM/ALICE")
        request = await desk.links["SIM/ALICE"].next_sent(VenuePlace)
        desk.answers(request, Outcome.DONE, exchange_order_id="X1")
        desk.sequencer.hear([
            VenueOrder(
                account="SIM/ALICE", exchange_order_id="X1",
                venue_client_id=request.venue_client_id, symbol_exchange="BTC-USDT",
                side=Side.BUY, price=D(100), quantity=D(2), quantity_filled=D(1),
                time_in_force=TimeInForce.GOOD_TILL_CANCEL, expire_time_ns=None,
                state=VenueOrderState.CANCELED, time_ns=0,
            )
        ])  # fmt: skip
        await desk.batch()
    async with open_desk() as desk:  # its fills are missing, and nobody asks for them
        await desk.connect()
        await desk.pass_time("60")
        assert desk.fatal == []
        assert desk.sequencer.metrics.alarms == {}
        gone = await desk.submit(QueryOrders(account="SIM/ALICE"))
        assert isinstance(gone, Refused)
        assert gone.refusal is Refusal.ACCOUNT_UNKNOWN
        assert desk.sequencer.is_unsettled("SIM/ALICE")
    async with open_desk(accounts=("SIM", "SIM/ALICE")) as desk:
        await desk.connect()
        await desk.pass_time("60")
        assert desk.fatal == []
        assert desk.sequencer.metrics.alarms == {("SIM/ALICE", "fills_missing"): 1}


# ── limits ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_has_a_limit_and_the_rest_follows_at_once(open_desk: OpenDesk) -> None:
    async with open_desk(limits=Limits(batch_most=2, fillings_most=0)) as desk:
        await desk.connect()
        for number in range(5):
            desk.place(f"o{number}")
        for _ in range(5):
            await desk.link.next_sent(VenuePlace)
        assert [len(unit.opened) for unit in desk.journal.units] == [2, 2, 1]


async def test_a_batch_fills_while_more_keeps_coming_where_callers_are_many(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(limits=Limits(fillings_most=4)) as desk:
        await desk.connect()

        async def place_in_turn(number: int) -> None:
            for _ in range(number):
                await asyncio.sleep(0)
            desk.place(f"o{number}")

        desk.place("a")
        desk.place("b")
        await asyncio.gather(*(place_in_turn(number) for number in range(3)))
        for _ in range(5):
            await desk.link.next_sent(VenuePlace)
        assert [len(unit.opened) for unit in desk.journal.units] == [2, 3]


async def test_one_caller_who_waits_for_each_answer_is_not_kept_waiting(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(limits=Limits(fillings_most=4)) as desk:
        await desk.connect()
        for name in "ab":
            desk.place(name)
            await asyncio.sleep(0)
            assert desk.sequencer.inbox_size == 0
            await desk.link.next_sent(VenuePlace)
        assert [len(unit.opened) for unit in desk.journal.units] == [1, 1]


async def test_a_full_inbox_refuses_new_requests_and_hears_the_exchange(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(limits=Limits(inbox_most=5, fillings_most=0)) as desk:
        await desk.connect()
        taken = [desk.place(name) for name in "abdef"]
        refused = await desk.place("c")
        assert isinstance(refused, Refused)
        assert refused.refusal == "OVERLOADED"
        assert refused.message == "5 requests are waiting; send again in a second"
        ending = desk.submit(EndSession(account="SIM", session="ws:1"))
        assert not ending.done()  # nobody is left to say it again
        desk.sequencer.hear([VenueStreamGap(account="SIM", expected=1, got=2)] * 3)
        assert desk.sequencer.inbox_size == 9
        for _ in taken:
            await desk.link.next_sent(VenuePlace)
        assert desk.sequencer.inbox_size == 0
        assert await ending == CancelAllReply(0)


async def test_timers_nobody_awaits_are_dropped(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        for number in range(PRUNE_LEAST + 10):
            desk.place(f"o{number}", quantity=D("0.1"))
            if number % 500 == 499:
                for _ in range(500):
                    place = await desk.link.next_sent(VenuePlace)
                    desk.answers(place, Outcome.REFUSED, text="no")
        await desk.batch()
        assert len(desk.sequencer.timers) < PRUNE_LEAST // 4


# ── the rate budget ──────────────────────────────────────────────────────────────────────────────


async def test_what_the_rate_does_not_allow_waits_and_is_not_handed_over(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(requests_per_s=10, cancel_reserve=2) as desk:
        await desk.connect()
        await desk.pass_time("1")
        replies = [desk.place(f"o{number}") for number in range(9)]
        for _ in range(8):
            await desk.link.next_sent(VenuePlace)
        held = (await desk.submit(QueryOrder(account="SIM", client_order_id="o8"))).order
        assert held.stage is Stage.RECEIVED
        await desk.pass_time("0.1")
        await desk.link.next_sent(VenuePlace)
        assert not any(reply.done() for reply in replies)


async def test_an_order_that_waited_too_long_is_withdrawn_and_never_sent(
    open_desk: OpenDesk,
) -> None:
    async with open_desk() as desk:
        await desk.connect()
        desk.place("a")
        place = await desk.link.next_sent(VenuePlace)
        desk.answers(place, Outcome.REFUSED, text="too often", retry_after_ms=60_000)
        await desk.batch()
        last = desk.place("b")
        await desk.batch()
        await desk.pass_time("5")
        text = "not_sent: withdrawn, it could not be sent within 5000 ms"
        assert (await last).order.error_message == text
        await desk.pass_time("60")
        assert desk.events.count(("sent", "VenuePlace")) == 1


async def test_withdrawn_orders_leave_the_rate_to_those_that_can_still_be_sent(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(requests_per_s=10, cancel_reserve=1) as desk:
        await desk.connect()
        desk.place("a")
        place = await desk.link.next_sent(VenuePlace)
        desk.answers(place, Outcome.REFUSED, text="too often", retry_after_ms=60_000)
        await desk.batch()
        for number in range(20):
            desk.place(f"o{number}")
        await desk.batch()
        await desk.pass_time("59")  # none of them could be sent in time
        desk.place("b")
        await desk.batch()
        await desk.pass_time("1")
        assert not desk.link.waiting.empty()
        assert (await desk.link.next_sent(VenuePlace)).number == place.number + 21


async def test_a_sweep_that_asks_too_often_goes_on_where_it_was(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        desk.link.is_silent = True
        desk.sequencer.hear([VenueConnected(account="SIM", abilities=ABILITIES)])
        asked = await desk.link.next_sent(VenueInstruments)
        desk.answers(asked, Outcome.REFUSED, text="too often", retry_after_ms=300)
        desk.link.is_silent = False
        await desk.batch()
        await desk.pass_time("0.2")
        assert desk.events.count(("sent", "VenueInstruments")) == 1
        await desk.pass_time("0.1")
        assert desk.events.count(("sent", "VenueInstruments")) == 2
        await desk.until(lambda: desk.engine.account("SIM").is_reconciled)
        assert desk.lines["SIM"].reconciler.sweep_count == 1


async def test_a_disconnection_rejects_what_waited(open_desk: OpenDesk) -> None:
    async with open_desk(requests_per_s=10, cancel_reserve=2) as desk:
        await desk.connect()
        await desk.pass_time("1")
        for number in range(8):
            desk.place(f"o{number}")
        waited = desk.place("late")
        for _ in range(8):
            await desk.link.next_sent(VenuePlace)
        desk.sequencer.hear([VenueDisconnected(account="SIM", text="gone")])
        order = (await waited).order
        assert (order.stage, order.error_message) == (Stage.REJECTED, "not_sent: disconnected")


async def test_too_many_waiting_are_rejected(open_desk: OpenDesk) -> None:
    async with open_desk(requests_per_s=10, cancel_reserve=2, queue_most=1) as desk:
        await desk.connect()
        await desk.pass_time("1")
        first, second = desk.place("a"), desk.place("b")
        await desk.link.next_sent(VenuePlace)
        order = (await second).order
        assert order.error_message == "not_sent: too many requests are waiting"
        assert not first.done()


async def test_an_order_cancelled_while_it_waits_is_not_sent(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        placing, cancel = desk.place(), desk.submit(CANCEL_A)
        assert (await placing).order.stage is Stage.CANCELED
        assert (await cancel).order.stage is Stage.CANCELED
        assert [event for event in desk.events if event[0] == "sent"] == []


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_caller_is_answered_when_the_exchange_is_silent_too_long(
    open_desk: OpenDesk,
) -> None:
    async with open_desk() as desk:
        await desk.connect()
        reply = desk.place()
        await desk.link.next_sent(VenuePlace)
        await desk.pass_time("4.9")
        assert not reply.done()
        await desk.pass_time("0.1")
        assert (await reply).refusal == "IN_DOUBT"
        await desk.link.next_sent(VenueQuery)


async def test_the_pump_wakes_by_itself_when_a_timer_is_due(open_desk: OpenDesk) -> None:
    settings = EngineSettings(order_answer_timeout_ms=20)
    async with open_desk(engine=settings, clock=SystemClock()) as desk:
        await desk.connect()
        reply = desk.place()
        assert (await reply).refusal == "IN_DOUBT"


async def test_it_wakes_too_when_the_rate_lets_something_go(open_desk: OpenDesk) -> None:
    limits = Limits(fillings_most=0, wake_least_us=1)
    async with open_desk(
        requests_per_s=50, cancel_reserve=1, clock=SystemClock(), limits=limits
    ) as desk:
        await desk.connect()
        for number in range(60):
            desk.place(f"o{number}", quantity=D("0.1"))
        for _ in range(60):
            await desk.link.next_sent(VenuePlace)


async def test_a_nearer_time_replaces_a_farther_wake(open_desk: OpenDesk) -> None:
    async with open_desk(clock=SystemClock()) as desk:
        await desk.connect()  # the next sweep is half a minute away
        expiring = {
            "time_in_force": TimeInForce.GOOD_TILL_TIME_OMS,
            "expire_time_ns": SystemClock().now().utc_ns + SECOND_NS,
        }
        desk.place(**expiring)
        desk.answers(await desk.link.next_sent(VenuePlace), Outcome.DONE, exchange_order_id="X1")
        await desk.link.next_sent(VenueCancel)


async def test_sweeps_come_by_themselves(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        swept = desk.link.swept
        await desk.pass_time("30")
        await desk.until(lambda: desk.link.swept == swept + 1)
        await desk.pass_time("1")
        desk.sequencer.hear([VenueStreamGap(account="SIM", expected=1, got=2)])
        await desk.batch()
        await desk.pass_time("0.25")
        await desk.until(lambda: desk.link.swept == swept + 2)


async def test_a_wall_clock_that_jumps_is_noticed(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        expire_time_ns = desk.clock.now().utc_ns + 3600 * SECOND_NS
        desk.place(time_in_force=TimeInForce.GOOD_TILL_TIME_OMS, expire_time_ns=expire_time_ns)
        desk.answers(await desk.link.next_sent(VenuePlace), Outcome.DONE, exchange_order_id="X1")
        await desk.batch()
        await desk.pass_time("1", wall_seconds="3600")
        await desk.link.next_sent(VenueCancel)


async def test_the_window_for_not_found_begins_after_the_commit(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        sync = desk.journal.sync

        def sync_slowly() -> None:
            sync()
            desk.clock.advance("2")

        desk.journal.sync = sync_slowly
        desk.place()
        place = await desk.link.next_sent(VenuePlace)
        flight = desk.engine.deciding.flights[place.number]
        assert flight.handed_ns == desk.clock.now().steady_ns


@pytest.mark.parametrize("is_telling", [False, True])
async def test_what_nobody_waits_for_is_done_behind_what_is_told(
    tmp_path: Path, is_telling: bool
) -> None:
    async with Desk(tmp_path) as desk:
        await desk.connect()
        tidy, done = desk.journal.tidy_if_due, []
        turns = 0

        def tidy_and_note() -> bool:
            done.append(turns)
            return tidy()

        desk.journal.tidy_if_due = tidy_and_note
        desk.sequencer.listen(lambda _: is_telling)
        desk.place()
        await desk.link.next_sent(VenuePlace)
        for turn in range(10):
            turns = turn
            await asyncio.sleep(0)
        assert (done[0] > 2) == is_telling


# ── what is counted ──────────────────────────────────────────────────────────────────────────────


async def test_orders_are_counted_and_their_legs_measured(open_desk: OpenDesk) -> None:
    async with open_desk(accounts=("SIM", "SIM/ALICE")) as desk:
        await desk.connect()
        batches = desk.sequencer.metrics.batches
        desk.place()
        request = await desk.link.next_sent(VenuePlace)
        desk.clock.advance("0.25")
        desk.answers(request, Outcome.DONE, exchange_order_id="X1")
        await desk.batch()
        metrics = desk.sequencer.metrics
        assert metrics.batches >= batches + 2
        assert metrics.orders_ended["RECEIVED", ""] == 1
        assert metrics.orders_ended["ROUTING", ""] == 1
        assert metrics.orders_ended["ROUTED", ""] == 1
        assert {name: sum(hop.counts) > 0 for name, hop in metrics.hops.items()} == {
            "accept": True,
            "exchange": True,
            "answer": True,
        }
        assert metrics.hops["exchange"].sum_ns == SECOND_NS // 4


async def test_alarms_are_counted_and_logged(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()
        desk.place()
        place = await desk.link.next_sent(VenuePlace)
        desk.answers(place, Outcome.DONE, exchange_order_id="X1")
        desk.answers(place, Outcome.DONE, exchange_order_id="X2")
        await desk.batch()
        assert desk.sequencer.metrics.alarms == {("SIM", "order_doubled"): 1}


async def test_a_listener_that_raises_stops_the_process(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        await desk.connect()

        def broken(released: object) -> None:
            raise RuntimeError("a listener is broken")

        desk.sequencer.listen(broken)
        reply = desk.place()
        with pytest.raises(ConnectionError):
            await reply
        assert isinstance(desk.fatal[0], RuntimeError)


async def test_now_is_the_clock_s(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        assert desk.sequencer.now() == desk.clock.now()
        assert desk.sequencer.failure is None


# ── what people read in the log ──────────────────────────────────────────────────────────────────


async def test_the_log_says_how_an_account_stands_with_its_exchange(open_desk: OpenDesk) -> None:
    with capture_logs() as logs:
        async with open_desk() as desk:
            await desk.connect()
            desk.sequencer.hear([VenueDisconnected(account="SIM", text="nobody answers")])
            desk.sequencer.hear([VenueDisconnected(account="SIM", text="nobody answers")])
            await desk.batch()
            desk.link.is_silent = True
            desk.sequencer.hear([VenueConnected(account="SIM", abilities=ABILITIES)])
            for _ in range(2):  # the second failure in a row is for those who look closely
                request = await desk.link.next_sent(VenueInstruments)
                desk.answers(request, Outcome.REFUSED, text=f"request {request.request_id} is late")
                await desk.batch()
                await desk.pass_time("1")
            desk.link.is_silent = False
            request = await desk.link.next_sent(VenueInstruments)
            desk.link.send_many([request])
            await desk.until(lambda: desk.engine.account("SIM").is_reconciled)
    told = [(each["log_level"], each["event"], each.get("text", "")) for each in logs]
    late = [text for _, _, text in told if text.startswith("reconciling")]
    assert told == [
        ("info", "account connected", ""),
        ("info", "account reconciled", ""),
        ("warning", "account disconnected", "disconnected: nobody answers"),
        ("info", "account connected", ""),
        ("warning", "account not reconciled", late[0]),
        ("debug", "account not reconciled", late[1]),
        ("info", "account reconciled", ""),
    ]
    assert {each["exchange_id"] for each in logs} == {"SIM"}
    assert late[0].startswith("reconciling: instruments: request ")
