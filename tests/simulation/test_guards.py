"""The seeded world can fail: with a guard switched off, the law it guards breaks within a few seeds."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from random import Random
from typing import Any

import msgspec
import pytest

from fairlead.core import doubt, engine, hearing, operating, placing, presence, sessions
from fairlead.core.account import Account
from fairlead.core.deciding import Deciding, Now
from fairlead.core.model import Order
from fairlead.core.orders import Orders
from fairlead.core.reconciliation import Reconciliation
from fairlead.core.replies import Reply
from fairlead.core.requests import PlaceOrder
from fairlead.core.unit import Recalled, Unit, Wanted
from fairlead.core.venue_messages import VenuePositionsStated, VenueRequest
from fairlead.edge import edge
from fairlead.edge.edge import Edge
from fairlead.edge.limits import Limits
from fairlead.edge.sequencer import Sequencer
from fairlead.exchange import matching
from fairlead.exchange.faults import FaultName
from fairlead.fix import store
from fairlead.fix.happened import Received
from fairlead.gateway.feed import Feed, Item, Subscription
from fairlead.gateway.fixapi import mass_status
from fairlead.gateway.fixapi.client import Client as FixClient
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.requests import Requests
from fairlead.gateway.sessions import Session
from fairlead.gateway.websocket.stream import Stream
from fairlead.journal import keys
from fairlead.journal.journal import Prepared
from fairlead.journal.key_filter import KeyFilter
from fairlead.simulation.crashes import CrashSettings
from fairlead.simulation.disk import SimulatedJournal, SimulatedWal
from fairlead.simulation.law import Law
from fairlead.simulation.machine import Machine
from fairlead.simulation.plan import WorldPlan, plan, with_goings, with_perpetuals, with_streams
from fairlead.simulation.store import SimulatedStore
from fairlead.simulation.world import run_world
from fairlead.venues import sim, sim_words
from fairlead.venues.link import Link
from fairlead.venues.sim_messages import WireOrigin

SEEDS_MOST = 30


def laws_broken(
    expected: set[Law],
    machine_class: type[Machine] = Machine,
    seeds: Iterable[int] = range(1, 1_000),
    make_plan: Callable[[int], WorldPlan] = plan,
) -> set[Law]:
    """Run seeds until one of the expected laws breaks; return every law that broke on the way."""
    laws: set[Law] = set()
    for seed in islice(seeds, SEEDS_MOST):
        verdict, _ = run_world(seed, machine_class=machine_class, changed=make_plan(seed))
        laws |= {broken.law for broken in verdict.broken}
        if laws & expected:
            return laws
    pytest.fail(f"{SEEDS_MOST} worlds without the guard, and only {laws} broke")


def with_fault(name: FaultName) -> Callable[[int], WorldPlan]:
    """Return how to make a world in which the exchange does this one thing wrong, often."""
    return lambda seed: msgspec.structs.replace(plan(seed), faults=(name,), fault_wait_ms=20)


class SendsFirst(Sequencer):
    """Hands requests to the venue before the commit."""

    def _finish_batch(self, now: Now) -> None:
        requests: dict[str, list[VenueRequest]] = self._requests(now)
        effects = self._engine.finish()
        for account, sendable in requests.items():
            self._lines[account].link.send_many(sendable)
        self._commit(effects, {})


def test_journal_before_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "Sequencer", SendsFirst)
    assert laws_broken({Law.DURABLE_FIRST}) == {Law.DURABLE_FIRST}


def test_what_is_prepared_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    send_many = Link.send_many
    early: list[VenueRequest] = []

    def send_early(link: Link, requests: Sequence[VenueRequest]) -> None:
        early.extend(requests)
        send_many(link, requests)

    def send_others(link: Link, requests: Sequence[VenueRequest]) -> None:
        send_many(link, [each for each in requests if each not in early])

    monkeypatch.setattr(Link, "prepare", send_early)
    monkeypatch.setattr(Link, "send_many", send_others)
    assert laws_broken({Law.DURABLE_FIRST}) == {Law.DURABLE_FIRST}


class ForgetsTrades(SimulatedJournal):
    """Remembers no trade."""

    def recall(self, wanted: Wanted) -> Recalled:
        return Recalled(super().recall(wanted).orders, set())

    def prepare(self, unit: Unit) -> Prepared:
        unit.booked = [each for each in unit.booked if not self._is_booked(each[2])]
        return super().prepare(unit)


class ForgetfulMachine(Machine):
    journal_class = ForgetsTrades


def test_trade_id_memory() -> None:
    assert laws_broken({Law.FILLS}, ForgetfulMachine) <= {Law.FILLS, Law.STATES}


def test_not_found_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubt, "is_believable", lambda *_: True)
    plan_of = with_fault(FaultName.ORDER_HIDDEN)
    assert laws_broken({Law.ABSENCE}, make_plan=plan_of) == {Law.ABSENCE}


def test_closed_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_settled(order: Order) -> bool:
        is_owed = order.cancel_pending or order.in_doubt_ns is not None
        return order.stage.is_final and not is_owed

    monkeypatch.setattr(Order, "is_settled", property(is_settled))
    plan_of = with_fault(FaultName.FILL_AFTER_CANCEL)
    assert laws_broken({Law.SETTLED}, make_plan=plan_of) == {Law.SETTLED}


def test_idempotent_client_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def place(deciding: Any, request: PlaceOrder, token: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Orders, "by_client_id", lambda *_: None)
            placing.place(deciding, request, token)

    monkeypatch.setitem(engine._REQUESTS, PlaceOrder, place)
    # Law.RUNS: what is built on the guard, the index of orders, may stop the process first.
    expected = {Law.SENT_ONCE, Law.ONE_ID}
    assert laws_broken(expected) <= {*expected, Law.RUNS}


class ReadsNothing(KeyFilter):
    """Takes what the table held at the start for nothing."""

    def _read(self, at: int) -> None:
        self._is_read[at] = True


def test_client_ids_of_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "RECENT_MAX", 0)
    monkeypatch.setattr(keys, "KeyFilter", ReadsNothing)
    expected = {Law.SENT_ONCE, Law.ONE_ID}
    assert laws_broken(expected, seeds=range(9, 1_000)) <= expected


def with_a_perpetual(seed: int) -> WorldPlan:
    """Return the seed's world with a perpetual."""
    return with_perpetuals(plan(seed), Random(seed))


