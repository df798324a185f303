"""The clocks of the seeded world: one true time, and the wall clock of a machine that jumps."""

from random import Random

from fairlead.core.deciding import Now
from fairlead.simulation.loop import VirtualLoop

START_NS = 1_750_000_000_000_000_000  # UTC of virtual time 0


class TrueClock:
    """The exchange's clock: UTC, and it never jumps."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def __call__(self) -> int:
        """Return UTC ns."""
        return START_NS + self._loop.now_ns


class MachineClock:
    """The clock of the machine that Fairlead runs on; an `edge.clock.Clock`.

    `offset_ns` is by how much its wall clock is ahead of the truth. Steady time grows with virtual
    time and starts anew, anywhere, when the machine does.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.offset_ns = 0
        self._loop = loop
        self._steady_start_ns = 0

    def now(self) -> Now:
        """Return the moment."""
        now_ns = self._loop.now_ns
        return Now(START_NS + now_ns + self.offset_ns, now_ns - self._steady_start_ns)

    def utc_ns(self) -> int:
        """Return the wall clock's UTC ns."""
        return START_NS + self._loop.now_ns + self.offset_ns

    def reboot(self, random: Random) -> None:
        """Begin to count steady time from somewhere else."""
        self._steady_start_ns = self._loop.now_ns - random.randrange(1, 10**12)
