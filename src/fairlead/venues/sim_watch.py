"""The watch over one connection to the simulated exchange: does it hear us, and how does its clock stand?

It asks by pings, when nothing was answered for long, when the clocks were not compared for long, or when a
request was refused for its time. Never decides what becomes of a request, and never reads a clock.
"""

from fairlead.venues import sim_messages as wire
from fairlead.venues.offset import ClockOffset
from fairlead.venues.sim_limits import MS, SimLimits
from fairlead.venues.venue import Acts

LOGIN_ID = 0  # requests count from 1, pings down from -1
OFFSET_TOLD_NS = 100 * MS  # a change of the clocks' offset by less is not worth telling


class SimWatch:
    """The time, and what is known of line and clock; the clock's outlives a connection.

    `now_ns` is our clock's. `age_ns` is time passed, as deadlines count it: a clock that is set back stops
    it briefly.
    """

    def __init__(self, limits: SimLimits) -> None:
        self._limits = limits
        self._offset = ClockOffset()
        self._offset_told_ns = 0
        self.now_ns = 0
        self.age_ns = 0
        self.begin()

    def begin(self) -> None:
        """Begin with a new connection."""
        self._answered_ns = self.age_ns
        self._pinged_ns: int | None = None
        self._ping_id = LOGIN_ID
        self._time_asked: tuple[int, int] | None = None  # by our clock, by age; None: it was said
        self._compared_ns = self.age_ns

    def tick(self, now_ns: int) -> None:
        """Let time pass up to `now_ns`."""
        if now_ns > self.now_ns and self.now_ns:
            self.age_ns += now_ns - self.now_ns
        self.now_ns = now_ns

    # ── whether it hears us ──────────────────────────────────────────────────────────────────────

    def answered(self) -> None:
        """Take note that something that we had sent was answered."""
        self._answered_ns = self.age_ns
        self._pinged_ns = None

    def keep_alive(self, acts: Acts) -> None:
        """Ping when nothing was answered for long; if that is not either, nobody hears us.

        What comes unasked shows that the exchange reaches us, not that we reach it: a line may be
        dead one way only, and its stream would then keep it for ever.
        """
        unanswered_ns = self.age_ns - self._answered_ns
        if self._pinged_ns is not None:
            if self.age_ns - self._pinged_ns >= self._limits.pong_timeout_ms * MS:
                text = f"nothing was answered for {unanswered_ns // MS} ms, not even a ping"
                acts.disconnect = text
        elif (
            unanswered_ns >= self._limits.ping_idle_ms * MS
            or self.age_ns - self._compared_ns >= self._limits.time_interval_ms * MS
        ):
            acts.send = self._ping()

    def _ping(self) -> bytes:
        self._ping_id -= 1
        self._pinged_ns = self.age_ns
        self._time_asked = (self.now_ns, self.age_ns)
        return wire.frame(wire.Ping(self._ping_id, self.now_ns))

    # ── its clock ────────────────────────────────────────────────────────────────────────────────

    def exchange_ns(self, now_ns: int) -> int:
        """Return what the exchange's clock says at our `now_ns`, as far as we know."""
        return now_ns + self._offset.ns

    def ask_time(self, acts: Acts) -> None:
        """A request was refused for its time: our idea of the exchange's clock is old."""
        asked = self._time_asked
        if asked is None or self.age_ns - asked[1] >= self._limits.time_gap_ms * MS:
            acts.send += self._ping()

    def time_asked_ns(self, request_id: int) -> int | None:
        """Return when we asked for the time that this pong brings; None if we no longer want it."""
        asked = self._time_asked
        if asked is None or request_id != self._ping_id:
            return None
        self._time_asked = None
        return asked[0]

    def compare(self, asked_ns: int, exchange_ns: int) -> None:
        """Take the exchange's time, which we asked for at `asked_ns` and have heard now."""
        self._compared_ns = self.age_ns
        self._offset.compare(asked_ns, self.now_ns, exchange_ns)

    def untold_offset_ns(self) -> int | None:
        """Return how far the exchange's clock is ahead, if that is worth telling; it is told then."""
        offset_ns = self._offset.ns
        if abs(offset_ns - self._offset_told_ns) < OFFSET_TOLD_NS:
            return None
        self._offset_told_ns = offset_ns
        return offset_ns
