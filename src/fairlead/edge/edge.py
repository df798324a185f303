"""One process's edge: journal, engine, sequencer and the accounts' connections, behind the port.

The same class runs in production and in the seeded world; what differs is handed in: the clock, how
an account's link is made, the journal, and how blocking reads are run. Accounts come, go and log in anew
while it runs. Must never decide anything.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Protocol, TypeVar

import msgspec
from prometheus_client.core import Metric

from fairlead.core.account import NOT_CONNECTED
from fairlead.core.deciding import EngineSettings
from fairlead.core.engine import Engine
from fairlead.core.model import Order
from fairlead.core.port import HistoryRow, Listener, Prepare, Released, Snapshot
from fairlead.core.replies import Refused, Reply, SnapshotReply
from fairlead.core.reports import OrderReport, Report
from fairlead.core.requests import QueryAccounts, QuerySnapshot, Request
from fairlead.core.venue_messages import VenueReport
from fairlead.edge.budget import Budget
from fairlead.edge.clock import Clock
from fairlead.edge.limits import Limits
from fairlead.edge.line import Line, Link
from fairlead.edge.metrics import EdgeMetrics
from fairlead.edge.reconcile import Reconciler, ReconcileSettings
from fairlead.edge.reconcile_metrics import reconciliation_metrics
from fairlead.edge.sequencer import Sequencer
from fairlead.journal.journal import Journal
from fairlead.journal.reader import JournalReader

_Result = TypeVar("_Result")
_CROWDED_S = 0.01  # between two tries where too much waits
HISTORY_PAGE = 500
REPORTS_PAGE = 500


class OwnedLink(Link, Protocol):
    """A link as its owner sees it."""

    def start(self) -> None:
        """Begin to connect, and stay connected."""
        ...

    def close(self) -> None:
        """Disconnect for good."""
        ...


class RunBlocking(Protocol):
    """How a blocking read of the journal is run without holding up the order path."""

    def __call__(self, work: Callable[[], _Result]) -> Awaitable[_Result]:
        """Run `work` and give its result."""
        ...


Inbox = Callable[[Iterable[VenueReport]], None]
# By the account, who hears it, and the cursor of its fills, which says at which exchange its orders are.
MakeLink = Callable[[str, Inbox, str], OwnedLink]


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an edge can be told. `requests_per_s` is each account's budget at its exchange."""

    engine: EngineSettings = EngineSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    limits: Limits = Limits()
    requests_per_s: int = 10_000
    cancel_reserve: int = 100


