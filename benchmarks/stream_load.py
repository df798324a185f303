"""The load over a stream: one connection, many orders in flight, every report of every order awaited.

Knows nothing of a protocol: a `Wire` makes bytes of orders and finds reports in bytes. A slot sends its
next order when the last one's first report at `ROUTED` or later has come, as a connection of
`benchmarks.load` does with its answer; a run ends when the last report of every order has come.
"""

import asyncio
import socket
import time
from collections.abc import Iterable
from typing import Protocol, cast

import msgspec

from benchmarks.load import LoadFailed, random_ids
from benchmarks.mix import Planned, cycle, share


class Heard(msgspec.Struct, frozen=True):
    """What a report says of an order: at `ROUTED` or later, and whether it is its last."""

    client_order_id: bytes
    is_routed: bool
    is_final: bool


class Wire(Protocol):
    """A protocol, as far as the load needs it. One per connection."""

    def hello(self) -> bytes:
        """Return what a client says first."""
        ...

    def order(self, planned: Planned, client_order_id: bytes) -> bytes:
        """Return the bytes of one order."""
        ...

    def hear(self, data: bytes) -> tuple[Iterable[Heard], bytes]:
        """Return the reports in what has arrived, and what must be answered at once.

        Raises LoadFailed for anything but reports and what a protocol says by itself.
        """
        ...

    @property
    def is_open(self) -> bool:
        """Whether orders may be sent: what the server says first has come."""
        ...


class Streamed(msgspec.Struct):
    """A run: ns from each order's write to its first report at `ROUTED` or later, and of all together."""

    each_ns: list[int]
    total_ns: int
    reports: int
    load_cpu_ns: int

    @property
    def count(self) -> int:
        """Return the number of orders."""
        return len(self.each_ns)

    @property
    def per_second(self) -> float:
        """Return orders per second, each with its last report received."""
        return self.count / (self.total_ns / 1e9)

    def quantile_us(self, share: float) -> float:
        """Return the latency in µs that `share` of the orders stayed within."""
        ordered = sorted(self.each_ns)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e3


class _Slot:
    """Sends whole cycles of four, one order after the other."""

    def __init__(self, start: int, most: int) -> None:
        self.next = start
        self.left = most
        self.sent_ns = 0


class _Stream(asyncio.Protocol):
    """One connection with its slots. `opened` and `done` resolve in this order."""

    def __init__(self, wire: Wire, slots: int, total: int) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.each_ns: list[int] = []
        self.reports = 0
        self._wire = wire
        self._planned = cycle()
        self._ids = random_ids()
        each = share(slots, total)
        self._slots = [_Slot(4 * start, each) for start in range(slots)]
        self._unrouted: dict[bytes, _Slot] = {}
        self._unsettled: set[bytes] = set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._wire.hello())

    def start(self) -> None:
        """Send every slot's first order."""
        self._transport.write(b"".join([self._next(slot) for slot in self._slots]))

    def data_received(self, data: bytes) -> None:
        now_ns = time.perf_counter_ns()
        try:
            reports, answer = self._wire.hear(data)
        except LoadFailed as error:
            self._fail(error)
            return
        out = [answer] if answer else []
        for heard in reports:
            self.reports += 1
            if heard.is_routed:
                slot = self._unrouted.pop(heard.client_order_id, None)
                if slot is not None:
                    self.each_ns.append(now_ns - slot.sent_ns)
                    if slot.left:
                        out.append(self._next(slot))
            if heard.is_final:
                self._unsettled.discard(heard.client_order_id)
        if out:
            self._transport.write(b"".join(out))
        if not self.opened.done():
            if self._wire.is_open:
                self.opened.set_result(None)
        elif not self._unsettled and not self.done.done() and not any(s.left for s in self._slots):
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or LoadFailed("the server closed the connection"))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _next(self, slot: _Slot) -> bytes:
        client_order_id = next(self._ids)
        planned = self._planned[slot.next % len(self._planned)]
        slot.next += 1
        slot.left -= 1
        self._unrouted[client_order_id] = slot
        self._unsettled.add(client_order_id)
        message = self._wire.order(planned, client_order_id)
        slot.sent_ns = time.perf_counter_ns()
        return message

    def _fail(self, error: Exception) -> None:
        for future in (self.opened, self.done):
            if not future.done():
                future.set_exception(error)
                future.exception()  # whichever is awaited raises it
        self._transport.close()


async def drive_stream(address: tuple[str, int], wire: Wire, slots: int, total: int) -> Streamed:
    """Send `total` orders (or a few less: whole cycles) with `slots` of them in flight."""
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(
        lambda: _Stream(wire, slots, total), *address, family=socket.AF_INET
    )
    await stream.opened
    before = time.perf_counter_ns()
    cpu_before = time.process_time_ns()
    stream.start()
    await stream.done
    total_ns = time.perf_counter_ns() - before
    load_cpu_ns = time.process_time_ns() - cpu_before
    stream.close()
    return Streamed(stream.each_ns, total_ns, stream.reports, load_cpu_ns)
