"""By which change who serves acts: stored by it, and read by whoever waits until a change of theirs counts.

It is no change itself: nobody who follows changes is woken by it. Where it cannot be stored, who serves goes
on, and whoever waits is told so in time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import select

from fairlead.control.errors import ControlError
from fairlead.control.store import Store
from fairlead.control.tables import HEARD

log = structlog.get_logger()
RETRY_S = 1.0


def heard(store: Store) -> int:
    """Return by which change who serves acts, or acted when it was here. Raises ControlError."""
    with store.read() as connection:
        revision: int = connection.execute(select(HEARD.c.revision)).scalar_one()
        return revision


class Hearing:
    """Stores it, from `start` to `stop`, in a thread of its own: who follows changes never waits for that."""

    def __init__(
        self,
        store: Store,
        settled: Callable[[], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`settled` returns when what was told is acted by. `failed` hears why nothing is stored any more."""
        self._store = store
        self._settled = settled
        self._failed = failed
        self._revision = -1
        self._is_behind = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "heard")
        self._storing: asyncio.Task[None] | None = None

    def hear(self, revision: int) -> None:
        """Have it stored soon that all up to this change was told."""
        if revision != self._revision:
            self._revision = revision
            self._is_behind.set()

    def start(self) -> None:
        """Store from now on."""
        self._storing = asyncio.create_task(self._run())
        self._storing.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Store nothing more."""
        if self._storing is not None:
            self._storing.cancel()
            await asyncio.wait([self._storing])
        self._thread.shutdown()

    async def _run(self) -> None:
        is_lost = False
        while True:
            await self._is_behind.wait()
            self._is_behind.clear()
            revision = self._revision
            await self._settled()
            storing = asyncio.get_running_loop().run_in_executor(self._thread, self._put, revision)
            try:
                await storing
            except ControlError as error:
                if not is_lost:
                    log.error("commands are not told what counts", cause=str(error))  # noqa: TRY400 - no trace
                is_lost = True
                self._is_behind.set()
                await asyncio.sleep(RETRY_S)
            else:
                is_lost = False

    def _put(self, revision: int) -> None:
        with self._store.append() as connection:
            connection.execute(HEARD.update().values(revision=revision))

    def _ended(self, task: asyncio.Task[None]) -> None:
        cause = None if task.cancelled() else task.exception()
        if cause is not None:
            self._failed(cause)
