"""The subscriptions of one process: each is served from the moment that the control plane knows it.

`local` is there from the start; in open mode there is no other. The rest lie in folders of their own under
`subscriptions`. One that cannot be started is tried again and again, and its keys prove nobody until it is
there: the others must not suffer from it. Must never decide anything about an order.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import structlog

from fairlead.app.tenant import Common, Tenant
from fairlead.control.folders import folder_of
from fairlead.core.port import EdgePort
from fairlead.core.requests import LOCAL
from fairlead.edge.edge import Edge
from fairlead.edge.pulse import Pulse
from fairlead.fix.store import StoreError
from fairlead.gateway.callers import Caller
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.health import Readiness
from fairlead.journal.errors import JournalError

if TYPE_CHECKING:
    from fairlead.control.following import Followed
    from fairlead.control.logins import Account

log = structlog.get_logger()
_RETRY_S = 10.0


class Tenants:
    """From `open` to `close`. `common.access` is told the keys of those that are here. For one event loop."""

    def __init__(self, common: Common) -> None:
        self.ports: dict[str, EdgePort] = {}
        self.desks: dict[str, Desk] = {}
        self._common = common
        self._access = common.access
        self._loop = asyncio.get_running_loop()
        self.local = self._new(LOCAL)
        self._here: dict[str, Tenant] = {}
        self._followed: Followed | None = None
        self._starting: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._unwell: set[str] = set()
        self._is_closing = False

    def open(self) -> None:
        """Take the folder of `local`, and with it all: from then on no other process can.

        Raises JournalError, StoreError of FIX and OSError.
        """
        self.local.open()

    async def start(self) -> None:
        """Start what the control plane has told of; when this returns, it can be served.

        Raises for `local` what `Tenant.start` raises; then `close` is still to be called.
        """
        self._take_in(self.local)
        self._start_later()
        if self._starting is not None:
            await self._starting

    def take(self, followed: "Followed") -> None:
        """Take what the control plane knows now: keys count at once, new subscriptions in a moment."""
        self._followed = followed
        for name, tenant in self._here.items():
            tenant.take_accounts(self._accounts_of(name))
        self._tell_keys()
        if self._here:
            self._start_later()

    async def settled(self) -> None:
        """Wait until new subscriptions that were taken are served, or have been tried."""
        while self._starting is not None:
            await asyncio.wait([self._starting])

    def fail(self, cause: BaseException) -> None:
        """Have none of them decide anything more; whoever waits is told."""
        for tenant in self._here.values():
            tenant.fail(cause)

    async def let_clients_go(self) -> None:
        """Wait for what the ends of clients still cause; start nothing more."""
        self._is_closing = True
        if self._retry is not None:
            self._retry.cancel()
        if self._starting is not None:
            await asyncio.wait([self._starting])
        for tenant in self._here.values():
            await tenant.let_clients_go()

    def close(self) -> None:
        """Stop deciding and close what is stored. Open orders stay open."""
        for tenant in {self.local, *self._here.values()}:
            tenant.close()

    # ── who is served, and how they are ──────────────────────────────────────────────────────────

    def of(self, caller: Caller | None) -> Tenant:
        """Return the tenant of a caller; without one the mode is open, and it is `local`."""
        return self._here[LOCAL if caller is None else caller.subscription]

    def edge_of(self, subscription: str) -> Edge:
        """Return the edge of a subscription that is here."""
        return self._here[subscription].edge

    def all(self) -> Iterator[Tenant]:
        """Yield those that are here."""
        yield from self._here.values()

    async def readiness(self, caller: Caller | None) -> Readiness:
        """Return how the caller's accounts are; who is nobody hears of all together, and of no name."""
        if caller is not None or self._access.is_open:
            known = await self.of(caller).readiness()
            allowed = None if caller is None else self._access.accounts(caller)
            own = [
                each for each in known.accounts if allowed is None or each.exchange_id in allowed
            ]
            return Readiness(known.journal_writable, tuple(own))
        each = [await tenant.readiness() for tenant in self._here.values()]
        return Readiness(
            not self._missing() and all(one.journal_writable for one in each),
            tuple(account for one in each for account in one.accounts),
            is_told=False,
        )

    def pulse(self) -> Callable[[], bool]:
        """Return what feels whether every edge is alive."""
        pulses: dict[str, Pulse] = {}

        def beats() -> bool:
            for name, tenant in self._here.items():
                if name not in pulses:
                    pulses[name] = tenant.pulse()
            beating = [each.beats() for each in pulses.values()]  # each is looked at each time
            return all(beating)

        return beats

    # ── coming ───────────────────────────────────────────────────────────────────────────────────

    def _new(self, name: str) -> Tenant:
        return Tenant(name, folder_of(self._common.config.data, name), self._common)

    def _missing(self) -> list[str]:
        if self._access.is_open or self._followed is None:
            return []
        return [name for name in self._followed.subscriptions if name not in self._here]

    def _start_later(self) -> None:
        if self._missing() and self._starting is None and not self._is_closing:
            self._starting = self._loop.create_task(self._start_missing())
            self._starting.add_done_callback(self._started)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting = None
        cause = None if task.cancelled() else task.exception()
        if cause is not None:
            self._common.on_fatal(cause)

    async def _start_missing(self) -> None:
        tried: set[str] = set()
        while not self._is_closing:
            name = next((each for each in self._missing() if each not in tried), None)
            if name is None:
                break
            tried.add(name)
            await self._start_one(name)
        if self._retry is not None:
            self._retry.cancel()
        if self._missing() and not self._is_closing:
            self._retry = self._loop.call_later(_RETRY_S, self._start_later)

    async def _start_one(self, name: str) -> None:
        tenant = self._new(name)
        try:
            await tenant.open_beside()
            self._take_in(tenant)
        except (JournalError, StoreError, OSError) as error:
            tenant.close()
            if name not in self._unwell:
                log.error("subscription_not_served", subscription=name, cause=str(error))  # noqa: TRY400 - no trace
            self._unwell.add(name)
            return
        self._unwell.discard(name)
        log.info("subscription_served", subscription=name)

    def _take_in(self, tenant: Tenant) -> None:
        name = tenant.name
        tenant.take_accounts(self._accounts_of(name))
        tenant.start()
        self._common.whereabouts.add(tenant.files)
        self._here[name] = tenant
        self.ports[name] = tenant.edge
        if tenant.desk is not None:
            self.desks[name] = tenant.desk
        self._tell_keys()

    def _accounts_of(self, name: str) -> "Mapping[str, Account]":
        return {} if self._followed is None else self._followed.accounts.get(name, {})

    def _tell_keys(self) -> None:
        """Have those keys count whose subscription is here."""
        if self._followed is None:
            return
        keys = self._followed.keys
        here = [usable for usable in keys if usable.key.subscription in self._here]
        self._access.replace(here, self._followed.certificates)
