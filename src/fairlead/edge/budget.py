"""What an account may ask its exchange, and in which order: the one owner of its request rate.

Cancels go before everything; a reserve is kept for them. Places go before queries, queries before
polls, but a kind that waits gets one of every few that go: a sweep is made of polls, and without
them an account with more doubts than it may ask about would never open. An exchange that refuses for our
rate halves it, and every second without that doubles it again, up to what is configured.
Pure: time is an argument.
"""

from collections import deque
from collections.abc import Callable

from fairlead.core.rate import SECOND_NS, Bucket
from fairlead.core.venue_messages import VenueCancel, VenuePlace, VenueQuery, VenueRequest

MS = 1_000_000
CANCEL, PLACE, QUERY, POLL = range(4)
_PRIORITIES = {VenueCancel: CANCEL, VenuePlace: PLACE, VenueQuery: QUERY}
PASSED_MOST = 8  # requests, cancels aside, that may go before one of a less urgent kind does


class Budget:
    """Requests per second with a reserve for cancels; what may not go yet waits, up to `queue_most`."""

    def __init__(self, requests_per_s: int, cancel_reserve: int, queue_most: int = 10_000) -> None:
        assert cancel_reserve < requests_per_s, (
            "the reserve leaves nothing for anything but cancels"
        )
        self._bucket = Bucket(requests_per_s)
        self._reserve = cancel_reserve
        self._queues: tuple[deque[VenueRequest], ...] = tuple(deque() for _ in range(4))
        self.waiting = 0  # in all queues
        self._passed = [0] * 4
        self._per_second_most = requests_per_s
        self._closed_until_ns = 0
        self._faster_ns = 0
        self.queue_most = queue_most

    @property
    def per_second(self) -> int:
        """Return the rate as it is now, at most the one configured."""
        return self._bucket.per_second

    def __len__(self) -> int:
        return self.waiting

    def add(self, request: VenueRequest) -> bool:
        """Queue a request; False, keeping nothing, when too many of its kind are waiting."""
        queue = self._queues[_PRIORITIES.get(type(request), POLL)]
        if len(queue) >= self.queue_most:
            return False
        queue.append(request)
        self.waiting += 1
        return True

    def take(
        self, now_ns: int, hand_over: Callable[[VenueRequest], bool] | None = None
    ) -> list[VenueRequest]:
        """Remove and return what may be sent now, most urgent first.

        `hand_over` is told of each, cancels aside; False: it was withdrawn while it waited, is not
        returned, and takes nothing from the rate of the others.
        """
        self._recover(now_ns)
        taken = []
        cancels = self._queues[CANCEL]
        while cancels and self._bucket.take(now_ns):
            taken.append(cancels.popleft())
            self.waiting -= 1
        while self.waiting and self._bucket.has(now_ns, self._reserve):
            kind = self._next_kind()
            if kind is None:
                break  # only cancels wait
            queue = self._queues[kind]
            request = queue.popleft()
            self.waiting -= 1
            if hand_over is None or hand_over(request):
                self._bucket.spend()
                self._count_passed(kind)
                taken.append(request)
            elif not queue:
                self._passed[kind] = 0
        return taken

    def wait_ns(self, now_ns: int) -> int | None:
        """Return how long until something that waits may go, None if nothing waits."""
        self._recover(now_ns)
        if self._queues[CANCEL]:
            return self._bucket.wait_ns(now_ns)
        return None if self._next_kind() is None else self._bucket.wait_ns(now_ns, self._reserve)

    def refused(self, now_ns: int, retry_after_ms: int) -> None:
        """The exchange said we ask too often: be silent for as long as it says, then ask less often.

        What was on its way is refused too; that says nothing new.
        """
        if now_ns >= self._closed_until_ns:
            self._set_rate(now_ns, max(1, self.per_second // 2))
            self._bucket.leave(self._reserve)
        self._closed_until_ns = max(self._closed_until_ns, now_ns + retry_after_ms * MS)
        self._bucket.close_until(self._closed_until_ns)
        self._faster_ns = self._closed_until_ns + SECOND_NS

    def clear(self) -> list[VenueRequest]:
        """Remove and return everything that waits: the connection it waited for is gone."""
        waiting = [request for queue in self._queues for request in queue]
        for queue in self._queues:
            queue.clear()
        self.waiting = 0
        self._passed = [0] * 4
        return waiting

    def _next_kind(self) -> int | None:
        """Return the kind to go next, cancels aside: the most urgent, or one passed over too often."""
        for kind in (QUERY, POLL):
            if self._passed[kind] >= PASSED_MOST:  # so it waits
                return kind
        for kind in (PLACE, QUERY, POLL):
            if self._queues[kind]:
                return kind
        return None

    def _count_passed(self, gone: int) -> None:
        """Count that those that wait were passed over once more; of one that does not it is 0 already."""
        self._passed[gone] = 0
        if self.waiting == len(self._queues[gone]):
            return  # nothing else waits, as nearly always
        for kind in range(gone + 1, len(self._queues)):
            if self._queues[kind]:
                self._passed[kind] += 1

    def _recover(self, now_ns: int) -> None:
        """Double the rate for every second in which the exchange did not refuse it."""
        while self._bucket.per_second < self._per_second_most and now_ns >= self._faster_ns:
            self._set_rate(now_ns, min(self.per_second * 2, self._per_second_most))
            self._faster_ns += SECOND_NS

    def _set_rate(self, now_ns: int, per_second: int) -> None:
        # Less than the reserve and one more, and nothing but cancels would ever go.
        self._bucket.set_rate(now_ns, per_second, max(per_second, self._reserve + 1))
