"""Subscriptions, usable keys, certificates, accounts: who serves by them hears of each change soon.

Asks the database several times a second how many changes there have been, so that what another process
changes (`fairlead keys revoke`) counts here too, and says there by which change it acts. While the database
cannot be asked what was last known counts, and the log says so. In a thread of its own; tells in the event
loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import structlog

from fairlead.control import certificate_rows
from fairlead.control.accounts import ByName, all_accounts
from fairlead.control.certificate import Certificate
from fairlead.control.control import Control
from fairlead.control.errors import ControlError
from fairlead.control.heard import Hearing
from fairlead.control.keys import Usable

log = structlog.get_logger()
INTERVAL_S = 0.1


class Followed(msgspec.Struct, frozen=True):
    """What there is: usable keys with what proves them, accounts by subscription and name.

    Of every subscription, whose names are in `subscriptions`.
    """

    subscriptions: tuple[str, ...]
    keys: Sequence[Usable]
    accounts: ByName
    certificates: Mapping[str, Certificate]


Told = Callable[[Followed], None]


class ControlFollowed:
    """Tells what there is, all of it in one read at each change, from `start` to `stop`."""

    def __init__(
        self,
        control: Control,
        told: Told,
        looked: Callable[[], None],
        failed: Callable[[BaseException], None],
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        """`told` hears it when something has changed, `looked` each time that it was asked for.

        `settled` returns when what was told is acted by. `failed` hears why nothing will be told any more:
        then nobody must be served by old keys.
        """
        self._control = control
        self._told = told
        self._looked = looked
        self._failed = failed
        self._revision = -1
        self._known: ByName = {}
        self._looking = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "control")
        self._hearing = Hearing(control.store, settled, failed)
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tell it as it is; when this returns it is known. Raises ControlError."""
        await self.look()
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(self._ended)
        self._hearing.start()

    async def stop(self) -> None:
        """Tell nothing more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        self._thread.shutdown()
        await self._hearing.stop()

    async def look(self) -> None:
        """Tell what was changed before this was called, unless it is told already. Raises ControlError."""
        async with self._looking:
            read = asyncio.get_running_loop().run_in_executor(self._thread, self._read)
            revision, found = await read
            if found is not None:
                self._told(found)
                self._known = found.accounts
            self._revision = revision  # now: whoever waited here may have been cancelled
            self._hearing.hear(revision)

    async def _follow(self) -> None:
        is_lost = False
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.look()
            except ControlError as error:
                if not is_lost:
                    log.error("control plane cannot be read", cause=str(error))  # noqa: TRY400 - no trace
                is_lost = True
            else:
                is_lost = False
            self._looked()

    def _ended(self, task: asyncio.Task[None]) -> None:
        cause = None if task.cancelled() else task.exception()
        if cause is not None:
            self._failed(cause)

    def _read(self) -> tuple[int, Followed | None]:
        """Return how many changes there were, and what there is if that has changed since it was told."""
        control = self._control
        revision = control.store.revision()
        if revision == self._revision:
            return revision, None
        names = tuple(each.name for each in control.subscriptions.listed())
        keys = control.keyring.usable()
        accounts = all_accounts(control.store, control.vault, self._known)
        with control.store.read() as connection:
            certificates = certificate_rows.usable(connection)
        return revision, Followed(names, keys, accounts, certificates)
