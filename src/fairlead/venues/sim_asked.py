"""What the simulated exchange was asked and has not answered, and the one answer that each request ends with.

A place that was given up as unknown is remembered for a while, for answered late it is news again. Never
decides what an answer means, and never reads a clock: ages are `SimWatch`'s.
"""

from fairlead.core.venue_messages import Outcome, VenueAnswer, VenuePlace, VenueRequest
from fairlead.venues.sim_limits import MS, SimLimits


class SimAsked:
    """The requests of one connection."""

    def __init__(self, limits: SimLimits) -> None:
        self._limits = limits
        self.begin()

    def begin(self) -> None:
        """Begin with a new connection."""
        # By request id, oldest first.
        self._pending: dict[int, tuple[VenueRequest, int]] = {}  # with deadline
        self._given_up: dict[int, tuple[VenuePlace, int]] = {}  # with end

    def __len__(self) -> int:
        """Count those that await an answer."""
        return len(self._pending)

    def add(self, request: VenueRequest, age_ns: int) -> None:
        """Await the answer to a request that is sent now."""
        deadline_ns = age_ns + self._limits.answer_timeout_ms * MS
        self._pending[request.request_id] = (request, deadline_ns)

    def pending(self, request_id: int) -> VenueRequest | None:
        """Return a request that awaits its answer."""
        found = self._pending.get(request_id)
        return None if found is None else found[0]

    def pending_or_given_up(self, request_id: int) -> VenueRequest | None:
        """Return a request that awaits its answer, or a place that may be answered yet."""
        found = self._pending.get(request_id) or self._given_up.get(request_id)
        return None if found is None else found[0]

    def all_pending(self) -> list[VenueRequest]:
        """Return those that await an answer, oldest first."""
        return [request for request, _ in self._pending.values()]

    # ── their ends ───────────────────────────────────────────────────────────────────────────────

    def take(self, request_id: int) -> VenueRequest | None:
        """End a request that awaits its answer, and return it; None: there is none."""
        found = self._pending.pop(request_id, None)
        return None if found is None else found[0]

    def end(self, request_id: int) -> None:
        """End a request that has its answer, also if it had been given up."""
        if self._pending.pop(request_id, None) is None:
            self._given_up.pop(request_id, None)

    def take_overdue(self, age_ns: int) -> list[VenueRequest]:
        """End those whose answer is overdue, and return them."""
        overdue = []
        while self._pending:
            request, deadline_ns = next(iter(self._pending.values()))
            if age_ns < deadline_ns:
                break
            del self._pending[request.request_id]
            overdue.append(request)
        return overdue

    def give_up(self, place: VenuePlace, age_ns: int) -> None:
        """Remember a place that ended as unknown; the oldest one gives way where there are too many."""
        if len(self._given_up) >= self._limits.given_up_max:
            del self._given_up[next(iter(self._given_up))]
        end_ns = age_ns + self._limits.given_up_ms * MS
        self._given_up[place.request_id] = (place, end_ns)

    def forget_given_up(self, age_ns: int) -> None:
        """Forget places that were given up long ago."""
        while self._given_up:
            place, end_ns = next(iter(self._given_up.values()))
            if age_ns < end_ns:
                break
            del self._given_up[place.request_id]


def done(request: VenueRequest, exchange_order_id: str | None = None) -> VenueAnswer:
    """Return the answer that a request was carried out."""
    return VenueAnswer(
        account=request.account,
        request_id=request.request_id,
        request=request,
        outcome=Outcome.DONE,
        exchange_order_id=exchange_order_id,
    )


def answer(
    request: VenueRequest,
    outcome: Outcome,
    *,
    text: str | None = None,
    order_unknown: bool = False,
    retry_after_ms: int | None = None,
) -> VenueAnswer:
    """Return the answer that ends a request with this outcome."""
    return VenueAnswer(
        account=request.account,
        request_id=request.request_id,
        request=request,
        outcome=outcome,
        text=text,
        order_unknown=order_unknown,
        retry_after_ms=retry_after_ms,
    )
