"""What one subscription has at run time: its journal, edge, feed and WebSocket, its FIX desk and stores.

All of it in one folder. Whoever serves requests gives a tenant's parts to that tenant's callers alone; the
parts know no others. Must never decide anything about an order, nor listen on a socket.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog
from prometheus_client.registry import Collector

from fairlead.config import Config
from fairlead.control.logins import Account
from fairlead.core.exact import use_exact_decimals
from fairlead.disk.anew import bring_to_disk
from fairlead.disk.folders import make_folder
from fairlead.disk.whereabouts import OpenFile, Whereabouts, opened, opened_database
from fairlead.edge.clock import SystemClock
from fairlead.edge.edge import Edge, EdgeSettings, Inbox, OwnedLink
from fairlead.edge.metrics import EdgeCollector
from fairlead.edge.pulse import Pulse
from fairlead.edge.storage_metrics import StorageCollector
from fairlead.fix.opening import FILE_NAME as FIX_FILE
from fairlead.fix.opening import LOCK_NAME as FIX_LOCK
from fairlead.fix.store import Store
from fairlead.gateway.callers import Access
from fairlead.gateway.feed import Feed
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.keeping import Kept, open_kept
from fairlead.gateway.health import AccountHealth, Readiness
from fairlead.gateway.websocket.api import WebSocketApi
from fairlead.gateway.websocket.metrics import WebSocketCollector
from fairlead.journal.errors import JournalMissing
from fairlead.journal.journal import Journal
from fairlead.journal.opening import FILE_NAME as JOURNAL_FILE
from fairlead.journal.opening import LOCK_NAME as JOURNAL_LOCK
from fairlead.journal.reader import JournalReader
from fairlead.venues.link import Connect, Link
from fairlead.venues.sim import SimDialect

log = structlog.get_logger()
_Result = TypeVar("_Result")


class Common(msgspec.Struct, frozen=True):
    """What all subscriptions of a process have in common.

    `connect` gives the way to the exchange for one account's link. `wall_ns` is the wall clock. `saw` is told
    how many orders a batch of any of them changes. `whereabouts` looks after what they have open.
    """

    config: Config
    connect: Callable[[], Connect]
    on_fatal: Callable[[BaseException], None]
    access: Access
    wall_ns: Callable[[], int]
    has_fix: bool
    saw: Callable[[int], None]
    whereabouts: Whereabouts


class Tenant:
    """One subscription in its folder, from `open` to `close`. For one event loop."""

    def __init__(self, name: str, folder: Path, common: Common) -> None:
        self.name = name
        self.files: tuple[OpenFile, ...] = ()  # what it must find again at the next start
        self._folder = folder
        self._common = common
        self._accounts: dict[str, Account] = {}
        self._loop = asyncio.get_running_loop()
        self._journal: Journal | None = None
        self._edge: Edge | None = None
        self._feed: Feed | None = None
        self._websocket: WebSocketApi | None = None
        self._fix_store: Store | None = None
        self._fix_kept: Kept | None = None
        self._desk: Desk | None = None
        # One thread reads the journal for history, in short transactions, beside the order path.
        self._readers = ThreadPoolExecutor(1, "journal-reader", use_exact_decimals)

    def open(self) -> None:
        """Take the folder: from then on no other process can.

        Raises JournalError, StoreError of FIX and OSError; then `close` is still to be called.
        """
        make_folder(self._folder)
        _refuse_without_journal(self._folder)
        self._journal = Journal.open(self._folder)
        self._opened(JOURNAL_LOCK, JOURNAL_FILE)
        if self._common.has_fix:
            settings = self._common.config.fix.settings
            bring_to_disk(self._folder / f"{FIX_FILE}-wal")  # the journal's lock keeps others away
            self._fix_store = Store.open(self._folder, settings.sent_messages_min)
            self._opened(FIX_LOCK, FIX_FILE)

    def _opened(self, lock: str, database: str) -> None:
        self.files += opened(self._folder / lock) + opened_database(self._folder / database)

    async def open_beside(self) -> None:
        """Do the same in a thread, beside what is served already."""
        await self._run_blocking(self.open)

    def take_accounts(self, accounts: Mapping[str, Account]) -> None:
        """Take the accounts by name, as they are from now on: connect what is new, disconnect what is gone.

        An account whose parameters changed logs in anew, unless its orders are another login's.
        """
        before, self._accounts = self._accounts, {**accounts}
        edge = self._edge
        if edge is None:  # the start connects them
            return
        for name in edge.accounts:
            if name not in accounts:
                edge.remove_account(name)
        for name, account in accounts.items():
            if name not in edge.accounts:
                edge.add_account(name)
            elif before[name].version != account.version:
                self._renew(edge, before[name], account)

    def _renew(self, edge: Edge, before: Account, after: Account) -> None:
        name = after.exchange_id
        if before.login != after.login and edge.has_unsettled(name):  # changed by another machine
            self._accounts[name] = before
            text = "its unsettled orders are the former login's, which stays; cancel them, then restart"
            log.error("login cannot change", account=name, text=text)
            return
        edge.renew_login(name)

    def start(self) -> None:
        """Take up what was under way, connect the accounts, make what callers are given.

        Raises JournalError and OSError; then `close` is still to be called.
        """
        config = self._common.config
        assert self._journal is not None, "a tenant is opened before it is started"
        self._edge = self._start_edge(self._journal)
        self._feed = Feed(self._edge, config.feed)
        self._websocket = WebSocketApi(
            self._edge,
            self._feed,
            self._common.wall_ns,
            config.websocket,
            omit_nulls=config.http.rest.omit_nulls,
            access=self._common.access,
            subscription=self.name,
        )
        if self._fix_store is not None:
            self._desk = self._make_desk(self._edge, self._feed, self._fix_store)

    def fail(self, cause: BaseException) -> None:
        """Decide nothing more: what it would write is lost."""
        if self._edge is not None:
            self._edge.fail(cause)

    async def let_clients_go(self) -> None:
        """Wait for what the ends of WebSocket clients still cause; their connections are closed."""
        if self._websocket is not None:
            await self._websocket.stop()

    def close(self) -> None:
        """Stop deciding, disconnect, close what is stored. Open orders stay open."""
        if self._fix_store is not None:
            self._fix_store.close()
        if self._fix_kept is not None:
            self._fix_kept.close()
        if self._feed is not None:
            self._feed.close()
        if self._edge is not None:
            self._edge.close()  # and with it the journal
        elif self._journal is not None:
            self._journal.close()
        self._readers.shutdown()

    # ── what others are given; only once it has been started ─────────────────────────────────────

    @property
    def edge(self) -> Edge:
        """Return the way in for requests."""
        assert self._edge is not None
        return self._edge

    @property
    def websocket(self) -> WebSocketApi:
        """Return what upgrades its WebSocket clients."""
        assert self._websocket is not None
        return self._websocket

    @property
    def desk(self) -> Desk | None:
        """Return what its FIX sessions share, None without FIX."""
        return self._desk

    def pulse(self) -> Pulse:
        """Return what feels whether the edge is alive."""
        return Pulse(self.edge.sequencer)

    async def readiness(self) -> Readiness:
        """Return whether it is ready."""
        return Readiness(
            self.edge.sequencer.failure is None,
            tuple(AccountHealth(name, state) for name, state in self.edge.account_states().items()),
        )

    def collectors(self) -> Iterator[Collector]:
        """Yield what gives its numbers to Prometheus."""
        edge = self.edge
        yield EdgeCollector(
            edge.metrics,
            edge.gauges,
            edge.reconciliation_metrics,
            accounts=lambda: edge.accounts,
        )
        assert self._journal is not None
        yield StorageCollector(self._journal)
        assert self._feed is not None
        yield WebSocketCollector(self._feed, self.websocket.hub)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────

    def _start_edge(self, journal: Journal) -> Edge:
        config = self._common.config
        edge = Edge(
            journal=journal,
            reader=JournalReader(self._folder),
            run_blocking=self._run_blocking,
            clock=SystemClock(self._common.wall_ns),
            accounts=list(self._accounts),
            make_link=self._make_link,
            settings=EdgeSettings(
                engine=config.engine,
                reconcile=config.reconcile,
                limits=config.limits,
                requests_per_s=config.rate.requests_per_s,
                cancel_reserve=config.rate.cancel_reserve,
            ),
            on_fatal=self._common.on_fatal,
            syncs=ThreadPoolExecutor(1, "journal-sync"),
            saw=self._common.saw,
        )
        edge.start()
        return edge

    def _make_link(self, name: str, inbox: Inbox, fills_cursor: str) -> OwnedLink:
        return Link(
            name,
            SimDialect(name, *_login(self._accounts[name]), fills_cursor=fills_cursor),
            self._common.connect(),
            inbox,
            loop=self._loop,
            now_ns=self._common.wall_ns,
            random=random.Random(),
        )

    def _make_desk(self, edge: Edge, feed: Feed, store: Store) -> Desk:
        settings = self._common.config.fix.settings
        kept = self._fix_kept = open_kept(self._folder, settings)
        return Desk(
            edge,
            feed,
            store,
            settings,
            self._common.wall_ns,
            self._common.access,
            kept,
            subscription=self.name,
        )

    async def _run_blocking(self, work: Callable[[], _Result]) -> _Result:
        return await self._loop.run_in_executor(self._readers, work)


def _refuse_without_journal(folder: Path) -> None:
    """Refuse a folder whose journal somebody took away: a new one would place orders sent again twice."""
    journal = folder / JOURNAL_FILE
    if (folder / FIX_FILE).exists() and not journal.exists():
        raise JournalMissing(
            f"{journal}: missing, while {FIX_FILE} beside it is there; put it back, restore the data"
            " folder whole from a backup, or begin with an empty folder"
        )


def _login(account: Account) -> tuple[str, str]:
    return account.parameters["PublicApiKey"], account.parameters["PrivateApiKey"]
