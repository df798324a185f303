"""How fast bytes go over one FIX connection: reading and writing wait, a client that never reads is cut off.

Must never look at the bytes.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Wire(Protocol):
    """What is needed of a transport."""

    def write(self, data: bytes) -> None:
        """Send bytes, now or when the other side takes them."""
        ...

    def close(self) -> None:
        """Close once everything written is sent."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        ...

    def pause_reading(self) -> None:
        """Receive nothing for now."""
        ...

    def resume_reading(self) -> None:
        """Receive again."""
        ...


class Flow:
    """One transport. `too_slow` is called before a client is cut off that has not read for `slow_s`."""

    def __init__(self, wire: Wire, slow_s: float, too_slow: Callable[[], None]) -> None:
        self._wire = wire
        self._slow_s = slow_s
        self._too_slow = too_slow
        self._slow: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._reading_holds: set[str] = set()

    def write(self, data: bytes) -> bool:
        """Send bytes unless the transport is closing; return whether they were."""
        if self._wire.is_closing():
            return False
        self._wire.write(data)
        return True

    def close(self) -> None:
        """Close when all is sent, or when it has not been for too long."""
        if not self._wire.is_closing():
            self._wire.close()
        if self._slow is None and not self._is_lost:  # who was slow before has no longer than that
            self._slow = self._later(self.abort)

    def abort(self) -> None:
        """Close at once."""
        self._wire.abort()

    def lost(self) -> None:
        """Take note that the connection is gone: nobody waits for it any more."""
        self._is_lost = True
        self._stop_slow_timer()
        self._writable.set()

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def pause_writing(self) -> None:
        """The client does not read: take nothing of it, and soon cut it off."""
        self._writable.clear()
        self.hold_reading("writing")
        if self._slow is None:
            self._slow = self._later(self._cut_off)

    def resume_writing(self) -> None:
        """The client reads again; of a transport that is closing it has to read all, and in time."""
        if not self._wire.is_closing():
            self._stop_slow_timer()
        self._writable.set()
        self.let_go_reading("writing")

    @property
    def is_writable(self) -> bool:
        """Return whether the client reads."""
        return self._writable.is_set()

    async def writable(self) -> None:
        """Wait until the client reads, or is gone."""
        await self._writable.wait()

    def _later(self, then: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._slow_s, then)

    def _cut_off(self) -> None:
        self._too_slow()
        self._wire.abort()

    def _stop_slow_timer(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def hold_reading(self, why: str) -> None:
        """Receive nothing until every reason for it is let go."""
        if not self._reading_holds and not self._wire.is_closing():
            self._wire.pause_reading()
        self._reading_holds.add(why)

    def let_go_reading(self, why: str) -> None:
        """End one reason, if it is one; receive again when there is none left."""
        if why in self._reading_holds:
            self._reading_holds.remove(why)
            if not self._reading_holds and not self._wire.is_closing():
                self._wire.resume_reading()

    @property
    def is_reading_held(self) -> bool:
        """Return whether nothing is received."""
        return bool(self._reading_holds)