def test_positions_are_agreed_with_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine._NEWS, VenuePositionsStated, lambda *_: None)
    assert Law.POSITIONS in laws_broken({Law.POSITIONS}, make_plan=with_a_perpetual)


def test_what_the_exchange_does_itself_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_words, "_REASONS", dict.fromkeys(WireOrigin))
    seeds = (each for each in range(1, 200) if plan(each).marks > 10)
    assert laws_broken({Law.REASONS}, seeds=seeds) == {Law.REASONS}


def test_the_exchange_s_words_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_tells_why", lambda *_: False)
    assert laws_broken({Law.WORDS}) == {Law.WORDS}


def test_the_exchange_says_why_it_ends_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "EXPIRED_TEXT", None)
    monkeypatch.setattr(matching, "REMAINDER_TEXT", None)
    assert laws_broken({Law.WORDS}) == {Law.WORDS}


def with_half_dead_lines(seed: int) -> WorldPlan:
    """Return a world whose lines die silently one way, while funding keeps the streams alive."""
    world_plan = with_a_perpetual(seed)
    weather = msgspec.structs.replace(world_plan.weather, half_dead=700, cut=0)
    return msgspec.structs.replace(world_plan, weather=weather)


def test_a_stream_alone_keeps_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim, "_UNASKED", ())
    expected = {Law.DECIDED, Law.QUIET}
    seeds = range(31, 1_000)  # it shows in few worlds; the first of them is soon among these
    assert laws_broken(expected, seeds=seeds, make_plan=with_half_dead_lines) <= expected


