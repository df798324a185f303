"""A sequencer at work: the real engine and SQLite journal, a clock and an exchange that the test moves.

Everything that leaves is noted in `events`, in the order in which it happened.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec

from fairlead.core.deciding import EngineSettings, Now
from fairlead.core.engine import Engine
from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import Order
from fairlead.core.replies import Reply
from fairlead.core.reports import OrderReport, Report
from fairlead.core.requests import QueryAccounts, Request
from fairlead.core.unit import Unit
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueAssetBalance,
    VenueBalances,
    VenueBalancesStated,
    VenueConnected,
    VenueFillsListed,
    VenueFillsSince,
    VenueInstruments,
    VenueInstrumentsListed,
    VenueOpenOrders,
    VenueOpenOrdersListed,
    VenueReport,
    VenueRequest,
)
from fairlead.edge.budget import Budget
from fairlead.edge.clock import Clock
from fairlead.edge.limits import Limits
from fairlead.edge.line import Line
from fairlead.edge.reconcile import Reconciler, ReconcileSettings
from fairlead.edge.sequencer import Sequencer
from fairlead.journal.errors import CommitFailed
from fairlead.journal.journal import Journal, Prepared
from tests.core.words import ABILITIES, BTC_USDT, ETH_BTC, SECOND_NS, START_NS, D, make_request

_Request = TypeVar("_Request", bound=VenueRequest)
Event = tuple[str, ...]
AT_ONCE = Limits(fillings_most=0)  # a batch is what has arrived; nothing waits for more


class ManualClock:
    """Stands until the test moves it; implements `edge.clock.Clock`."""

    def __init__(self) -> None:
        self._now = Now(START_NS, SECOND_NS)

    def now(self) -> Now:
        return self._now

    def advance(self, seconds: str, *, wall_seconds: str | None = None) -> None:
        """Move both clocks, or the wall clock by another amount."""
        steady_ns = int(D(seconds) * SECOND_NS)
        utc_ns = steady_ns if wall_seconds is None else int(D(wall_seconds) * SECOND_NS)
        self._now = Now(self._now.utc_ns + utc_ns, self._now.steady_ns + steady_ns)


class NotingJournal(Journal):
    """The journal, noting when something has become durable; `is_full`: from now on it cannot."""

    events: list[Event]
    units: list[Unit]
    written: Prepared
    is_full = False

    def write(self, prepared: Prepared) -> None:
        if self.is_full:
            raise CommitFailed("disk full")
        super().write(prepared)
        self.written = prepared

    def sync(self) -> None:
        super().sync()
        prepared = self.written
        self.units.append(prepared.unit)
        causes = [
            report.cause if isinstance(report, OrderReport) else type(report).__name__
            for report in prepared.unit.reports
        ]
        self.events.append(("committed", *causes))


def hold_syncs(journal: Journal) -> tuple[threading.Event, threading.Event]:
    """Have syncs begin and not end; return what says that one has begun, and what lets all end."""
    has_begun, may_end, sync = threading.Event(), threading.Event(), journal.sync

    def sync_when_it_may() -> None:
        has_begun.set()
        may_end.wait()
        sync()

    journal.sync = sync_when_it_may
    return has_begun, may_end


class ScriptedLink:
    """The exchange's side of an account. What sweeps ask it answers; the rest the test takes and answers."""

    def __init__(self, account: str, events: list[Event]) -> None:
        self.account = account
        self.waiting: asyncio.Queue[VenueRequest] = asyncio.Queue()
        self.worded: list[
            tuple[list[VenueRequest], list[Event]]
        ] = []  # and what had happened before
        self.hear: Callable[[list[VenueReport]], None] = lambda reports: None
        self.is_silent = False
        self.swept = 0
        self._events = events

    def prepare(self, requests: Sequence[VenueRequest]) -> None:
        self.worded.append((list(requests), list(self._events)))

    def send_many(self, requests: Sequence[VenueRequest]) -> None:
        for request in requests:
            self._events.append(("sent", type(request).__name__))
            answer = None if self.is_silent else self._page(request)
            if answer is None:
                self.waiting.put_nowait(request)
            else:
                self.hear([answer, done(request)])

    async def next_sent(self, kind: type[_Request]) -> _Request:
        """Return the next request that the test must answer."""
        request = await self.waiting.get()
        assert isinstance(request, kind), request
        return request

    def _page(self, request: VenueRequest) -> VenueReport | None:
        named = {"account": self.account, "request_id": request.request_id}
        match request:
            case VenueInstruments():
                return VenueInstrumentsListed(**named, instruments=(BTC_USDT, ETH_BTC))
            case VenueOpenOrders():
                return VenueOpenOrdersListed(**named, orders=())
            case VenueFillsSince():
                return VenueFillsListed(**named, fills=(), cursor="c", is_last=True)
            case VenueBalances():
                self.swept += 1
                held = (
                    VenueAssetBalance("USDT", D(100_000), D(0)),
                    VenueAssetBalance("XBT", D(1_000), D(0)),
                )
                return VenueBalancesStated(
                    **named, balances=held, exchange_ordinal=0, time_ns=0, is_complete=True
                )
            case _:
                return None


