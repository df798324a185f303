"""Writes to people whose keys will expire, now and then, for as long as the system runs."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from fairlead.control.errors import ControlError
from fairlead.control.people import letters
from fairlead.control.people.expiring import Expiring
from fairlead.control.people.post import Unsent
from fairlead.gateway.console.front import Busy, Desk

log = structlog.get_logger()
INTERVAL_S = 3_600.0


class Reminding:
    """Looks every hour, from `start` to `stop`. What cannot be sent is tried again the next time.

    The hour is that since a look began: a clock that leaps while one is under way has the next come sooner.
    """

    def __init__(
        self, desk: Desk, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`sleep` returns when the desk's clock is so many seconds later."""
        self._desk = desk
        self._expiring = Expiring(desk.control.store)
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a look at once."""
        self._task = asyncio.create_task(self._go_on())
        self._task.add_done_callback(_ended)

    async def stop(self) -> None:
        """Write nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _go_on(self) -> None:
        while True:
            began_ns = self._desk.now_ns()
            try:
                await self.remind()
            except (ControlError, Busy) as error:
                log.warning("keys that expire cannot be looked for", cause=str(error))
            passed_s = (self._desk.now_ns() - began_ns) / 1e9
            await self._sleep(min(INTERVAL_S, max(0.0, INTERVAL_S - passed_s)))

    async def remind(self) -> int:
        """Write what is due, and return how many letters were sent. Raises ControlError and Busy."""
        desk, count = self._desk, 0
        if desk.post is None:
            return 0
        now_ns = desk.now_ns()
        for each in await desk.run(lambda: self._expiring.due(now_ns)):
            key = each.key
            assert key.expires_ns is not None
            letter = letters.of_expiry(each.user, key.label, key.kid, key.expires_ns, each.days)
            try:
                await desk.post.send(letter, now_ns)
            except Unsent as error:
                log.warning("letter not sent", cause=str(error))
                continue
            await desk.run(lambda told=each: self._expiring.told(told))  # type: ignore[misc]
            count += 1
        return count


def _ended(task: asyncio.Task[None]) -> None:
    """Say that nobody is written to any more, if it was not stopped: orders do not depend on it."""
    cause = None if task.cancelled() else task.exception()
    if cause is not None:
        log.error(
            "keys that expire are not looked for any more",
            cause=f"{type(cause).__name__}: {cause}",
        )
