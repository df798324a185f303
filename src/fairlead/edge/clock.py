"""The two clocks a process reads, in one place."""

import time
from typing import Protocol

from fairlead.core.deciding import Now


class Clock(Protocol):
    """Gives the moment: wall-clock UTC ns, and steady ns that never jump."""

    def now(self) -> Now:
        """Return the moment."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Now:
        """Read both clocks."""
        return Now(time.time_ns(), time.monotonic_ns())