class Desk:
    """`async with Desk(folder) as desk:` starts a process on the journal in `folder`, and ends it."""

    def __init__(
        self,
        folder: Path,
        *,
        accounts: Sequence[str] = ("SIM",),
        engine: EngineSettings = EngineSettings(),  # noqa: B008 - frozen
        limits: Limits = AT_ONCE,
        slow_sync_us: int = 0,
        clock: Clock | None = None,
        requests_per_s: int = 10_000,
        cancel_reserve: int = 1,
        queue_most: int = 10_000,
        in_thread: bool = False,
    ) -> None:
        """`in_thread`: a thread syncs commits that change an order, where that takes `slow_sync_us`."""
        self.events: list[Event] = []
        self.fatal: list[BaseException] = []
        self.clock = ManualClock()
        self.links = {account: ScriptedLink(account, self.events) for account in accounts}
        self.link = self.links[accounts[0]]
        self._folder = folder
        self._accounts = accounts
        self._engine_settings = engine
        self.is_threaded = in_thread
        self._limits = msgspec.structs.replace(
            limits, threaded_orders_least=1, threaded_sync_least_us=slow_sync_us
        )
        self._thread = ThreadPoolExecutor(1, initializer=use_exact_decimals) if in_thread else None
        self._clock = clock or self.clock
        self._budget = (requests_per_s, cancel_reserve, queue_most)

    async def __aenter__(self) -> "Desk":
        self.journal = NotingJournal.open(self._folder)
        self.journal.events = self.events
        self.journal.units = []
        self.engine = Engine(self._engine_settings, self.journal.restore(), self._accounts)
        self.sequencer = Sequencer(
            self.engine, self.journal, self._clock, self.fatal.append, self._limits, self._thread
        )
        self.sequencer.listen(self._released)
        for link in self.links.values():
            link.hear = self.sequencer.hear
        self.lines = {
            account: Line(
                link,
                Budget(*self._budget),
                Reconciler(account, self.engine, ReconcileSettings(tickers_ms=0)),
            )
            for account, link in self.links.items()
        }
        self.sequencer.start(self.lines)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sequencer.stop(ConnectionError("the test is over"))
        if self._thread is not None:
            self._thread.shutdown()
        self.journal.close()

    async def connect(self) -> None:
        """Connect every account and let the first sweep end; what was noted so far is dropped."""
        for account in self.links:
            self.sequencer.hear([VenueConnected(account=account, abilities=ABILITIES)])
        await self.until(
            lambda: all(self.engine.account(name).is_reconciled for name in self.links)
        )
        self.events.clear()
        self.journal.units.clear()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let batches pass until something is so."""
        for _ in range(100):
            if is_so():
                return
            await self.batch()
        raise AssertionError("it never came to be so")

    async def batch(self) -> None:
        """Let the pump run once more, and everything before it be done."""
        await self.sequencer.submit(QueryAccounts(account=""))
        await asyncio.sleep(0)  # what is left to do behind the answer

    async def pass_time(self, seconds: str, *, wall_seconds: str | None = None) -> None:
        """Move the clock and let what came due be decided."""
        self.clock.advance(seconds, wall_seconds=wall_seconds)
        await self.batch()

    def submit(self, request: Request) -> "asyncio.Future[Reply]":
        """Put a request; its answer is noted when it is given."""
        future = self.sequencer.submit(request)
        future.add_done_callback(lambda _: self.events.append(("answered",)))
        return future

    def place(self, client_order_id: str = "a", **changes: object) -> "asyncio.Future[Reply]":
        return self.submit(make_request(client_order_id, **changes))

    def answers(self, request: VenueRequest, outcome: Outcome, **fields: object) -> None:
        """Let the exchange answer a request."""
        self.sequencer.hear([answer(request, outcome, **fields)])

    def causes(self) -> list[str]:
        """Return the causes of everything committed since the first sweep."""
        return [cause for name, *causes in self.events if name == "committed" for cause in causes]

    def _released(self, released: Sequence[tuple[Report, Order | None]]) -> None:
        for report, _ in released:
            if isinstance(report, OrderReport):
                self.events.append(("released", report.cause))


def answer(request: VenueRequest, outcome: Outcome, **fields: object) -> VenueAnswer:
    """Return the end of a request."""
    return VenueAnswer(
        account=request.account,
        request_id=request.request_id,
        request=request,
        outcome=outcome,
        **fields,
    )


def done(request: VenueRequest) -> VenueAnswer:
    """Return the end of a request that was carried out."""
    return answer(request, Outcome.DONE)