def with_sessions() -> Iterable[int]:
    return (each for each in range(1, 500) if plan(each).client.has_sessions)


def test_orders_end_with_their_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Orders, "ending_with", lambda *_: ())
    assert laws_broken({Law.SESSIONS}, seeds=with_sessions()) == {Law.SESSIONS}


def test_orders_end_with_the_process_their_session_was_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "restart", lambda *_: None)
    assert laws_broken({Law.SESSIONS}, seeds=with_sessions()) == {Law.SESSIONS}


def test_only_what_asks_to_ends_with_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def ending_with(orders: Orders, account: str, _: str) -> Iterable[Order]:
        return orders.of_account(account)

    monkeypatch.setattr(Orders, "ending_with", ending_with)
    assert laws_broken({Law.UNASKED}, seeds=with_sessions()) == {Law.UNASKED}


def test_nothing_of_a_session_comes_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def place(session: Session, request: PlaceOrder) -> Reply:
        session._accounts[request.account] = None
        return await session._port.submit(msgspec.structs.replace(request, session=session.name))

    monkeypatch.setattr(Session, "place", place)
    assert laws_broken({Law.SESSIONS}, seeds=with_sessions()) == {Law.SESSIONS}


# ── accounts that come and go ────────────────────────────────────────────────────────────────────


def with_accounts_going(seed: int) -> WorldPlan:
    """Return a world in which accounts go often, and stay away for a while."""
    world_plan = with_goings(plan(seed), Random(seed))
    return msgspec.structs.replace(world_plan, goings=20, away_ms_max=300)


def test_an_account_that_has_gone_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Edge, "remove_account", lambda *_: None)
    assert Law.GONE in laws_broken({Law.GONE}, make_plan=with_accounts_going)


def test_what_an_account_leaves_is_named_for_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def left_as_it_is(deciding: Deciding, order: Order) -> Order:
        for token in deciding.flight(order.number).waiters:
            deciding.answer(token, doubt.in_doubt_refusal(order))
        return order

    def make_plan(seed: int) -> WorldPlan:
        world_plan = with_accounts_going(seed)
        change = msgspec.structs.replace
        slow = change(world_plan.edge, requests_per_s=90, cancel_reserve=20)
        lively = change(world_plan.client, pause_ms_max=5)
        return change(world_plan, edge=slow, client=lively)

    monkeypatch.setattr(presence, "_laid_down", left_as_it_is)
    assert Law.GONE in laws_broken({Law.GONE}, make_plan=make_plan)


def test_a_session_that_ended_while_its_account_was_away_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    come = presence.come

    def forgetful(deciding: Deciding, name: str) -> None:
        absent = deciding.absent.get(name)
        if absent is not None:
            absent.sessions_over.clear()
            absent.are_sessions_over = False
        come(deciding, name)

    monkeypatch.setattr(presence, "come", forgetful)
    seeds = (each for each in range(1, 500) if plan(each).client.has_sessions)
    broken = laws_broken({Law.SESSIONS}, seeds=seeds, make_plan=with_accounts_going)
    assert broken == {Law.SESSIONS}


def test_an_account_is_suspended_only_when_nothing_is_owed_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make_plan(seed: int) -> WorldPlan:
        return msgspec.structs.replace(plan(seed), suspensions=20, suspended_ms_max=100)

    async def without_looking(edge: Edge, name: str) -> bool:
        edge._links[name].close()
        return True

    monkeypatch.setattr(Edge, "suspend", without_looking)
    assert Law.SUSPENDED in laws_broken({Law.SUSPENDED}, make_plan=make_plan)


def test_a_suspended_account_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_plan(seed: int) -> WorldPlan:
        return msgspec.structs.replace(plan(seed), suspensions=20, suspended_ms_max=600)

    async def connected_still(edge: Edge, name: str) -> bool:
        return not edge.has_unsettled(name)

    monkeypatch.setattr(Edge, "suspend", connected_still)
    assert Law.SUSPENDED in laws_broken({Law.SUSPENDED}, make_plan=make_plan)


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


