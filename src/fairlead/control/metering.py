"""Usage on its way to the control database: every few seconds, at midnight and at the end.

In a thread of its own, so that neither the event loop nor an order waits for it. What cannot be written
stays and is written later; a process that is killed loses what it counted since its last batch, no more.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from fairlead.control.errors import ControlError
from fairlead.control.store import Store
from fairlead.control.usage import Batch, UsageAsked, Used, day_end_ns
from fairlead.control.usage_book import UsageBook

log = structlog.get_logger()
INTERVAL_S = 5.0


class Counted(Protocol):
    """Where requests are counted."""

    def take(self) -> Batch | None:
        """Return what is to be written, the same until `written` is called; None: nothing is."""
        ...

    def written(self) -> None:
        """Forget what was taken: it is durable."""
        ...


class Metering:
    """Writes what `counted` counts, from `start` to `stop`. `failed` hears why it does not any more."""

    def __init__(
        self,
        store: Store,
        counted: Counted,
        now_ns: Callable[[], int],
        failed: Callable[[BaseException], None],
        interval_s: float = INTERVAL_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`sleep` returns when `now_ns` is so many seconds later."""
        self._book = UsageBook(store)
        self._counted = counted
        self._now_ns = now_ns
        self._failed = failed
        self._interval_s = interval_s
        self._sleep = sleep
        self._writer = secrets.token_hex(16)
        self._thread = ThreadPoolExecutor(1, "usage")
        self._task: asyncio.Task[None] | None = None
        self._has_written = False
        self._is_lost = False

    def start(self) -> None:
        """Write from now on."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    async def read(self, asked: UsageAsked, limit: int) -> list[Used]:
        """Return what is written, at most `limit` rows; see `UsageBook.read`. Raises ControlError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._book.read, asked, limit)

    async def stop(self) -> None:
        """Write the rest, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self._write_all()
        self._thread.shutdown()

    async def _run(self) -> None:
        while True:
            now_ns = self._now_ns()
            await self._sleep(min(self._interval_s, (day_end_ns(now_ns) - now_ns) / 1e9))
            await self._write()

    async def _write_all(self) -> None:
        while await self._write():
            pass
        if self._has_written and not self._is_lost:
            await self._in_thread(lambda: self._book.end(self._writer))

    async def _write(self) -> bool:
        """Write what is there; whether something was and is durable now."""
        batch = self._counted.take()
        if batch is None:
            return False
        now_ns = self._now_ns()
        if not await self._in_thread(lambda: self._book.add(self._writer, batch, now_ns)):
            return False
        self._counted.written()
        self._has_written = True
        return True

    async def _in_thread(self, work: Callable[[], None]) -> bool:
        """Do it; whether it succeeded. The first failure of several is said."""
        try:
            # Not given up when this is: the thread goes on, and the batch keeps its number.
            await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except ControlError as error:
            if not self._is_lost:
                log.error("usage cannot be written", cause=str(error))  # noqa: TRY400 - no trace
            self._is_lost = True
            return False
        self._is_lost = False
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        cause = None if task.cancelled() else task.exception()
        if cause is not None:
            self._failed(cause)
