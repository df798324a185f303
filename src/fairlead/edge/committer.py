"""Units become durable, one at a time: written, then synced, and meanwhile what will leave is made ready.

While a sync runs in the thread nothing may be decided, because memory must not run further ahead of the
disk than one unit. Must never decide, nor let anything out itself.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor, Future

from fairlead.core.unit import Unit
from fairlead.edge.clock import Clock
from fairlead.edge.limits import Limits
from fairlead.edge.metrics import Durations
from fairlead.journal.journal import Journal

_SYNCS_SMOOTHED = 8  # the mean is of about so many, the last counting most


class Committer:
    """What stands between a decision and its release.

    `unit`: the one that is written and waits for its sync in the thread, None if none does.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        limits: Limits,
        durations: Durations,
        syncs: Executor | None,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """`syncs`: one thread that waits for a slow disk while the loop goes on; None: all inline.

        `durations` gets what commits take, `on_failure` what ends one that the thread has begun.
        """
        self.unit: Unit | None = None
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._durations = durations
        self._syncs = syncs
        self._on_failure = on_failure
        self._sync_ns = 0.0  # what a sync takes, smoothed
        self._is_owed = False  # something is written and not known to be durable
        self._failure: ConnectionError | None = None
        self._after_sync: list[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()

    def commit(
        self, unit: Unit, make_ready: Callable[[bool], None], release: Callable[[], None]
    ) -> None:
        """Make a unit durable, then release it: at once, or later in a turn of the loop.

        `make_ready` is called in between, with whether nothing else can happen before the release. Raises
        CommitFailed, and whatever those raise: the process must then stop.
        """
        began_ns = self._clock.now().steady_ns
        prepared = self._journal.prepare(unit)
        self._is_owed = True
        self._journal.write(prepared)
        self._journal.keep(prepared)  # the disk writes from here on
        if self._syncs is not None and self._is_slow(unit):
            self._sync_in_thread(self._syncs, unit, began_ns, release)
            make_ready(False)
        else:
            make_ready(True)
            self._sync()
            self._end(began_ns, release)

    async def synced(self) -> None:
        """Return when what is written now is durable; readers see it before.

        Raises ConnectionError where it did not become so, or may not have when this was stopped.
        """
        if self._failure is not None:
            if self._is_owed:
                raise self._failure
        elif self.unit is not None:
            synced = self._loop.create_future()
            self._after_sync.append(synced)
            await synced

    def stop(self, error: ConnectionError) -> None:
        """Release nothing more; who waits is told `error`."""
        self._failure = error
        self._tell_synced()

    def _is_slow(self, unit: Unit) -> bool:
        """Whether the loop could do more while the disk writes than a thread costs."""
        limits = self._limits
        return (
            self._sync_ns >= limits.threaded_sync_least_us * 1_000
            and len(unit.orders) >= limits.threaded_orders_least
        )

    def _sync(self) -> None:
        began_ns = self._clock.now().steady_ns
        self._journal.sync()
        self._is_owed = False
        took_ns = self._clock.now().steady_ns - began_ns
        self._sync_ns += (took_ns - self._sync_ns) / _SYNCS_SMOOTHED

    def _end(self, began_ns: int, release: Callable[[], None]) -> None:
        self._durations.add(self._clock.now().steady_ns - began_ns)
        release()

    def _sync_in_thread(
        self, syncs: Executor, unit: Unit, began_ns: int, release: Callable[[], None]
    ) -> None:
        self.unit = unit

        def ended(syncing: Future[None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(finish, syncing)

        def finish(syncing: Future[None]) -> None:
            self.unit = None
            if self._failure is None:
                try:
                    syncing.result()  # raises what went wrong
                    self._tell_synced()
                    self._end(began_ns, release)
                except Exception as error:  # noqa: BLE001 - whatever it is, memory and disk may disagree
                    self._on_failure(error)

        syncs.submit(self._sync).add_done_callback(ended)

    def _tell_synced(self) -> None:
        """Let those go on who have read what was being synced, or tell them that it failed."""
        waiting, self._after_sync = self._after_sync, []
        for synced in waiting:
            if synced.done():
                continue
            if self._failure is None:
                synced.set_result(None)
            else:
                synced.set_exception(self._failure)
