"""The control plane as this process runs it: opened, leased, followed, written to, closed.

Imported late, in the thread that opens it (`system.py`): its libraries take 0.2 s to import, which the
exchange's start uses. Must never decide who may do what: `gateway/callers.py` does.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Self

from fairlead.app.tenants import Tenants
from fairlead.config import Config
from fairlead.config.importing import import_accounts
from fairlead.control.audit import Actor
from fairlead.control.certificates import Certificates
from fairlead.control.control import Control
from fairlead.control.errors import ControlError
from fairlead.control.following import ControlFollowed, Followed
from fairlead.control.keeper import AccountKeeper, AccountKeepers
from fairlead.control.key_changes import Wanted
from fairlead.control.keys import Act, Denied, Scope
from fairlead.control.lease import Lease, LeaseKept
from fairlead.control.metering import Metering
from fairlead.control.names import DATABASE
from fairlead.control.people.passwords import COST, Cost
from fairlead.control.pruning import Pruning
from fairlead.control.tls_files import keep
from fairlead.control.usage import UsageAsked, Used
from fairlead.core.requests import LOCAL
from fairlead.disk.whereabouts import opened
from fairlead.edge.clock import Wall
from fairlead.gateway.callers import Access
from fairlead.tls.folder import Made

_AT_THE_START = Actor("start", "local", "machine")


class ControlPlane:
    """From `open` to `release`; every step in between may be missing when it is taken down."""

    def __init__(
        self,
        control: Control,
        config: Config,
        wall: Wall,
        failed: Callable[[BaseException], None],
    ) -> None:
        self.control = control
        self._config = config
        self._wall = wall
        self._failed = failed
        # Its WAL is another file whenever nobody had the database open meanwhile.
        self.files = () if config.control.url else opened(config.data / DATABASE)
        self._lease: LeaseKept | None = None
        self._followed: ControlFollowed | None = None
        self._keepers: AccountKeepers | None = None
        self._metering: Metering | None = None
        self._pruning: Pruning | None = None

    @classmethod
    def open(
        cls,
        config: Config,
        wall: Wall,
        failed: Callable[[BaseException], None],
        password_cost: Cost | None = None,
    ) -> Self:
        """Open the database. `failed` hears why the process must not go on; it is called in the event loop.

        Blocks. Raises ControlError and OSError.
        """
        url = None if config.control.url is None else config.control.url.text
        key_file, cost = config.control.key_file, password_cost or COST
        control = Control.open(config.data, url, key_file, LOCAL, wall.now_ns(), cost)
        try:
            control.store.make_durable()
            return cls(control, config, wall, failed)
        except BaseException:
            control.close()
            raise

    async def take_lease(self) -> None:
        """See that no other system serves by the database, nor will. Raises ControlError."""
        url = self._config.control.url
        if url is None:
            return
        loop, place = asyncio.get_running_loop(), self.control.store.place
        lease = await loop.run_in_executor(None, Lease.take, url.text, place)
        self._lease = LeaseKept(lease, self._failed, self._config.control.stop_unseen_s)
        self._lease.start()

    async def import_accounts(self) -> None:
        """Know the configured accounts. Raises ControlError and OSError."""
        loop, accounts = asyncio.get_running_loop(), self.control.accounts
        now_ns = self._wall.now_ns()
        await loop.run_in_executor(None, import_accounts, self._config, accounts, now_ns)

    async def follow(self, access: Access, tenants: Tenants, changed: Callable[[], None]) -> None:
        """Tell subscriptions, keys, certificates and accounts, now and at each change; write what is used.

        `changed` hears of each before it counts. Raises ControlError.
        """

        def take(followed: Followed) -> None:
            changed()
            tenants.take(followed)

        control = self.control
        ends = access.end_the_uncovered
        self._followed = ControlFollowed(control, take, ends, self._failed, tenants.settled)
        await self._followed.start()
        now_ns, sleep = self._wall
        self._keepers = AccountKeepers(control, tenants.edge_of, self.look, now_ns)
        self._metering = Metering(control.store, access.usage, now_ns, self._failed, sleep=sleep)
        self._metering.start()
        days = self._config.control.usage_days
        self._pruning = Pruning(control.store, now_ns, days, sleep)
        self._pruning.start()

    async def stop_following(self) -> None:
        """Write what was used, wait for changes that are under way, tell nothing more."""
        if self._pruning is not None:
            await self._pruning.stop()
        if self._metering is not None:
            await self._metering.stop()
        if self._keepers is not None:
            await self._keepers.stop()
        if self._followed is not None:
            await self._followed.stop()

    def close(self) -> None:
        """Close the database."""
        self.control.close()

    async def release(self) -> None:
        """Let another system serve by the database; none of our accounts may be connected any more."""
        if self._lease is not None:
            await self._lease.stop()

    # ── what others are given; once it is followed ───────────────────────────────────────────────

    async def look(self) -> None:
        """Have what was changed until now count when this returns. Raises ControlError."""
        assert self._followed is not None
        await self._followed.look()

    def keeper_of(self, subscription: str) -> AccountKeeper:
        """Return what changes the accounts of a subscription that is served."""
        assert self._keepers is not None
        return self._keepers.of(subscription)

    def certificates_of(self, subscription: str) -> Certificates:
        """Return what issues and revokes the certificates of a subscription's keys."""
        return self.control.of(subscription).certificates

    async def usage(self, asked: UsageAsked, limit: int) -> list[Used]:
        """Return what keys used, at most `limit` rows. Raises ControlError."""
        assert self._metering is not None
        return await self._metering.read(asked, limit)

    @asynccontextmanager
    async def brief_key(self, label: str) -> AsyncIterator[str]:
        """Give the secret of a key that may trade and manage, known at once and revoked at the end.

        Should the process die before, it ends within a day by itself. Raises ControlError.
        """
        loop, keyring = asyncio.get_running_loop(), self.control.keyring
        wanted = Wanted(label=label, scopes=(Scope.TRADE, Scope.MANAGE), days=1)
        now_ns = self._wall.now_ns()
        made = await loop.run_in_executor(None, keyring.create, _AT_THE_START, wanted, now_ns)
        if isinstance(made, Denied):
            raise ControlError(made.message)
        assert made.secret is not None
        try:
            await self.look()
            yield made.secret
        finally:
            now_ns = self._wall.now_ns()
            gone = (_AT_THE_START, made.key.kid, Act.REVOKE, now_ns)
            await loop.run_in_executor(None, keyring.move, *gone)
            await self.look()

    def renew_files(self) -> Sequence[Made]:
        """Make the TLS files anew that are due, and return them. Blocks.

        Raises ControlError, FolderError and OSError.
        """
        return keep(self.control, self._config.tls_folder, self._wall.now_ns())
