"""The interpreter that everything runs in: tuned for the order path, and its numbers."""

import asyncio
import enum
import gc
import sys

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from fairlead.config.model import ProcessConfig


class Collections:
    """Full passes of the garbage collector, now and then, until they are cancelled."""

    def __init__(self, loop: asyncio.AbstractEventLoop, interval_s: float) -> None:
        self._loop = loop
        self._interval_s = interval_s
        self._next = loop.call_later(interval_s, self._collect)

    def cancel(self) -> None:
        """Leave them from now on."""
        self._next.cancel()

    def _collect(self) -> None:
        gc.collect()
        self._next = self._loop.call_later(self._interval_s, self._collect)


def tuned(process: ProcessConfig, loop: asyncio.AbstractEventLoop) -> Collections | None:
    """Keep the garbage collector's full passes off the order path: they are its tail."""
    quicken_enums()
    sys.setswitchinterval(process.switch_interval_us / 1e6)
    gc.set_threshold(process.gc_young_threshold, 50, 1_000_000)
    if process.gc_freeze:
        gc.collect()
        gc.freeze()
    return Collections(loop, process.gc_full_interval_s) if process.gc_full_interval_s else None


def quicken_enums() -> None:
    """Have members of enums read as quickly as Python reads them from 3.12 on.

    Python 3.11 keeps them as attributes of their class, but its metaclass still has the `__getattr__` that
    they needed before, and that alone makes `Stage.ROUTED` take five times as long, a hundred times an
    order. Without it 3.11 does as 3.12, where it is gone.
    """
    if "__getattr__" in vars(enum.EnumType):
        delattr(enum.EnumType, "__getattr__")


def process_registry() -> CollectorRegistry:
    """Return the numbers of the process."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry
