"""Times that are still to come: steady ones, and wall-clock ones that follow clock jumps.

Pure: told the moment, it says what is due and how long to wait. A wall-clock time is looked at again
at least every `WALL_CHECK_NS`, so that a clock that jumps ahead is noticed.
"""

import heapq
from collections.abc import Callable

from fairlead.core.deciding import Now
from fairlead.core.timing import TimerDue

WALL_CHECK_NS = 1_000_000_000
PRUNE_LEAST = 4_096  # timers


class Timers:
    """Two heaps. Whoever receives a timer checks that it still counts; `prune` drops what cannot."""

    def __init__(self) -> None:
        self._steady: list[tuple[int, int, TimerDue]] = []
        self._wall: list[tuple[int, int, TimerDue]] = []
        self._count = 0
        self._prune_at = PRUNE_LEAST

    def __len__(self) -> int:
        return len(self._steady) + len(self._wall)

    def add(self, due_ns: int, timer: TimerDue) -> None:
        """Add a timer due at a steady time."""
        self._count += 1
        heapq.heappush(self._steady, (due_ns, self._count, timer))

    def add_wall(self, due_utc_ns: int, timer: TimerDue) -> None:
        """Add a timer due at a UTC time."""
        self._count += 1
        heapq.heappush(self._wall, (due_utc_ns, self._count, timer))

    def prune(self, is_awaited: Callable[[TimerDue], bool]) -> None:
        """Drop the timers that nobody awaits, when there are twice as many as were left last time.

        Orders end long before their last timer: without this, the timers would outnumber them.
        """
        if len(self._steady) + len(self._wall) < self._prune_at:
            return
        self._steady = [entry for entry in self._steady if is_awaited(entry[2])]
        self._wall = [entry for entry in self._wall if is_awaited(entry[2])]
        heapq.heapify(self._steady)
        heapq.heapify(self._wall)
        self._prune_at = max(PRUNE_LEAST, 2 * len(self))

    def take_due(self, now: Now) -> list[TimerDue]:
        """Remove and return what is due, steady ones first."""
        due = []
        for heap, now_ns in ((self._steady, now.steady_ns), (self._wall, now.utc_ns)):
            while heap and heap[0][0] <= now_ns:
                due.append(heapq.heappop(heap)[2])
        return due

    def wait_ns(self, now: Now, is_awaited: Callable[[TimerDue], bool]) -> int | None:
        """Return how long nothing can become due, None if there are no timers.

        Drops those that would be next and that nobody awaits: nobody is to be woken for them.
        """
        for heap in (self._steady, self._wall):
            while heap and not is_awaited(heap[0][2]):
                heapq.heappop(heap)
        waits = []
        if self._steady:
            waits.append(self._steady[0][0] - now.steady_ns)
        if self._wall:
            waits.append(min(self._wall[0][0] - now.utc_ns, WALL_CHECK_NS))
        return max(0, min(waits)) if waits else None
