"""Keeps the machine's cores from falling asleep while orders come one by one.

An order that is alone waits for the disk twice, and a core that sleeps meanwhile takes long to wake,
with cold caches. Linux lets a process say how long a wake-up may take, for as long as it holds a file open
(https://docs.kernel.org/power/pm_qos_interface.html); at 0 no core sleeps. That costs power, so it is said
only for moments. Where the file may not be opened, nothing is done.
"""

import asyncio
import os
import struct
from pathlib import Path

DEVICE = Path("/dev/cpu_dma_latency")
ALONE_LEAST = 4  # batches of one order in a row: two orders
_AT_ONCE = struct.pack("=i", 0)
_WHENEVER = struct.pack("=i", 2_000_000_000)  # PM_QOS_CPU_LATENCY_DEFAULT_VALUE: no wish


class Wakeful:
    """The process's wish. `saw` is told of every batch that changed orders."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, hold_ms: int, device: Path = DEVICE
    ) -> None:
        """Open the device, unless `hold_ms`, how long the cores stay awake after an order, is 0."""
        self.is_holding = False
        self._loop = loop
        self._hold_s = hold_ms / 1_000
        self._alone = 0
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._file: int | None = None
        if hold_ms:
            try:
                self._file = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
            except OSError:
                return  # `fairlead doctor` tells

    def saw(self, orders: int) -> None:
        """Take note of a batch that changed so many orders, before its commit."""
        if orders > 1:
            self._alone = 0
            return
        self._alone += 1
        if self._alone < ALONE_LEAST or self._file is None:
            return
        self._last = self._loop.time()
        if not self.is_holding:
            self.is_holding = True
            self._say(_AT_ONCE)
            self._timer = self._loop.call_later(self._hold_s, self._look)

    def close(self) -> None:
        """Wish nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _look(self) -> None:
        left_s = self._last + self._hold_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self.is_holding = False
            self._timer = None
            self._say(_WHENEVER)

    def _say(self, wish: bytes) -> None:
        assert self._file is not None
        os.write(self._file, wish)
