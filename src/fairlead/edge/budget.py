"""What an account may ask its exchange, and in which order: the one owner of its request rate.

Cancels go before places, places before queries, queries before polls; a reserve is kept for cancels.
Pure: time is an argument.
"""

from collections import deque

from fairlead.core.messages import VenueCancel, VenuePlace, VenueQuery, VenueRequest
from fairlead.core.rate import Bucket

MS = 1_000_000
CANCEL, PLACE, QUERY, POLL = range(4)
_PRIORITIES = {VenueCancel: CANCEL, VenuePlace: PLACE, VenueQuery: QUERY}


class Budget:
    """Requests per second with a reserve for cancels; what may not go yet waits, up to `queue_most`."""

    def __init__(self, requests_per_s: int, cancel_reserve: int, queue_most: int = 10_000) -> None:
        assert cancel_reserve < requests_per_s, (
            "the reserve leaves nothing for anything but cancels"
        )
        self._bucket = Bucket(requests_per_s)
        self._reserves = (0, cancel_reserve, cancel_reserve, cancel_reserve)
        self._queues: tuple[deque[VenueRequest], ...] = tuple(deque() for _ in range(4))
        self.queue_most = queue_most

    def __len__(self) -> int:
        return sum(map(len, self._queues))

    def add(self, request: VenueRequest) -> bool:
        """Queue a request; False, keeping nothing, when too many of its kind are waiting."""
        queue = self._queues[_PRIORITIES.get(type(request), POLL)]
        if len(queue) >= self.queue_most:
            return False
        queue.append(request)
        return True

    def take(self, now_ns: int) -> list[VenueRequest]:
        """Remove and return what may be sent now, most urgent first."""
        taken = []
        for queue, reserve in zip(self._queues, self._reserves, strict=True):
            while queue and self._bucket.take(now_ns, reserve):
                taken.append(queue.popleft())
        return taken

    def wait_ns(self, now_ns: int) -> int | None:
        """Return how long until something that waits may go, None if nothing waits."""
        waits = [
            self._bucket.wait_ns(now_ns, reserve)
            for queue, reserve in zip(self._queues, self._reserves, strict=True)
            if queue
        ]
        return min(waits) if waits else None

    def refused(self, now_ns: int, retry_after_ms: int) -> None:
        """The exchange said we ask too often: be silent for as long as it says."""
        self._bucket.close_until(now_ns + retry_after_ms * MS)

    def clear(self) -> list[VenueRequest]:
        """Remove and return everything that waits: the connection it waited for is gone."""
        waiting = [request for queue in self._queues for request in queue]
        for queue in self._queues:
            queue.clear()
        return waiting