def with_websocket(seed: int) -> WorldPlan:
    """Return the seed's world with one client by WebSocket, and some crashes."""
    return with_one(seed, websocket_clients=1, fix_clients=0)


def with_fix(seed: int) -> WorldPlan:
    """Return the seed's world with one counterpart by FIX, whose store's commits end the process."""
    return with_one(seed, websocket_clients=0, fix_clients=1)


def with_fix_killed(seed: int, *, silent: int = 0) -> WorldPlan:
    """Return the same, ended more often, and never by a power failure."""
    changed = with_fix(seed)
    assert changed.streams is not None
    return msgspec.structs.replace(
        changed,
        crashes=msgspec.structs.replace(changed.crashes, silent=silent),
        streams=msgspec.structs.replace(changed.streams, store_crashes=10),
    )


def with_power_failures(seed: int) -> WorldPlan:
    """Return the same, ended by nothing but power failures."""
    return with_fix_killed(seed, silent=1_000)


def with_one(seed: int, *, websocket_clients: int, fix_clients: int) -> WorldPlan:
    changed = msgspec.structs.replace(plan(seed), clock_jumps=0)
    changed = with_streams(changed, Random(seed))
    assert changed.streams is not None
    streams = msgspec.structs.replace(
        changed.streams,
        websocket_clients=websocket_clients,
        fix_clients=fix_clients,
        store_crashes=3 * fix_clients,
    )
    crashes = msgspec.structs.replace(changed.crashes, most=3)
    return msgspec.structs.replace(changed, streams=streams, crashes=crashes)


@pytest.mark.parametrize("off_by", [-1, 1])
def test_resume_is_not_off_by_one(monkeypatch: pytest.MonkeyPatch, off_by: int) -> None:
    subscribe = Feed.subscribe

    def off_by_one(
        feed: Feed, account: str, after_sequence: int, wake: Callable[[], None]
    ) -> Subscription:
        return subscribe(feed, account, after_sequence + off_by, wake)

    monkeypatch.setattr(Feed, "subscribe", off_by_one)
    assert Law.STREAMED in laws_broken({Law.STREAMED}, make_plan=with_websocket)


def test_a_resumed_sequence_is_in_the_range_that_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Stream.open

    async def believes(stream: Stream, state: Reconciliation) -> list[bytes] | None:
        stream._after = min(stream._after or 0, state.sequence)
        return await opened(stream, state)

    monkeypatch.setattr(Stream, "open", believes)
    assert Law.RESUMED in laws_broken({Law.RESUMED}, make_plan=with_websocket)


def with_snapshots_among_orders(seed: int) -> WorldPlan:
    """Return a world of big batches, in which several clients drop and come back all the time."""
    changed = with_websocket(seed)
    assert changed.streams is not None
    return msgspec.structs.replace(
        changed,
        accounts=("SIM",),
        commit_us_max=20_000,
        edge=msgspec.structs.replace(
            changed.edge, limits=Limits(threaded_orders_least=0, threaded_sync_least_us=0)
        ),
        streams=msgspec.structs.replace(changed.streams, websocket_clients=4, pause_ms_max=20),
    )


def test_a_snapshot_is_of_the_end_of_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer_at_once(deciding: Deciding, token: int, account: Account) -> None:
        deciding.answer(token, operating._snapshot(deciding, account))
        deciding._openings.clear()  # what is shown of an order stays a report of its own

    monkeypatch.setattr(Deciding, "answer_snapshot", answer_at_once)
    plan_of = with_snapshots_among_orders
    assert laws_broken({Law.SNAPSHOT}, make_plan=plan_of) == {Law.SNAPSHOT}


def test_a_client_that_is_behind_is_served_from_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def take(subscription: Subscription, limit: int) -> list[Item] | None:
        if subscription._ring.next_sequence:
            first = max(subscription.sequence, subscription._ring.first - 1)
            subscription.sequence = first
        return taken(subscription, limit)

    taken = Subscription.take
    monkeypatch.setattr(Subscription, "take", take)
    assert laws_broken({Law.STREAMED}, make_plan=with_websocket) == {Law.STREAMED}


