"""Bringing what we believe of an account in line with its exchange: at start, and ever after.

One sweep: instruments; open orders; a question about every order we think open that was not listed;
fills since the last one booked, page by page; positions, if there can be any; balances. Now and then
the tickers, which nothing waits for. At a connection it opens the account for new
orders; periodically, and when something does not add up, it runs again while trading goes on.
Decides nothing about orders: it asks, and the engine hears the answers. No IO; time is an argument.
"""

from enum import Enum

import msgspec

from fairlead.core.account import RECONCILING
from fairlead.core.deciding import MS, Now
from fairlead.core.engine import Engine
from fairlead.core.reconciliation import SweepCause
from fairlead.core.timing import TimerDue, TimerKind
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueBalances,
    VenueBalancesStated,
    VenueConnected,
    VenueDisconnected,
    VenueFill,
    VenueFillsListed,
    VenueFillsSince,
    VenueInstruments,
    VenueNotFound,
    VenueOpenOrders,
    VenueOpenOrdersListed,
    VenueOrder,
    VenuePositions,
    VenuePositionsStated,
    VenueReport,
    VenueRequest,
    VenueStreamGap,
    VenueTickers,
)
from fairlead.edge.timers import Timers

# What the reconciler has nothing to do with.
ORDER_NEWS = frozenset({
    VenueOrder, VenueFill, VenueBalancesStated, VenuePositionsStated, VenueNotFound,
})  # fmt: skip


class Step(Enum):
    """Where a sweep has got to."""

    IDLE = "idle"
    INSTRUMENTS = "instruments"
    OPEN_ORDERS = "open orders"
    UNLISTED = "orders not listed"
    FILLS = "fills"
    POSITIONS = "positions"
    BALANCES = "balances"


class ReconcileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in milliseconds. `gap_ms` is the least time between two sweeps.

    `tickers_ms` is the least time between two questions for tickers; 0: they are never asked for.
    """

    interval_ms: int = 30_000
    retry_ms: int = 1_000
    gap_ms: int = 250
    tickers_ms: int = 15_000


class Reconciler:
    """One account's sweeps. `due_ns` is the steady time of the next (None: none before a connection)."""

    def __init__(self, account: str, engine: Engine, settings: ReconcileSettings) -> None:
        self.account = account
        self.step = Step.IDLE
        self.due_ns: int | None = None
        self.sweep_count = 0
        self._engine = engine
        self._settings = settings
        self._awaited: set[int] = set()
        self._cursor = ""
        self._is_wanted_again = False
        self._orphaned_count = 0
        self._ended_ns = 0
        self._tickers_ns: int | None = None
        self._cause = SweepCause.CONNECTED
        self.armed_ns: int | None = None  # what the timer is set to
        self.requests: list[VenueRequest] = []  # not taken yet

    def take_requests(self) -> list[VenueRequest]:
        """Return what the sweep wants asked, each once."""
        requests, self.requests = self.requests, []
        return requests

    def want(self, now: Now, cause: SweepCause = SweepCause.WANTED) -> None:
        """Something is not known: sweep as soon as the least gap allows."""
        if self.step is not Step.IDLE:
            self._is_wanted_again = True
            return
        if self._engine.account(self.account).is_connected:
            soon_ns = max(now.steady_ns, self._ended_ns + self._settings.gap_ms * MS)
            if self.due_ns is None or soon_ns < self.due_ns:
                self.due_ns = soon_ns
                self._cause = cause

    def due(self, now: Now) -> None:
        """Start a sweep if its time has come."""
        if self.step is Step.IDLE and self.due_ns is not None and self.due_ns <= now.steady_ns:
            self._start(self._cause, now)

    def arm(self, timers: Timers) -> None:
        """Set the timer for the next sweep, once per due time."""
        if self.due_ns is not None and self.due_ns != self.armed_ns:
            self.armed_ns = self.due_ns
            timers.add(self.due_ns, TimerDue(account=self.account, kind=TimerKind.SWEEP))

    def awaits(self, request_id: int) -> bool:
        """Return whether the sweep waits for the answer to this request."""
        return request_id in self._awaited

    def heard(self, news: VenueReport, now: Now) -> None:
        """Take what the exchange said, after the engine has."""
        match news:
            case VenueAnswer():
                self._answered(news, now)
            case VenueConnected():
                self._tickers_ns = None
                self._start(SweepCause.CONNECTED, now)
            case VenueDisconnected():
                self._interrupted(now)
            case VenueStreamGap():
                self.want(now, SweepCause.STREAM_GAP)
            case VenueOpenOrdersListed() if news.request_id in self._awaited:
                self._begin_unlisted({
                    (order.symbol_exchange, order.exchange_order_id) for order in news.orders
                })  # fmt: skip
            case VenueFillsListed() if news.request_id in self._awaited:
                self._page_booked(news, now)
            case _:
                pass

    def _start(self, cause: SweepCause, now: Now) -> None:
        self.due_ns = None
        self._is_wanted_again = False
        self._awaited.clear()
        account = self._engine.account(self.account)
        account.sweeps.started(cause, now.utc_ns, now.steady_ns)
        self._cursor = account.fills_cursor
        self._take_step(Step.INSTRUMENTS)
        self._ask(VenueInstruments(account=self.account, request_id=self._request_id()))

    def _answered(self, news: VenueAnswer, now: Now) -> None:
        if news.request_id not in self._awaited:
            return
        self._awaited.discard(news.request_id)
        if news.outcome is not Outcome.DONE:
            self._failed(now, f"{self.step.value}: {news.text or news.outcome}")
        elif not self._awaited:
            self._next(now)

    def _next(self, now: Now) -> None:
        if self.step is Step.INSTRUMENTS:
            self._take_step(Step.OPEN_ORDERS)
            self._ask(VenueOpenOrders(account=self.account, request_id=self._request_id()))
        elif self.step in (Step.OPEN_ORDERS, Step.UNLISTED):
            self._take_step(Step.FILLS)
            self._ask_page()
        elif self.step is Step.FILLS and self._engine.account(self.account).has_perpetuals:
            self._take_step(Step.POSITIONS)
            self._ask(VenuePositions(account=self.account, request_id=self._request_id()))
        elif self.step in (Step.FILLS, Step.POSITIONS):
            self._take_step(Step.BALANCES)
            self._ask(VenueBalances(account=self.account, request_id=self._request_id()))
        else:
            self._succeeded(now)

    def _begin_unlisted(self, listed: set[tuple[str, str]]) -> None:
        self._take_step(Step.UNLISTED)
        asked = self._engine.ask_unlisted(self.account, listed)
        self._engine.account(self.account).sweeps.found.orders_asked += len(asked)
        self._awaited |= asked

    def _page_booked(self, news: VenueFillsListed, now: Now) -> None:
        """The engine booked this page; the cursor moves unless a fill still waits for its order.

        A page that is not the last and leads nowhere would be asked for for ever: the sweep fails.
        """
        if not news.is_last and news.cursor == self._cursor:
            self._failed(now, f"{self.step.value}: a page that is not the last leads nowhere")
            return
        self._cursor = news.cursor
        account = self._engine.account(self.account)
        if not self._engine.has_orphans(self.account) and account.fills_cursor != news.cursor:
            account.fills_cursor = news.cursor
            account.is_dirty = True
        if not news.is_last:
            self._ask_page()

    def _ask_page(self) -> None:
        self._ask(
            VenueFillsSince(
                account=self.account, request_id=self._request_id(), cursor=self._cursor
            )
        )

    def _succeeded(self, now: Now) -> None:
        account = self._engine.account(self.account)
        account.is_reconciled = True
        account.trouble = None
        account.reconciled_time_ns = now.utc_ns
        account.reconciled_trade_id = account.last_trade_id
        account.is_dirty = True
        account.sweeps.ended(None, now.steady_ns)
        self.sweep_count += 1
        self._ask_tickers(now)
        self._end(now, self._wait_ms(), SweepCause.PERIODIC)

    def _wait_ms(self) -> int:
        """Return the wait after a sweep: short while fills wait for their order, then ever longer."""
        settings = self._settings
        if not self._engine.has_orphans(self.account):
            self._orphaned_count = 0
            return settings.interval_ms
        wait_ms = settings.retry_ms << min(self._orphaned_count, 20)
        self._orphaned_count += 1
        return min(wait_ms, settings.interval_ms)

    def _failed(self, now: Now, text: str) -> None:
        account = self._engine.account(self.account)
        account.sweeps.ended(text, now.steady_ns)
        if not account.is_reconciled:
            account.trouble = f"{RECONCILING}: {text}"
        self._awaited.clear()
        self._end(now, self._settings.retry_ms, SweepCause.RETRY)

    def _interrupted(self, now: Now) -> None:
        """The connection is gone, and with it the sweep, if there was one; the next one brings another."""
        if self.step is not Step.IDLE:
            text = f"{self.step.value}: disconnected"
            self._engine.account(self.account).sweeps.ended(text, now.steady_ns)
        self.step = Step.IDLE
        self.due_ns = None
        self._awaited.clear()

    def _end(self, now: Now, wait_ms: int, next_cause: SweepCause) -> None:
        self.step = Step.IDLE
        self._ended_ns = now.steady_ns
        self._cause = next_cause
        if self._is_wanted_again:
            wait_ms = self._settings.gap_ms
            self._cause = SweepCause.WANTED
        self.due_ns = now.steady_ns + wait_ms * MS

    def _take_step(self, step: Step) -> None:
        self.step = step
        self._engine.account(self.account).sweeps.step = step.value

    def _ask_tickers(self, now: Now) -> None:
        """Ask for the tickers if that was not done lately; whether they come holds up nothing."""
        every_ns = self._settings.tickers_ms * MS
        is_lately = self._tickers_ns is not None and now.steady_ns < self._tickers_ns + every_ns
        if every_ns and not is_lately:
            self._tickers_ns = now.steady_ns
            self.requests.append(VenueTickers(account=self.account, request_id=self._request_id()))

    def _ask(self, request: VenueRequest) -> None:
        self._awaited.add(request.request_id)
        self.requests.append(request)

    def _request_id(self) -> int:
        return self._engine.deciding.request_id()
