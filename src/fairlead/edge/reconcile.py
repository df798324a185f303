"""Bringing what we believe of an account in line with its exchange: at start, and ever after.

One sweep: instruments; open orders; a question about every order we think open that was not listed;
fills since the last one booked, page by page; balances. At a connection it opens the account for new
orders; periodically, and when something does not add up, it runs again while trading goes on.
Decides nothing about orders: it asks, and the engine hears the answers. No IO; time is an argument.
"""

from enum import Enum

import msgspec

from fairlead.core.deciding import MS, Now
from fairlead.core.engine import Engine
from fairlead.core.messages import (
    Outcome,
    TimerDue,
    TimerKind,
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
    VenueReport,
    VenueRequest,
    VenueStreamGap,
)
from fairlead.edge.timers import Timers

_ORDER_NEWS = frozenset({VenueOrder, VenueFill, VenueBalancesStated, VenueNotFound})


class Step(Enum):
    """Where a sweep has got to."""

    IDLE = "idle"
    INSTRUMENTS = "instruments"
    OPEN_ORDERS = "open orders"
    UNLISTED = "orders not listed"
    FILLS = "fills"
    BALANCES = "balances"


class ReconcileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in milliseconds. `gap_ms` is the least time between two sweeps."""

    interval_ms: int = 30_000
    retry_ms: int = 1_000
    gap_ms: int = 250


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
        self._armed_ns: int | None = None
        self._requests: list[VenueRequest] = []

    def take_requests(self) -> list[VenueRequest]:
        """Return what the sweep wants asked, each once."""
        requests, self._requests = self._requests, []
        return requests

    def want(self, now: Now) -> None:
        """Something is not known: sweep as soon as the least gap allows."""
        if self.step is not Step.IDLE:
            self._is_wanted_again = True
            return
        if self._engine.account(self.account).is_connected:
            soon_ns = max(now.steady_ns, self._ended_ns + self._settings.gap_ms * MS)
            self.due_ns = soon_ns if self.due_ns is None else min(self.due_ns, soon_ns)

    def due(self, now: Now) -> None:
        """Start a sweep if its time has come."""
        if self.step is Step.IDLE and self.due_ns is not None and self.due_ns <= now.steady_ns:
            self._start()

    def arm(self, timers: Timers) -> None:
        """Set the timer for the next sweep, once per due time."""
        if self.due_ns is not None and self.due_ns != self._armed_ns:
            self._armed_ns = self.due_ns
            timers.add(self.due_ns, TimerDue(account=self.account, kind=TimerKind.SWEEP))

    def awaits(self, request_id: int) -> bool:
        """Return whether the sweep waits for the answer to this request."""
        return request_id in self._awaited

    def heard(self, news: VenueReport, now: Now) -> None:
        """Take what the exchange said, after the engine has."""
        if type(news) in _ORDER_NEWS:
            return
        match news:
            case VenueConnected():
                self._start()
            case VenueDisconnected():
                self.step = Step.IDLE
                self.due_ns = None
                self._awaited.clear()
            case VenueStreamGap():
                self.want(now)
            case VenueOpenOrdersListed() if news.request_id in self._awaited:
                self._begin_unlisted({
                    (order.symbol_exchange, order.exchange_order_id) for order in news.orders
                })  # fmt: skip
            case VenueFillsListed() if news.request_id in self._awaited:
                self._page_booked(news, now)
            case VenueAnswer():
                self._answered(news, now)
            case _:
                pass

    def _start(self) -> None:
        self.due_ns = None
        self._is_wanted_again = False
        self._awaited.clear()
        self._cursor = self._engine.account(self.account).fills_cursor
        self.step = Step.INSTRUMENTS
        self._ask(VenueInstruments(account=self.account, request_id=self._request_id()))

    def _answered(self, news: VenueAnswer, now: Now) -> None:
        if news.request_id not in self._awaited:
            return
        self._awaited.discard(news.request_id)
        if news.outcome is not Outcome.DONE:
            self._failed(now)
        elif not self._awaited:
            self._next(now)

    def _next(self, now: Now) -> None:
        if self.step is Step.INSTRUMENTS:
            self.step = Step.OPEN_ORDERS
            self._ask(VenueOpenOrders(account=self.account, request_id=self._request_id()))
        elif self.step in (Step.OPEN_ORDERS, Step.UNLISTED):
            self.step = Step.FILLS
            self._ask_page()
        elif self.step is Step.FILLS:
            self.step = Step.BALANCES
            self._ask(VenueBalances(account=self.account, request_id=self._request_id()))
        else:
            self._succeeded(now)

    def _begin_unlisted(self, listed: set[tuple[str, str]]) -> None:
        self.step = Step.UNLISTED
        self._awaited |= self._engine.ask_unlisted(self.account, listed)

    def _page_booked(self, news: VenueFillsListed, now: Now) -> None:
        """The engine booked this page; the cursor moves unless a fill still waits for its order.

        A page that is not the last and leads nowhere would be asked for for ever: the sweep fails.
        """
        if not news.is_last and news.cursor == self._cursor:
            self._failed(now)
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
        self.sweep_count += 1
        self._end(now, self._wait_ms())

    def _wait_ms(self) -> int:
        """Return the wait after a sweep: short while fills wait for their order, then ever longer."""
        settings = self._settings
        if not self._engine.has_orphans(self.account):
            self._orphaned_count = 0
            return settings.interval_ms
        wait_ms = settings.retry_ms << min(self._orphaned_count, 20)
        self._orphaned_count += 1
        return min(wait_ms, settings.interval_ms)

    def _failed(self, now: Now) -> None:
        self._awaited.clear()
        self._end(now, self._settings.retry_ms)

    def _end(self, now: Now, wait_ms: int) -> None:
        self.step = Step.IDLE
        self._ended_ns = now.steady_ns
        if self._is_wanted_again:
            wait_ms = self._settings.gap_ms
        self.due_ns = now.steady_ns + wait_ms * MS

    def _ask(self, request: VenueRequest) -> None:
        self._awaited.add(request.request_id)
        self._requests.append(request)

    def _request_id(self) -> int:
        return self._engine.deciding.request_id()
