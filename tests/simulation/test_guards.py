"""The seeded world can fail: with a guard switched off, the law it guards breaks within a few seeds."""

from collections.abc import Callable, Iterable
from itertools import islice
from random import Random
from typing import Any

import msgspec
import pytest

from fairlead.core import doubt, engine, placing, sessions
from fairlead.core.model import Order
from fairlead.core.orders import Orders
from fairlead.core.replies import Reply
from fairlead.core.requests import PlaceOrder
from fairlead.core.unit import Recalled, Unit, Wanted
from fairlead.core.venue_messages import VenuePositionsStated, VenueRequest
from fairlead.edge import edge
from fairlead.edge.sequencer import Sequencer
from fairlead.gateway.sessions import Session
from fairlead.journal.journal import Prepared
from fairlead.simulation.disk import SimulatedJournal
from fairlead.simulation.laws import Law
from fairlead.simulation.machine import Machine
from fairlead.simulation.plan import WorldPlan, plan, with_perpetuals
from fairlead.simulation.world import run_world
from fairlead.venues import sim, sim_words

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


class SendsFirst(Sequencer):
    """Hands requests to the venue before the commit."""

    def _run_batch(self, now: Any, decide: Callable[[], None]) -> None:
        self._engine.begin(now)
        decide()
        requests: dict[str, list[VenueRequest]] = self._requests(now)
        effects = self._engine.finish()
        for account, sendable in requests.items():
            self._lines[account].link.send_many(sendable)
        self._commit(effects.unit)
        self._release(effects, {})


def test_journal_before_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "Sequencer", SendsFirst)
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
    assert laws_broken({Law.ABSENCE}) == {Law.ABSENCE}


def test_closed_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_settled(order: Order) -> bool:
        is_owed = order.cancel_pending or order.in_doubt_ns is not None
        return order.stage.is_final and not is_owed

    monkeypatch.setattr(Order, "is_settled", property(is_settled))
    assert laws_broken({Law.SETTLED}) == {Law.SETTLED}


def test_idempotent_client_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def place(deciding: Any, request: PlaceOrder, token: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Orders, "by_client_id", lambda *_: None)
            placing.place(deciding, request, token)

    monkeypatch.setitem(engine._REQUESTS, PlaceOrder, place)
    # Law.RUNS: what is built on the guard, the index of orders, may stop the process first.
    expected = {Law.SENT_ONCE, Law.ONE_ID}
    assert laws_broken(expected) <= {*expected, Law.RUNS}


def test_positions_are_agreed_with_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine._NEWS, VenuePositionsStated, lambda *_: None)
    assert Law.POSITIONS in laws_broken({Law.POSITIONS})


def test_what_the_exchange_does_itself_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_words, "_reason", lambda _: None)
    seeds = (each for each in range(1, 200) if plan(each).marks > 10)
    assert laws_broken({Law.REASONS}, seeds=seeds) == {Law.REASONS}


def with_half_dead_lines(seed: int) -> WorldPlan:
    """Return a world whose lines die silently one way, while funding keeps the streams alive."""
    world_plan = with_perpetuals(plan(seed), Random(seed))
    weather = msgspec.structs.replace(world_plan.weather, half_dead=700, cut=0)
    return msgspec.structs.replace(world_plan, weather=weather)


def test_a_stream_alone_keeps_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim, "_UNASKED", ())
    expected = {Law.DECIDED, Law.QUIET}
    assert laws_broken(expected, make_plan=with_half_dead_lines) <= expected


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


class NeverSyncs(SimulatedJournal):
    """Commits without waiting for the disk."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._connection.execute("PRAGMA synchronous = OFF")


class UnsyncedMachine(Machine):
    journal_class = NeverSyncs


def test_sync_at_every_commit() -> None:
    # Law.KNOWN and the others of the end: what the lost commits were about is at the exchange.
    assert Law.SURVIVES in laws_broken({Law.SURVIVES}, UnsyncedMachine)
