"""What is over leaves the control database: sessions, links, challenges, attempts; usage where that is set.

Every hour, in steps of a thousand rows, each a transaction of its own, in a thread of its own: neither the
event loop nor an order waits for it, nor does whoever changes something for longer than one step. The audit
is never touched, nor keys, certificates and users that it tells of.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import ColumnElement, Table, and_, delete, or_, select, tuple_

from fairlead.control.errors import ControlError
from fairlead.control.people.person import HALF_SIGNED_IN_NS, IDLE_NS, LONGEST_NS, Stage
from fairlead.control.store import Store
from fairlead.control.tables import ATTEMPTS, CHALLENGES, LINKS, SESSIONS, USAGE
from fairlead.control.usage import DAY_NS, day_of

log = structlog.get_logger()
INTERVAL_S = 3_600.0
KEPT_NS = DAY_NS  # after the end: a clock that is put back by less brings nothing back
_STEP = 1_000  # rows


class Pruning:
    """Prunes at once and every hour, from `start` to `stop`. What could not be done is done the next time."""

    def __init__(
        self,
        store: Store,
        now_ns: Callable[[], int],
        usage_days: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`usage_days`: so long usage is kept; None: for ever. `sleep`: until `now_ns` is later by it."""
        self._store = store
        self._now_ns = now_ns
        self._usage_days = usage_days
        self._sleep = sleep
        self._thread = ThreadPoolExecutor(1, "pruning")
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._go_on())
        self._task.add_done_callback(_ended)

    async def stop(self) -> None:
        """Prune nothing more; the step that is being done is waited for."""
        self._is_stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._thread.shutdown()

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, self.prune)
            except ControlError as error:
                log.warning("what is over cannot be pruned", cause=str(error))
            await self._sleep(INTERVAL_S)

    def prune(self) -> dict[str, int]:
        """Take out what is over now; return how many rows of each table that was. Raises ControlError."""
        gone = {}
        for table, is_over in over(self._now_ns(), self._usage_days):
            gone[table.name] = count = self._prune(table, is_over)
            if count:
                log.info("pruned", table=table.name, rows=count)
        return gone

    def _prune(self, table: Table, is_over: ColumnElement[bool]) -> int:
        key = tuple_(*table.primary_key.columns)
        step = delete(table).where(
            key.in_(select(*table.primary_key.columns).where(is_over).limit(_STEP))
        )
        count = 0
        while not self._is_stopping:
            with self._store.append() as change:
                found = change.execute(step).rowcount
            count += found
            if found < _STEP:
                break
        return count


def over(now_ns: int, usage_days: int | None) -> list[tuple[Table, ColumnElement[bool]]]:
    """Return by table what is over at a moment, with nobody else asking for it."""
    then_ns = now_ns - KEPT_NS
    session = SESSIONS.c
    prunable = [
        (CHALLENGES, CHALLENGES.c.expires_ns <= then_ns),
        (LINKS, LINKS.c.expires_ns <= then_ns),
        (
            SESSIONS,
            or_(
                session.seen_ns <= then_ns - IDLE_NS,
                session.created_ns <= then_ns - LONGEST_NS,
                and_(
                    session.stage != Stage.WHOLE,
                    session.created_ns <= then_ns - HALF_SIGNED_IN_NS,
                ),
            ),
        ),
        (ATTEMPTS, ATTEMPTS.c.time_ns <= then_ns),
    ]
    if usage_days is not None:
        prunable.append((USAGE, USAGE.c.day < day_of(now_ns - usage_days * DAY_NS)))
    return prunable


def _ended(task: asyncio.Task[None]) -> None:
    """Say that nothing is pruned any more, if it was not stopped: nothing else depends on it."""
    cause = None if task.cancelled() else task.exception()
    if cause is not None:
        log.error("nothing is pruned any more", cause=f"{type(cause).__name__}: {cause}")
