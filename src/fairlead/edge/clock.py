"""The two clocks a process reads, in one place."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from fairlead.core.deciding import Now


class Wall(NamedTuple):
    """The wall clock, for all parts of a process: UTC ns, and waiting until it is so many seconds later."""

    now_ns: Callable[[], int] = time.time_ns
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Clock(Protocol):
    """Gives the moment: wall-clock UTC ns, and steady ns that never jump."""

    def now(self) -> Now:
        """Return the moment."""
        ...


class SystemClock:
    """The machine's steady clock, and the wall clock of the process."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._wall_ns = wall_ns

    def now(self) -> Now:
        """Read both clocks."""
        return Now(self._wall_ns(), time.monotonic_ns())