def test_the_cursor_is_stored_with_the_messages_it_led_to(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = FixClient._keep

    def keep_later(client: FixClient) -> None:
        asyncio.get_running_loop().call_later(0.001, keep_then, client)

    def keep_then(client: FixClient) -> None:
        keep(client)
        client._desk.changed(client)

    monkeypatch.setattr(FixClient, "_keep", keep_later)
    assert laws_broken({Law.FIX_ONCE}, make_plan=with_fix) == {Law.FIX_ONCE}


def test_fix_messages_leave_when_their_numbers_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    def flush(desk: Desk) -> None:
        lines, desk._changed = list(desk._changed), {}
        batches = [line.session.flush() for line in lines]
        for line, batch in zip(lines, batches, strict=True):
            if batch.data or batch.is_last:
                line.write(batch)
        desk.store.commit(batches)

    monkeypatch.setattr(Desk, "flush", flush)
    expected = {Law.FIX_ONCE, Law.FIX_ANSWERED}
    assert laws_broken(expected, make_plan=with_fix_killed) <= expected


def test_fix_numbers_leap_after_a_power_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    begin_life = store._begin_life
    monkeypatch.setattr(store, "_begin_life", lambda found, _: begin_life(found, "always the same"))
    expected = {Law.FIX_ONCE, Law.FIX_ANSWERED}
    assert laws_broken(expected, make_plan=with_power_failures) <= expected


def test_a_fix_session_begins_durably(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.Store, "_sync_commits", lambda *_, is_on: None)
    monkeypatch.setattr(SimulatedStore, "_sync_commits", lambda *_, is_on: None)
    expected = {Law.FIX_ONCE, Law.FIX_ANSWERED}
    assert laws_broken(expected, make_plan=with_power_failures) <= expected


def test_a_fix_message_is_dealt_with_when_its_order_is_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take = Requests.take

    def deals_first(requests: Requests, received: Received) -> bool:
        requests._mouth.dealt(received)
        return take(requests, received)

    monkeypatch.setattr(Requests, "take", deals_first)
    assert laws_broken({Law.FIX_ANSWERED}, make_plan=with_fix_killed) == {Law.FIX_ANSWERED}


def test_a_mass_status_tells_what_ended_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ended(*_: object) -> dict[int, Order]:
        return {}

    monkeypatch.setattr(mass_status, "_ended", ended)
    assert laws_broken({Law.FIX_VIEW}, make_plan=with_fix) == {Law.FIX_VIEW}


class NeverSyncs(SimulatedWal):
    """Does not wait for the disk."""

    def sync(self) -> None:
        pass


class UnsyncedJournal(SimulatedJournal):
    wal_class = NeverSyncs


class UnsyncedMachine(Machine):
    journal_class = UnsyncedJournal


def test_sync_at_every_commit() -> None:
    # Law.KNOWN and the others of the end: what the lost commits were about is at the exchange.
    assert Law.SURVIVES in laws_broken({Law.SURVIVES}, UnsyncedMachine)


class SyncsWhatIsDirty(SimulatedWal):
    """Believes at the start that a sync brings all to the disk."""

    def sync_anew(self) -> None:
        self.sync()


class HoledJournal(SimulatedJournal):
    wal_class = SyncsWhatIsDirty


class HoledMachine(Machine):
    journal_class = HoledJournal


def with_crashes(seed: int) -> WorldPlan:
    """Return the seed's world with many crashes, and a journal that is seldom tidied."""
    crashes = CrashSettings(most=20, commits=10, tidy_one_in=1_000, silent=500)
    return msgspec.structs.replace(plan(seed), crashes=crashes)


def test_what_a_failed_sync_left_is_written_again() -> None:
    # Law.KNOWN and the others of the end, as above.
    assert Law.SURVIVES in laws_broken({Law.SURVIVES}, HoledMachine, make_plan=with_crashes)
