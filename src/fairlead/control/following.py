"""The usable keys, followed: whoever decides about requests hears of each change within a moment.

Asks the database several times a second how many changes there have been, so that what another process
changes (`fairlead keys revoke`) counts here too. While the database cannot be asked the last known keys
count, and the log says so. In a thread of its own; tells in the event loop.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from fairlead.control.control import Control
from fairlead.control.errors import ControlError
from fairlead.control.keys import ApiKey

log = structlog.get_logger()
INTERVAL_S = 0.25
Told = Callable[[Mapping[bytes, ApiKey]], None]


class KeysFollowed:
    """Tells the usable keys, by the hash of their secrets, from `start` to `stop`."""

    def __init__(
        self,
        control: Control,
        told: Told,
        looked: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`told` hears the keys when they have changed, `looked` each time that they were asked for.

        `failed` hears why nothing will be told any more: then nobody must be served by old keys.
        """
        self._control = control
        self._told = told
        self._looked = looked
        self._failed = failed
        self._revision = -1
        self._thread = ThreadPoolExecutor(1, "control")
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tell the keys as they are; when this returns they are known. Raises ControlError."""
        await self._look()
        self._following = asyncio.create_task(self._follow())
        self._following.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Tell nothing more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        self._thread.shutdown()

    async def _follow(self) -> None:
        is_lost = False
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self._look()
            except ControlError as error:
                if not is_lost:
                    log.error("keys cannot be read", cause=str(error))  # noqa: TRY400 - no trace
                is_lost = True
            else:
                is_lost = False
            self._looked()

    def _ended(self, task: asyncio.Task[None]) -> None:
        cause = None if task.cancelled() else task.exception()
        if cause is not None:
            self._failed(cause)

    async def _look(self) -> None:
        found = await asyncio.get_running_loop().run_in_executor(self._thread, self._read)
        if found is not None:
            self._told(found)

    def _read(self) -> dict[bytes, ApiKey] | None:
        """Return the keys if anything has changed since they were read."""
        revision = self._control.store.revision()
        if revision == self._revision:
            return None
        keys = self._control.keyring.usable()
        self._revision = revision
        return keys