class Edge:
    """Implements `core.port.EdgePort` with a function call."""

    def __init__(
        self,
        *,
        journal: Journal,
        reader: JournalReader,
        run_blocking: RunBlocking,
        clock: Clock,
        accounts: Sequence[str],
        make_link: MakeLink,
        settings: EdgeSettings,
        on_fatal: Callable[[BaseException], None],
        syncs: Executor | None = None,
        saw: Callable[[int], None] | None = None,
    ) -> None:
        """`syncs`: a thread for a slow disk; it is shut down by `close`. `saw`: see `Sequencer`, like it.

        `make_link` is called whenever an account is to log in, and reads the login then.
        """
        self._journal = journal
        self._make_link = make_link
        self._settings = settings
        self._reader = reader
        self._run_blocking = run_blocking
        self._engine = Engine(settings.engine, journal.restore(), accounts)
        self._followers: set[asyncio.Event] = set()
        self._listeners: dict[object, Listener] = {}
        self._syncs = syncs

        def stopped(cause: BaseException) -> None:
            self._wake_followers()
            on_fatal(cause)

        self.sequencer = Sequencer(
            self._engine, journal, clock, stopped, settings.limits, syncs, saw
        )
        self._links = {name: self._new_link(name) for name in accounts}
        self._is_closed = False
        self.sequencer.listen(self._note_news)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the accounts that are here, or just come."""
        return tuple(self._links)

    @property
    def metrics(self) -> EdgeMetrics:
        """Return what the sequencer counts."""
        return self.sequencer.metrics

    def start(self) -> None:
        """Take up what was under way, then connect; there is no other recovery."""
        self.sequencer.start({name: self._line(name, link) for name, link in self._links.items()})
        if self.sequencer.failure is None:
            for link in self._links.values():
                link.start()

    def fail(self, cause: BaseException) -> None:
        """Stop deciding, as after a commit that failed; whoever waits is told."""
        self.sequencer.stop(cause)
        self._wake_followers()

    def close(self) -> None:
        """Stop deciding, disconnect, and close the journal. Open orders stay open."""
        if self._is_closed:
            return
        self._is_closed = True
        self.sequencer.stop(ConnectionError("shutting down"))
        self._wake_followers()
        for link in self._links.values():
            link.close()
        if self._syncs is not None:
            self._syncs.shutdown()  # waits for the sync under way
        self._reader.close()
        self._journal.close()

    # ── accounts that come and go ────────────────────────────────────────────────────────────────

    def add_account(self, name: str) -> None:
        """Connect an account, new or back; nothing if it is here. What waits is decided before.

        What it left when it went is reconciled as after a restart, so its login must be the one it had
        then, unless `has_unsettled` says that nothing was left.
        """
        if name in self._links or self._is_closed:
            return
        link = self._links[name] = self._new_link(name)
        self.sequencer.come(name, self._line(name, link))
        link.start()

    def remove_account(self, name: str) -> None:
        """Disconnect an account and know it no more; nothing if it is not here.

        Its open orders stay as they are at the exchange, and in journal and history. From the next request
        on nobody sees them. What was not sent yet is withdrawn, what was on its way stays in doubt.
        """
        link = self._links.pop(name, None)
        if link is not None:
            link.close()
            self.sequencer.go(name)

    def renew_login(self, name: str) -> None:
        """Have an account log in anew; nothing if it is not here. All else of it stays.

        Nothing asked of the exchange is forgotten: what was not answered is unknown, as after any
        disconnection.
        """
        link = self._links.get(name)
        if link is None or self._is_closed:
            return
        link.close()
        renewed = self._links[name] = self._new_link(name)
        self.sequencer.reline(name, self._line(name, renewed))
        renewed.start()

    def has_unsettled(self, name: str) -> bool:
        """Return whether the account has orders to which something is still owed, here or not.

        Then its login must not become another: its orders are known to that one alone.
        """
        return self.sequencer.is_unsettled(name)

    async def suspend(self, name: str) -> bool:
        """Have an account take no orders, for its login to become another; whether it may.

        False: something is owed to its orders, and nothing was changed. True: it is disconnected, and
        nothing comes to be owed; then `renew_login` must follow, whatever became of the login.
        """
        link = self._links.get(name)
        if link is None or self.has_unsettled(name):
            return not self.has_unsettled(name)
        link.close()
        # What was said before must be decided; of a crowded inbox nobody tells that it is so no more.
        while isinstance(await self.submit(QueryAccounts(account="")), Refused):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_CROWDED_S)
        if self.has_unsettled(name):
            self.renew_login(name)
            return False
        return True

    def _new_link(self, name: str) -> OwnedLink:
        return self._make_link(name, self.sequencer.hear, self._engine.fills_cursor(name))

    def _line(self, name: str, link: OwnedLink) -> Line:
        settings = self._settings
        return Line(
            link,
            Budget(settings.requests_per_s, settings.cancel_reserve),
            Reconciler(name, self._engine, settings.reconcile),
        )

    # ── the port ─────────────────────────────────────────────────────────────────────────────────

    def submit(self, request: Request, prepare: Prepare | None = None) -> "asyncio.Future[Reply]":
        """See `EdgePort.submit`."""
        return self.sequencer.submit(request, prepare)

    async def history(
        self, time_start_ns: int, time_end_ns: int, after: str | None, limit: int | None
    ) -> AsyncIterator[HistoryRow]:
        """See `EdgePort.history`."""
        left = limit
        while left is None or left > 0:
            size = HISTORY_PAGE if left is None else min(left, HISTORY_PAGE)
            page = await self._read_history(time_start_ns, time_end_ns, after, size)
            for row in page:
                yield row
            if len(page) < size:
                return
            after = page[-1].cursor
            left = None if left is None else left - len(page)

    async def reports(self, account: str, after_sequence: int) -> AsyncIterator[Released]:
        """See `EdgePort.reports`: read from the journal, woken by the release."""
        news = asyncio.Event()
        self._followers.add(news)
        try:
            while True:
                if self._is_closed:
                    raise ConnectionError("the edge is closed")
                news.clear()
                page = await self._read_reports(account, after_sequence, REPORTS_PAGE)
                for released in page:
                    yield released
                    after_sequence = released.report.sequence
                if not page:
                    if self.sequencer.failure is not None:
                        raise ConnectionError(f"the edge has stopped: {self.sequencer.failure}")
                    await news.wait()
        finally:
            self._followers.discard(news)

    async def reports_page(self, account: str, after_sequence: int, limit: int) -> list[Released]:
        """See `EdgePort.reports_page`."""
        if self._is_closed:
            raise ConnectionError("the edge is closed")
        return await self._read_reports(account, after_sequence, limit)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """See `EdgePort.listen`."""
        key = object()
        self._listeners[key] = listener
        return lambda: self._forget_listener(key)

    async def story(self, account: str, number: int) -> list[OrderReport]:
        """See `EdgePort.story`."""
        reports = await self._read(lambda: self._reader.order_story(number))
        return [each for each in reports if each.account == account]

    async def snapshot(self, account: str) -> Snapshot:
        """See `EdgePort.snapshot`. Raises ConnectionError if the account has no state to show."""
        reply = await self.submit(QuerySnapshot(account=account))
        if isinstance(reply, Refused):
            raise ConnectionError(reply.message)
        assert isinstance(reply, SnapshotReply)
        return Snapshot(account, reply.sequence, reply.orders, reply.balances, reply.positions)

    # ── for those who watch ──────────────────────────────────────────────────────────────────────

    def account_states(self) -> dict[str, str]:
        """Return, by account, `reconciled` or why it is not."""
        return {
            name: self._engine.account(name).trouble or "reconciled"
            if self._engine.is_here(name)
            else NOT_CONNECTED
            for name in self.accounts
        }

    def has_orphans(self, account: str) -> bool:
        """Return whether fills of the account wait for the exchange to say of which order they are."""
        return self._engine.has_orphans(account)

    def gauges(self) -> Iterator[tuple[str, str, dict[str, float]]]:
        """Yield (name, text, value by account) of what is true now, for metrics."""
        now_ns = self.sequencer.now().utc_ns
        here = self._here()
        lines = self.sequencer.lines
        orders = {name: list(self._engine.orders_of(name)) for name in here}
        doubts = {
            name: [order.in_doubt_ns for order in held if order.in_doubt_ns is not None]
            for name, held in orders.items()
        }
        yield (
            "fairlead_orders_unsettled",
            "Orders in memory.",
            {name: len(held) for name, held in orders.items()},
        )
        yield (
            "fairlead_orders_in_doubt",
            "Orders whose outcome is unknown.",
            {name: len(since) for name, since in doubts.items()},
        )
        yield (
            "fairlead_in_doubt_age_seconds",
            "Age of the oldest doubt.",
            {name: (now_ns - min(since)) / 1e9 if since else 0.0 for name, since in doubts.items()},
        )
        yield (
            "fairlead_account_reconciled",
            "1 when the account is open for orders.",
            {name: float(self._engine.account(name).is_reconciled) for name in here},
        )
        yield (
            "fairlead_requests_waiting",
            "Requests that wait for the exchange's rate.",
            {name: len(lines[name].budget) for name in here},
        )
        yield (
            "fairlead_requests_per_second",
            "What the account may ask its exchange now; less than configured after it refused.",
            {name: lines[name].budget.per_second for name in here},
        )
        yield (
            "fairlead_inbox_messages",
            "Messages that wait to be decided.",
            {"": self.sequencer.inbox_size},
        )
        yield "fairlead_timers", "Timers set.", {"": len(self.sequencer.timers)}

    def reconciliation_metrics(self) -> Iterator[Metric]:
        """Yield what metrics say of sweeps and drifts."""
        accounts = [self._engine.account(name) for name in self._here()]
        return reconciliation_metrics(accounts, self.sequencer.now().utc_ns)

    def _here(self) -> list[str]:
        """Return the accounts that are here and have been taken up."""
        return [name for name in self.accounts if self._engine.is_here(name)]

    def _forget_listener(self, key: object) -> None:
        self._listeners.pop(key, None)

    def _note_news(self, released: Sequence[tuple[Report, Order | None]]) -> bool:
        if self._followers:
            self._wake_followers()
        if self._listeners:
            batch = [Released(report, order) for report, order in released]
            for listener in list(self._listeners.values()):
                listener(batch)
        return bool(self._listeners)

    def _wake_followers(self) -> None:
        for news in self._followers:
            news.set()

    async def _read_history(
        self, time_start_ns: int, time_end_ns: int, after: str | None, size: int
    ) -> list[HistoryRow]:
        return await self._read(
            lambda: self._reader.history_page(time_start_ns, time_end_ns, after, size)
        )

    async def _read_reports(self, account: str, after_sequence: int, limit: int) -> list[Released]:
        return await self._read(lambda: self._reader.reports_after(account, after_sequence, limit))

    async def _read(self, work: Callable[[], _Result]) -> _Result:
        """Read the journal, and give what was found when it is durable: it may be written only just now."""
        result = await self._run_blocking(work)
        await self.sequencer.synced()
        return result
